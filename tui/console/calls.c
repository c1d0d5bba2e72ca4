/* Calls to the daemon, their answers, and its events. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/app.h"

/* One call under way; freed by its answer, which comes exactly once (also when the daemon dies). */
struct call {
	struct call *next;
	struct app *app;
	const char *method; /* a constant */
	uint64_t since_ns;
	char done[160];
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

static void on_vms(void *user, int r, struct json_object *result, const struct err *e)
{
	struct app *a = user;

	a->asking_vms = 0;
	if (r < 0) {
		if (a->link.client)
			app_notice(a, NOTICE_ERROR, "%s", e->msg);
		return;
	}
	app_refresh(a, model_set_vms(&a->model, result) | MODEL_VM);
	if (a->refresh_vms)
		app_load(a);
}

static void on_images(void *user, int r, struct json_object *result, const struct err *e)
{
	struct app *a = user;

	(void)e;
	a->asking_images = 0;
	if (r == 0)
		app_refresh(a, model_set_images(&a->model, result));
	if (a->refresh_images)
		app_list_images(a);
}

void app_list_images(struct app *a)
{
	a->refresh_images = a->asking_images > 0;
	if (!a->refresh_images)
		a->asking_images = link_call(&a->link, "image.list", NULL, on_images, a, NULL) == 0;
}

static void list_vms(struct app *a)
{
	a->refresh_vms = a->asking_vms > 0;
	if (!a->refresh_vms)
		a->asking_vms = link_call(&a->link, "vm.list", NULL, on_vms, a, NULL) == 0;
}

void app_load(struct app *a)
{
	list_vms(a);
	app_list_images(a);
}

static void on_vm(void *user, int r, struct json_object *result, const struct err *e)
{
	struct app *a = user;

	(void)e;
	/* Gone meanwhile: the event that says so is on its way. */
	if (r == 0)
		app_refresh(a, model_set_vm(&a->model, result));
}

void app_get_vm(struct app *a, const char *id)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", id);
	(void)link_call(&a->link, "vm.get", o, on_vm, a, NULL);
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
	if (r == 0 && json_object_is_type(result, json_type_object) && jsonx_str(result, "state") &&
		jsonx_str(result, "id"))
		app_refresh(a, model_set_vm(&a->model, result));
	call_free(c);
}

static void call_start(
	struct app *a, const char *method, struct json_object *params, const char *done, bool boot)
{
	struct call *c = xcalloc(1, sizeof(*c));
	struct err e = {0};

	c->app = a;
	c->boot = boot;
	c->method = method;
	c->since_ns = mono_ns();
	c->next = a->calls;
	a->calls = c;
	snprintf(c->done, sizeof(c->done), "%s", done ? done : "");
	if (link_call(&a->link, method, params, on_called, c, &e) < 0) {
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
		if (boot)
			a->expect[0] = '\0';
		call_free(c);
	}
}

void app_call(struct app *a, const char *method, struct json_object *params, const char *done)
{
	call_start(a, method, params, done, false);
}

void app_boot(struct app *a, struct json_object *params)
{
	const char *name = jsonx_str(params, "name");

	snprintf(a->expect, sizeof(a->expect), "%s", name ? name : "?");
	call_start(a, "vm.boot", params, NULL, true);
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
}

static void on_down(void *user, const struct err *why)
{
	struct app *a = user;

	a->asking_vms = a->asking_images = 0;
	a->refresh_vms = a->refresh_images = false;
	decks_link(&a->decks, why);
	app_refresh(a, model_set_stale(&a->model, true));
	app_notice(a, NOTICE_WARN, "daemon lost, reconnecting: %s", why->msg);
}

static void on_event(void *user, struct json_object *event, bool gap)
{
	struct app *a = user;
	struct model_todo todo;
	unsigned changed = model_event(&a->model, event, &todo);
	const char *name = jsonx_str(event, "name"), *id = jsonx_str(event, "vm");

	if (gap)
		app_load(a);
	/* A VM that is new and wanted gets its pane before its first ruled line. */
	app_refresh(a, changed);
	decks_event(&a->decks, event);
	if (todo.get_vm && id)
		app_get_vm(a, id);
	if (todo.list_images)
		app_list_images(a);
	if (name && strcmp(name, "asset.build.done") == 0)
		app_notice(a, NOTICE_OK, "the image is built: b boots it");
}

const struct link_handler app_link_handler = {on_up, on_down, on_event};

void app_deck_notice(void *user, enum notice_kind kind, const char *text)
{
	app_notice(user, kind, "%s", text);
}
