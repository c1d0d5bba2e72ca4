/* What may be done to many rows at once, one row of the table an action. */
#include <errno.h>
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/bulk.h"
#include "tui/console/gather.h"

/* ---- exec ------------------------------------------------------------------------------------ */

static void gathered(void *user)
{
	app_dirty(user);
}

static void gather(struct bulk *b, const char *command)
{
	struct app *a = b->app;
	struct gather *g;

	if (gather_busy(a->gather)) {
		app_notice(a, NOTICE_ERROR,
			"'%.60s' still runs in %d VMs: E shows it, C-c there ends it",
			a->gather->command, a->gather->count - a->gather->done);
		return;
	}
	if (!a->link.client) {
		app_notice(a, NOTICE_ERROR, "no daemon at present: %s", a->link.why);
		return;
	}
	gather_free(a->gather);
	g = a->gather = gather_new(command, b->count, gathered, a);
	for (int i = 0; i < b->count; i++)
		gather_add(g, b->item[i].key, b->item[i].name);
	gather_start(g, a->link.client);
	gather_view_open(a);
	if (b->skips)
		app_notice(a, NOTICE_WARN, "%d left out: %s", b->skips, b->skipped);
}

static void exec_done(struct app *a, const char *text, bool accepted)
{
	/* The marks are those of the prompt: nothing else had the keys meanwhile. */
	if (accepted && *text)
		(void)bulk_run(a, ACT_EXEC, text);
}

static void run_exec(struct bulk *b, const char *arg)
{
	static const struct prompt_ops ops = {NULL, exec_done, NULL};
	char label[64];

	snprintf(label, sizeof(label), "exec in %d marked VM%s: ", b->count,
		b->count == 1 ? "" : "s");
	if (*arg)
		gather(b, arg);
	else
		prompt_open(b->app, label, "", &ops, &b->app->execs);
	bulk_free(b);
}

/* ---- snapshot -------------------------------------------------------------------------------- */

/* "%n" of the pattern is the name of the VM. */
static int name_snapshots(struct bulk *b, const char *pattern, struct err *e)
{
	const char *place = strstr(pattern, "%n");

	if (!place && b->count > 1)
		return err_set(e, EINVAL,
			"%d snapshots can't all be '%s': put %%n for the VM's name", b->count,
			pattern);
	for (int i = 0; i < b->count; i++) {
		struct bulk_item *it = &b->item[i];
		char name[200];
		int r;

		if (place)
			snprintf(name, sizeof(name), "%.*s%s%s", (int)min_of(place - pattern, 60),
				pattern, it->name, place + 2);
		else
			snprintf(name, sizeof(name), "%s", pattern);
		r = str_check_name("snapshot name", name, e);
		if (r < 0)
			return r;
		if (model_snapshot(&b->app->model, name))
			return err_set(e, EEXIST, "there is a snapshot '%s' already", name);
		snprintf(it->other, sizeof(it->other), "%.63s", name);
	}
	return 0;
}

static void snapshot_done(struct app *a, const char *text, bool accepted)
{
	if (accepted && *text)
		(void)bulk_run(a, ACT_SNAPSHOT, text);
}

static void run_snapshot(struct bulk *b, const char *arg)
{
	static const struct prompt_ops ops = {NULL, snapshot_done, NULL};
	struct err e = {0};
	char label[64];

	if (!*arg) {
		snprintf(label, sizeof(label), "names of %d snapshot%s (%%n: the VM): ", b->count,
			b->count == 1 ? "" : "s");
		prompt_open(b->app, label, "%n-1", &ops, NULL);
		bulk_free(b);
		return;
	}
	if (name_snapshots(b, arg, &e) < 0) {
		app_notice(b->app, NOTICE_ERROR, "%s", e.msg);
		bulk_free(b);
		return;
	}
	b->method = "snapshot.create";
	b->done = "have their snapshot";
	bulk_start(b);
}

/* ---- states ---------------------------------------------------------------------------------- */

