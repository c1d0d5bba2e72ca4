/* The restore chain (DESIGN 5) as one flow: each transition is a signal with a time, none is a
 * sleep; each wait has its limit. A chain that fails leaves nothing but its events and its timing.
 */
#include "backend/vm/restore.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vm/birth.h"
#include "backend/vm/network.h"
#include "backend/vm/pool.h"
#include "backend/vm/proof.h"
#include "backend/vm/snapshot.h"

/* s; normal, emulated, in brackets. */
#define QUEUE_LIMIT  600. /* by what is before it */
#define CHECK_LIMIT  120. /* (0.001; a touched memory file is read: 0.3) */
#define API_LIMIT    20.  /* (0.03) */
#define LOAD_LIMIT   25.  /* (0.003) */
#define RESUME_LIMIT 12.  /* (0.001) */
#define DIAL_LIMIT   10.  /* (0.03) */
#define HELLO_LIMIT  10.  /* (0.02) */
#define REBIND_LIMIT 5.   /* (0.001) */
#define OUTPUT_LIMIT 30.  /* (0.005) */
#define HEALTH_LIMIT 10.  /* (0.002) */

static struct vm *flow_vm(struct flow *f)
{
	return f->user;
}

static enum flow_verdict ended_or_wait(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_EXIT ? birth_ended(f, data) : FLOW_WAIT;
}

/* ---- queue ------------------------------------------------------------------------------------
 */

static void on_grant(struct ticket *t)
{
	flow_event(&container_of(t, struct vm, ticket)->flow, VM_FE_GRANTED, NULL);
}

static enum flow_verdict queue_next(struct flow *f)
{
	if (flow_vm(f)->restored.preloaded)
		f->at = RESTORE_LOADED; /* the pool has done what is before */
	return FLOW_NEXT;
}

static enum flow_verdict queue_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	vm->ticket.on_grant = on_grant;
	if (queue_enter(&vm->host->restores, &vm->ticket))
		return queue_next(f);
	vm_log(vm, "queue.wait", "{\"queue\":\"restore\",\"place\":%d,\"busy\":%d}",
		queue_place(&vm->ticket), vm->host->restores.busy);
	return FLOW_WAIT;
}

static enum flow_verdict queue_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_GRANTED ? queue_next(f) : ended_or_wait(f, ev, data);
}

static void queue_undo(struct flow *f)
{
	/* Out of the pool, but not behind its steps yet: their undos are not run by the flow. */
	if (flow_vm(f)->restored.preloaded && f->at == 0) {
		birth_kill(f);
		birth_unreserve(f);
	}
	queue_leave(&flow_vm(f)->ticket);
}

/* ---- check ------------------------------------------------------------------------------------
 */

static void on_verified(struct task *t, int r, const struct err *e)
{
	struct vm *vm = t->user;
	struct vmm_result res = {r, e};

	flow_event(&vm->flow, VM_FE_TASK, &res);
}

static int verify(struct task *t, void *arg, struct err *e)
{
	return snapshot_verify_memory(t, arg, e);
}

int restore_check(struct vm *vm, bool *ret_verify, struct err *e)
{
	const struct snapshot *s = &vm->restored.from;
	struct vmm_detect detect;
	struct vmm_machine machine;
	struct image image;
	struct snapshot_host host = {.vmm = vm->spec.driver->name};
	int r;

	vm->spec.driver->detect(&detect);
	if (!detect.found)
		return err_set(
			e, ENODEV, "snapshot '%s' needs %s: %s", s->name, s->vmm, detect.why);
	vm_setup_config(vm);
	vm->config.disk_count = s->disk_count; /* they are made after this check */
	r = vm->spec.driver->machine(&vm->config, &machine, e);
	if (r < 0)
		return r;
	host.vmm_version = machine.version;
	host.machine = machine.digest;
	host.tsc_khz = machine.tsc_khz;
	if (image_load(vm->host->paths, s->image, &image, NULL) == 0)
		host.image_build = image.build_id;
	return snapshot_check(s, &host, ret_verify, e);
}

enum flow_verdict restore_check_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);
	bool read_memory = false;

	if (restore_check(vm, &read_memory, &f->err) < 0)
		return FLOW_FAIL;
	if (!read_memory)
		return FLOW_NEXT;
	vm_log(vm, "snapshot.verify", "{\"why\":\"its memory file was touched\"}");
	return task_start(&vm->task, vm->host->loop, false, verify, &vm->restored.from, NULL,
		       on_verified, vm, &f->err) < 0
		       ? FLOW_FAIL
		       : FLOW_WAIT;
}

enum flow_verdict restore_check_event(struct flow *f, int ev, void *data)
{
	const struct vmm_result *res = data;

	if (ev != VM_FE_TASK)
		return FLOW_WAIT;
	if (res->r == 0)
		return FLOW_NEXT;
	f->err = *res->e;
	return FLOW_FAIL;
}

void restore_check_undo(struct flow *f)
{
	task_cancel(&flow_vm(f)->task);
}

