#include "backend/vmm/qemu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"

/* What an operation waits for, for the sentence when it does not come, and how long. */
static const struct {
	const char *waits;
	double limit; /* s */
} ops[] = {
	[QEMU_IDLE] = {"", 0.},
	[QEMU_START] = {"query-status", 15.}, /* normal: 0.05 */
	[QEMU_ADOPT] = {"query-status", 10.}, /* normal: 0.001, as all that follow */
	[QEMU_LOAD] = {"migrate-incoming", 10.},
	[QEMU_SAVE] = {"migrate", 30.}, /* normal: 0.01; with memory to copy a second a GiB */
	[QEMU_PAUSE] = {"stop", 10.},
	[QEMU_RESUME] = {"cont", 10.},
};
_Static_assert(countof(ops) == QEMU_OP__COUNT, "one row an operation");

static struct qemu *qemu_of(struct vmm *v)
{
	return container_of(v, struct qemu, base);
}

void qemu_log(struct qemu *q, const char *name, struct json_object *fields)
{
	if (q->base.cb.on_log)
		q->base.cb.on_log(&q->base, name, jsonx_line(fields));
	json_object_put(fields);
}

double qemu_ms_since(uint64_t begin_ns)
{
	return (double)(mono_ns() - begin_ns) / 1e6;
}

int qemu_call(struct qemu *q, const char *command, struct json_object *args, int pass_fd,
	qmp_reply *fn, struct err *e)
{
	return qmp_io_call(&q->qmp, command, args, pass_fd, fn, e);
}

void qemu_make_paths(struct qemu *q)
{
	const struct vmm_config *c = q->base.config;

	if (q->qmp_path)
		return;
	q->qmp_path = xasprintf("%s/qmp.sock", c->run_dir);
	q->pid_path = xasprintf("%s/vmm.pid", c->dir);
	q->serial_path = xasprintf("%s/serial.log", c->dir);
	q->log_path = xasprintf("%s/vmm.log", c->dir);
}

/* ---- one operation at a time ---------------------------------------------------------------- */

void qemu_op_deliver(struct qemu *q)
{
	vmm_done *done = q->done;
	struct err why = q->why;
	int r = q->result;

	ev_timer_stop(q->base.loop, &q->limit);
	ev_timer_stop(q->base.loop, &q->end);
	q->op = QEMU_IDLE;
	q->done = NULL;
	qemu_save_end(q, r);
	done(&q->base, r, r < 0 ? &why : NULL);
}

void qemu_op_end(struct qemu *q, int r, const struct err *e)
{
	if (q->op == QEMU_IDLE || q->ending)
		return;
	ev_timer_stop(q->base.loop, &q->limit);
	q->ending = true;
	q->result = r;
	if (r < 0)
		q->why = *e;
	if (r < 0)
		qmp_io_close(
			&q->qmp); /* an answer that comes late must not meet a later operation */
	if (r < 0 && q->op == QEMU_START && proc_running(&q->base.proc))
		proc_signal(&q->base.proc, SIGKILL); /* its exit delivers */
	else
		ev_feed_event(q->base.loop, &q->end, EV_TIMER);
}

static void on_end(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	qemu_op_deliver(container_of(w, struct qemu, end));
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct qemu *q = container_of(w, struct qemu, limit);
	struct err e = q->why;
	bool greeted = q->qmp.fd >= 0 && q->qmp.qmp.state != QMP_GREETING;

	(void)loop;
	(void)revents;
	if (!q->lost)
		err_set(&e, ETIMEDOUT, "QEMU's monitor gave no answer to %s in %g s",
			!greeted             ? "the connection"
			: q->op == QEMU_SAVE ? qemu_save_waits(q)
					     : ops[q->op].waits,
			ops[q->op].limit);
	qemu_op_end(q, -e.code, &e);
}

static void op_begin(struct qemu *q, enum qemu_op op, vmm_done *done)
{
	q->op = op;
	q->done = done;
	q->answered = q->confirmed = q->ending = q->lost = false;
	ev_timer_init(&q->end, on_end, 0., 0.);
	q->begin_ns = mono_ns();
	ev_timer_init(&q->limit, on_limit, ops[op].limit, 0.);
	ev_now_update(q->base.loop);
	ev_timer_start(q->base.loop, &q->limit);
}

static void op_abandon(struct qemu *q)
{
	if (q->op == QEMU_IDLE)
		return;
	ev_timer_stop(q->base.loop, &q->limit);
	ev_timer_stop(q->base.loop, &q->end);
	q->op = QEMU_IDLE;
	qemu_save_end(q, -ECANCELED);
}

static int check_idle(const struct qemu *q, struct err *e)
{
	if (q->op != QEMU_IDLE)
		return err_set(e, EBUSY, "another operation on this VM is under way");
	return 0;
}

/* ---- operations ----------------------------------------------------------------------------- */

static struct vmm *create(void)
{
	struct qemu *q = xcalloc(1, sizeof(*q));

