/* Snapshot, restore and clone, followed by their events. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/waterfall.h"
#include "tui/cli/work.h"

struct seen {
	const char *name, *vm, *vm_name; /* "" when there is none */
	struct json_object *fields;
	uint64_t mono;
};

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static struct seen seen_of(struct json_object *event)
{
	return (struct seen){
		.name = or_empty(jsonx_str(event, "name")),
		.vm = or_empty(jsonx_str(event, "vm")),
		.vm_name = or_empty(jsonx_str(event, "vm_name")),
		.fields = jsonx_get(event, "fields"),
		.mono = (uint64_t)max_of(jsonx_int(event, "mono_ns", 0), 0),
	};
}

static void show_wait(struct work *w, const struct seen *s, const char *step)
{
	progress_wait(&w->progress, step, s->mono, (int)jsonx_int(s->fields, "n", 0),
		(int)jsonx_int(s->fields, "of", 0), waterfall_num(s->fields, "limit_s"));
}

static void on_snapshot_event(void *user, struct json_object *event, bool gap)
{
	struct work *w = user;
	struct seen s = seen_of(event);
	const char *step = jsonx_str(s.fields, "step");
	const struct progress *p = &w->progress;

	(void)gap;
	if (strcmp(or_empty(jsonx_str(s.fields, "snapshot")), w->snapshot) != 0)
		return;
	if (strcmp(s.name, "flow.step") == 0 && step)
		show_wait(w, &s, step);
	else if (strcmp(s.name, "snapshot.progress") == 0 && p->count)
		progress_step(&w->progress, p->steps[p->count - 1].name, s.mono,
			(uint64_t)max_of(jsonx_int(s.fields, "done", 0), 0),
			(uint64_t)max_of(jsonx_int(s.fields, "total", 0), 0));
}

int work_snapshot(
	struct work *w, struct json_object *params, struct json_object **ret, struct err *e)
{
	char safe[64], title[100];
	int r;

	snprintf(title, sizeof(title), "snapshot %s", str_safe(safe, sizeof(safe), w->snapshot));
	progress_init(&w->progress, w->c->loop, w->draw, true);
	progress_title(&w->progress, title);
	r = work_follow(w, on_snapshot_event, "snapshot.create", params, CLI_SNAPSHOT_S, ret, e);
	progress_fini(&w->progress);
	return r;
}

/* ---- restore --------------------------------------------------------------------------------- */

/* Ours is the first one that is made from this snapshot after the call, with the name we gave. */
static bool note_restored(struct work *w, const struct seen *s)
{
	char safe[64], title[100];

	if (w->vm_id[0] || strcmp(s->name, "vm.create") != 0 ||
		strcmp(or_empty(jsonx_str(s->fields, "snapshot")), w->snapshot) != 0 ||
		(w->vm_name[0] && strcmp(w->vm_name, s->vm_name) != 0))
		return false;
	snprintf(w->vm_id, sizeof(w->vm_id), "%s", s->vm);
	str_safe(safe, sizeof(safe), s->vm_name);
	memcpy(w->vm_name, safe, sizeof(safe));
	snprintf(title, sizeof(title), "restoring %s", safe);
	progress_title(&w->progress, title);
	return true;
}

static void on_restore_event(void *user, struct json_object *event, bool gap)
{
	struct work *w = user;
	struct seen s = seen_of(event);
	const char *step = jsonx_str(s.fields, "step");

	(void)gap;
	if (note_restored(w, &s) || strcmp(s.vm, w->vm_id) != 0 || !w->vm_id[0])
		return;
	if (strcmp(s.name, "flow.step") == 0 && step)
		show_wait(w, &s, step);
}

int work_restore(
	struct work *w, struct json_object *params, struct json_object **ret, struct err *e)
{
	const char *name = jsonx_str(params, "name");
	int r;

	if (name)
		str_safe(w->vm_name, sizeof(w->vm_name), name);
	progress_init(&w->progress, w->c->loop, w->draw, false);
	progress_title(&w->progress, "restoring");
	r = work_follow(w, on_restore_event, "vm.restore", params, CLI_RESTORE_S, ret, e);
	progress_fini(&w->progress);
	return r;
}

/* ---- clone ----------------------------------------------------------------------------------- */

/* A clone is known by its name: PREFIX-12. */
static bool is_clone(const struct work *w, const char *name)
{
	size_t n = strlen(w->prefix);

	return strncmp(name, w->prefix, n) == 0 && name[n] &&
	       name[n + strspn(name + n, "0123456789")] == '\0';
}

static void title_clones(struct work *w)
{
	char safe[48], title[100], failed[24] = "";

	if (w->failed)
		snprintf(failed, sizeof(failed), ", %d failed", w->failed);
	snprintf(title, sizeof(title), "cloning %s: %d of %d healthy%s",
		str_safe(safe, sizeof(safe), w->from), w->healthy, w->wanted, failed);
	progress_title(&w->progress, title);
}

static void on_clone_event(void *user, struct json_object *event, bool gap)
{
	struct work *w = user;
	struct seen s = seen_of(event);
	const char *step = jsonx_str(s.fields, "step");
	char shown[140];

	(void)gap;
	/* Of a VM, its snapshot comes first. */
	if (!is_clone(w, s.vm_name) && strcmp(s.vm_name, w->from) != 0)
		return;
	w->healthy += strcmp(s.name, "vm.restore") == 0;
	w->failed += strcmp(s.name, "vm.restore.failed") == 0;
	if (strcmp(s.name, "vm.restore") == 0 || strcmp(s.name, "vm.restore.failed") == 0) {
		title_clones(w);
	} else if (strcmp(s.name, "flow.step") == 0 && step) {
		snprintf(shown, sizeof(shown), "%s %s", s.vm_name, step);
		show_wait(w, &s, shown);
	}
}

int work_clone(struct work *w, struct json_object *params, struct json_object **ret, struct err *e)
{
	int r;

	progress_init(&w->progress, w->c->loop, w->draw, false);
	title_clones(w);
	r = work_follow(w, on_clone_event, "vm.clone", params, CLI_CLONE_S, ret, e);
	progress_fini(&w->progress);
	return r;
}
