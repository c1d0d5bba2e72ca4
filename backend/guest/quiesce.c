/* QUIESCE and THAW around a snapshot: one of each at a time, each with a limit. */
#include "backend/guest/guest_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

static const char lost_why[] = "the agent's connection was lost";

static double ms_since(uint64_t ns)
{
	return (double)((mono_ns() - ns) / 1000) / 1000;
}

static void log_failed(struct guest *g, const char *name, const struct ask *a, const char *why)
{
	autojson struct json_object *o = json_object_new_object();

	json_object_object_add(o, "waited_ms", json_object_new_double(ms_since(a->sent_ns)));
	jsonx_add_str(o, "why", why);
	guest_log_limited(g, name, jsonx_line(o));
}

/* ---- asking ---- */

static void ask(struct guest *g, struct ask *a, double limit, void *user)
{
	a->pending = true;
	a->sent_ns = mono_ns();
	a->user = user;
	ev_now_update(g->loop);
	ev_timer_set(&a->timer, limit, 0.);
	ev_timer_start(g->loop, &a->timer);
}

/* Nobody waits any more. False: nobody did. */
static bool ask_over(struct guest *g, struct ask *a)
{
	bool pending = a->pending;

	a->pending = false;
	ev_timer_stop(g->loop, &a->timer);
	return pending;
}

/* An answer came: 1 it is for who waits, 0 it came too late, -EPROTO nobody asked. */
static int ask_answered(struct guest *g, struct ask *a, const char *frame, struct err *e)
{
	if (a->stale) {
		a->stale--;
		return 0;
	}
	if (!ask_over(g, a))
		return err_set(e, EPROTO, "%s without a question", frame);
	return 1;
}

/* ---- QUIESCE ---- */

static void quiesce_failed(struct guest *g, int r, const struct err *e)
{
	struct quiesce *q = &g->control.quiesce;

	if (!ask_over(g, &q->ask))
		return;
	log_failed(g, "guest.quiesce", &q->ask, e->msg);
	q->done(q->ask.user, r, NULL, e);
}

static void on_quiesce_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guest *g = w->data;
	struct err e = {0};

	(void)loop;
	(void)revents;
	guest_enter(g);
	err_set(&e, ETIMEDOUT, "the agent did not answer QUIESCE within %.1f s",
		ms_since(g->control.quiesce.ask.sent_ns) / 1000);
	g->control.quiesce.ask.stale++;
	quiesce_failed(g, -ETIMEDOUT, &e);
	guest_leave(g);
}

int guest_quiesce(struct guest *g, double limit, guest_quiesced *done, void *user, struct err *e)
{
	struct quiesce *q = &g->control.quiesce;
	uint8_t b[WIRE_HEADER + 4];
	uint32_t ms;
	int r;

	if (q->ask.pending)
		return err_set(e, EBUSY, "this guest is being quiesced already");
	limit = max_of(0.0, min_of(limit, WIRE_QUIESCE_MS / 1000.0));
	ms = (uint32_t)(limit * 1000);
	r = control_send(g, b, wire_put_u32(b, sizeof(b), WIRE_QUIESCE, ms), e);
	if (r < 0)
		return r;
	q->done = done;
	ask(g, &q->ask, limit + GUEST_ANSWER_S, user);
	return 0;
}

int quiesce_on_quiesced(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct quiesce *q = &g->control.quiesce;
	const struct err none = {0};
	struct wire_quiesced m;
	char fields[160];
	int r;

	if (wire_get_quiesced(f, &m) < 0)
		return err_set(e, EPROTO, "malformed QUIESCED");
	r = ask_answered(g, &q->ask, "QUIESCED", e);
	if (r <= 0)
		return r;
	snprintf(fields, sizeof(fields),
		"{\"drained\":%s,\"waited_ms\":%.3f,\"execs\":%" PRIu32 ",\"next\":%" PRIu64 "}",
		m.drained ? "true" : "false", ms_since(q->ask.sent_ns), m.execs, m.next);
	guest_log_limited(g, "guest.quiesce", fields);
	q->done(q->ask.user, 0, &m, &none);
	return 0;
}

/* ---- THAW ---- */

static void thaw_failed(struct guest *g, int r, const char *why)
{
	struct thaw *t = &g->control.thaw;

	if (!ask_over(g, &t->ask))
		return;
	log_failed(g, "guest.thaw", &t->ask, why);
	t->done(t->ask.user, r, false, 0);
}

static void on_thaw_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guest *g = w->data;

	(void)loop;
	(void)revents;
	guest_enter(g);
	g->control.thaw.ask.stale++;
	thaw_failed(g, -ETIMEDOUT, "the agent did not answer THAW in time");
	guest_leave(g);
}

int guest_thaw(struct guest *g, double limit, guest_thawed *done, void *user, struct err *e)
{
	struct thaw *t = &g->control.thaw;
	uint8_t b[WIRE_HEADER + 8];
	int r;

	if (t->ask.pending)
		return err_set(e, EBUSY, "this guest is being thawed already");
	r = control_send(g, b, wire_put_u64(b, sizeof(b), WIRE_THAW, wall_ns()), e);
	if (r < 0)
		return r;
	t->done = done;
	ask(g, &t->ask, max_of(0.0, limit), user);
	return 0;
}

int quiesce_on_thawed(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct thaw *t = &g->control.thaw;
	char fields[100];
	uint8_t in_time;
	int64_t step;
	int r;

	if (wire_get_thawed(f, &in_time, &step) < 0)
		return err_set(e, EPROTO, "malformed THAWED");
	r = ask_answered(g, &t->ask, "THAWED", e);
	if (r <= 0)
		return r;
	snprintf(fields, sizeof(fields),
		"{\"in_time\":%s,\"clock_step_ms\":%" PRId64 ",\"waited_ms\":%.3f}",
		in_time ? "true" : "false", step / 1000000, ms_since(t->ask.sent_ns));
	guest_log_limited(g, "guest.thaw", fields);
	t->done(t->ask.user, 0, in_time, step);
	return 0;
}

/* ---- both ---- */

void quiesce_lost(struct guest *g)
{
	struct err e = {0};

	err_set(&e, ENOTCONN, "%s", lost_why);
	g->control.quiesce.ask.stale = g->control.thaw.ask.stale = 0;
	quiesce_failed(g, -ENOTCONN, &e);
	thaw_failed(g, -ENOTCONN, lost_why);
}

void quiesce_init(struct guest *g)
{
	struct control *c = &g->control;

	ev_init(&c->quiesce.ask.timer, on_quiesce_limit);
	ev_init(&c->thaw.ask.timer, on_thaw_limit);
	c->quiesce.ask.timer.data = c->thaw.ask.timer.data = g;
}
