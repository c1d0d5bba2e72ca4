/* The part of the tour that is about snapshots: one is taken, cloned, timed and removed. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/text.h"
#include "tui/cli/tour.h"
#include "tui/cli/waterfall.h"
#include "tui/cli/work.h"

#define MARGIN 4

int tour_snapshot(struct tour *t, struct err *e)
{
	autojson struct json_object *s = NULL;
	struct json_object *params = cli_vm_params(t->vm);
	struct work w = {.c = t->c, .snapshot = t->snapshot, .draw = t->c->tty_err};
	char pause[40], took[40], size[32];
	int r;

	jsonx_add_str(params, "name", t->snapshot);
	t->snapped = true;
	r = work_snapshot(&w, params, &s, e);
	if (r == 0)
		tour_say(t, "snapshot %s: %s of memory in %s; the VM stood still for %s",
			t->snapshot,
			str_bytes(size, sizeof(size),
				(uint64_t)max_of(jsonx_int(s, "memory_bytes", 0), 0)),
			waterfall_ms(took, sizeof(took), waterfall_num(s, "took_ms")),
			waterfall_ms(pause, sizeof(pause), waterfall_num(s, "pause_ms")));
	return r;
}

static void clone_name(const struct tour *t, int n, char out[64])
{
	snprintf(out, 64, "%s-%d", t->vm, n + 1);
}

static int say_clones(struct tour *t, struct json_object *result, struct err *e)
{
	struct json_object *vms = jsonx_get(result, "vms"), *failed = jsonx_get(result, "failed");
	char took[40];

	for (size_t i = 0; i < json_object_array_length(vms); i++) {
		struct json_object *vm = json_object_array_get_idx(vms, i);

		tour_say(t, "%s is healthy after %s", jsonx_str(vm, "name"),
			waterfall_ms(took, sizeof(took), waterfall_num(vm, "boot_ms")));
	}
	if (!json_object_array_length(failed))
		return 0;
	failed = json_object_array_get_idx(failed, 0);
	return err_set(e, EIO, "%s: %s", jsonx_str(failed, "name"), jsonx_str(failed, "error"));
}

int tour_clone(struct tour *t, struct err *e)
{
	autojson struct json_object *result = NULL;
	struct json_object *params = json_object_new_object();
	struct work w = {
		.c = t->c, .from = t->snapshot, .wanted = TOUR_CLONES, .draw = t->c->tty_err};
	char name[64];
	int r;

	jsonx_add_str(params, "from", t->snapshot);
	jsonx_add_str(params, "prefix", t->vm);
	jsonx_add_int(params, "count", TOUR_CLONES);
	snprintf(w.prefix, sizeof(w.prefix), "%s-", t->vm);
	t->cloned = true;
	r = work_clone(&w, params, &result, e);
	if (r == 0)
		r = say_clones(t, result, e);
	for (int i = 0; r == 0 && i < TOUR_CLONES; i++) {
		clone_name(t, i, name);
		r = tour_command(t, name, "hostname; cat /proc/sys/kernel/random/uuid", e);
	}
	return r;
}

int tour_timeline(struct tour *t, struct err *e)
{
	autojson struct json_object *timing = NULL;
	struct json_object *params = json_object_new_object();
	struct waterfall w = {.cols = WATERFALL_COLS - MARGIN, .ascii = text_ascii()};
	char name[64], *text = NULL;
	size_t n;
	FILE *f;
	int r;

	clone_name(t, TOUR_CLONES - 1, name);
	jsonx_add_str(params, "id", name);
	r = cli_call(t->c, "timing.get", params, CLI_CALL_S, &timing, e);
	if (r < 0)
		return r;
	text_init();
	f = open_memstream(&text, &n);
	if (!f)
		return err_errno(e, "cannot print the timeline");
	waterfall_print(f, timing, &w);
	fclose(f);
	tour_say_lines(t, text);
	free(text);
	return 0;
}

int tour_restores(struct tour *t, struct err *e)
{
	autojson struct json_object *list = NULL;
	struct json_object *params = json_object_new_object();
	char total[40];
	int r;

	jsonx_add_str(params, "kind", "restore");
	jsonx_add_str(params, "subject", t->snapshot);
	r = cli_call(t->c, "timing.list", params, CLI_CALL_S, &list, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		tour_say(t, "%s  %s  %s  %s", jsonx_str(o, "id"), jsonx_str(o, "vm_name"),
			jsonx_str(o, "result"),
			waterfall_ms(total, sizeof(total), waterfall_num(o, "total_ms")));
	}
	return 0;
}

/* Tries all, tells the first that could not be removed. Not there (any more): fine. */
int tour_remove_clones(struct tour *t, struct err *e)
{
	struct json_object *params;
	struct err each = {0};
	char name[64];
	int r = 0, one;

	for (int i = 0; t->cloned && i < TOUR_CLONES; i++) {
		clone_name(t, i, name);
		one = tour_remove(t, name, &each);
		if (one < 0 && one != -ENOENT && !r)
			r = err_set(e, -one, "%s", each.msg);
	}
	if (t->snapped) {
		params = json_object_new_object();
		jsonx_add_str(params, "name", t->snapshot);
		one = cli_call(t->c, "snapshot.rm", params, CLI_CALL_S, NULL, &each);
		if (one < 0 && one != -ENOENT && !r)
			r = err_set(e, -one, "%s", each.msg);
	}
	if (!r)
		t->snapped = t->cloned = false;
	return r;
}
