/* A snapshot as a flow: what happens in the pause is as little as can be, the writing comes after.
 */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/base/str.h"
#include "backend/vm/disks.h"
#include "backend/vm/snap.h"

/* s; normal in brackets. */
#define QUEUE_LIMIT   600.
#define QUIESCE_LIMIT 2.   /* that the agent is given (0.01) */
#define AGENT_SLACK   2.   /* more for its answer */
#define PAUSE_LIMIT   12.  /* (0.001) */
#define SAVE_LIMIT    60.  /* (0.01; a clone's own pages are copied) */
#define DISKS_LIMIT   600. /* (0.001; without reflink by what they hold) */
#define THAW_LIMIT    5.   /* (0.005) */
#define MEMORY_LIMIT  900. /* (0.3) */
#define PUBLISH_LIMIT 300. /* (0.3) */

static struct snap *flow_snap(struct flow *f)
{
	return f->user;
}

static enum flow_verdict vm_left(struct flow *f, const char *detail)
{
	err_set(&f->err, ESRCH, "VM '%s' ended meanwhile: %s", flow_snap(f)->vm_name, detail);
	return FLOW_FAIL;
}

static enum flow_verdict left_or_wait(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_EXIT ? vm_left(f, data) : FLOW_WAIT;
}

static enum flow_verdict result(struct flow *f, const struct vmm_result *res)
{
	if (res->r == 0)
		return FLOW_NEXT;
	f->err = *res->e;
	return FLOW_FAIL;
}

/* ---- queue, draft -----------------------------------------------------------------------------
 */

static void on_grant(struct ticket *t)
{
	flow_event(&container_of(t, struct snap, ticket)->flow, VM_FE_GRANTED, NULL);
}

static enum flow_verdict queue_step(struct flow *f)
{
	struct snap *s = flow_snap(f);

	if (s->vm->adopting)
		return FLOW_WAIT;
	s->ticket.on_grant = on_grant;
	return queue_enter(&s->host->snapshots, &s->ticket) ? FLOW_NEXT : FLOW_WAIT;
}

static enum flow_verdict queue_event(struct flow *f, int ev, void *data)
{
	if (ev == VM_FE_OP_DONE) /* the takeover by this daemon */
		return queue_step(f);
	return ev == VM_FE_GRANTED ? FLOW_NEXT : left_or_wait(f, ev, data);
}

static enum flow_verdict draft_step(struct flow *f)
{
	struct snap *s = flow_snap(f);
	enum vm_state state = s->vm->state;

	if ((state != VM_RUNNING && state != VM_PAUSED) || s->vm->op_waiter.done) {
		err_set(&f->err, EINVAL, "VM '%s' is %s now", s->vm_name,
			s->vm->op_waiter.done ? "being paused or resumed" : vm_state_names[state]);
		return FLOW_FAIL;
	}
	s->running = state == VM_RUNNING;
	if (snapshot_draft_begin(
		    &s->draft, s->host->paths, s->name, s->vm_id, s->running, &f->err) < 0 ||
		snap_describe(s, &f->err) < 0)
		return FLOW_FAIL;
	return FLOW_NEXT;
}

static void draft_undo(struct flow *f)
{
	snapshot_draft_abandon(&flow_snap(f)->draft);
}

/* ---- quiesce, pause, save ---------------------------------------------------------------------
 */

/* user is the VM, which outlives its agent's answers: the snapshot may have failed meanwhile. */
static void on_quiesced(void *user, int r, const struct wire_quiesced *q, const struct err *e)
{
	struct snap *s = ((struct vm *)user)->snap;

	if (!s || !s->quiesced)
		return;
	s->draft.s.quiesce_us = (mono_ns() - s->quiesce_begin_ns) / 1000;
	s->draft.s.drained = r == 0 && q->drained;
	if (r < 0) /* a hung guest can be snapshotted, too: that is when one wants it most */
		log_warn("vm %s: not quiet before the snapshot: %s", s->vm_id, e->msg);
	flow_event(&s->flow, VM_FE_OP_DONE, NULL);
}

static enum flow_verdict quiesce_step(struct flow *f)
{
	struct snap *s = flow_snap(f);

