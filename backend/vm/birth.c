#include "backend/vm/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vm/disks.h"
#include "backend/vm/network.h"
#include "backend/vm/pool.h"
#include "backend/vm/snapshot.h"

#define SERIAL_MAX (16u << 20)

static struct vm *flow_vm(struct flow *f)
{
	return f->user;
}

/* ---- reserve --------------------------------------------------------------------------------- */

/* There from the start, so that it can be followed before the VMM opens it. */
static int make_serial_log(struct vm *vm, struct err *e)
{
	autofd int fd = open(vm->serial_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? err_errno(e, "cannot create '%s'", vm->serial_path) : 0;
}

enum flow_verdict birth_reserve(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	if (dir_make(vm->dir, 0700, &f->err) < 0 || dir_make(vm->run_dir, 0700, &f->err) < 0 ||
		make_serial_log(vm, &f->err) < 0 || vm_disks_clone(vm, &f->err) < 0 ||
		vm_open_session(vm, &f->err) < 0 || vm_save(vm, &f->err) < 0)
		return FLOW_FAIL;
	return FLOW_NEXT;
}

void birth_unreserve(struct flow *f)
{
	vm_close_session(flow_vm(f));
	vm_files_remove(flow_vm(f));
}

/* ---- the VMM --------------------------------------------------------------------------------- */

void birth_vmm_done(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;
	struct vmm_result res = {r, e};

	flow_event(&vm->flow, VM_FE_VMM_DONE, &res);
}

/* A snapshot taken later needs what the VMM is now: vmdeck and QEMU may be newer by then. The guest
 * of a restored VM goes on counting time by the rate it once was told. */
static void note_machine(struct vm *vm)
{
	uint32_t told = vm->restored.from.tsc_khz;

	if (vm->spec.driver->machine(&vm->config, &vm->machine, NULL) < 0)
		vm->machine = (struct vmm_machine){0};
	else if (vm->origin == VM_RESTORED && told)
		vm->machine.tsc_khz = told;
}

enum flow_verdict birth_spawn(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	vm_setup_vmm(vm);
	note_machine(vm);
	if (vm->vmm->ops->start(vm->vmm, birth_vmm_done, &f->err) < 0)
		return FLOW_FAIL;
	vm_network_given(vm);
	return flow_step_limit(f) > 0 ? FLOW_WAIT : FLOW_NEXT;
}

enum flow_verdict birth_ended(struct flow *f, const char *detail)
{
	err_set(&f->err, EIO, "%s ended during the %s: %s", flow_vm(f)->spec.driver->name, f->name,
		detail);
	return FLOW_FAIL;
}

enum flow_verdict birth_vmm_event(struct flow *f, int ev, void *data)
{
	const struct vmm_result *res = data;

	if (ev == VM_FE_EXIT)
		return birth_ended(f, data);
	if (ev != VM_FE_VMM_DONE)
		return FLOW_WAIT;
	if (res->r < 0) {
		f->err = *res->e;
		return FLOW_FAIL;
	}
	return FLOW_NEXT;
}

enum flow_verdict birth_op_event(struct flow *f, int ev, void *data)
{
	const struct vmm_result *res = data;

	if (ev == VM_FE_VMM_DONE && res->r < 0 && flow_vm(f)->vmm->state == VMM_GONE)
		return FLOW_WAIT;
	return birth_vmm_event(f, ev, data);
}

void birth_last_words(struct vm *vm)
{
	autofree char *text = NULL;
	char *line, *end;
	size_t len;

	if (vm->last_words[0] || file_read(vm->serial_path, SERIAL_MAX, &text, &len, NULL) < 0)
		return;
	end = text + len;
	while (end > text && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
		*--end = '\0';
	line = strrchr(text, '\n');
	str_safe(vm->last_words, sizeof(vm->last_words), line ? line + 1 : text);
}

void birth_kill(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	birth_last_words(vm);
	if (!vm->vmm)
		return;
	vm->vmm->ops->kill(vm->vmm);
	vm->vmm->ops->destroy(vm->vmm);
	vm->vmm = NULL;
}

/* ---- steps ----------------------------------------------------------------------------------- */

struct json_object *flow_step_json(const struct flow *f)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "flow", f->name);
	jsonx_add_str(o, "step", f->steps[f->at].name);
	jsonx_add_int(o, "n", flow_place(f));
	jsonx_add_int(o, "of", flow_length(f));
	json_object_object_add(o, "limit_s", json_object_new_double(flow_step_limit(f)));
	return o;
}

static void on_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	if (f->at >= f->count)
		return;
	trail_step(&vm->trail, f->steps[f->at].name, flow_step_limit(f));
	vm_log_json(vm, "flow.step", flow_step_json(f));
}

/* ---- the end --------------------------------------------------------------------------------- */

static void timing_subject(const struct vm *vm, struct timing *t, char hex[2 * SNAPSHOT_ID + 1])
{
	if (vm->origin == VM_BOOTED) {
		t->kind = "boot";
		t->subject = vm->spec.image;
		t->subject_id = vm->spec.image_build;
		return;
	}
	hex_encode(hex, vm->restored.id, SNAPSHOT_ID);
	t->kind = "restore";
	t->subject = vm->restored.snapshot;
	t->subject_id = hex;
}

