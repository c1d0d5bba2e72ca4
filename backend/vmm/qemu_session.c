/* What a QEMU's monitor and process say, as states and events of the VM. */
#include "backend/vmm/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define LOST_LIMIT     3. /* s from a closed monitor to the end of the process; normal: 0.01 */
#define SHUTDOWN_LIMIT 2. /* s from SHUTDOWN to the end of the process; normal: 0.02 */
#define TAIL_MAX       1024

static void emit(struct qemu *q, enum vmm_event ev, const char *detail)
{
	if (q->base.cb.on_event)
		q->base.cb.on_event(&q->base, ev, detail);
}

void qemu_set_state(struct qemu *q, enum vmm_state to)
{
	enum vmm_state from = q->base.state;

	q->base.state = to;
	if (from == to)
		return;
	if (to == VMM_RUNNING)
		emit(q, VMM_EV_RUNNING, NULL);
	else if (to == VMM_PAUSED)
		emit(q, VMM_EV_PAUSED, NULL);
}

/* ---- the operation under way ---------------------------------------------------------------- */

static void end_changed(struct qemu *q)
{
	if (q->answered && q->confirmed)
		qemu_op_end(q, 0, NULL);
}

static void on_changed(void *user, int r, struct json_object *result, const struct err *e)
{
	struct qemu *q = user;

	(void)result;
	if (r < 0) {
		qemu_op_end(q, r, e);
		return;
	}
	q->answered = true;
	end_changed(q);
}

/* QEMU's run states that an operation may find. A VM whose device state was saved, or is being
 * saved for a daemon that is gone, goes on by `cont` as a paused one does. */
static const struct {
	const char *status;
	enum vmm_state state;
} statuses[] = {
	{"running", VMM_RUNNING},
	{"paused", VMM_PAUSED},
	{"postmigrate", VMM_PAUSED},
	{"finish-migrate", VMM_PAUSED},
	{"inmigrate", VMM_WAITING},
};

/* VMM__COUNT: another one. */
static enum vmm_state status_state(const char *status)
{
	for (size_t i = 0; status && i < countof(statuses); i++)
		if (strcmp(statuses[i].status, status) == 0)
			return statuses[i].state;
	return VMM__COUNT;
}

static void on_status(void *user, int r, struct json_object *result, const struct err *e)
{
	struct qemu *q = user;
	const char *status = jsonx_str(result, "status");
	enum vmm_state state = status_state(status),
		       wanted = q->base.config->incoming ? VMM_WAITING : VMM_RUNNING;
	char safe[64];
	struct err why;

	if (r < 0) {
		qemu_op_end(q, r, e);
		return;
	}
	if (state != VMM__COUNT && (q->op == QEMU_ADOPT || state == wanted)) {
		qemu_set_state(q, state);
		qemu_op_end(q, 0, NULL);
	} else if (!status || strcmp(status, "shutdown") != 0) {
		r = err_set(&why, EIO, "QEMU is in the state '%s'",
			str_safe(safe, sizeof(safe), status ? status : ""));
		qemu_op_end(q, r, &why);
	} /* else: it is about to exit, which ends the operation with the reason */
}

static int send_op(struct qemu *q, struct err *e)
{
	switch (q->op) {
	case QEMU_START:
	case QEMU_ADOPT:
		return qemu_call(q, "query-status", NULL, -1, on_status, e);
	case QEMU_LOAD:
		return qemu_load_send(q, e);
	case QEMU_SAVE:
		return qemu_save_send(q, e);
	case QEMU_PAUSE:
		return qemu_call(q, "stop", NULL, -1, on_changed, e);
	case QEMU_RESUME:
		return qemu_call(q, "cont", NULL, -1, on_changed, e);
	case QEMU_IDLE:
	case QEMU_OP__COUNT:
		break;
	}
	return 0;
}

void qemu_op_send(struct qemu *q)
{
	struct err e;
	int r = q->settle == QEMU_SETTLED || q->op == QEMU_IDLE ? send_op(q, &e)
								: qemu_settle(q, &e);

	if (r < 0)
		qemu_op_end(q, r, &e);
}

/* ---- the monitor ---------------------------------------------------------------------------- */

