/* snapshot.*, vm.restore, vm.clone. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/daemon/daemon.h"
#include "backend/vm/clone.h"
#include "backend/vm/pool.h"
#include "backend/vm/snapshot.h"

#define VERIFIES_MAX 2 /* at once: they read whole files */

/* ---- as json ------------------------------------------------------------------------------------
 */

static struct json_object *users_json(const struct vm_host *h, const struct snapshot *s)
{
	struct json_object *a = json_object_new_array();
	const struct vm *v = NULL;

	while ((v = snap_user(h, s->id, v)))
		json_object_array_add(a, json_object_new_string(v->spec.name));
	return a;
}

static struct json_object *pool_json(const struct vm_host *h, const struct snapshot *s)
{
	struct json_object *o = json_object_new_object();
	struct pool_info info;

	pool_info(h->pool, s->id, &info);
	jsonx_add_int(o, "wanted", info.wanted);
	jsonx_add_int(o, "ready", info.ready);
	json_object_object_add(
		o, "idle_mib", json_object_new_double((double)info.idle_bytes / 1048576.));
	jsonx_add_str(o, "why", info.why);
	return o;
}

static struct json_object *disks_json(const struct snapshot *s)
{
	struct json_object *a = json_object_new_array();

	for (int i = 0; i < s->disk_count; i++) {
		struct json_object *o = json_object_new_object();

		jsonx_add_int(o, "size", (int64_t)s->disks[i].size);
		jsonx_add_int(o, "layers", s->disks[i].layers);
		jsonx_add_int(o, "bytes", (int64_t)s->disks[i].file_bytes);
		json_object_array_add(a, o);
	}
	return a;
}

static void add_ms(struct json_object *o, const char *key, uint64_t us)
{
	json_object_object_add(o, key, json_object_new_double((double)us / 1e3));
}

static void add_what(struct json_object *o, const struct snapshot *s)
{
	struct json_object *source = json_object_new_object();

	jsonx_add_str(source, "id", s->source_id);
	jsonx_add_str(source, "name", s->source_name);
	json_object_object_add(o, "source", source);
	jsonx_add_int(o, "created_ns", (int64_t)s->created_ns);
	jsonx_add_bool(o, "temporary", s->temporary);
	jsonx_add_str(o, "parent", s->parent);
	jsonx_add_str(o, "vmm", s->vmm);
	jsonx_add_str(o, "vmm_version", s->vmm_version);
	jsonx_add_str(o, "accel", s->accel);
	jsonx_add_str(o, "image", s->image);
	jsonx_add_int(o, "vcpus", s->vcpus);
	jsonx_add_int(o, "mem_mib", s->mem_mib);
	jsonx_add_int(o, "memory_bytes", (int64_t)s->memory_bytes);
	jsonx_add_int(o, "state_bytes", (int64_t)s->state_bytes);
	json_object_object_add(o, "disks", disks_json(s));
	add_ms(o, "pause_ms", s->pause_us);
	add_ms(o, "quiesce_ms", s->quiesce_us);
	add_ms(o, "took_ms", s->took_us);
	jsonx_add_bool(o, "drained", s->drained);
}

static struct json_object *snapshot_json(
	struct daemon *d, const struct snapshot *s, const struct err *e)
{
	struct json_object *o = json_object_new_object(), *usual = NULL;
	char hex[2 * SNAPSHOT_ID + 1];

	jsonx_add_str(o, "name", s->name);
	jsonx_add_str(o, "state", e ? "damaged" : "ready");
	jsonx_add_str(o, "why", e ? e->msg : "");
	if (e)
		return o;
	hex_encode(hex, s->id, SNAPSHOT_ID);
	jsonx_add_str(o, "id", hex);
	add_what(o, s);
	json_object_object_add(o, "users", users_json(&d->vms, s));
	json_object_object_add(o, "pool", pool_json(&d->vms, s));
	if (timings_usual(d->events, "restore", hex, &usual, NULL) == 0) {
		json_object_object_del(usual, "phases");
		json_object_object_add(o, "restores", usual);
	}
	jsonx_add_str(o, "dir", s->dir);
	return o;
}

