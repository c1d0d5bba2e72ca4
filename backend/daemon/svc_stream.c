/* vm.attach, vm.logs, vm.exec: calls that turn their connection into a stream of frames. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/daemon/daemon.h"
#include "backend/guest/exec.h"
#include "backend/guest/stream.h"
#include "backend/vm/snapshot.h"

#define ATTACH_TAIL          16384
#define EXEC_CONNECT_LIMIT_S 10.

static int find_for_stream(
	struct rpc_call *call, struct json_object *params, struct vm **ret, struct err *e)
{
	struct daemon *d = rpc_user(call);

	return vm_find(&d->vms, jsonx_str(params, "vm"), ret, e);
}

/* ---- attach and logs ------------------------------------------------------------------------ */

struct follower {
	struct vm_watch watch;
	struct stream_feed *feed;
	bool attach;
};

static void follower_free(struct follower *f)
{
	struct vm *vm = f->watch.vm;

	if (vm && f->attach)
		vm->attached--;
	if (vm && vm->guest)
		guest_want_input(vm->guest, NULL, f);
	vm_unwatch(&f->watch);
	free(f);
}

static void on_feed_end(struct stream_feed *s, int r, const struct err *e)
{
	(void)r;
	(void)e;
	follower_free(stream_feed_user(s));
}

static void on_input_room(void *user)
{
	struct follower *f = user;

	stream_feed_input_room(f->feed);
}

static size_t on_input(struct stream_feed *s, const void *data, size_t n)
{
	struct follower *f = stream_feed_user(s);
	struct vm *vm = f->watch.vm;
	ssize_t taken;

	if (!vm || !vm->guest)
		return n; /* nobody reads it any more */
	taken = guest_input(vm->guest, data, n);
	if (taken < 0)
		taken = 0; /* the agent redials: the bytes wait */
	if ((size_t)taken < n)
		guest_want_input(vm->guest, on_input_room, f);
	return (size_t)taken;
}

static void on_feed_resize(struct stream_feed *s, uint16_t rows, uint16_t cols)
{
	struct follower *f = stream_feed_user(s);

	if (f->watch.vm && f->watch.vm->guest)
		guest_resize(f->watch.vm->guest, rows, cols);
}

static void end_feed(struct stream_feed *feed, const struct vm *vm)
{
	if (vm->main_ended)
		stream_feed_finish(feed, vm->main_how, vm->main_value);
	else
		stream_feed_stop(feed);
}

static void on_vm_output(struct vm_watch *w)
{
	stream_feed_wake(container_of(w, struct follower, watch)->feed);
}

static void on_vm_change(struct vm_watch *w, bool gone)
{
	struct follower *f = container_of(w, struct follower, watch);

	if (gone)
		stream_feed_abort(f->feed);
	else if (!vm_alive(w->vm))
		end_feed(f->feed, w->vm);
}

static const struct stream_callbacks attach_cb = {on_input, on_feed_resize, on_feed_end};
static const struct stream_callbacks logs_cb = {NULL, NULL, on_feed_end};

/* What there is to read: bytes first..end, by number. */
struct extent {
	uint64_t first, end;
};

static uint64_t start_offset(struct json_object *params, struct extent x, int64_t tail)
{
	uint64_t first = x.first, end = x.end;
	int64_t since = jsonx_int(params, "since", -1);
	uint64_t at = since >= 0                          ? (uint64_t)since
		      : tail >= 0 && end > (uint64_t)tail ? end - (uint64_t)tail
							  : first;

	return at < first ? first : at > end ? end : at;
}

static struct extent log_extent(const struct vm *vm)
{
	return (struct extent){outlog_first(vm->out), outlog_end(vm->out)};
}

static struct extent file_extent(const char *path)
{
	struct stat st;

	return (struct extent){0, stat(path, &st) == 0 ? (uint64_t)st.st_size : 0};
}

static struct json_object *offsets(struct extent x, uint64_t start)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "first", json_object_new_uint64(x.first));
	json_object_object_add(o, "start", json_object_new_uint64(start));
	json_object_object_add(o, "end", json_object_new_uint64(x.end));
	return o;
}

