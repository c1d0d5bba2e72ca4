#include "tui/cli/work.h"

#include <inttypes.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

/* A VM without a given name is recognized by being made: ours is the first one after the call. */
static void note_vm(struct work *w, struct json_object *event)
{
	const char *id = jsonx_str(event, "vm"), *name = jsonx_str(event, "vm_name");
	char title[100];

	if (!id || !name || (w->vm_name[0] && strcmp(w->vm_name, name) != 0))
		return;
	snprintf(w->vm_id, sizeof(w->vm_id), "%s", id);
	snprintf(w->vm_name, sizeof(w->vm_name), "%s", name);
	snprintf(title, sizeof(title), "booting %s", name);
	progress_title(&w->progress, title);
}

static void on_boot_event(void *user, struct json_object *event, bool gap)
{
	struct work *w = user;
	const char *name = jsonx_str(event, "name"), *id = jsonx_str(event, "vm");
	const char *step = jsonx_str(jsonx_get(event, "fields"), "step");

	(void)gap;
	if (!name || !id)
		return;
	if (!w->vm_id[0] && strcmp(name, "vm.create") == 0)
		note_vm(w, event);
	else if (strcmp(id, w->vm_id) == 0 && strcmp(name, "flow.step") == 0 && step)
		progress_step(&w->progress, step, (uint64_t)jsonx_int(event, "mono_ns", 0), 0, 0);
}

static void print_step(struct work *w, const char *step, uint64_t total)
{
	char safe[64], size[32];

	str_safe(safe, sizeof(safe), step);
	if (strcmp(safe, w->last_step) == 0)
		return;
	memcpy(w->last_step, safe, sizeof(safe));
	if (total >= 4096)
		printf("%s: %s (%s)\n", w->image, safe, str_bytes(size, sizeof(size), total));
	else
		printf("%s: %s\n", w->image, safe);
	fflush(stdout);
}

static void on_build_event(void *user, struct json_object *event, bool gap)
{
	struct work *w = user;
	struct json_object *f = jsonx_get(event, "fields");
	const char *name = jsonx_str(event, "name"), *image = jsonx_str(f, "image");
	const char *step = jsonx_str(f, "step");
	int64_t done = jsonx_int(f, "done", 0), total = jsonx_int(f, "total", 0);

	(void)gap;
	if (!name || !image || !step || strcmp(name, "asset.build.step") != 0 ||
		strcmp(image, w->image) != 0)
		return;
	progress_step(&w->progress, step, (uint64_t)jsonx_int(event, "mono_ns", 0),
		(uint64_t)max_of(done, 0), (uint64_t)max_of(total, 0));
	if (w->lines)
		print_step(w, step, (uint64_t)max_of(total, 0));
}

/* Subscribes and calls on one connection: no event is missed between the two. */
int work_follow(struct work *w, api_on_event *fn, const char *method, struct json_object *params,
	double limit, struct json_object **ret, struct err *e)
{
	int r = cli_open(w->c, false, e);

	if (r == 0 && (w->draw || w->lines)) {
		api_set_event_handler(w->c->api, fn, w);
		r = cli_call(w->c, "event.subscribe", NULL, CLI_CALL_S, NULL, e);
	}
	if (r < 0) {
		json_object_put(params);
		return r;
	}
	cli_catch(w->c);
	r = cli_call(w->c, method, params, limit, ret, e);
	cli_uncatch(w->c);
	if (w->c->api)
		api_set_event_handler(w->c->api, NULL, NULL);
	return r;
}

int work_boot(struct work *w, struct json_object *params, struct json_object **ret, struct err *e)
{
	const char *name = jsonx_str(params, "name");
	int r;

	if (name)
		str_safe(w->vm_name, sizeof(w->vm_name), name);
	progress_init(&w->progress, w->c->loop, w->draw, false);
	progress_title(&w->progress, "booting");
	r = work_follow(w, on_boot_event, "vm.boot", params, CLI_BOOT_S, ret, e);
	progress_fini(&w->progress);
	return r;
}

int work_build(struct work *w, bool force, struct json_object **ret, struct err *e)
{
	struct json_object *params = json_object_new_object();
	char title[80];
	int r;

	jsonx_add_str(params, "name", w->image);
	if (force)
		jsonx_add_bool(params, "force", true);
	snprintf(title, sizeof(title), "building %s", w->image);
	progress_init(&w->progress, w->c->loop, w->draw, true);
	progress_title(&w->progress, title);
	r = work_follow(w, on_build_event, "image.build", params, CLI_BUILD_S, ret, e);
	progress_fini(&w->progress);
	return r;
}