static void on_ready(void *user, const char *version)
{
	struct qemu *q = user;
	struct json_object *o;

	if (q->op == QEMU_START) {
		o = json_object_new_object();
		jsonx_add_str(o, "version", version);
		json_object_object_add(o, "ms", json_object_new_double(qemu_ms_since(q->begin_ns)));
		qemu_log(q, "api.ready", o);
	}
	qemu_op_send(q);
}

static void on_call(void *user, const char *command, uint64_t ns, const char *error)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "method", command);
	json_object_object_add(o, "ms", json_object_new_double((double)ns / 1e6));
	jsonx_add_str(o, "error", error);
	qemu_log(user, "api.call", o);
}

static void event_stop(struct qemu *q, struct json_object *data)
{
	(void)data;
	if (q->base.state == VMM_RUNNING || q->base.state == VMM_PAUSED)
		qemu_set_state(q, VMM_PAUSED);
	q->confirmed |= q->op == QEMU_PAUSE;
	end_changed(q);
}

static void event_resume(struct qemu *q, struct json_object *data)
{
	(void)data;
	if (q->base.state == VMM_RUNNING || q->base.state == VMM_PAUSED)
		qemu_set_state(q, VMM_RUNNING);
	q->confirmed |= q->op == QEMU_RESUME;
	end_changed(q);
}

static void on_shutdown_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct qemu *q = container_of(w, struct qemu, shutdown_limit);

	(void)loop;
	(void)revents;
	q->hung = true;
	proc_signal(&q->base.proc, SIGKILL);
}

static void event_shutdown(struct qemu *q, struct json_object *data)
{
	const char *reason = jsonx_str(data, "reason");

	str_safe(q->shutdown, sizeof(q->shutdown), reason ? reason : "shutdown");
	ev_now_update(q->base.loop);
	ev_timer_stop(q->base.loop, &q->shutdown_limit);
	ev_timer_set(&q->shutdown_limit, SHUTDOWN_LIMIT, 0.);
	ev_timer_start(q->base.loop, &q->shutdown_limit);
	if (strcmp(q->shutdown, "guest-panic") == 0)
		emit(q, VMM_EV_PANIC, q->shutdown);
	else if (jsonx_bool(data, "guest", false))
		emit(q, VMM_EV_POWEROFF, q->shutdown);
}

static void event_panicked(struct qemu *q, struct json_object *data)
{
	(void)data;
	emit(q, VMM_EV_PANIC, "guest-panic");
}

static void event_migration(struct qemu *q, struct json_object *data)
{
	const char *status = jsonx_str(data, "status");

	if (!status || q->ending)
		return;
	if (q->settle != QEMU_SETTLED)
		qemu_settle_event(q, status);
	else if (q->op == QEMU_LOAD)
		qemu_load_event(q, status);
	else if (q->op == QEMU_SAVE)
		qemu_save_event(q, status);
}

/* Others are logged only: a reset with -no-reboot comes as SHUTDOWN "guest-reset". */
static const struct {
	const char *name;
	void (*fn)(struct qemu *q, struct json_object *data);
} events[] = {
	{"STOP", event_stop},
	{"RESUME", event_resume},
	{"SHUTDOWN", event_shutdown},
	{"GUEST_PANICKED", event_panicked},
	{"MIGRATION", event_migration},
	{"RESET", NULL},
	{"POWERDOWN", NULL},
	{"WATCHDOG", NULL},
	{"MEMORY_FAILURE", NULL},
};

static void on_event(void *user, const char *name, struct json_object *data)
{
	struct qemu *q = user;
	struct json_object *o;

	for (size_t i = 0; i < countof(events); i++) {
		if (strcmp(events[i].name, name) != 0)
			continue;
		o = json_object_new_object();
		jsonx_add_str(o, "event", name);
		json_object_object_add(o, "data", json_object_get(data));
		qemu_log(q, "vmm.event", o);
		if (events[i].fn)
			events[i].fn(q, data);
		return;
	}
}