	s->quiesce_begin_ns = mono_ns();
	if (!s->running || !s->vm->guest || !guest_connected(s->vm->guest))
		return FLOW_NEXT;
	s->quiesced = guest_quiesce(s->vm->guest, QUIESCE_LIMIT, on_quiesced, s->vm, &f->err) == 0;
	return s->quiesced ? FLOW_WAIT : FLOW_NEXT;
}

static enum flow_verdict quiesce_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_OP_DONE ? FLOW_NEXT : left_or_wait(f, ev, data);
}

static void on_thaw_undone(void *user, int r, bool in_time, int64_t clock_step_ns)
{
	(void)user;
	(void)r;
	(void)in_time;
	(void)clock_step_ns;
}

/* Unanswered, the agent's own limit thaws it. */
static void quiesce_undo(struct flow *f)
{
	struct snap *s = flow_snap(f);

	if (s->quiesced && s->vm && s->vm->guest)
		(void)guest_thaw(s->vm->guest, THAW_LIMIT, on_thaw_undone, NULL, NULL);
	s->quiesced = false;
}

static void on_vmm_done(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;
	struct vmm_result res = {r, e};

	if (vm->snap)
		flow_event(&vm->snap->flow, VM_FE_VMM_DONE, &res);
}

static enum flow_verdict vmm_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_VMM_DONE ? result(f, data) : left_or_wait(f, ev, data);
}

static enum flow_verdict pause_step(struct flow *f)
{
	struct snap *s = flow_snap(f);
	struct vmm *v = s->vm->vmm;

	s->pause_begin_ns = mono_ns();
	if (!s->running)
		return FLOW_NEXT;
	s->paused = v->ops->pause(v, on_vmm_done, &f->err) == 0;
	return s->paused ? FLOW_WAIT : FLOW_FAIL;
}

static void pause_undo(struct flow *f)
{
	snap_wake_vm(flow_snap(f));
}

static enum flow_verdict save_step(struct flow *f)
{
	struct snap *s = flow_snap(f);
	struct vmm *v = s->vm->vmm;
	autofree char *path = snapshot_draft_path(&s->draft, "state");

	return v->ops->save(v, path, &s->memory, on_vmm_done, &f->err) < 0 ? FLOW_FAIL : FLOW_WAIT;
}

/* ---- disks ------------------------------------------------------------------------------------
 */

static void on_task(struct task *t, int r, const struct err *e)
{
	struct snap *s = t->user;
	struct vmm_result res = {r, e};

	flow_event(&s->flow, VM_FE_TASK, &res);
}

static enum flow_verdict task_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_TASK ? result(f, data) : FLOW_WAIT;
}

static void task_undo(struct flow *f)
{
	task_cancel(&flow_snap(f)->task);
}

static enum flow_verdict run_task(struct flow *f, bool idle, task_run *run)
{
	struct snap *s = flow_snap(f);

	return task_start(&s->task, s->host->loop, idle, run, s, NULL, on_task, s, &f->err) < 0
		       ? FLOW_FAIL
		       : FLOW_WAIT;
}

static int copy_disks(struct task *t, void *arg, struct err *e)
{
	struct snap *s = arg;

	return vm_disks_capture(s->vm, &s->draft, t, e);
}

static enum flow_verdict disks_step(struct flow *f)
{
	return flow_snap(f)->vm->disk_count ? run_task(f, false, copy_disks) : FLOW_NEXT;
}

static enum flow_verdict disks_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_TASK ? result(f, data) : left_or_wait(f, ev, data);
}

/* ---- resume, thaw -----------------------------------------------------------------------------
 */

static void note_pause(struct snap *s)
{
	s->paused = false;
	s->draft.s.pause_us = s->running ? (mono_ns() - s->pause_begin_ns) / 1000 : 0;
}

static enum flow_verdict resume_step(struct flow *f)
{
	struct snap *s = flow_snap(f);
	struct vmm *v = s->vm->vmm;

