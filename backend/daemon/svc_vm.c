/* vm.* calls that answer with JSON. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/daemon/daemon.h"
#include "backend/vm/disks.h"
#include "backend/vm/network.h"

#define STOP_DEFAULT_S 10
#define PING_LIMIT_S   3.

static struct vm_host *host_of(struct rpc_call *call)
{
	struct daemon *d = rpc_user(call);

	return &d->vms;
}

/* The VM that the call names; answers the call and returns NULL when there is none. */
static struct vm *named_vm(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm;
	struct err e = {0};

	if (vm_find(host_of(call), jsonx_str(params, "vm"), &vm, &e) == 0)
		return vm;
	rpc_fail(call, &e);
	return NULL;
}

static void handle_list(struct rpc_call *call, struct json_object *params)
{
	struct json_object *a = json_object_new_array();
	struct vm *vm;

	(void)params;
	vm_foreach(host_of(call), vm) json_object_array_add(a, vm_to_json(vm));
	rpc_reply(call, a);
}

static void handle_get(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);

	if (vm)
		rpc_reply(call, vm_to_json(vm));
}

/* End of any operation: the VM as it is now, or the sentence. */
static void reply_vm(void *user, struct vm *vm, int r, const struct err *e)
{
	struct rpc_call *call = user;

	if (r < 0)
		rpc_fail(call, e);
	else
		rpc_reply(call, vm_to_json(vm));
}

static void handle_health(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);
	struct json_object *o;

	if (!vm)
		return;
	o = health_to_json(&vm->health);
	jsonx_add_str(o, "id", vm->id);
	jsonx_add_str(o, "name", vm->spec.name);
	rpc_reply(call, o);
}

/* ---- boot ----------------------------------------------------------------------------------- */

static char **copy_strv(struct json_object *a)
{
	size_t n = a ? json_object_array_length(a) : 0;
	char **v;

	if (!n)
		return NULL;
	v = xcalloc(n + 1, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = xstrdup(json_object_get_string(json_object_array_get_idx(a, i)));
	return v;
}

static char **copy_env(struct json_object *map)
{
	size_t n = map ? (size_t)json_object_object_length(map) : 0, i = 0;
	char **v;

	if (!n)
		return NULL;
	v = xcalloc(n + 1, sizeof(*v));
	json_object_object_foreach(map, key, value)
	{
		v[i++] = xasprintf("%s=%s", key, json_object_get_string(value));
	}
	return v;
}

static int fill_network(
	struct daemon *d, struct json_object *params, struct vm_spec *s, struct err *e)
{
	struct net_wish wish;
	int r = net_wish_read(params, &wish, e);

	if (r == 0 && wish.publish_said && !wish.mode_said && wish.spec.publish_count > 0)
		r = net_mode_parse("auto", &wish.spec.mode, e);
	if (r == 0)
		r = vm_network_check(&d->vms, &wish.spec, e);
	s->network = wish.spec;
	return r;
}

static int fill_spec(struct daemon *d, struct json_object *params, struct vm_spec *s, struct err *e)
{
	const char *image = jsonx_str(params, "image"), *name = jsonx_str(params, "name");
	const char *vmm = jsonx_str(params, "vmm");
	struct vmm_detect det;
	struct image im;
	int r;

	image = image ? image : "mini";
	r = str_check_name("image name", image, e);
	if (r < 0)
		return r;
	if (name)
		snprintf(s->name, sizeof(s->name), "%s", name);
	else
		vm_make_name(&d->vms, image, s->name, sizeof(s->name));
	r = vm_check_new_name(&d->vms, s->name, e);
	if (!r)
		r = image_load(&d->paths, image, &im, e);
	if (!r)
		r = vmm_pick(vmm ? vmm : "auto", &s->driver, &det, e);
	if (r < 0)
		return r;
	s->disks = copy_strv(jsonx_get(params, "disks"));
	r = vm_disks_check(s->disks, e);
	if (!r)
		r = fill_network(d, params, s, e);
	if (!r)
		r = health_spec_from_json(&s->health, jsonx_get(params, "health"), e);
	if (!r)
		r = vm_health_check(&d->vms, s, e);
	if (r < 0)
		return r;
	snprintf(s->image, sizeof(s->image), "%s", im.name);
	snprintf(s->image_build, sizeof(s->image_build), "%s", im.build_id);
	snprintf(s->accel, sizeof(s->accel), "%s", det.accel);
	snprintf(s->vmm_version, sizeof(s->vmm_version), "%s", det.version);
	s->kernel = xstrdup(im.kernel);
	s->initrd = xstrdup(im.initrd);
	s->vcpus = (uint32_t)jsonx_int(params, "vcpus", 1);
	s->mem_mib = (uint32_t)jsonx_int(params, "mem_mib", 256);
	s->argv = copy_strv(jsonx_get(params, "cmd"));
	s->env = copy_env(jsonx_get(params, "env"));
	s->tty = !s->argv || jsonx_bool(params, "tty", false);
	return 0;
}

static void handle_boot(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	struct vm_spec spec = {0};
	struct err e = {0};
	int r = fill_spec(d, params, &spec, &e);

	if (!r)
		r = vm_boot(&d->vms, &spec, reply_vm, call, &e);
	if (r < 0)
		rpc_fail(call, &e);
	vm_spec_fini(&spec);
}

/* ---- stop, kill, pause, resume, rm ---------------------------------------------------------- */

static void handle_stop(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);
	double limit = (double)jsonx_int(params, "timeout_s", STOP_DEFAULT_S);
	struct err e = {0};

	if (vm && vm_stop(vm, limit, reply_vm, call, &e) < 0)
		rpc_fail(call, &e);
}

