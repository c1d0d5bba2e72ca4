/* timing.*: how long boots, restores and snapshots took. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/daemon/daemon.h"
#include "backend/events/timings.h"

#define LIST_DEFAULT 100

static const char *const kinds[] = {"boot", "restore", "snapshot"};

static int check_kind(const char *kind, struct err *e)
{
	for (size_t i = 0; i < countof(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return 0;
	return err_set(e, EINVAL, "kind is 'boot', 'restore' or 'snapshot', not '%.16s'", kind);
}

/* A row for what is still under way, as timings_get would give it later. */
static struct json_object *running_json(const struct vm *vm)
{
	struct json_object *o = trail_json(&vm->trail);
	bool restored = vm->origin == VM_RESTORED;
	char hex[2 * SNAPSHOT_ID + 1];

	hex_encode(hex, vm->restored.id, SNAPSHOT_ID);
	jsonx_add_str(o, "kind", restored ? "restore" : "boot");
	jsonx_add_str(o, "id", vm->id);
	jsonx_add_str(o, "vm", vm->id);
	jsonx_add_str(o, "vm_name", vm->spec.name);
	jsonx_add_str(o, "subject", restored ? vm->restored.snapshot : vm->spec.image);
	jsonx_add_str(o, "subject_id", restored ? hex : vm->spec.image_build);
	jsonx_add_str(o, "vmm", vm->spec.driver->name);
	jsonx_add_str(o, "result", "running");
	jsonx_add_str(o, "last_event", vm->last_event);
	return o;
}

static bool wanted(const struct vm *vm, const char *kind, const char *subject)
{
	bool restored = vm->origin == VM_RESTORED;

	return vm->state == VM_STARTING && strcmp(kind, restored ? "restore" : "boot") == 0 &&
	       (!subject ||
		       strcmp(subject, restored ? vm->restored.snapshot : vm->spec.image) == 0);
}

static void handle_list(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	const char *kind = jsonx_str(params, "kind"), *subject = jsonx_str(params, "subject");
	struct json_object *all = json_object_new_array(), *done = NULL;
	struct err e = {0};
	struct vm *vm;
	int r;

	kind = kind ? kind : "restore";
	r = check_kind(kind, &e);
	if (r == 0)
		r = timings_list(d->events, kind, subject,
			(int)jsonx_int(params, "limit", LIST_DEFAULT), &done, &e);
	if (r < 0) {
		json_object_put(all);
		rpc_fail(call, &e);
		return;
	}
	vm_foreach(&d->vms, vm) if (wanted(vm, kind, subject))
		json_object_array_add(all, running_json(vm));
	for (size_t i = 0; i < json_object_array_length(done); i++)
		json_object_array_add(all, json_object_get(json_object_array_get_idx(done, i)));
	json_object_put(done);
	rpc_reply(call, all);
}

/* ---- get
 * ------------------------------------------------------------------------------------------ */

static int find_snapshot(
	struct daemon *d, const char *text, struct json_object **ret, struct err *e)
{
	struct snapshot s = {0};
	char hex[2 * SNAPSHOT_ID + 1];
	int r = snapshot_load(&d->paths, text, &s, e);

	if (r < 0)
		return r;
	hex_encode(hex, s.id, SNAPSHOT_ID);
	snapshot_fini(&s);
	return timings_get(d->events, "snapshot", hex, ret, e);
}

static int find_vm(struct daemon *d, const char *kind, const char *text, struct json_object **ret,
	struct err *e)
{
	struct vm *vm = NULL;
	const char *how;

	/* One that is gone has left its row: its name or id is looked up there. */
	if (vm_find(&d->vms, text, &vm, NULL) < 0)
		return timings_get(d->events, kind ? kind : "restore", text, ret, e) == 0
			       ? 0
			       : timings_get(d->events, kind ? kind : "boot", text, ret, e);
	how = vm->origin == VM_RESTORED ? "restore" : "boot";
	if (vm->state == VM_STARTING && (!kind || strcmp(kind, how) == 0)) {
		*ret = running_json(vm);
		return 0;
	}
	return timings_get(d->events, kind ? kind : how, vm->id, ret, e);
}

static int find(struct daemon *d, const char *kind, const char *text, struct json_object **ret,
	struct err *e)
{
	struct err none = {0};
	int r;

	if (kind && strcmp(kind, "snapshot") == 0)
		return find_snapshot(d, text, ret, e);
	r = find_vm(d, kind, text, ret, &none);
	if (r == 0)
		return 0;
	if (!kind && r == -ENOENT && find_snapshot(d, text, ret, NULL) == 0)
		return 0;
	return err_set(e, -r, "%s", none.msg);
}

static void handle_get(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	const char *kind = jsonx_str(params, "kind");
	struct json_object *row = NULL, *usual = NULL;
	struct err e = {0};
	int r = kind ? check_kind(kind, &e) : 0;

	if (r == 0)
		r = find(d, kind, jsonx_str(params, "id"), &row, &e);
	if (r == 0)
		r = timings_usual(d->events, jsonx_str(row, "kind"), jsonx_str(row, "subject_id"),
			&usual, &e);
	if (r < 0) {
		json_object_put(row);
		rpc_fail(call, &e);
		return;
	}
	json_object_object_add(row, "usual", usual);
	rpc_reply(call, row);
}

void svc_timing_register(rpc_handler **handlers)
{
	handlers[PROTO_TIMING_LIST] = handle_list;
	handlers[PROTO_TIMING_GET] = handle_get;
}