static void start_feed(struct rpc_call *call, struct vm *vm, struct stream_spec *spec, bool attach)
{
	struct daemon *d = rpc_user(call);
	struct extent x = spec->file ? file_extent(spec->file) : log_extent(vm);
	struct follower *f;
	struct err e = {0};

	if (rpc_upgrade(call, offsets(x, spec->offset), &spec->client_fd, &e) < 0)
		return;
	f = xcalloc(1, sizeof(*f));
	f->attach = attach;
	f->watch.on_output = spec->log ? on_vm_output : NULL;
	f->watch.on_change = on_vm_change;
	vm_watch(vm, &f->watch);
	vm->attached += attach;
	if (stream_feed_start(&f->feed, d->loop, spec, attach ? &attach_cb : &logs_cb, f, &e) < 0) {
		follower_free(f);
		return;
	}
	if (!vm_alive(vm) && spec->follow)
		end_feed(f->feed, vm);
}

static void handle_attach(struct rpc_call *call, struct json_object *params)
{
	uint16_t rows = (uint16_t)jsonx_int(params, "rows", 0);
	uint16_t cols = (uint16_t)jsonx_int(params, "cols", 0);
	struct stream_spec spec = {.follow = true};
	struct err e = {0};
	struct vm *vm;

	if (find_for_stream(call, params, &vm, &e) < 0 || !vm->out) {
		if (!e.code)
			err_set(&e, ENOENT, "VM '%s' has no output", jsonx_str(params, "vm"));
		rpc_fail(call, &e);
		return;
	}
	spec.log = vm->out;
	spec.offset = start_offset(params, log_extent(vm), jsonx_int(params, "tail", ATTACH_TAIL));
	if (vm->guest && rows && cols)
		guest_resize(vm->guest, rows, cols);
	start_feed(call, vm, &spec, true);
}

static void handle_logs(struct rpc_call *call, struct json_object *params)
{
	struct stream_spec spec = {.follow = jsonx_bool(params, "follow", false)};
	bool serial = jsonx_bool(params, "serial", false);
	struct err e = {0};
	struct vm *vm;

	if (find_for_stream(call, params, &vm, &e) < 0 || !vm->out) {
		if (!e.code)
			err_set(&e, ENOENT, "VM '%s' has no output", jsonx_str(params, "vm"));
		rpc_fail(call, &e);
		return;
	}
	if (serial && access(vm->serial_path, R_OK) < 0) {
		err_set(&e, ENOENT, "VM '%s' has no serial console log yet", vm->spec.name);
		rpc_fail(call, &e);
		return;
	}
	if (serial)
		spec.file = vm->serial_path;
	else
		spec.log = vm->out;
	spec.offset = start_offset(params, serial ? file_extent(spec.file) : log_extent(vm),
		jsonx_int(params, "tail", -1));
	start_feed(call, vm, &spec, false);
}

/* ---- exec ----------------------------------------------------------------------------------- */

struct running {
	struct vm_watch watch;
	struct exec_relay *relay;
	char id[2 * WIRE_ID + 1];
};

static void on_exec_log(struct exec_relay *x, const char *name, const char *fields_json)
{
	struct running *run = exec_relay_user(x);

	if (run->watch.vm)
		vm_log(run->watch.vm, name, "%s", fields_json);
}

static void on_exec_done(struct exec_relay *x, int r, const struct err *e, uint8_t how,
	int32_t value, const struct exec_times *t)
{
	struct running *run = exec_relay_user(x);

	(void)e;
	(void)how;
	(void)value;
	if (run->watch.vm) {
		run->watch.vm->execs--;
		if (r == 0)
			vm_exec_ended(run->watch.vm, t->start);
	}
	vm_unwatch(&run->watch);
	free(run);
}

static const struct exec_callbacks exec_cb = {on_exec_log, on_exec_done};

/* A VM that ends breaks the connection by itself; one that is removed is told in words. */
static void on_exec_vm_change(struct vm_watch *w, bool gone)
{
	struct running *run = container_of(w, struct running, watch);

	if (gone && run->relay)
		exec_relay_abort(run->relay, "the VM was removed");
}

static struct wire_str to_wire(const char *s)
{
	return (struct wire_str){s ? s : "", (uint16_t)(s ? strlen(s) : 0)};
}

