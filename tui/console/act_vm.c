/* Actions on a VM. */
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/console/act.h"
#include "tui/console/gather.h"

static struct json_object *vm_params(const char *id)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", id);
	return o;
}

static const char *name_of(struct app *a, const char *id)
{
	const struct deck_vm *vm = model_find(&a->model, id);

	return vm ? vm->name : id;
}

void act_ATTACH(struct app *a, const char *arg)
{
	(void)arg;
	app_sync_deck(a);
	attach_begin(a, TAB_OUTPUT);
}

void act_SHELL(struct app *a, const char *arg)
{
	struct err e = {0};

	(void)arg;
	app_sync_deck(a);
	if (deck_shell(app_deck(a), &e) < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else
		attach_begin(a, TAB_SHELL);
}

void act_EXEC(struct app *a, const char *arg)
{
	struct err e = {0};

	if (!*arg) {
		exec_open(a);
		return;
	}
	app_sync_deck(a);
	if (deck_exec(app_deck(a), arg, &e) < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	app_sync_deck(a);
}

void act_INTERRUPT(struct app *a, const char *arg)
{
	struct deck *d = app_deck(a);

	(void)arg;
	if (d && d->shown == TAB_EXEC && deck_signal(d, TAB_EXEC, SIGINT))
		app_notice(a, NOTICE_INFO, "interrupt sent to '%s'", d->tab[TAB_EXEC].command);
	else if (gather_cancel(a->gather))
		app_notice(a, NOTICE_INFO, "interrupt sent to what runs of '%.60s'",
			a->gather->command);
	else
		app_notice(a, NOTICE_INFO, "nothing to interrupt here; q leaves the console");
}

void act_BOOT(struct app *a, const char *arg)
{
	boot_dialog_open(a, arg);
}

void act_PAUSE(struct app *a, const char *arg)
{
	const struct deck_vm *vm = app_selected(a);

	(void)arg;
	app_call(a, vm->state == DECK_PAUSED ? "vm.resume" : "vm.pause", vm_params(vm->id), NULL);
}

static void stop_yes(struct app *a, const char *id)
{
	char done[96];

	snprintf(done, sizeof(done), "%s has stopped", name_of(a, id));
	app_call(a, "vm.stop", vm_params(id), done);
}

void act_STOP(struct app *a, const char *arg)
{
	const struct deck_vm *vm = app_selected(a);
	char question[128];

	(void)arg;
	snprintf(question, sizeof(question), "Ask %s to power off?", vm->name);
	if (option_num(&a->options, OPTION_CONFIRM) == CONFIRM_ALL)
		confirm_open(a, false, question, "", vm->id, stop_yes);
	else
		stop_yes(a, vm->id);
}

static void kill_yes(struct app *a, const char *id)
{
	char done[96];

	snprintf(done, sizeof(done), "%s was killed", name_of(a, id));
	app_call(a, "vm.kill", vm_params(id), done);
}

void act_KILL(struct app *a, const char *arg)
{
	const struct deck_vm *vm = app_selected(a);
	char question[128];

	(void)arg;
	snprintf(question, sizeof(question), "Kill %s now?", vm->name);
	confirm_open(
		a, true, question, "The guest gets no time to write anything.", vm->id, kill_yes);
}

static void delete_yes(struct app *a, const char *id)
{
	const struct deck_vm *vm = model_find(&a->model, id);
	char done[96];

	if (!vm)
		return;
	/* Only this console has it still. */
	if (vm->gone) {
		app_refresh(a, model_drop(&a->model, id));
		return;
	}
	snprintf(done, sizeof(done), "%s is deleted", vm->name);
	app_call(a, "vm.rm", vm_params(id), done);
}

void act_DELETE(struct app *a, const char *arg)
{
	const struct deck_vm *vm = app_selected(a);
	char question[128];

	(void)arg;
	if (!vm) {
		if (app_snapshot(a))
			delete_snapshot(a, app_snapshot(a));
		else if (app_image(a))
			delete_image(a, app_image(a));
		return;
	}
	if (vm->gone) {
		delete_yes(a, vm->id);
		return;
	}
	snprintf(question, sizeof(question), "Delete %s?", vm->name);
	confirm_open(a, true, question, "Its logs and its output go with it.", vm->id, delete_yes);
}

void act_BUILD(struct app *a, const char *arg)
{
	struct json_object *o = json_object_new_object();
	const char *name = *arg ? arg : app_image(a) ? app_image(a)->name : "mini";
	const struct deck_image *im = model_image(&a->model, name);
	char done[128];

	if (im && strcmp(im->state, "ready") == 0 && !im->stale)
		snprintf(done, sizeof(done), "image %.63s is up to date", name);
	else
		snprintf(done, sizeof(done), "image %.63s is built", name);
	jsonx_add_str(o, "name", name);
	app_call(a, "image.build", o, done);
}
