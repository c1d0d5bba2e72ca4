/* The control connection: its states, pings, vitals, power off; hello.c has the way to SERVING. */
#include "backend/guest/guest_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define VITALS_LEAST_MS 100 /* vitals that come faster are not handed on */

void control_limit(struct guest *g, double s)
{
	ev_timer *t = &g->control.limit;

	ev_timer_stop(g->loop, t);
	if (s <= 0)
		return;
	ev_now_update(g->loop);
	ev_timer_set(t, s, 0.);
	ev_timer_start(g->loop, t);
}

static void end_ping(struct ping *p, int r, uint64_t rtt, uint64_t uptime, uint32_t execs)
{
	if (!p->pending)
		return;
	p->pending = false;
	ev_timer_stop(p->guest->loop, &p->timer);
	p->done(p->user, r, rtt, uptime, execs);
}

/* The connection is gone (closed already): tells who waits. */
static void lost(struct guest *g, const char *why)
{
	struct control *c = &g->control;

	c->state = CONTROL_NONE;
	control_limit(g, 0);
	for (int i = 0; i < GUEST_PINGS; i++)
		end_ping(&c->pings[i], -ENOTCONN, 0, 0, 0);
	quiesce_lost(g);
	if (g->dead)
		return;
	guest_log_why(g, "agent.lost", "control", why);
	if (!g->dead && g->cb.on_lost)
		g->cb.on_lost(g, why);
}

/* ---- serving ---- */

static int on_pong_frame(struct guest *g, const struct wire_frame *f, struct err *e)
{
	uint64_t nonce, uptime;
	uint32_t execs;

	if (wire_get_pong(f, &nonce, &uptime, &execs) < 0)
		return err_set(e, EPROTO, "malformed PONG");
	for (int i = 0; i < GUEST_PINGS; i++) {
		struct ping *p = &g->control.pings[i];

		if (!p->pending || nonce != p->nonce)
			continue;
		end_ping(p, 0, mono_ns() - p->sent_ns, uptime, execs);
		break; /* no other has its nonce */
	}
	return 0; /* of none: an answer that came too late */
}

static int on_vitals_frame(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct control *c = &g->control;
	uint64_t now = mono_ns();
	struct wire_vitals m;

	if (wire_get_vitals(f, &m) < 0)
		return err_set(e, EPROTO, "malformed VITALS");
	if (c->vitals_ns && now - c->vitals_ns < VITALS_LEAST_MS * 1000000u)
		return 0;
	c->vitals_ns = now;
	if (g->cb.on_vitals)
		g->cb.on_vitals(g, &m);
	return 0;
}

static int on_bye_frame(struct guest *g, const struct wire_frame *f, struct err *e)
{
	uint8_t reason;
	int32_t status;

	/* The same shape as EXIT: a byte up to 2, a number. */
	if (wire_get_exit(f, &reason, &status) < 0)
		return err_set(e, EPROTO, "malformed BYE");
	if (g->control.bye)
		return err_set(e, EPROTO, "BYE twice");
	g->control.bye = true;
	if (g->cb.on_bye)
		g->cb.on_bye(g, reason, status);
	return 0;
}

static int on_frame(struct framed *conn, const struct wire_frame *f, struct err *e)
{
	struct guest *g = container_of(conn, struct guest, control.conn);
	enum control_state s = g->control.state;

	if (s == CONTROL_WAIT_READY && f->type == WIRE_READY)
		return hello_on_ready(g, f, e);
	if (s == CONTROL_WAIT_ACK && f->type == WIRE_HELLO_ACK)
		return hello_on_ack(g, f, e);
	if (s == CONTROL_SERVING && f->type == WIRE_SERVING)
		return hello_on_serving(g, f, e);
	if (s == CONTROL_SERVING && f->type == WIRE_PONG)
		return on_pong_frame(g, f, e);
	if (s == CONTROL_SERVING && f->type == WIRE_VITALS)
		return on_vitals_frame(g, f, e);
	if (s == CONTROL_SERVING && f->type == WIRE_BYE)
		return on_bye_frame(g, f, e);
	if (s == CONTROL_SERVING && f->type == WIRE_QUIESCED)
		return quiesce_on_quiesced(g, f, e);
	if (s == CONTROL_SERVING && f->type == WIRE_THAWED)
		return quiesce_on_thawed(g, f, e);
	return err_set(e, EPROTO, "frame %s is out of place on the control connection",
		wire_type_name(f->type));
}

static void on_end(struct framed *conn, int r, const struct err *e)
{
	struct guest *g = container_of(conn, struct guest, control.conn);

	if (r == -EPROTO || r == -EPROTONOSUPPORT)
		guest_log_why(g, "agent.error", "control", e->msg);
	lost(g, g->control.bye ? "the guest powers off" : e->msg);
	if (r == -EPROTONOSUPPORT && !g->dead && g->cb.on_incompatible)
		g->cb.on_incompatible(g, e);
}

static void on_enter(struct framed *conn)
{
	guest_enter(container_of(conn, struct guest, control.conn));
}

