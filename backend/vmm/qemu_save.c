/* The device state out of a paused QEMU, and its guest's memory at the same time: two parts that do
 * not touch each other, as the vCPUs stand still. The first failure is the save's, but the other
 * part is let end too, so that nothing of it meets the resumed VM.
 *
 * Facts (QEMU 7.2): the event "completed" comes before the run state is postmigrate, and `cont` in
 * between is refused ("Migration is not finalized yet"). QEMU closes its end of the stream after
 * that change, so the stream's end is what counts. From postmigrate `cont` goes on as ever. */
#include <errno.h>
#include <string.h>

#include "backend/vmm/qemu.h"
#include "backend/vmm/qemu_freeze.h"
#include "backend/vmm/state_pipe.h"

struct qemu_save {
	char *state_path;
	struct frozen *ret; /* the caller's */
	struct state_pipe pipe;
	int write_fd; /* QEMU's end, until it is sent */
	struct qemu_freeze freeze;
	bool completed, closed; /* QEMU says so; its end of the stream is */
	bool state_ended, memory_ended;
	int r; /* the first failure */
	struct err why;
};

/* ---- two parts ------------------------------------------------------------------------------ */

static void part_ended(struct qemu *q, bool *part, int r, const struct err *e)
{
	struct qemu_save *s = q->save;

	if (*part)
		return;
	*part = true;
	if (r < 0 && s->r == 0) {
		s->r = r;
		s->why = *e;
	}
	if (s->state_ended && s->memory_ended)
		qemu_op_end(q, s->r, &s->why);
}

static void state_ended(struct qemu *q, int r, const struct err *e)
{
	if (!q->save)
		return; /* an answer that came behind the end of the stream */
	/* A QEMU that still writes gives up. */
	state_pipe_close(&q->save->pipe);
	part_ended(q, &q->save->state_ended, r, e);
}

static void on_frozen(void *user, int r, const struct err *e)
{
	struct qemu *q = user;

	part_ended(q, &q->save->memory_ended, r, e);
}

/* ---- the device state ----------------------------------------------------------------------- */

static void on_closed(void *user, int r, const struct err *e)
{
	struct qemu *q = user;

	q->save->closed = true;
	if (r < 0 || q->save->completed)
		state_ended(q, r, e);
}

static void on_answer(void *user, int r, struct json_object *result, const struct err *e)
{
	(void)result;
	if (r < 0)
		state_ended(user, r, e);
}

/* QEMU 7.2 saves once between two runs; its own words do not say what helps. */
static void on_migrate(void *user, int r, struct json_object *result, const struct err *e)
{
	struct err why;

	if (r < 0 && strstr(e->msg, "previous migration")) {
		r = err_set(&why, EALREADY,
			"this VM was saved already and has not run since: use that snapshot, or "
			"resume the VM first");
		e = &why;
	}
	on_answer(user, r, result, e);
}

static void on_why(void *user, int r, struct json_object *result, const struct err *e)
{
	struct err why;

	if (r == 0) {
		r = qemu_migrate_why(result, &why);
		e = &why;
	}
	state_ended(user, r, e);
}

void qemu_save_event(struct qemu *q, const char *status)
{
	struct qemu_save *s = q->save;
	struct err e;
	int r;

	if (s->state_ended)
		return;
	if (strcmp(status, "completed") == 0) {
		s->completed = true;
		if (s->closed)
			state_ended(q, 0, NULL);
	} else if (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0) {
		r = qemu_call(q, "query-migrate", NULL, -1, on_why, &e);
		if (r < 0)
			state_ended(q, r, &e);
	}
}

/* ---- the operation -------------------------------------------------------------------------- */

int qemu_save_begin(struct qemu *q, const char *state_path, struct frozen *memory, struct err *e)
{
	struct qemu_save *s = xcalloc(1, sizeof(*s));
	int r;

	s->state_path = xstrdup(state_path);
	s->ret = memory;
	s->write_fd = -1;
	r = state_pipe_open(&s->pipe, q->base.loop, s->state_path, &s->write_fd, e);
	if (r < 0) {
		free(s->state_path);
		free(s);
		return r;
	}
	state_pipe_watch(&s->pipe, on_closed, q);
	q->save = s;
	return 0;
}

int qemu_save_send(struct qemu *q, struct err *e)
{
	struct qemu_save *s = q->save;
	int r = qemu_call(
		q, "migrate-set-capabilities", qemu_migrate_capabilities(), -1, on_answer, e);

	if (r == 0)
		r = qemu_call(q, "getfd", qemu_migrate_fdname(), s->write_fd, on_answer, e);
	if (r == 0)
		r = qemu_call(q, "migrate", qemu_migrate_uri(), -1, on_migrate, e);
	close_fd(&s->write_fd);
	if (r < 0)
		return r;
	r = qemu_freeze_start(&s->freeze, q, on_frozen, q, e);
	if (r < 0)
		on_frozen(q, r, e);
	return 0;
}

const char *qemu_save_waits(const struct qemu *q)
{
	return q->save && q->save->state_ended ? "the freezing of its memory" : "migrate";
}

void qemu_save_end(struct qemu *q, int r)
{
	struct qemu_save *s = q->save;

	if (!s)
		return;
	q->save = NULL;
	if (r == 0) {
		*s->ret = s->freeze.memory;
		s->freeze.memory = (struct frozen)FROZEN_NONE;
	} else {
		unlink(s->state_path);
		q->settle = QEMU_UNSETTLED;
	}
	state_pipe_close(&s->pipe);
	close_fd(&s->write_fd);
	qemu_freeze_fini(&s->freeze);
	free(s->state_path);
	free(s);
}
