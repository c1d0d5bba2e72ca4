/* What the console asks the daemon by itself: lists, VMs and timings that events point at. One call
 * of a kind at a time; what comes up meanwhile is asked for once more behind it. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/console/app.h"

#define TIMINGS_ASKED 200
#define EVENTS_ASKED  300

static unsigned take(struct app *a, enum listing what, struct json_object *result)
{
	switch (what) {
	case LIST_VMS:
		return model_set_vms(&a->model, result) | MODEL_VM;
	case LIST_IMAGES:
		return model_set_images(&a->model, result);
	case LIST_SNAPSHOTS:
		return model_set_snapshots(&a->model, result);
	case LIST_TIMINGS:
		return model_set_timings(&a->model, result);
	default:
		return model_set_events(&a->model, result);
	}
}

static void answered(
	struct app *a, enum listing what, int r, struct json_object *result, const struct err *e)
{
	a->lists[what].asking = false;
	if (r < 0 && what == LIST_VMS && a->link.client)
		app_notice(a, NOTICE_ERROR, "%s", e->msg);
	if (r == 0)
		app_refresh(a, take(a, what, result));
	if (a->lists[what].again)
		app_list(a, what);
}

#define ANSWER(name, what)                                                                         \
	static void name(void *user, int r, struct json_object *result, const struct err *e)       \
	{                                                                                          \
		answered(user, what, r, result, e);                                                \
	}
ANSWER(on_vms, LIST_VMS)
ANSWER(on_images, LIST_IMAGES)
ANSWER(on_snapshots, LIST_SNAPSHOTS)
ANSWER(on_timings, LIST_TIMINGS)
ANSWER(on_events, LIST_EVENTS)
#undef ANSWER

static const struct {
	const char *method;
	int limit; /* 0: the call has none */
	api_reply *fn;
} lists[] = {
	[LIST_VMS] = {"vm.list", 0, on_vms},
	[LIST_IMAGES] = {"image.list", 0, on_images},
	[LIST_SNAPSHOTS] = {"snapshot.list", 0, on_snapshots},
	[LIST_TIMINGS] = {"timing.list", TIMINGS_ASKED, on_timings},
	[LIST_EVENTS] = {"event.list", EVENTS_ASKED, on_events},
};
_Static_assert(countof(lists) == LIST__COUNT, "a call for each list");

static void ask(struct app *a, enum listing what)
{
	struct json_object *o = json_object_new_object();

	if (lists[what].limit)
		jsonx_add_int(o, "limit", lists[what].limit);
	a->lists[what].asking =
		link_call(&a->link, lists[what].method, o, lists[what].fn, a, NULL) == 0;
}

void app_list(struct app *a, enum listing what)
{
	if (what == LIST_SNAPSHOTS)
		a->snapshots_old = false;
	a->lists[what].again = a->lists[what].asking;
	if (!a->lists[what].again)
		ask(a, what);
}

void app_load(struct app *a)
{
	a->timing[0] = '\0';
	windows_forget_timings(a);
	for (int i = 0; i < LIST__COUNT; i++)
		app_list(a, (enum listing)i);
}

static void on_vm(void *user, int r, struct json_object *result, const struct err *e)
{
	struct app *a = user;

	(void)e;
	/* Gone meanwhile: the event that says so is on its way. */
	if (r == 0) {
		facts_take_vm(a, result);
		app_refresh_vm(a, model_set_vm(&a->model, result), jsonx_str(result, "id"));
	}
}

void app_get_vm(struct app *a, const char *id)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", id);
	(void)link_call(&a->link, "vm.get", o, on_vm, a, NULL);
}

static void on_timing(void *user, int r, struct json_object *result, const struct err *e)
{
	struct app *a = user;

	(void)e;
	/* None is kept of it: the screen says so. */
	if (r == 0)
		app_refresh(a, model_set_timing(&a->model, result));
}

void app_ask_timing_of(struct app *a, const char *id, char *last, size_t n)
{
	const struct deck_timing *t = id ? model_timing(&a->model, id) : NULL;
	char asked[sizeof(a->timing)];
	struct json_object *o;

	if (!id || !a->link.client)
		return;
	/* Once while it runs, for what is usual; once when it has ended, for what is stored. */
	snprintf(asked, sizeof(asked), "%.40s %d", id, t && t->result != RESULT_RUNNING);
	if (strcmp(asked, last) == 0)
		return;
	snprintf(last, n, "%s", asked);
	o = json_object_new_object();
	jsonx_add_str(o, "id", id);
	if (t)
		jsonx_add_str(o, "kind", t->kind);
	(void)link_call(&a->link, "timing.get", o, on_timing, a, NULL);
}

void app_ask_timing(struct app *a)
{
	app_ask_timing_of(a, app_timing(a), a->timing, sizeof(a->timing));
	windows_ask_timings(a);
}