static void reply_named(struct rpc_call *call, const char *name)
{
	struct daemon *d = rpc_user(call);
	struct snapshot s = {0};
	struct err e = {0};

	if (snapshot_load(&d->paths, name, &s, &e) < 0) {
		rpc_fail(call, &e);
		return;
	}
	rpc_reply(call, snapshot_json(d, &s, NULL));
	snapshot_fini(&s);
}

/* ---- list, create, remove, pool
 * ------------------------------------------------------------------ */

struct listing {
	struct daemon *daemon;
	struct json_object *array;
};

static void on_each(void *user, const struct snapshot *s, const struct err *e)
{
	struct listing *l = user;

	json_object_array_add(l->array, snapshot_json(l->daemon, s, e));
}

static void handle_list(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct listing l = {.daemon = d, .array = json_object_new_array()};
	const struct snap *making = NULL;
	struct err e = {0};

	(void)params;
	if (snapshot_each(&d->paths, on_each, &l, &e) < 0) {
		json_object_put(l.array);
		rpc_fail(call, &e);
		return;
	}
	while ((making = snap_next(&d->vms, making)))
		json_object_array_add(l.array, snap_to_json(making));
	rpc_reply(call, l.array);
}

static void on_taken(void *user, const char *name, int r, const struct err *e)
{
	struct rpc_call *call = user;

	if (r < 0)
		rpc_fail(call, e);
	else
		reply_named(call, name);
}

static void handle_create(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct snap_request req = {
		.name = jsonx_str(params, "name"), .replace = jsonx_bool(params, "replace", false)};
	struct vm *vm;
	struct err e = {0};
	int r = vm_find(&d->vms, jsonx_str(params, "vm"), &vm, &e);

	if (r == 0)
		r = snap_take(vm, &req, on_taken, call, &e);
	if (r < 0)
		rpc_fail(call, &e);
}

static void handle_rm(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	const char *name = jsonx_str(params, "name");
	struct json_object *o;
	struct err e = {0};

	if (snap_remove(&d->vms, name, &e) < 0) {
		rpc_fail(call, &e);
		return;
	}
	o = json_object_new_object();
	jsonx_add_str(o, "name", name);
	rpc_reply(call, o);
}

static void handle_pool(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	const char *name = jsonx_str(params, "name");
	struct snapshot s = {0};
	struct err e = {0};
	int r = snapshot_load(&d->paths, name, &s, &e);

	if (r == 0)
		r = pool_set(d->vms.pool, &s, (int)jsonx_int(params, "count", 0),
			(uint32_t)jsonx_int(params, "max_mib", 0), &e);
	if (r < 0)
		rpc_fail(call, &e);
	else
		rpc_reply(call, snapshot_json(d, &s, NULL));
	snapshot_fini(&s);
}

/* ---- verify
 * -------------------------------------------------------------------------------------- */

struct verify {
	struct verify *next;
	struct daemon *daemon;
	struct rpc_call *call;
	struct task task;
	struct snapshot snapshot;
	uint64_t began_ns;
};

static int run_verify(struct task *t, void *arg, struct err *e)
{
	struct verify *v = arg;

	return snapshot_verify(t, &v->snapshot, NULL, NULL, e);
}

static void verify_free(struct verify *v)
{
	struct verify **at = &v->daemon->verifies;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	snapshot_fini(&v->snapshot);
	free(v);
}

static uint64_t bytes_of(const struct snapshot *s)
{
	uint64_t n = s->memory_bytes + s->state_bytes;

	for (int i = 0; i < s->disk_count; i++)
		n += s->disks[i].file_bytes;
	return n;
}

static void on_verified(struct task *t, int r, const struct err *e)
{
	struct verify *v = t->user;
	struct daemon *d = v->daemon;
	struct json_object *o;

	if (r < 0) {
		rpc_fail(v->call, e);
	} else {
		o = json_object_new_object();
		jsonx_add_str(o, "name", v->snapshot.name);
		jsonx_add_int(o, "bytes", (int64_t)bytes_of(&v->snapshot));
		add_ms(o, "ms", (mono_ns() - v->began_ns) / 1000);
		rpc_reply(v->call, o);
	}
	verify_free(v);
	daemon_check_idle(d);
}