	q->base.ops = &vmm_qemu;
	q->base.proc.pidfd = -1;
	qemu_session_init(q);
	return &q->base;
}

static int start(struct vmm *v, vmm_done *done, struct err *e)
{
	struct qemu *q = qemu_of(v);
	uint64_t begin = mono_ns();
	int r;

	if (v->state != VMM_NEW)
		return err_set(e, EINVAL, "this VM was started before");
	qemu_make_paths(q);
	r = qemu_spawn(q, e);
	if (r < 0)
		return r;
	qemu_set_state(q, VMM_STARTING);
	op_begin(q, QEMU_START, done);
	q->begin_ns = begin;
	return 0;
}

static int adopt(struct vmm *v, vmm_done *done, struct err *e)
{
	struct qemu *q = qemu_of(v);
	struct proc_id id;
	int r;

	if (v->state != VMM_NEW)
		return err_set(e, EINVAL, "this VM was started before");
	qemu_make_paths(q);
	if (proc_read_pid_file(q->pid_path, &id) < 0)
		return err_set(e, ESRCH, "'%s' names no process", q->pid_path);
	r = proc_adopt(&v->proc, v->loop, id, qemu_on_exit, q, e);
	if (r < 0)
		return r;
	r = qemu_connect(q, e);
	if (r < 0) {
		proc_forget(&v->proc);
		return r;
	}
	log_cap_start(&q->serial_cap, v->loop, q->serial_path);
	log_cap_start(&q->log_cap, v->loop, q->log_path);
	q->settle = QEMU_UNSETTLED;
	op_begin(q, QEMU_ADOPT, done);
	return 0;
}

/* Whether an operation may begin that needs this state and the monitor. */
static int check_ready(struct qemu *q, enum vmm_state from, struct err *e)
{
	static const char *const states[] = {[VMM_WAITING] = "waiting for a snapshot's state",
		[VMM_RUNNING] = "running",
		[VMM_PAUSED] = "paused"};
	int r = check_idle(q, e);

	if (r < 0)
		return r;
	if (q->base.state != from)
		return err_set(e, q->base.state == VMM_GONE ? ESRCH : EALREADY, "the VM is not %s",
			states[from]);
	if (q->qmp.fd < 0) /* lost earlier: one more try */
		return qemu_connect(q, e);
	return 0;
}

static void begin_sent(struct qemu *q, enum qemu_op op, vmm_done *done)
{
	op_begin(q, op, done);
	if (qmp_io_ready(&q->qmp))
		qemu_op_send(q);
}

static int load(struct vmm *v, vmm_done *done, struct err *e)
{
	struct qemu *q = qemu_of(v);
	int r = check_ready(q, VMM_WAITING, e);

	if (r == 0 && !v->config->incoming)
		r = err_set(e, EINVAL, "this VM has no state to load");
	if (r == 0)
		r = qemu_load_check(q, e);
	if (r == 0)
		begin_sent(q, QEMU_LOAD, done);
	return r;
}

static int save(
	struct vmm *v, const char *state_path, struct frozen *memory, vmm_done *done, struct err *e)
{
	struct qemu *q = qemu_of(v);
	int r = check_ready(q, VMM_PAUSED, e);

	if (r == 0)
		r = qemu_save_begin(q, state_path, memory, e);
	if (r == 0)
		begin_sent(q, QEMU_SAVE, done);
	return r;
}

static int pause_(struct vmm *v, vmm_done *done, struct err *e)
{
	struct qemu *q = qemu_of(v);
	int r = check_ready(q, VMM_RUNNING, e);

	if (r == 0)
		begin_sent(q, QEMU_PAUSE, done);
	return r;
}

static int resume(struct vmm *v, vmm_done *done, struct err *e)
{
	struct qemu *q = qemu_of(v);
	int r = check_ready(q, VMM_PAUSED, e);

	if (r == 0)
		begin_sent(q, QEMU_RESUME, done);
	return r;
}

static void kill_(struct vmm *v)
{
	proc_signal(&v->proc, SIGKILL);
}

static void destroy(struct vmm *v)
{
	struct qemu *q;

	if (!v)
		return;
	q = qemu_of(v);
	if (q->destroyed)
		*q->destroyed = true;
	/* A start that has not said done, or whose failure is being cleaned up. */
	if (q->op == QEMU_START)
		qemu_undo_start(q);
	if (v->loop)
		op_abandon(q);
	qemu_session_stop(q);
	proc_forget(&v->proc);
	free(q->qmp_path);
	free(q->pid_path);
	free(q->serial_path);
	free(q->log_path);
	free(q);
}

const struct vmm_ops vmm_qemu = {
	.name = "qemu",
	.detect = qemu_detect,
	.create = create,
	.start = start,
	.adopt = adopt,
	.load = load,
	.save = save,
	.machine = qemu_machine,
	.pause = pause_,
	.resume = resume,
	.kill = kill_,
	.destroy = destroy,
};
