/* Boot as a flow: reserve, spawn, hello. A boot that fails leaves nothing but its events. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vm/vm.h"

#define SPAWN_LIMIT 20. /* s; normal: 0.05 */
#define HELLO_LIMIT 60. /* s; normal: 1.4 emulated */
#define SERIAL_TAIL 4096

static struct vm *flow_vm(struct flow *f)
{
	return f->user;
}

/* ---- reserve: the folders, the listeners that the guest will dial --------------------------- */

/* There from the start, so that it can be followed before the VMM opens it. */
static int make_serial_log(struct vm *vm, struct err *e)
{
	autofd int fd = open(vm->serial_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? err_errno(e, "cannot create '%s'", vm->serial_path) : 0;
}

static enum flow_verdict reserve_enter(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	if (dir_make(vm->dir, 0700, &f->err) < 0 || dir_make(vm->run_dir, 0700, &f->err) < 0 ||
		make_serial_log(vm, &f->err) < 0 || vm_open_session(vm, &f->err) < 0 ||
		vm_save(vm, &f->err) < 0)
		return FLOW_FAIL;
	return FLOW_NEXT;
}

static void reserve_undo(struct flow *f)
{
	vm_close_session(flow_vm(f));
	vm_files_remove(flow_vm(f));
}

/* ---- spawn: the VMM up to the guest's first instruction ------------------------------------- */

static void on_started(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;
	struct vmm_result res = {r, e};

	flow_event(&vm->flow, VM_FE_VMM_DONE, &res);
}

static enum flow_verdict spawn_enter(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	vm_setup_vmm(vm);
	return vm->vmm->ops->start(vm->vmm, on_started, &f->err) < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static enum flow_verdict vmm_ended(struct flow *f, const char *detail)
{
	err_set(&f->err, EIO, "%s ended while booting: %s", flow_vm(f)->spec.driver->name, detail);
	return FLOW_FAIL;
}

static enum flow_verdict spawn_event(struct flow *f, int ev, void *data)
{
	const struct vmm_result *res = data;

	if (ev == VM_FE_EXIT)
		return vmm_ended(f, data);
	if (ev != VM_FE_VMM_DONE)
		return FLOW_WAIT;
	if (res->r < 0) {
		f->err = *res->e;
		return FLOW_FAIL;
	}
	return FLOW_NEXT;
}

/* Before the log goes with the folder: the last line a failed guest wrote on its console. */
static void keep_last_words(struct vm *vm)
{
	autofree char *text = NULL;
	char *line, *end;
	size_t len;

	if (vm->last_words[0] || file_read(vm->serial_path, 16u << 20, &text, &len, NULL) < 0)
		return;
	end = text + len;
	while (end > text && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		*--end = '\0';
	line = strrchr(text, '\n');
	str_safe(vm->last_words, sizeof(vm->last_words), line ? line + 1 : text);
}

static void spawn_undo(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	keep_last_words(vm);
	if (!vm->vmm)
		return;
	vm->vmm->ops->kill(vm->vmm);
	vm->vmm->ops->destroy(vm->vmm);
	vm->vmm = NULL;
}

/* ---- hello: the agent is itself and serves -------------------------------------------------- */

static enum flow_verdict hello_enter(struct flow *f)
{
	/* A quick guest may have answered while the monitor was still being asked. */
	return flow_vm(f)->have_ack ? FLOW_NEXT : FLOW_WAIT;
}

static enum flow_verdict hello_event(struct flow *f, int ev, void *data)
{
	if (ev == VM_FE_EXIT)
		return vmm_ended(f, data);
	return ev == VM_FE_READY ? FLOW_NEXT : FLOW_WAIT;
}

static void hello_undo(struct flow *f)
{
	keep_last_words(flow_vm(f));
}

const struct flow_step vm_boot_steps[] = {
	{"reserve", 0, reserve_enter, NULL, reserve_undo, NULL},
	{"spawn", SPAWN_LIMIT, spawn_enter, spawn_event, spawn_undo, NULL},
	{"hello", HELLO_LIMIT, hello_enter, hello_event, hello_undo, NULL},
};
const int vm_boot_step_count = countof(vm_boot_steps);

static void on_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);
	struct json_object *o;

	if (f->at >= f->count)
		return;
	o = json_object_new_object();
	jsonx_add_str(o, "flow", f->name);
	jsonx_add_str(o, "step", f->steps[f->at].name);
	jsonx_add_int(o, "n", f->at + 1);
	jsonx_add_int(o, "of", f->count);
	json_object_object_add(o, "limit_s", json_object_new_double(flow_step_limit(f)));
	vm_log_json(vm, "flow.step", o);
}

static void answer(struct vm_waiter *w, struct vm *vm, int r, const struct err *e)
{
	struct vm_waiter call = *w;

	*w = (struct vm_waiter){0};
	if (call.done)
		call.done(call.user, vm, r, e);
}

static void boot_failed(struct vm *vm, const struct err *why)
{
	struct json_object *o = json_object_new_object();
	struct err e = *why;
	struct vm_waiter waiter = vm->boot_waiter;
	size_t n = strlen(e.msg);

	if (vm->last_words[0] && e.code != ECANCELED)
		snprintf(e.msg + n, sizeof(e.msg) - n, " (last console line: %s)", vm->last_words);
	jsonx_add_str(o, "reason", e.msg);
	vm->boot_waiter = (struct vm_waiter){0};
	vm_log_json(vm, "vm.boot.failed", o);
	vm->state = VM_FAILED; /* leaves the registry with this very call: no transition to show */
	vm_wake_waiters(vm, 0, NULL);
	if (waiter.done)
		waiter.done(waiter.user, NULL, -e.code, &e);
}

static void on_done(struct flow *f, int r)
{
	struct vm *vm = flow_vm(f);
	struct vm_host *h = vm->host;

	if (r < 0) {
		boot_failed(vm, &f->err);
		vm_free(vm);
		if (h->cb.on_change)
			h->cb.on_change(h->user);
		return;
	}
	vm->boot_took_ns = mono_ns() - vm->boot_begin_ns;
	vm->started_ns = wall_ns();
	vm_log(vm, "vm.boot", "{\"ms\":%.1f,\"uptime_ms\":%.1f}", (double)vm->boot_took_ns / 1e6,
		(double)vm->ack.uptime_ns / 1e6);
	vm_set_state(vm, VM_RUNNING, NULL);
	answer(&vm->boot_waiter, vm, 0, NULL);
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
	vm->state = VM_STARTING;
	vm->created_ns = vm->state_since_ns = wall_ns();
	vm->boot_begin_ns = mono_ns();
	random_bytes(vm->instance, WIRE_ID);
	random_bytes(vm->generation, WIRE_ID);
	vm->boot_waiter = (struct vm_waiter){done, user};
	log_create(vm);
	if (h->cb.on_change)
		h->cb.on_change(h->user);
	flow_init(&vm->flow, h->loop, "boot", vm_boot_steps, vm_boot_step_count, on_step, on_done,
		vm);
	flow_start(&vm->flow);
	return 0;
}

void vm_boot_continue(struct vm *vm)
{
	vm->boot_begin_ns = mono_ns();
	flow_init(&vm->flow, vm->host->loop, "boot", vm_boot_steps, vm_boot_step_count, on_step,
		on_done, vm);
	flow_start_at(&vm->flow, vm_boot_step_count - 1);
}