static void handle_verify(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct verify *v;
	struct err e = {0};
	int n = 0;

	for (v = d->verifies; v; v = v->next)
		n++;
	if (n >= VERIFIES_MAX) {
		err_set(&e, EBUSY, "%d snapshots are being verified already: wait for one", n);
		rpc_fail(call, &e);
		return;
	}
	v = xcalloc(1, sizeof(*v));
	*v = (struct verify){.next = d->verifies, .daemon = d, .call = call, .began_ns = mono_ns()};
	d->verifies = v;
	if (snapshot_load(&d->paths, jsonx_str(params, "name"), &v->snapshot, &e) < 0 ||
		task_start(&v->task, d->loop, true, run_verify, v, NULL, on_verified, v, &e) < 0) {
		rpc_fail(call, &e);
		verify_free(v);
	}
}

void svc_snapshot_close(struct daemon *d)
{
	struct err e = {0};

	err_set(&e, ECANCELED, "the daemon ends");
	while (d->verifies) {
		struct verify *v = d->verifies;

		task_cancel(&v->task); /* NOLINT(clang-analyzer-unix.Malloc): each unlinks itself */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each unlinks itself */
		rpc_fail(v->call, &e);
		verify_free(v);
	}
}

/* ---- restore, clone
 * ------------------------------------------------------------------------------ */

static void on_restored(void *user, struct vm *vm, int r, const struct err *e)
{
	struct rpc_call *call = user;

	if (r < 0)
		rpc_fail(call, e);
	else
		rpc_reply(call, vm_to_json(vm));
}

static void handle_restore(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct net_wish network;
	struct err e = {0};

	if (net_wish_read(params, &network, &e) < 0 ||
		vm_restore(&d->vms, jsonx_str(params, "snapshot"), jsonx_str(params, "name"),
			&network, on_restored, call, &e) < 0)
		rpc_fail(call, &e);
}

static struct json_object *failed_json(const struct clone_result *res)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "name", res->name);
	jsonx_add_str(o, "error", res->why.msg);
	return o;
}

static void on_cloned(void *user, const char *snapshot, const struct clone_result *results, int n,
	int r, const struct err *e)
{
	struct rpc_call *call = user;
	struct daemon *d = rpc_user(call);
	struct json_object *o, *vms, *failed;
	struct vm *vm;

	if (r < 0) {
		rpc_fail(call, e);
		return;
	}
	o = json_object_new_object();
	vms = json_object_new_array();
	failed = json_object_new_array();
	for (int i = 0; i < n; i++) {
		if (!results[i].id[0])
			json_object_array_add(failed, failed_json(&results[i]));
		else if (vm_find(&d->vms, results[i].id, &vm, NULL) == 0)
			json_object_array_add(vms, vm_to_json(vm));
	}
	json_object_object_add(o, "vms", vms);
	json_object_object_add(o, "failed", failed);
	jsonx_add_str(o, "snapshot", snapshot);
	rpc_reply(call, o);
}

static void handle_clone(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct net_wish network;
	struct err e = {0};

	if (net_wish_read(params, &network, &e) < 0 ||
		vm_clone(&d->vms, jsonx_str(params, "from"), jsonx_str(params, "prefix"),
			(int)jsonx_int(params, "count", 1), &network, on_cloned, call, &e) < 0)
		rpc_fail(call, &e);
}

void svc_snapshot_register(rpc_handler **handlers)
{
	handlers[PROTO_SNAPSHOT_CREATE] = handle_create;
	handlers[PROTO_SNAPSHOT_LIST] = handle_list;
	handlers[PROTO_SNAPSHOT_RM] = handle_rm;
	handlers[PROTO_SNAPSHOT_VERIFY] = handle_verify;
	handlers[PROTO_SNAPSHOT_POOL] = handle_pool;
	handlers[PROTO_VM_RESTORE] = handle_restore;
	handlers[PROTO_VM_CLONE] = handle_clone;
}