void birth_timing(struct vm *vm, const char *result, const struct err *why)
{
	char hex[2 * SNAPSHOT_ID + 1], extra[64];
	struct timing t = {
		.id = vm->id,
		.vm = vm->id,
		.vm_name = vm->spec.name,
		.vmm = vm->spec.driver->name,
		.result = result,
		.started_ns = vm->trail.wall_ns,
		.extra = extra,
	};

	trail_end(&vm->trail);
	timing_subject(vm, &t, hex);
	snprintf(extra, sizeof(extra), "{\"pool\":%s}", vm->restored.preloaded ? "true" : "false");
	t.total_ns = trail_ns(&vm->trail);
	t.phase_count = vm->trail.count;
	memcpy(t.phases, vm->trail.phases, sizeof(t.phases));
	if (why) {
		t.step = t.phase_count ? t.phases[t.phase_count - 1].name : "";
		t.last_event = vm->last_event;
		t.why = why->msg;
	}
	if (vm->host->cb.on_timing)
		vm->host->cb.on_timing(vm->host->user, &t);
}

static void answer(struct vm_waiter *w, struct vm *vm, int r, const struct err *e)
{
	struct vm_waiter call = *w;

	*w = (struct vm_waiter){0};
	if (call.done)
		call.done(call.user, vm, r, e);
}

static void failed(struct vm *vm, const struct err *why)
{
	struct json_object *o = json_object_new_object();
	struct err e = *why;
	struct vm_waiter waiter = vm->boot_waiter;
	size_t n = strlen(e.msg);

	birth_timing(vm, e.code == ECANCELED ? "cancelled" : "failed", why);
	/* Of a guest that came up they say nothing. */
	if (vm->last_words[0] && e.code != ECANCELED && vm->origin == VM_BOOTED && !vm->have_ack)
		snprintf(e.msg + n, sizeof(e.msg) - n, " (last console line: %s)", vm->last_words);
	jsonx_add_str(o, "step", vm->trail.count ? vm->trail.phases[vm->trail.count - 1].name : "");
	jsonx_add_str(o, "last_event", vm->last_event);
	jsonx_add_str(o, "reason", e.msg);
	vm->boot_waiter = (struct vm_waiter){0};
	queue_leave(&vm->ticket);
	vm_log_json(vm, vm->origin == VM_BOOTED ? "vm.boot.failed" : "vm.restore.failed", o);
	vm->gone_from_disk = true; /* a waiter must not remove what is being freed here */
	vm->state = VM_FAILED; /* leaves the registry with this very call: no transition to show */
	vm_wake_waiters(vm, 0, NULL);
	if (waiter.done)
		waiter.done(waiter.user, NULL, -e.code, &e);
}

/* The last clone takes its temporary snapshot along, also one that never lived. */
static void end_failed(struct vm *vm)
{
	struct vm_host *h = vm->host;
	bool temporary = vm->restored.temporary;
	uint8_t id[SNAPSHOT_ID];
	char name[64];

	memcpy(id, vm->restored.id, SNAPSHOT_ID);
	memcpy(name, vm->restored.snapshot, sizeof(name));
	vm_free(vm);
	if (temporary)
		snap_drop_temporary(h, name, id);
}

static void on_done(struct flow *f, int r)
{
	struct vm *vm = flow_vm(f);
	struct vm_host *h = vm->host;

	if (r < 0) {
		failed(vm, &f->err);
		end_failed(vm);
		pool_kick(h->pool);
		if (h->cb.on_change)
			h->cb.on_change(h->user);
		return;
	}
	birth_timing(vm, "ok", NULL);
	vm->boot_took_ns = trail_ns(&vm->trail);
	vm->started_ns = wall_ns();
	vm_log(vm, vm->origin == VM_BOOTED ? "vm.boot" : "vm.restore",
		"{\"ms\":%.1f,\"uptime_ms\":%.1f}", (double)vm->boot_took_ns / 1e6,
		(double)vm->ack.uptime_ns / 1e6);
	vm_set_state(vm, VM_RUNNING, NULL);
	queue_leave(&vm->ticket);
	pool_kick(h->pool);
	answer(&vm->boot_waiter, vm, 0, NULL);
}

void birth_begin(struct vm *vm, vm_done *done, void *user)
{
	vm->state = VM_STARTING;
	vm->created_ns = vm->state_since_ns = wall_ns();
	vm->boot_begin_ns = mono_ns();
	trail_begin(&vm->trail);
	if (!vm->restored.preloaded) { /* one of the pool has its listeners, and these with them */
		random_bytes(vm->instance, WIRE_ID);
		random_bytes(vm->generation, WIRE_ID);
	}
	vm->boot_waiter = (struct vm_waiter){done, user};
}

void birth_run(struct vm *vm, const char *name, const struct flow_step *steps, int count, int at)
{
	if (vm->host->cb.on_change)
		vm->host->cb.on_change(vm->host->user);
	flow_init(&vm->flow, vm->host->loop, name, steps, count, on_step, on_done, vm);
	flow_start_at(&vm->flow, at);
}