/* One that runs: all pause; else all go on. */
static void run_pause(struct bulk *b, const char *arg)
{
	bool pause = false;
	int n = 0;

	(void)arg;
	for (int i = 0; i < b->count; i++)
		pause |= model_find(&b->app->model, b->item[i].key)->state != DECK_PAUSED;
	for (int i = 0; i < b->count; i++)
		if ((model_find(&b->app->model, b->item[i].key)->state != DECK_PAUSED) == pause)
			b->item[n++] = b->item[i];
	b->count = n;
	b->method = pause ? "vm.pause" : "vm.resume";
	b->done = pause ? "paused" : "resumed";
	bulk_start(b);
}

static void run_stop(struct bulk *b, const char *arg)
{
	(void)arg;
	b->method = "vm.stop";
	b->done = "stopped";
	bulk_ask(b);
}

static void run_kill(struct bulk *b, const char *arg)
{
	(void)arg;
	b->method = "vm.kill";
	b->done = "killed";
	bulk_ask(b);
}

static void detail_kill(const struct bulk *b, char *out, size_t n)
{
	(void)b;
	snprintf(out, n, "The guests get no time to write anything.");
}

/* ---- delete ---------------------------------------------------------------------------------- */

/* Rows that only this console has need no daemon. */
static void drop_gone(struct bulk *b)
{
	int n = 0;

	for (int i = 0; i < b->count; i++) {
		const struct deck_vm *vm = model_find(&b->app->model, b->item[i].key);

		if (vm && vm->gone)
			app_refresh(b->app, model_drop(&b->app->model, vm->id));
		else
			b->item[n++] = b->item[i];
	}
	b->count = n;
}

static void run_delete(struct bulk *b, const char *arg)
{
	enum view_id at = b->app->at;

	(void)arg;
	if (at == VIEW_VMS)
		drop_gone(b);
	if (b->count == 0) {
		bulk_free(b);
		return;
	}
	b->method = at == VIEW_VMS ? "vm.rm" : at == VIEW_SNAPSHOTS ? "snapshot.rm" : "image.rm";
	b->done = "deleted";
	bulk_ask(b);
}

static void detail_delete(const struct bulk *b, char *out, size_t n)
{
	const struct model *m = &b->app->model;
	int users = 0, children = 0, booted = 0;

	for (int i = 0; i < b->count; i++) {
		const struct deck_snapshot *s = model_snapshot(m, b->item[i].key);

		users += s ? s->users : 0;
		for (int k = 0; k < m->snapshots; k++)
			children += strcmp(m->snapshot[k]->parent, b->item[i].key) == 0;
		for (int k = 0; k < m->count; k++)
			booted += strcmp(m->vm[k]->image, b->item[i].key) == 0 && !m->vm[k]->gone;
	}
	if (b->app->at == VIEW_VMS)
		snprintf(out, n, "Their logs and their output go with them.");
	else if (b->app->at == VIEW_IMAGES)
		snprintf(out, n, "%d VM%s booted from them.", booted,
			booted == 1 ? " was" : "s were");
	else
		snprintf(out, n,
			"%d live VM%s them (those stay), %d snapshot%s taken of their clones.",
			users, users == 1 ? " uses" : "s use", children,
			children == 1 ? " was" : "s were");
}

static const struct bulk_verb verbs[] = {
	{ACT_EXEC, NULL, NULL, false, run_exec, NULL},
	{ACT_SNAPSHOT, NULL, NULL, false, run_snapshot, NULL},
	{ACT_PAUSE, NULL, NULL, false, run_pause, NULL},
	{ACT_STOP, "Ask", " to power off?", false, run_stop, NULL},
	{ACT_KILL, "Kill", " now?", true, run_kill, detail_kill},
	{ACT_DELETE, "Delete", "?", true, run_delete, detail_delete},
};

const struct bulk_verb *bulk_verb_of(enum action act)
{
	for (size_t i = 0; i < countof(verbs); i++)
		if (verbs[i].action == act)
			return &verbs[i];
	return NULL;
}