/* ---- the VMM ----------------------------------------------------------------------------------
 */

enum flow_verdict restore_api_step(struct flow *f)
{
	(void)f;
	return FLOW_WAIT;
}

enum flow_verdict restore_load_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	return vm->vmm->ops->load(vm->vmm, birth_vmm_done, &f->err) < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static enum flow_verdict resume_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	return vm->vmm->ops->resume(vm->vmm, birth_vmm_done, &f->err) < 0 ? FLOW_FAIL : FLOW_WAIT;
}

/* ---- the agent: what came already counts -------------------------------------------------------
 */

static enum flow_verdict seen(bool it)
{
	return it ? FLOW_NEXT : FLOW_WAIT;
}

static enum flow_verdict dial_step(struct flow *f)
{
	return seen(flow_vm(f)->seen.dial);
}

static enum flow_verdict dial_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_DIAL ? FLOW_NEXT : ended_or_wait(f, ev, data);
}

/* The host's word and the agent's must agree: a guest that takes itself for the source would go on
 * with the source's random numbers and name. */
static enum flow_verdict hello_verdict(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	if (!vm->have_ack)
		return FLOW_WAIT;
	if (vm->ack.verdict == WIRE_RESTORED)
		return FLOW_NEXT;
	err_set(&f->err, EPROTO,
		"the guest says it was %s, not restored: it would go on with another VM's identity",
		vm->ack.verdict == WIRE_BOOTED ? "booted" : "resumed");
	return FLOW_FAIL;
}

static enum flow_verdict hello_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_READY ? hello_verdict(f) : ended_or_wait(f, ev, data);
}

static enum flow_verdict rebind_step(struct flow *f)
{
	return seen(flow_vm(f)->seen.serving);
}

static enum flow_verdict rebind_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_SERVING ? FLOW_NEXT : ended_or_wait(f, ev, data);
}

static enum flow_verdict output_step(struct flow *f)
{
	return seen(flow_vm(f)->seen.output);
}

static enum flow_verdict output_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_OUTPUT ? FLOW_NEXT : ended_or_wait(f, ev, data);
}

static void on_pong(void *user, int r, uint64_t rtt_ns, uint64_t uptime_ns, uint32_t execs)
{
	struct vm *vm = user;
	struct vmm_result res = {.r = r};

	(void)uptime_ns;
	(void)execs;
	if (r == 0) {
		vm_log(vm, "health.probe", "{\"kind\":\"agent\",\"ms\":%.1f}",
			(double)rtt_ns / 1e6);
		vm_health_restored(vm, rtt_ns);
	}
	flow_event(&vm->flow, VM_FE_PONG, &res);
}

static enum flow_verdict health_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	int r = guest_ping(vm->guest, HEALTH_LIMIT, on_pong, vm, &f->err);

	if (r == -ENOTCONN) { /* it redials: asked again then */
		f->err = (struct err){0};
		return FLOW_WAIT;
	}
	return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static enum flow_verdict health_event(struct flow *f, int ev, void *data)
{
	const struct vmm_result *res = data;

	if (ev == VM_FE_READY)
		return health_step(f); /* the agent is back: asked again */
	if (ev != VM_FE_PONG)
		return ended_or_wait(f, ev, data);
	if (res->r == -ENOTCONN)
		return FLOW_WAIT; /* for its end, which says more, or for its next dial */
	if (res->r < 0) {
		err_set(&f->err, -res->r, "the agent did not answer the first probe");
		return FLOW_FAIL;
	}
	return FLOW_NEXT;
}

static const struct flow_step restore_steps[] = {
	{"queue", QUEUE_LIMIT, queue_step, queue_event, queue_undo, NULL, NULL},
	{"check", CHECK_LIMIT, restore_check_step, restore_check_event, restore_check_undo, NULL,
		NULL},
	{"reserve", 0, birth_reserve, NULL, birth_unreserve, NULL, NULL},
	{"network", NETWORK_LIMIT, vm_network_enter, vm_network_event, vm_network_undo, NULL,
		vm_network_skip},
	{"spawn", 0, birth_spawn, NULL, birth_kill, NULL, NULL},
	{"api", API_LIMIT, restore_api_step, birth_vmm_event, NULL, NULL, NULL},
	[RESTORE_LOADED] = {"load", LOAD_LIMIT, restore_load_step, birth_op_event, NULL, NULL,
		NULL},
	{"resume", RESUME_LIMIT, resume_step, birth_op_event, NULL, NULL, NULL},
	{"dial", DIAL_LIMIT, dial_step, dial_event, NULL, NULL, NULL},
	{"hello", HELLO_LIMIT, hello_verdict, hello_event, NULL, NULL, NULL},
	{"rebind", REBIND_LIMIT, rebind_step, rebind_event, NULL, NULL, NULL},
	{"output", OUTPUT_LIMIT, output_step, output_event, NULL, NULL, NULL},
	{"publish", PROOF_LIMIT, vm_proof_enter, vm_proof_event, vm_proof_undo, vm_proof_expired,
		vm_proof_skip},
	{"health", HEALTH_LIMIT + 1, health_step, health_event, NULL, NULL, NULL},
};