static void on_leave(struct framed *conn)
{
	guest_leave(container_of(conn, struct guest, control.conn));
}

static const struct framed_ops control_ops = {
	.priority = 1,
	.queue_max = 2 * (WIRE_HEADER + WIRE_PAYLOAD_MAX),
	.on_frame = on_frame,
	.on_end = on_end,
	.enter = on_enter,
	.leave = on_leave,
};

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	static const char *const waited_for[] = {
		[CONTROL_WAIT_READY] = "READY",
		[CONTROL_WAIT_ACK] = "HELLO_ACK",
		[CONTROL_SERVING] = "SERVING",
	};
	struct guest *g = w->data;
	char why[100];

	(void)loop;
	(void)revents;
	snprintf(why, sizeof(why), "the agent sent no %s within %g s", waited_for[g->control.state],
		GUEST_STEP_S);
	guest_enter(g);
	framed_close(&g->control.conn);
	lost(g, why);
	guest_leave(g);
}

static void on_accept(struct listener *l, int fd)
{
	struct guest *g = container_of(l, struct guest, control.listener);
	struct control *c = &g->control;
	bool served = c->state == CONTROL_SERVING;
	char fields[32];

	guest_enter(g);
	framed_close(&c->conn);
	if (served)
		lost(g, "replaced by a newer connection");
	if (g->dead) {
		close(fd);
	} else {
		c->dials++;
		c->bye = false;
		c->state = CONTROL_WAIT_READY;
		framed_open(&c->conn, g->loop, fd, &control_ops, false);
		control_limit(g, GUEST_STEP_S);
		snprintf(fields, sizeof(fields), "{\"dial\":%u}", c->dials);
		guest_log_limited(g, "agent.dial", fields);
		if (!g->dead && g->cb.on_dial)
			g->cb.on_dial(g);
	}
	guest_leave(g);
}

static void on_ping_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct ping *p = w->data;
	struct guest *g = p->guest;

	(void)loop;
	(void)revents;
	guest_enter(g);
	end_ping(p, -ETIMEDOUT, 0, 0, 0);
	guest_leave(g);
}

int control_open(struct guest *g, const char *vsock_path, struct err *e)
{
	struct control *c = &g->control;
	autofree char *path = xasprintf("%s_%d", vsock_path, WIRE_PORT_CONTROL);

	ev_init(&c->limit, on_limit);
	c->limit.data = g;
	for (int i = 0; i < GUEST_PINGS; i++) {
		c->pings[i].guest = g;
		ev_init(&c->pings[i].timer, on_ping_timeout);
		c->pings[i].timer.data = &c->pings[i];
	}
	quiesce_init(g);
	return listener_open(&c->listener, g->loop, path, on_accept, e);
}

void control_close(struct guest *g)
{
	struct control *c = &g->control;

	listener_close(&c->listener);
	framed_close(&c->conn);
	lost(g, "");
}

/* ---- asked for by the owner ---- */

static int not_connected(struct err *e)
{
	return err_set(e, ENOTCONN, "no agent is connected: the guest is starting, paused or hung");
}

int control_send(struct guest *g, const uint8_t *b, int n, struct err *e)
{
	if (g->control.state != CONTROL_SERVING)
		return not_connected(e);
	switch (framed_send(&g->control.conn, b, (size_t)n)) {
	case 0:
		return 0;
	case -ENOBUFS:
		return err_set(e, EAGAIN, "the agent does not read its control connection");
	default:
		return not_connected(e);
	}
}

int guest_ping(struct guest *g, double timeout, guest_pong *done, void *user, struct err *e)
{
	struct ping *p = g->control.pings;
	uint8_t b[WIRE_HEADER + 8];
	int r, i = 0;

	while (i < GUEST_PINGS && p->pending)
		i++, p++;
	if (i == GUEST_PINGS)
		return err_set(e, EBUSY, "%d pings are under way", GUEST_PINGS);
	r = control_send(g, b, wire_put_u64(b, sizeof(b), WIRE_PING, g->control.last_nonce + 1), e);
	if (r < 0)
		return r;
	p->nonce = ++g->control.last_nonce;
	p->sent_ns = mono_ns();
	p->done = done;
	p->user = user;
	p->pending = true;
	ev_now_update(g->loop);
	ev_timer_set(&p->timer, timeout, 0.);
	ev_timer_start(g->loop, &p->timer);
	return 0;
}

int guest_poweroff(struct guest *g, bool reboot, uint32_t grace_ms, struct err *e)
{
	uint8_t b[WIRE_HEADER + 8];

	return control_send(g, b, wire_put_poweroff(b, sizeof(b), reboot, grace_ms), e);
}

int guest_set_vitals(struct guest *g, uint32_t interval_ms, struct err *e)
{
	uint8_t b[WIRE_HEADER + 4];

	g->id.vitals_ms = interval_ms; /* for the next HELLO */
	return control_send(g, b, wire_put_u32(b, sizeof(b), WIRE_VITALS_EVERY, interval_ms), e);
}