static void handle_kill(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);
	struct err e = {0};

	if (vm && vm_kill(vm, reply_vm, call, &e) < 0)
		rpc_fail(call, &e);
}

static void handle_pause(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);
	struct err e = {0};

	if (vm && vm_pause(vm, reply_vm, call, &e) < 0)
		rpc_fail(call, &e);
}

static void handle_resume(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);
	struct err e = {0};

	if (vm && vm_resume(vm, reply_vm, call, &e) < 0)
		rpc_fail(call, &e);
}

static void remove_and_reply(struct rpc_call *call, struct vm *vm)
{
	struct json_object *o = json_object_new_object();
	struct err e = {0};

	jsonx_add_str(o, "id", vm->id);
	if (vm_remove(vm, &e) < 0) {
		json_object_put(o);
		rpc_fail(call, &e);
		return;
	}
	rpc_reply(call, o);
}

/* The VM may be freed by the boot flow right behind this callback: look it up again by id. */
static void remove_killed(void *user, struct vm *vm, int r, const struct err *e)
{
	struct rpc_call *call = user;
	struct json_object *o;

	if (r < 0) {
		rpc_fail(call, e);
		return;
	}
	if (!vm->flow.running && !vm->gone_from_disk) {
		remove_and_reply(call, vm);
		return;
	}
	o = json_object_new_object();
	jsonx_add_str(o, "id", vm->id);
	rpc_reply(call, o);
}

static void handle_rm(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);
	struct err e = {0};

	if (!vm)
		return;
	if (!vm_alive(vm) || !jsonx_bool(params, "force", false)) {
		remove_and_reply(call, vm);
		return;
	}
	if (vm_kill(vm, remove_killed, call, &e) < 0)
		rpc_fail(call, &e);
}

/* ---- ping ----------------------------------------------------------------------------------- */

static void on_pong(void *user, int r, uint64_t rtt_ns, uint64_t uptime_ns, uint32_t execs)
{
	struct rpc_call *call = user;
	struct json_object *o;
	struct err e = {0};

	if (r < 0) {
		err_set(&e, -r, "the agent did not answer: %s", strerror(-r));
		rpc_fail(call, &e);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "rtt_ns", json_object_new_uint64(rtt_ns));
	json_object_object_add(o, "uptime_ns", json_object_new_uint64(uptime_ns));
	jsonx_add_int(o, "execs", execs);
	rpc_reply(call, o);
}

static void handle_ping(struct rpc_call *call, struct json_object *params)
{
	struct vm *vm = named_vm(call, params);
	struct err e = {0};
	int r;

	if (!vm)
		return;
	/* A restore asks by itself, and one at a time is asked. */
	if (!vm->guest || vm->state == VM_STARTING)
		r = err_set(&e, EINVAL, "VM '%s' is %s", vm->spec.name, vm_state_names[vm->state]);
	else
		r = guest_ping(vm->guest, PING_LIMIT_S, on_pong, call, &e);
	if (r < 0)
		rpc_fail(call, &e);
}

void svc_vm_register(rpc_handler **handlers)
{
	handlers[PROTO_VM_LIST] = handle_list;
	handlers[PROTO_VM_GET] = handle_get;
	handlers[PROTO_VM_HEALTH] = handle_health;
	handlers[PROTO_VM_BOOT] = handle_boot;
	handlers[PROTO_VM_STOP] = handle_stop;
	handlers[PROTO_VM_KILL] = handle_kill;
	handlers[PROTO_VM_PAUSE] = handle_pause;
	handlers[PROTO_VM_RESUME] = handle_resume;
	handlers[PROTO_VM_RM] = handle_rm;
	handlers[PROTO_VM_PING] = handle_ping;
}
