/* Calls that the operator asks for, their answers; the daemon's events. */
#include <string.h>

#include "backend/api/proto.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/gather.h"

/* One call under way; freed by its answer, which comes exactly once (also when the daemon dies). */
struct call {
	struct call *next;
	struct app *app;
	const char *method; /* a constant */
	uint64_t since_ns;
	char done[160];
	call_result *fn; /* NULL: done is the notice */
	bool boot;
};

static void call_free(struct call *c)
{
	struct call **at = &c->app->calls;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

const char *app_oldest_call(const struct app *a, uint64_t *ret_since_ns)
{
	const struct call *c = a->calls;

	while (c && c->next)
		c = c->next;
	*ret_since_ns = c ? c->since_ns : 0;
	return c ? c->method : NULL;
}

void calls_fini(struct app *a)
{
	while (a->calls)
		call_free(a->calls);
}

static const char *proto_result(const char *method)
{
	int id = proto_find(method);

	return id < 0 ? "" : proto_methods[id].result;
}

static void on_called(void *user, int r, struct json_object *result, const struct err *e)
{
	struct call *c = user;
	struct app *a = c->app;

	if (c->boot && r < 0)
		a->expect[0] = '\0';
	if (r < 0)
		app_notice(a, NOTICE_ERROR, "%s", e->msg);
	else if (c->done[0])
		app_notice(a, NOTICE_OK, "%s", c->done);
	if (r == 0 && strcmp(proto_result(c->method), "VM") == 0)
		app_refresh(a, model_set_vm(&a->model, result));
	if (r == 0 && c->fn)
		c->fn(a, result);
	call_free(c);
}

static struct call *call_new(struct app *a, const char *method)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->app = a;
	c->method = method;
	c->since_ns = mono_ns();
	c->next = a->calls;
	a->calls = c;
	return c;
}

static void call_start(struct call *c, struct json_object *params)
{
	struct app *a = c->app;
	struct err e = {0};

	if (link_call(&a->link, c->method, params, on_called, c, &e) < 0) {
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
		if (c->boot)
			a->expect[0] = '\0';
		call_free(c);
	}
}

void app_call(struct app *a, const char *method, struct json_object *params, const char *done)
{
	struct call *c = call_new(a, method);

	snprintf(c->done, sizeof(c->done), "%s", done ? done : "");
	call_start(c, params);
}

void app_call_for(struct app *a, const char *method, struct json_object *params, call_result *fn)
{
	struct call *c = call_new(a, method);

	c->fn = fn;
	call_start(c, params);
}

void app_boot(struct app *a, struct json_object *params)
{
	const char *name = jsonx_str(params, "name");
	struct call *c = call_new(a, "vm.boot");

	snprintf(a->expect, sizeof(a->expect), "%s", name ? name : "?");
	c->boot = true;
	call_start(c, params);
}

/* ---- the link ------------------------------------------------------------------------------- */

static void on_up(void *user)
{
	struct app *a = user;

	app_refresh(a, model_set_stale(&a->model, false));
	if (a->model.loaded) {
		decks_link(&a->decks, NULL);
		app_notice(a, NOTICE_OK, "connected to the daemon again");
	}
	app_load(a);
	if (a->replay)
		replay_up(a);
}

static void on_down(void *user, const struct err *why)
{
	struct app *a = user;

	memset(a->lists, 0, sizeof(a->lists));
	a->timing[0] = '\0';
	a->watching = WATCH_NONE;
	decks_link(&a->decks, why);
	gather_lost(a->gather, why);
	app_refresh(a, model_set_stale(&a->model, true));
	if (a->link.stopped)
		app_notice(a, NOTICE_WARN, "%s", LINK_STOPPED);
	else
		app_notice(a, NOTICE_WARN, "daemon lost, reconnecting: %s", why->msg);
}

static void on_event(void *user, struct json_object *event, bool gap)
{
	struct app *a = user;
	struct model_todo todo;
	unsigned changed = model_event(&a->model, event, &todo) | model_time(&a->model, event) |
			   model_log(&a->model, event) | model_exec(&a->model, event);
	const char *name = jsonx_str(event, "name"), *id = jsonx_str(event, "vm");

	if (gap)
		app_load(a);
	/* A VM that is new and wanted gets its pane before its first ruled line. */
	app_refresh_vm(a, changed, id);
	decks_event(&a->decks, event);
	if (todo.get_vm && id)
		app_get_vm(a, id);
	if (todo.list_images)
		app_list(a, LIST_IMAGES);
	a->snapshots_old |= todo.ask_snapshots;
	if (todo.list_snapshots || (a->snapshots_old && a->at == VIEW_SNAPSHOTS))
		app_list(a, LIST_SNAPSHOTS);
	if (name && strcmp(name, "asset.build.done") == 0)
		app_notice(a, NOTICE_OK, "the image is built: b boots it");
	app_health_notice(a, event);
}

static void on_stats(void *user, struct json_object *host)
{
	struct app *a = user;

	app_refresh(a, model_set_host(&a->model, host));
	app_ask_health(a);
}

const struct link_handler app_link_handler = {on_up, on_down, on_event, on_stats};

void app_deck_notice(void *user, enum notice_kind kind, const char *text)
{
	app_notice(user, kind, "%s", text);
}
