/* Dialogs of snapshots: taking, restoring, cloning, the pool. Enter takes their defaults. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/form.h"
#include "tui/console/table.h"

#define CLONES_MAX    256
#define POOL_MAX      64
#define PREFIX_BYTES  50
#define NUMBERS_TRIED 1000

/* ---- take ------------------------------------------------------------------------------------ */

enum { TAKE_NAME, TAKE_REPLACE, TAKE__COUNT };

static void taken(struct app *a, struct json_object *o)
{
	struct deck_snapshot s = {0};
	char pause[40], size[40];

	deck_snapshot_decode(&s, o);
	app_notice(a, NOTICE_OK, "snapshot %s of %s: paused %s, %s on disk; 2 shows it", s.name,
		s.source, ms_text(pause, sizeof(pause), s.pause_ms),
		str_bytes(size, sizeof(size), s.memory_bytes + s.state_bytes + s.disk_bytes));
}

static int take_accept(struct app *a, struct form *f, struct err *e)
{
	struct json_object *o;
	const char *name = form_text(f, TAKE_NAME);
	int r = form_at(f, TAKE_NAME, str_check_name("snapshot name", name, e));

	if (r < 0)
		return r;
	o = json_object_new_object();
	jsonx_add_str(o, "vm", form_subject(f));
	jsonx_add_str(o, "name", name);
	if (form_on(f, TAKE_REPLACE))
		jsonx_add_bool(o, "replace", true);
	app_call_for(a, "snapshot.create", o, taken);
	return 0;
}

static void take_remark(struct app *a, const struct form *f, char *out, size_t n)
{
	const struct deck_snapshot *s = model_snapshot(&a->model, form_text(f, TAKE_NAME));

	if (s && s->users)
		snprintf(out, n, "There is one of that name, which %d VMs use.", s->users);
	else if (s)
		snprintf(out, n, "There is one of that name: replace it, or choose another.");
}

/* The first "VM-N" that is free. */
static void default_name(const struct model *m, const char *vm, char *out, size_t n)
{
	for (unsigned i = 1; i < NUMBERS_TRIED; i++) {
		snprintf(out, n, "%.50s-%u", vm, i);
		if (!model_snapshot(m, out))
			return;
	}
}

void snapshot_dialog_open(struct app *a, const struct deck_vm *vm, const char *name)
{
	static const struct form_field fields[] = {
		[TAKE_NAME] = {"name", "", "needed"},
		[TAKE_REPLACE] = {"replace", NULL, "one of that name that no VM uses"},
	};
	static const struct form_spec spec = {
		fields, TAKE__COUNT, "takes it", take_accept, take_remark};
	char title[100], text[64] = "";
	struct form *f;

	snprintf(title, sizeof(title), "snapshot of %s", vm->name);
	f = form_open(a, &spec, title, vm->id, TAKE_NAME);
	default_name(&a->model, vm->name, text, sizeof(text));
	form_set(f, TAKE_NAME, *name ? name : text);
}

/* ---- restore --------------------------------------------------------------------------------- */

static void restored(struct app *a, struct json_object *o)
{
	const char *name = jsonx_str(o, "name"), *from = jsonx_str(o, "snapshot");
	struct json_object *ms = jsonx_get(o, "boot_ms");
	char took[40];

	app_notice(a, NOTICE_OK, "%s restored from %s in %s; 3 shows how, 1 the VM",
		name ? name : "?", from ? from : "?",
		ms_text(took, sizeof(took), ms ? json_object_get_double(ms) : 0));
}

static int restore_accept(struct app *a, struct form *f, struct err *e)
{
	const char *name = form_text(f, 0);
	struct json_object *o;
	int r = *name ? str_check_name("VM name", name, e) : 0;

	if (r < 0)
		return r;
	o = json_object_new_object();
	jsonx_add_str(o, "snapshot", form_subject(f));
	if (*name)
		jsonx_add_str(o, "name", name);
	app_call_for(a, "vm.restore", o, restored);
	return 0;
}

void restore_dialog_open(struct app *a, const char *snapshot)
{
	static const struct form_field fields[] = {{"name", "", "made from the snapshot's"}};
	static const struct form_spec spec = {fields, 1, "restores", restore_accept, NULL};
	char title[100];

	snprintf(title, sizeof(title), "a VM from snapshot %.64s", snapshot);
	form_open(a, &spec, title, snapshot, 0);
}

/* ---- clone ----------------------------------------------------------------------------------- */

enum { CLONE_COUNT, CLONE_PREFIX, CLONE__COUNT };