/* ---- the request ------------------------------------------------------------------------------
 */

static int fill_spec(struct vm_spec *spec, const struct snapshot *s, struct err *e)
{
	for (size_t i = 0; vmm_drivers[i]; i++)
		if (strcmp(vmm_drivers[i]->name, s->vmm) == 0)
			spec->driver = vmm_drivers[i];
	if (!spec->driver)
		return err_set(e, ENOENT,
			"snapshot '%s' was made by the VMM '%s', which this "
			"vmdeck does not know",
			s->name, s->vmm);
	snprintf(spec->image, sizeof(spec->image), "%s", s->image);
	snprintf(spec->image_build, sizeof(spec->image_build), "%s", s->image_build);
	snprintf(spec->accel, sizeof(spec->accel), "%s", s->accel);
	snprintf(spec->vmm_version, sizeof(spec->vmm_version), "%s", s->vmm_version);
	spec->vcpus = s->vcpus;
	spec->mem_mib = s->mem_mib;
	spec->tty = s->tty;
	spec->argv = strv_copy(s->argv);
	spec->env = strv_copy(s->env);
	if (vm_network_inherit(spec, s, e) < 0)
		return -e->code;
	return health_spec_from_words(&spec->health, s->health, e);
}

int restore_new(
	struct vm_host *h, struct snapshot *s, const char *name, struct vm **ret, struct err *e)
{
	struct vm *vm = vm_new(h, NULL);
	struct vm_restored *from = &vm->restored;
	int r = fill_spec(&vm->spec, s, e);

	vm->origin = VM_RESTORED;
	if (r == 0)
		r = vm_make_paths(vm, e);
	if (r < 0) {
		vm_free(vm);
		return r;
	}
	snprintf(vm->spec.name, sizeof(vm->spec.name), "%s", name);
	vm_health_fit(vm);
	snprintf(from->snapshot, sizeof(from->snapshot), "%s", s->name);
	memcpy(from->id, s->id, SNAPSHOT_ID);
	from->temporary = s->temporary;
	from->state = xasprintf("%s/state", s->dir);
	from->memory = xasprintf("%s/memory", s->dir);
	from->from = *s;
	*s = (struct snapshot){0};
	*ret = vm;
	return 0;
}

static void log_create(struct vm *vm)
{
	struct json_object *o = json_object_new_object();
	char hex[2 * SNAPSHOT_ID + 1];

	hex_encode(hex, vm->restored.id, SNAPSHOT_ID);
	jsonx_add_str(o, "snapshot", vm->restored.snapshot);
	jsonx_add_str(o, "snapshot_id", hex);
	jsonx_add_bool(o, "pool", vm->restored.preloaded);
	jsonx_add_str(o, "vmm", vm->spec.driver->name);
	jsonx_add_int(o, "mem_mib", vm->spec.mem_mib);
	vm_log_json(vm, "vm.create", o);
}

static int choose_name(
	struct vm_host *h, const char *snapshot, const char *name, char out[64], struct err *e)
{
	if (name)
		snprintf(out, 64, "%s", name);
	else if (vm_check_new_name(h, snapshot, NULL) == 0)
		snprintf(out, 64, "%s", snapshot);
	else
		vm_make_name(h, snapshot, out, 64);
	return vm_check_new_name(h, out, e);
}

int vm_restore(struct vm_host *h, const char *snapshot, const char *name,
	const struct net_wish *network, vm_done *done, void *user, struct err *e)
{
	struct snapshot s = {0};
	struct vm *vm = NULL;
	char text[64];
	int r = choose_name(h, snapshot, name, text, e);

	if (r == 0)
		r = snap_check_at_rest(h, snapshot, e);
	if (r == 0)
		r = snapshot_load(h->paths, snapshot, &s, e);
	if (r < 0)
		return r;
	vm = pool_take(h->pool, s.id, text);
	if (!vm)
		r = restore_new(h, &s, text, &vm, e);
	snapshot_fini(&s);
	if (r < 0)
		return r;
	r = vm_network_wish(vm, network, e);
	if (r < 0) {
		vm_free(vm);
		return r;
	}
	birth_begin(vm, done, user);
	vm->restored.first_exec_due = true;
	log_create(vm);
	birth_run(vm, "restore", restore_steps, countof(restore_steps), 0);
	return 0;
}

void vm_exec_ended(struct vm *vm, uint64_t began_mono_ns)
{
	struct timing_phase p = {.name = "first exec"};
	uint64_t now = mono_ns();

	if (!vm->restored.first_exec_due || vm->state == VM_STARTING)
		return;
	vm->restored.first_exec_due = false;
	p.at_ns = began_mono_ns - vm->trail.begin_ns;
	p.ns = now - began_mono_ns;
	if (vm->host->cb.on_mark)
		vm->host->cb.on_mark(vm->host->user, "restore", vm->id, &p);
}