static void on_lost(void *user, int r, const struct err *e)
{
	struct qemu *q = user;
	struct json_object *o;

	if (r != -ECONNRESET) {
		o = json_object_new_object();
		jsonx_add_str(o, "error", e->msg);
		qemu_log(q, "api.lost", o);
	}
	if (q->op == QEMU_IDLE || q->ending)
		return;
	if (r != -ECONNRESET) {
		qemu_op_end(q, r, e);
		return;
	}
	/* QEMU closes its monitor when it ends: the exit says more than the closing. */
	q->lost = true;
	q->why = *e;
	ev_timer_stop(q->base.loop, &q->limit);
	ev_timer_set(&q->limit, LOST_LIMIT, 0.);
	ev_timer_start(q->base.loop, &q->limit);
}

static const struct qmp_io_handler handler = {
	.qmp = {.on_ready = on_ready, .on_event = on_event, .on_call = on_call},
	.on_lost = on_lost,
};

void qemu_session_init(struct qemu *q)
{
	qmp_io_init(&q->qmp);
	ev_timer_init(&q->shutdown_limit, on_shutdown_limit, 0., 0.);
}

void qemu_session_stop(struct qemu *q)
{
	qmp_io_close(&q->qmp);
	log_cap_stop(&q->serial_cap);
	log_cap_stop(&q->log_cap);
	if (q->base.loop)
		ev_timer_stop(q->base.loop, &q->shutdown_limit);
}

int qemu_connect(struct qemu *q, struct err *e)
{
	return qmp_io_open(&q->qmp, q->base.loop, q->qmp_path, &handler, q, e);
}

/* ---- the process ---------------------------------------------------------------------------- */

/* The last lines that QEMU wrote on stderr, "; " between them, made safe to show; "" when it wrote
 * none. */
static void last_lines(const struct qemu *q, int count, char *out, size_t n)
{
	autofd int fd = open(q->log_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0, from = end - TAIL_MAX;
	char text[TAIL_MAX + 1], joined[TAIL_MAX * 2] = "", *line;
	ssize_t len;

	out[0] = '\0';
	if (end <= q->log_from)
		return;
	len = pread(fd, text, TAIL_MAX, max_of(from, q->log_from));
	while (len > 0 && strchr(" \r\n", text[len - 1]))
		len--;
	if (len <= 0)
		return;
	text[len] = '\0';
	for (line = text + len; line > text; line--)
		if (line[-1] == '\n' && --count == 0)
			break;
	for (char *save = NULL, *part = strtok_r(line, "\r\n", &save); part;
		part = strtok_r(NULL, "\r\n", &save))
		snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s",
			joined[0] ? "; " : "", part);
	str_safe(out, n, joined);
}

static void exit_detail(const struct qemu *q, int status, char *out, size_t n)
{
	char text[64], line[280];

	proc_status_text(text, sizeof(text), status);
	/* "load of migration failed: Invalid argument" comes last, the reason before it. */
	last_lines(q, q->op == QEMU_LOAD ? 2 : 1, line, sizeof(line));
	if (q->hung)
		snprintf(out, n, "killed: it did not end %g s after %s", SHUTDOWN_LIMIT,
			q->shutdown);
	else if (status == 0 && q->shutdown[0])
		snprintf(out, n, "%s after %s", text, q->shutdown);
	else if (status == 0 || !line[0])
		snprintf(out, n, "%s", text);
	else
		snprintf(out, n, "%s: %s", text, line);
}

void qemu_on_exit(struct proc *p, int status)
{
	struct qemu *q = p->user;
	char detail[350];
	bool coming = q->op == QEMU_START || q->op == QEMU_ADOPT, destroyed = false;

	qmp_io_finish(&q->qmp); /* its last events come before its end */
	qemu_session_stop(q);
	exit_detail(q, status, detail, sizeof(detail));
	qemu_set_state(q, VMM_GONE);
	if (q->op != QEMU_IDLE) {
		if (!q->ending) {
			q->result = err_set(&q->why,
				q->op == QEMU_START || q->op == QEMU_LOAD ? EIO : ESRCH,
				"QEMU ended: %s", detail);
			q->ending = true;
		}
		coming = coming && q->result < 0;
		if (coming && q->op == QEMU_START)
			qemu_remove_files(q);
		q->destroyed = &destroyed;
		qemu_op_deliver(q);
		if (destroyed)
			return;
		q->destroyed = NULL;
		if (coming)
			return; /* done was the last word */
	}
	emit(q, VMM_EV_EXIT, detail);
}