static size_t length(struct json_object *o)
{
	return json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}

static void cloned(struct app *a, struct json_object *o)
{
	struct json_object *vms = jsonx_get(o, "vms"), *failed = jsonx_get(o, "failed"), *first;
	const char *name, *why;
	unsigned changed = 0;

	for (size_t i = 0; i < length(vms); i++)
		changed |= model_set_vm(&a->model, json_object_array_get_idx(vms, i));
	app_refresh(a, changed);
	if (!length(failed)) {
		app_notice(a, NOTICE_OK, "%zu clone%s made; 3 shows how, 1 the VMs", length(vms),
			length(vms) == 1 ? "" : "s");
		return;
	}
	first = json_object_array_get_idx(failed, 0);
	name = jsonx_str(first, "name");
	why = jsonx_str(first, "error");
	app_notice(a, NOTICE_ERROR, "%zu of %zu clones failed; %s: %s", length(failed),
		length(failed) + length(vms), name ? name : "?", why ? why : "?");
}

static int clone_accept(struct app *a, struct form *f, struct err *e)
{
	const char *prefix = form_text(f, CLONE_PREFIX), *count = form_text(f, CLONE_COUNT);
	struct json_object *o;
	int64_t n = 1;
	int r = *count ? str_parse_int("count", count, 1, CLONES_MAX, &n, e) : 0;

	form_at(f, CLONE_COUNT, r);
	if (r == 0 && *prefix)
		r = form_at(f, CLONE_PREFIX, str_check_name("prefix", prefix, e));
	if (r == 0 && strlen(prefix) > PREFIX_BYTES)
		r = form_at(f, CLONE_PREFIX,
			err_set(e, ERANGE, "prefix: at most %d characters", PREFIX_BYTES));
	if (r < 0)
		return r;
	o = json_object_new_object();
	jsonx_add_str(o, "from", form_subject(f));
	jsonx_add_int(o, "count", n);
	if (*prefix)
		jsonx_add_str(o, "prefix", prefix);
	app_call_for(a, "vm.clone", o, cloned);
	return 0;
}

void clone_dialog_open(struct app *a, const char *name, const char *id, const char *count)
{
	static const struct form_field fields[] = {
		[CLONE_COUNT] = {"count", "1", "1"},
		[CLONE_PREFIX] = {"prefix", "", "the name of what is cloned"},
	};
	static const struct form_spec spec = {fields, CLONE__COUNT, "clones", clone_accept, NULL};
	char title[100];
	struct form *f;

	snprintf(title, sizeof(title), "clones of %.64s", name);
	f = form_open(a, &spec, title, id, CLONE_COUNT);
	/* A number that is typed takes the place of the default. */
	form_set(f, CLONE_COUNT, count);
}

/* ---- pool ------------------------------------------------------------------------------------ */

static void pool_set(struct app *a, struct json_object *o)
{
	struct json_object *pool = jsonx_get(o, "pool");
	const char *name = jsonx_str(o, "name");
	int64_t wanted = jsonx_int(pool, "wanted", 0);

	if (wanted)
		app_notice(a, NOTICE_OK, "%lld VMM%s kept loaded for %s", (long long)wanted,
			wanted == 1 ? " is" : "s are", name ? name : "?");
	else
		app_notice(a, NOTICE_OK, "no VMM is kept loaded for %s", name ? name : "?");
	app_list(a, LIST_SNAPSHOTS);
}

static int pool_accept(struct app *a, struct form *f, struct err *e)
{
	struct json_object *o;
	int64_t n = 0;
	int r = str_parse_int("count", form_text(f, 0), 0, POOL_MAX, &n, e);

	if (r < 0)
		return r;
	o = json_object_new_object();
	jsonx_add_str(o, "name", form_subject(f));
	jsonx_add_int(o, "count", n);
	app_call_for(a, "snapshot.pool", o, pool_set);
	return 0;
}

void pool_dialog_open(struct app *a, const struct deck_snapshot *s, const char *count)
{
	static const struct form_field fields[] = {{"count", "", "needed; 0 ends the pool"}};
	static const struct form_spec spec = {fields, 1, "sets it", pool_accept, NULL};
	char title[100], now[16];
	struct form *f;

	snprintf(title, sizeof(title), "VMMs kept loaded for %s", s->name);
	f = form_open(a, &spec, title, s->name, 0);
	snprintf(now, sizeof(now), "%d", s->pool_wanted ? s->pool_wanted : 1);
	form_set(f, 0, *count ? count : now);
}
