/* Stop, kill, pause, resume, remove. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/vm/snapshot.h"

#define KILL_LIMIT  10. /* s for a killed VMM to be gone */
#define OP_GRACE_MS 2000

static struct vm *flow_vm(struct flow *f)
{
	return f->user;
}

/* ---- callers that wait for the end ---------------------------------------------------------- */

int vm_add_waiter(struct vm *vm, vm_done *done, void *user, struct err *e)
{
	for (int i = 0; done && i < VM_WAITERS; i++)
		if (!vm->waiters[i].done) {
			vm->waiters[i] = (struct vm_waiter){done, user};
			return 0;
		}
	return done ? err_set(e, EBUSY, "too many callers wait for VM '%s' already", vm->spec.name)
		    : 0;
}

static bool still_there(struct vm_host *h, const struct vm *vm)
{
	const struct vm *v;

	vm_foreach(h, v) if (v == vm) return true;
	return false;
}

/* A waiter may remove the VM (rm -f): the ones behind it are told so. */
void vm_wake_waiters(struct vm *vm, int r, const struct err *e)
{
	struct vm_waiter copy[VM_WAITERS];
	struct vm_host *h = vm->host;
	struct err gone = {0};

	err_set(&gone, ENOENT, "the VM was removed");
	memcpy(copy, vm->waiters, sizeof(copy));
	memset(vm->waiters, 0, sizeof(vm->waiters));
	for (int i = 0; i < VM_WAITERS; i++) {
		if (!copy[i].done)
			continue;
		if (still_there(h, vm))
			copy[i].done(copy[i].user, vm, r, e);
		else
			copy[i].done(copy[i].user, NULL, -gone.code, &gone);
	}
}

/* ---- the stop flow: wake a paused guest, ask it, then kill ---------------------------------- */

static void on_resumed(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;
	struct vmm_result res = {r, e};

	flow_event(&vm->flow, VM_FE_VMM_DONE, &res);
}

static enum flow_verdict wake_enter(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	if (vm->op_waiter.done || vm->adopting)
		return FLOW_WAIT; /* a pause under way would leave nobody to hear the request */
	if (vm->vmm->state != VMM_PAUSED)
		return FLOW_NEXT;
	return vm->vmm->ops->resume(vm->vmm, on_resumed, &f->err) < 0 ? FLOW_NEXT : FLOW_WAIT;
}

static enum flow_verdict skip(struct flow *f)
{
	(void)f;
	return FLOW_NEXT;
}

static enum flow_verdict end_now(struct flow *f)
{
	f->at = f->count - 1; /* the VMM has gone: nothing is left to do */
	return FLOW_NEXT;
}

static enum flow_verdict wake_event(struct flow *f, int ev, void *data)
{
	(void)data;
	if (ev == VM_FE_EXIT)
		return end_now(f);
	if (ev == VM_FE_OP_DONE)
		return wake_enter(f);
	return ev == VM_FE_VMM_DONE ? FLOW_NEXT : FLOW_WAIT;
}

/* An agent that is not connected (it redials a new daemon) is asked as soon as it is. */
static void ask(struct vm *vm)
{
	if (vm->guest && guest_poweroff(vm->guest, false, OP_GRACE_MS, NULL) == 0)
		vm->asked_poweroff = true;
}

static enum flow_verdict ask_enter(struct flow *f)
{
	if (f->limit <= 0)
		return FLOW_NEXT;
	ask(flow_vm(f));
	return FLOW_WAIT;
}

static enum flow_verdict ask_event(struct flow *f, int ev, void *data)
{
	(void)data;
	if (ev == VM_FE_READY)
		ask(flow_vm(f));
	return ev == VM_FE_EXIT ? end_now(f) : FLOW_WAIT;
}

static enum flow_verdict kill_event(struct flow *f, int ev, void *data)
{
	(void)data;
	return ev == VM_FE_EXIT ? end_now(f) : FLOW_WAIT;
}

static void end_vmm(struct vm *vm)
{
	vm->asked_poweroff = false;
	vm->vmm->ops->kill(vm->vmm);
}

static enum flow_verdict kill_enter(struct flow *f)
{
	end_vmm(flow_vm(f));
	return FLOW_WAIT;
}

static const struct flow_step stop_steps[] = {
	{"wake", 5, wake_enter, wake_event, NULL, skip, NULL},
	{"power off", FLOW_OWN_LIMIT, ask_enter, ask_event, NULL, skip, NULL},
	{"kill", KILL_LIMIT, kill_enter, kill_event, NULL, NULL, NULL},
};
#define STOP_KILL_STEP 2

static void on_stop_step(struct flow *f)
{
	struct vm *vm = flow_vm(f);

	if (f->at < f->count)
		vm_log(vm, "flow.step",
			"{\"flow\":\"stop\",\"step\":\"%s\",\"n\":%d,\"of\":%d,\"limit_s\":%g}",
			f->steps[f->at].name, f->at + 1, f->count, flow_step_limit(f));
}

static void on_stop_done(struct flow *f, int r)
{
	struct vm *vm = flow_vm(f);

	if (r < 0)
		vm_end(vm, VM_FAILED, f->err.msg);
	else
		vm_end(vm, VM_STOPPED, vm->asked_poweroff ? "powered off" : "killed");
}

