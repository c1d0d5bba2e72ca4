/* What the daemon is asked to measure and to tell for what is on the screen just now. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/console/app.h"

/* ---- figures --------------------------------------------------------------------------------- */

static bool any_alive(const struct model *m)
{
	for (int i = 0; i < m->count; i++)
		if (deck_vm_alive(m->vm[i]))
			return true;
	return false;
}

static enum watching wanted(struct app *a)
{
	const struct deck *d = app_deck(a);

	if (!a->link.client || !a->model.loaded)
		return WATCH_NONE;
	if (a->at == VIEW_HOST)
		return WATCH_ALL;
	if (a->at != VIEW_VMS || !any_alive(&a->model))
		return WATCH_NONE;
	/* health shows an age, which grows by itself. */
	if (d && a->layout.pane.h && (d->shown == TAB_VITALS || d->shown == TAB_HEALTH))
		return WATCH_ALL;
	return a->layout.list.h && a->layout.list.w >= VMS_CPU_FROM ? WATCH_CHANGES : WATCH_NONE;
}

void app_watch(struct app *a)
{
	enum watching want = wanted(a);
	int ms = want == WATCH_NONE ? 0 : option_num(&a->options, OPTION_FIGURES);
	struct json_object *o;

	if (want == a->watching && ms == a->watching_ms)
		return;
	a->watching = want;
	a->watching_ms = ms;
	if (!a->link.client)
		return;
	o = json_object_new_object();
	jsonx_add_int(o, "interval_ms", ms);
	jsonx_add_bool(o, "changes_only", want == WATCH_CHANGES);
	(void)link_call(&a->link, "host.watch", o, NULL, NULL, NULL);
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void on_doctor(void *user, int r, struct json_object *result, const struct err *e)
{
	struct app *a = user;

	(void)e;
	if (r < 0)
		return;
	json_object_put(a->doctor);
	a->doctor = json_object_get(result);
	app_dirty(a);
}

static void on_health(void *user, int r, struct json_object *result, const struct err *e)
{
	struct app *a = user;

	(void)e; /* one that has gone, or a daemon that has no checks */
	if (r < 0)
		return;
	app_refresh(a, model_set_health(&a->model, result));
	app_dirty(a);
}

/* Checks that change nothing are no events: their age is asked for while it is looked at. */
void app_ask_health(struct app *a)
{
	const struct deck *d = app_deck(a);
	struct json_object *o;

	if (a->at != VIEW_VMS || !d || d->shown != TAB_HEALTH || !a->layout.pane.h)
		return;
	o = json_object_new_object();
	jsonx_add_str(o, "vm", d->vm.id);
	(void)link_call(&a->link, "vm.health", o, on_health, a, NULL);
}

void app_health_notice(struct app *a, struct json_object *event)
{
	struct json_object *f = jsonx_get(event, "fields");
	const char *name = jsonx_str(event, "name"), *vm = jsonx_str(event, "vm_name");
	const char *snapshot = jsonx_str(f, "snapshot"), *result = jsonx_str(f, "result");
	const char *why = jsonx_str(f, "why");

	if (!name || strcmp(name, "health.snapshot") != 0 || !vm || !snapshot || !result)
		return;
	app_notice(a, strcmp(result, "taken") == 0 ? NOTICE_OK : NOTICE_WARN,
		"%s: startup snapshot %s %s%s%s", vm, snapshot, result, why && *why ? ": " : "",
		why ? why : "");
}

void facts_take_vm(struct app *a, struct json_object *vm)
{
	const char *id = jsonx_str(vm, "id");

	if (!id || strcmp(id, a->described.id) != 0)
		return;
	json_object_put(a->described.vm);
	a->described.vm = json_object_get(vm);
	app_dirty(a);
}

void app_ask_facts(struct app *a)
{
	const struct deck *d = app_deck(a);

	if (a->at == VIEW_HOST && !a->doctor_asked)
		a->doctor_asked = link_call(&a->link, "doctor", NULL, on_doctor, a, NULL) == 0;
	if (a->at != VIEW_VMS || !d || d->shown != TAB_DESCRIBE ||
		strcmp(d->vm.id, a->described.id) == 0)
		return;
	json_object_put(a->described.vm);
	a->described.vm = NULL;
	snprintf(a->described.id, sizeof(a->described.id), "%s", d->vm.id);
	app_get_vm(a, d->vm.id);
}

void facts_fini(struct app *a)
{
	json_object_put(a->doctor);
	a->doctor = NULL;
	a->doctor_asked = false;
	json_object_put(a->described.vm);
	a->described.vm = NULL;
	a->described.id[0] = '\0';
}
