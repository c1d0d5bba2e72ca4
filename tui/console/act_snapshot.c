/* Actions on snapshots, and those that make them. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/act.h"

void act_SNAPSHOT(struct app *a, const char *arg)
{
	snapshot_dialog_open(a, app_selected(a), arg);
}

void act_CLONE(struct app *a, const char *arg)
{
	const struct deck_vm *vm = app_selected(a);
	const struct deck_snapshot *s = app_snapshot(a);

	clone_dialog_open(a, vm ? vm->name : s->name, vm ? vm->id : s->name, arg);
}

void act_RESTORE(struct app *a, const char *arg)
{
	const struct deck_snapshot *s = app_snapshot(a);

	restore_dialog_open(a, *arg || !s ? arg : s->name);
}

void act_POOL(struct app *a, const char *arg)
{
	pool_dialog_open(a, app_snapshot(a), arg);
}

static void verified(struct app *a, struct json_object *o)
{
	const char *name = jsonx_str(o, "name");
	struct json_object *ms = jsonx_get(o, "ms");
	int64_t bytes = jsonx_int(o, "bytes", 0);
	char size[40], took[40];

	app_notice(a, NOTICE_OK, "%s is whole: %s read in %s", name ? name : "?",
		str_bytes(size, sizeof(size), bytes > 0 ? (uint64_t)bytes : 0),
		ms_text(took, sizeof(took), ms ? json_object_get_double(ms) : 0));
}

static struct json_object *named(const char *name)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "name", name);
	return o;
}

void act_VERIFY(struct app *a, const char *arg)
{
	(void)arg;
	app_call_for(a, "snapshot.verify", named(app_snapshot(a)->name), verified);
}

static void snapshot_yes(struct app *a, const char *name)
{
	char done[120];

	snprintf(done, sizeof(done), "snapshot %s is deleted", name);
	app_call(a, "snapshot.rm", named(name), done);
}

static void image_yes(struct app *a, const char *name)
{
	char done[120];

	snprintf(done, sizeof(done), "image %s is deleted", name);
	app_call(a, "image.rm", named(name), done);
}

void delete_snapshot(struct app *a, const struct deck_snapshot *s)
{
	char question[128], detail[200];

	snprintf(question, sizeof(question), "Delete snapshot %s?", s->name);
	if (s->users)
		snprintf(detail, sizeof(detail), "In use by %.180s", s->user_names);
	else
		snprintf(detail, sizeof(detail), "Its memory, state and disks go with it.");
	confirm_open(a, true, question, detail, s->name, snapshot_yes);
}

void delete_image(struct app *a, const struct deck_image *im)
{
	char question[128];

	snprintf(question, sizeof(question), "Delete image %s?", im->name);
	confirm_open(a, true, question, "i builds it again.", im->name, image_yes);
}
