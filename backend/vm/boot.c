/* Boot as a flow: reserve, disks, spawn, hello. A boot that fails leaves nothing but its events and
 * its timing. */
#include <errno.h>

#include "backend/base/jsonx.h"
#include "backend/vm/birth.h"
#include "backend/vm/network.h"
#include "backend/vm/disks.h"

#define DISKS_LIMIT 600. /* s to copy the images of disks; none: nothing to wait for */
#define SPAWN_LIMIT 20.  /* s; normal: 0.05 */
#define HELLO_LIMIT 60.  /* s; normal: 1.4 emulated */

#define BOOT_HELLO 4 /* index of the step */

static struct vm *flow_vm(struct flow *f)
{
	return f->user;
}

static enum flow_verdict hello_enter(struct flow *f)
{
	f->limit = flow_vm(f)->spec.health.start_limit; /* of the step behind this one */
	/* A quick guest may have answered while the monitor was still being asked. */
	return flow_vm(f)->have_ack ? FLOW_NEXT : FLOW_WAIT;
}

static enum flow_verdict hello_event(struct flow *f, int ev, void *data)
{
	if (ev == VM_FE_EXIT)
		return birth_ended(f, data);
	return ev == VM_FE_READY ? FLOW_NEXT : FLOW_WAIT;
}

static void hello_undo(struct flow *f)
{
	birth_last_words(flow_vm(f));
}

/* Only of a boot with a start limit, which is the step's. */
static enum flow_verdict health_enter(struct flow *f)
{
	vm_health_begin(flow_vm(f));
	return FLOW_WAIT;
}

static enum flow_verdict health_event(struct flow *f, int ev, void *data)
{
	if (ev == VM_FE_EXIT)
		return birth_ended(f, data);
	return ev == VM_FE_HEALTHY ? FLOW_NEXT : FLOW_WAIT;
}

static enum flow_verdict health_expired(struct flow *f)
{
	const struct health *h = &flow_vm(f)->health;

	err_set(&f->err, ETIMEDOUT,
		"VM '%s' was not healthy within its start limit of %g s and was killed: %s",
		flow_vm(f)->spec.name, f->limit, h->reason);
	return FLOW_FAIL;
}

static const struct flow_step boot_steps[] = {
	{"reserve", 0, birth_reserve, NULL, birth_unreserve, NULL, NULL},
	{"disks", DISKS_LIMIT, vm_disks_enter, vm_disks_event, vm_disks_undo, NULL, NULL},
	{"network", NETWORK_LIMIT, vm_network_enter, vm_network_event, vm_network_undo, NULL,
		vm_network_skip},
	{"spawn", SPAWN_LIMIT, birth_spawn, birth_vmm_event, birth_kill, NULL, NULL},
	[BOOT_HELLO] = {"hello", HELLO_LIMIT, hello_enter, hello_event, hello_undo, NULL, NULL},
	{"health", FLOW_OWN_LIMIT, health_enter, health_event, NULL, health_expired, NULL},
};

static int step_count(const struct vm *vm)
{
	return vm->spec.health.start_limit > 0 ? countof(boot_steps) : BOOT_HELLO + 1;
}

static void log_create(struct vm *vm)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "image", vm->spec.image);
	jsonx_add_str(o, "vmm", vm->spec.driver->name);
	jsonx_add_str(o, "accel", vm->spec.accel);
	jsonx_add_int(o, "vcpus", vm->spec.vcpus);
	jsonx_add_int(o, "mem_mib", vm->spec.mem_mib);
	vm_log_json(vm, "vm.create", o);
}

int vm_boot(struct vm_host *h, struct vm_spec *spec, vm_done *done, void *user, struct err *e)
{
	struct vm *vm;
	int r;

	vm = vm_new(h, NULL);
	vm->spec = *spec;
	*spec = (struct vm_spec){0};
	r = vm_make_paths(vm, e);
	if (r < 0) {
		vm_free(vm);
		return r;
	}
	birth_begin(vm, done, user);
	log_create(vm);
	birth_run(vm, "boot", boot_steps, step_count(vm), 0);
	return 0;
}

void vm_boot_continue(struct vm *vm)
{
	vm->boot_begin_ns = mono_ns();
	trail_begin(&vm->trail);
	birth_run(vm, "boot", boot_steps, step_count(vm), BOOT_HELLO);
}