static void start_stop(struct vm *vm, double timeout, int first_step)
{
	vm_set_state(vm, VM_STOPPING, first_step == STOP_KILL_STEP ? "kill" : "stop");
	flow_init(&vm->flow, vm->host->loop, "stop", stop_steps, countof(stop_steps), on_stop_step,
		on_stop_done, vm);
	vm->flow.limit = timeout;
	flow_start_at(&vm->flow, first_step);
}

static int check_not_starting(struct vm *vm, struct err *e)
{
	if (vm->state == VM_STARTING)
		return err_set(e, EBUSY,
			"VM '%s' is still starting: wait, or end it with 'vmdeck kill %s'",
			vm->spec.name, vm->spec.name);
	return 0;
}

int vm_stop(struct vm *vm, double timeout, vm_done *done, void *user, struct err *e)
{
	int r = check_not_starting(vm, e);

	if (r < 0)
		return r;
	if (!vm_alive(vm)) {
		if (done)
			done(user, vm, 0, NULL);
		return 0;
	}
	if (snap_holds(vm, e))
		return -EBUSY;
	r = vm_add_waiter(vm, done, user, e);
	if (r == 0 && vm->state != VM_STOPPING)
		start_stop(vm, timeout, 0);
	return r;
}

int vm_kill(struct vm *vm, vm_done *done, void *user, struct err *e)
{
	int r;

	if (!vm_alive(vm)) {
		if (done)
			done(user, vm, 0, NULL);
		return 0;
	}
	r = vm_add_waiter(vm, done, user, e);
	if (r < 0)
		return r;
	if (vm->state == VM_STARTING)
		flow_cancel(&vm->flow, "killed by the operator"); /* vm is gone now */
	else if (vm->state == VM_STOPPING)
		end_vmm(vm); /* the flow that waits for the exit gets it */
	else
		start_stop(vm, 0, STOP_KILL_STEP);
	return 0;
}

/* ---- pause and resume ----------------------------------------------------------------------- */

void vm_answer_op(struct vm *vm, int r, const struct err *e)
{
	struct vm_waiter w = vm->op_waiter;

	vm->op_waiter = (struct vm_waiter){0};
	if (w.done)
		w.done(w.user, vm, r, e);
}

static void on_op(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;

	/* The monitor's event may come after its answer: the state is set by whichever is first. */
	if (!r && v->state == VMM_PAUSED && vm->state == VM_RUNNING)
		vm_set_state(vm, VM_PAUSED, NULL);
	if (!r && v->state == VMM_RUNNING && vm->state == VM_PAUSED)
		vm_set_state(vm, VM_RUNNING, NULL);
	vm_answer_op(vm, r, e);
	if (vm->state == VM_STOPPING)
		flow_event(&vm->flow, VM_FE_OP_DONE, NULL);
}

static int begin_op(struct vm *vm, struct err *e)
{
	const struct vmm_ops *ops = vm->vmm->ops;

	return (vm->op_to == VM_PAUSED ? ops->pause : ops->resume)(vm->vmm, on_op, e);
}

/* Only a running VM is paused and only a paused one resumed: the other is 0 (nothing to do) when it
 * is that already. 1: go on. */
static int check_op(struct vm *vm, enum vm_state to, struct err *e)
{
	if (vm->state == to)
		return 0;
	if (vm->state != (to == VM_PAUSED ? VM_RUNNING : VM_PAUSED))
		return err_set(
			e, EINVAL, "VM '%s' is %s", vm->spec.name, vm_state_names[vm->state]);
	return 1;
}

static int start_op(struct vm *vm, enum vm_state to, vm_done *done, void *user, struct err *e)
{
	int r = check_not_starting(vm, e);

	if (r < 0)
		return r;
	if (snap_holds(vm, e))
		return -EBUSY;
	if (vm_alive(vm) && vm->op_waiter.done)
		return err_set(
			e, EBUSY, "VM '%s' is being paused or resumed already", vm->spec.name);
	r = vm->adopting ? 1 : check_op(vm, to, e);
	if (r == 0)
		done(user, vm, 0, NULL);
	if (r <= 0)
		return r;
	vm->op_waiter = (struct vm_waiter){done, user};
	vm->op_to = to;
	r = vm->adopting ? 0 : begin_op(vm, e);
	if (r < 0)
		vm->op_waiter = (struct vm_waiter){0};
	return r;
}

void vm_begin_held_op(struct vm *vm)
{
	struct err e = {0};
	int r;

	if (!vm->op_waiter.done)
		return;
	r = check_op(vm, vm->op_to, &e);
	if (r > 0)
		r = begin_op(vm, &e) < 0 ? -e.code : 1;
	if (r <= 0)
		vm_answer_op(vm, r, &e);
}

int vm_pause(struct vm *vm, vm_done *done, void *user, struct err *e)
{
	return start_op(vm, VM_PAUSED, done, user, e);
}

int vm_resume(struct vm *vm, vm_done *done, void *user, struct err *e)
{
	return start_op(vm, VM_RUNNING, done, user, e);
}

int vm_remove(struct vm *vm, struct err *e)
{
	if (vm_alive(vm))
		return err_set(e, EBUSY, "VM '%s' is %s: stop it first, or use 'vmdeck rm -f %s'",
			vm->spec.name, vm_state_names[vm->state], vm->spec.name);
	vm_files_remove(vm);
	vm_log(vm, "vm.remove", "{}");
	vm_free(vm);
	return 0;
}