/* The strings belong to params; env strings to *ret_env (NULL-ended). */
static int fill_request(
	struct json_object *params, struct wire_exec_req *q, char ***ret_env, struct err *e)
{
	struct json_object *argv = jsonx_get(params, "argv"), *env = jsonx_get(params, "env");
	size_t total = 0, n = json_object_array_length(argv);

	for (size_t i = 0; i < n; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(argv, i));

		total += strlen(s) + sizeof(uint16_t);
		if (total < WIRE_PAYLOAD_MAX)
			q->argv[q->argc++] = to_wire(s);
	}
	*ret_env = xcalloc(env ? (size_t)json_object_object_length(env) + 1 : 1, sizeof(char *));
	if (env) {
		json_object_object_foreach(env, key, value)
		{
			char *kv = xasprintf("%s=%s", key, json_object_get_string(value));

			(*ret_env)[q->envc] = kv;
			total += strlen(kv) + sizeof(uint16_t);
			if (total < WIRE_PAYLOAD_MAX)
				q->env[q->envc] = to_wire(kv);
			q->envc++;
		}
	}
	if (total >= WIRE_PAYLOAD_MAX - 16384)
		return err_set(e, E2BIG,
			"the command and its environment have %zu bytes: at most %d are "
			"allowed",
			total, WIRE_PAYLOAD_MAX - 16384);
	q->cwd = to_wire(jsonx_str(params, "cwd"));
	q->user = to_wire(jsonx_str(params, "user"));
	q->flags = (uint8_t)((jsonx_bool(params, "stdin", false) ? WIRE_REQ_STDIN : 0) |
			     (jsonx_bool(params, "tty", false) ? WIRE_REQ_TTY : 0));
	q->rows = (uint16_t)jsonx_int(params, "rows", 24);
	q->cols = (uint16_t)jsonx_int(params, "cols", 80);
	random_bytes(q->id, sizeof(q->id));
	return 0;
}

static void start_relay(struct rpc_call *call, struct vm *vm, const struct wire_exec_req *q)
{
	struct daemon *d = rpc_user(call);
	struct json_object *o = json_object_new_object();
	struct running *run = xcalloc(1, sizeof(*run));
	struct err e = {0};
	int fd;

	hex_encode(run->id, q->id, sizeof(q->id));
	jsonx_add_str(o, "exec", run->id);
	if (rpc_upgrade(call, o, &fd, &e) < 0) {
		free(run);
		return;
	}
	run->watch.on_change = on_exec_vm_change;
	vm_watch(vm, &run->watch);
	vm->execs++;
	if (exec_relay_start(&run->relay, d->loop, vm->vsock_path, q, fd, EXEC_CONNECT_LIMIT_S,
		    &exec_cb, run, &e) < 0) {
		vm->execs--;
		vm_unwatch(&run->watch);
		free(run);
	}
}

static int check_can_exec(const struct vm *vm, struct err *e)
{
	if (vm->state == VM_RUNNING || snap_pauses(vm)) /* it connects when the VM goes on */
		return 0;
	return err_set(e, EINVAL, "VM '%s' is %s%s%s%s", vm->spec.name, vm_state_names[vm->state],
		vm->reason[0] ? ": " : "", vm->reason,
		vm->state == VM_PAUSED ? ": resume it first" : "");
}

static void handle_exec(struct rpc_call *call, struct json_object *params)
{
	autofree struct wire_exec_req *q = xcalloc(1, sizeof(*q));
	char **env = NULL;
	struct err e = {0};
	struct vm *vm;
	int r = find_for_stream(call, params, &vm, &e);

	if (!r)
		r = check_can_exec(vm, &e);
	if (!r)
		r = fill_request(params, q, &env, &e);
	if (r < 0)
		rpc_fail(call, &e);
	else
		start_relay(call, vm, q);
	for (size_t i = 0; env && env[i]; i++)
		free(env[i]);
	free(env);
}

void svc_stream_register(rpc_handler **handlers)
{
	handlers[PROTO_VM_ATTACH] = handle_attach;
	handlers[PROTO_VM_LOGS] = handle_logs;
	handlers[PROTO_VM_EXEC] = handle_exec;
}