	if (!s->running)
		return FLOW_NEXT;
	return v->ops->resume(v, on_vmm_done, &f->err) < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static enum flow_verdict resume_event(struct flow *f, int ev, void *data)
{
	enum flow_verdict v = vmm_event(f, ev, data);

	if (v == FLOW_NEXT)
		note_pause(flow_snap(f));
	return v;
}

static void on_thawed(void *user, int r, bool in_time, int64_t clock_step_ns)
{
	struct snap *s = ((struct vm *)user)->snap;

	(void)clock_step_ns;
	if (!s || !s->quiesced)
		return;
	s->quiesced = false;
	if (r < 0)
		log_warn("vm %s: gave no answer to the end of the pause", s->vm_id);
	else if (!in_time)
		s->draft.s.drained = false; /* it had gone on before the pause */
	flow_event(&s->flow, VM_FE_OP_DONE, NULL);
}

static enum flow_verdict thaw_step(struct flow *f)
{
	struct snap *s = flow_snap(f);

	if (!s->quiesced || !s->vm->guest)
		return FLOW_NEXT;
	return guest_thaw(s->vm->guest, THAW_LIMIT, on_thawed, s->vm, &f->err) < 0 ? FLOW_NEXT
										   : FLOW_WAIT;
}

static enum flow_verdict thaw_event(struct flow *f, int ev, void *data)
{
	return ev == VM_FE_OP_DONE ? FLOW_NEXT : left_or_wait(f, ev, data);
}

/* ---- memory, publish --------------------------------------------------------------------------
 */

static void on_progress(void *user, uint64_t done, uint64_t total)
{
	struct snap *s = user;

	atomic_store_explicit(&s->done_bytes, done, memory_order_relaxed);
	atomic_store_explicit(&s->total_bytes, total, memory_order_relaxed);
	ev_async_send(s->host->loop, &s->moved);
}

static int write_memory(struct task *t, void *arg, struct err *e)
{
	struct snap *s = arg;

	return snapshot_draft_memory(&s->draft, t, &s->memory, on_progress, s, e);
}

static enum flow_verdict memory_step(struct flow *f)
{
	struct snap *s = flow_snap(f);

	s->parted = true;
	snapshot_draft_part(&s->draft); /* a pause from here on is the operator's */
	return run_task(f, true, write_memory);
}

static int publish(struct task *t, void *arg, struct err *e)
{
	struct snap *s = arg;

	return snapshot_draft_publish(&s->draft, t, !s->temporary, s->replace, e);
}

static int check_replaced(struct snap *s, struct err *e)
{
	struct snapshot old = {0};
	int r = snapshot_load(s->host->paths, s->name, &old, NULL);

	if (r < 0)
		return 0; /* none, or a damaged one that nobody can have restored */
	r = snap_check_unused(s->host, s->name, old.id, e);
	s->replaces = r == 0;
	memcpy(s->replaced_id, old.id, SNAPSHOT_ID);
	snapshot_fini(&old);
	return r;
}

static enum flow_verdict publish_step(struct flow *f)
{
	struct snap *s = flow_snap(f);

	frozen_fini(&s->memory);
	if (s->replace && check_replaced(s, &f->err) < 0)
		return FLOW_FAIL;
	s->draft.s.took_us = trail_ns(&s->trail) / 1000;
	return run_task(f, true, publish);
}

const struct flow_step snap_steps[] = {
	{"queue", QUEUE_LIMIT, queue_step, queue_event, NULL, NULL, NULL},
	{"draft", 0, draft_step, NULL, draft_undo, NULL, NULL},
	{"quiesce", QUIESCE_LIMIT + 2 * AGENT_SLACK, quiesce_step, quiesce_event, quiesce_undo,
		NULL, NULL},
	{"pause", PAUSE_LIMIT, pause_step, vmm_event, pause_undo, NULL, NULL},
	{"save", SAVE_LIMIT, save_step, vmm_event, NULL, NULL, NULL},
	{"disks", DISKS_LIMIT, disks_step, disks_event, task_undo, NULL, NULL},
	{"resume", PAUSE_LIMIT, resume_step, resume_event, NULL, NULL, NULL},
	{"thaw", THAW_LIMIT + 1, thaw_step, thaw_event, NULL, NULL, NULL},
	{"memory", MEMORY_LIMIT, memory_step, task_event, task_undo, NULL, NULL},
	{"publish", PUBLISH_LIMIT, publish_step, task_event, task_undo, NULL, NULL},
};
const int snap_step_count = countof(snap_steps);
