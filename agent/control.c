#include "agent/control.h"

#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/pid1.h"
#include "agent/util.h"
#include "agent/vitals.h"

#define VITALS_MS_MIN 50
/* The first ones after HELLO: reading them takes some time, which the first commands need more. */
#define VITALS_FIRST_MS 300
/* Drivers that nobody waits for leave the processor to the first command, which somebody does. */
#define LATE_MS 1000
/* The biggest answer to a frame: HELLO_ACK. */
#define ANSWER_MAX 512
/* Answers to one frame at most: QUIESCED and THAWED, HELLO_ACK and SERVING. */
#define ANSWERS 2

static void on_vitals(void *user)
{
	struct control *c = user;
	struct wire_vitals v;
	char why[VITALS_WHY_MAX];
	const size_t n = WIRE_HEADER + sizeof(v) + sizeof(why);

	/* A host that does not read gets the next ones, and so does a quiesced guest's. */
	if (conn_room(&c->link.conn) >= n + ANSWERS * ANSWER_MAX &&
		!quiesce_on(&c->agent->quiesce)) {
		vitals_read(c->agent, &v, why, sizeof(why));
		conn_queue(&c->link.conn, wire_put_vitals(conn_reserve(&c->link.conn, n), n, &v));
	}
	timer_start(c->link.loop, &c->vitals, c->vitals_ms, on_vitals, c);
	link_send(&c->link);
}

static void vitals_every(struct control *c, uint32_t ms, uint32_t first_ms)
{
	timer_stop(&c->vitals);
	c->vitals_ms = ms && ms < VITALS_MS_MIN ? VITALS_MS_MIN : ms;
	if (ms)
		timer_start(c->link.loop, &c->vitals, first_ms, on_vitals, c);
}

static void on_up(void *user)
{
	struct control *c = user;
	const struct identity *id = &c->agent->id;
	struct wire_ready m = {
		.version = WIRE_VERSION,
		.uptime_ns = boot_ns(),
		.agent = {.s = AGENT_VERSION, .len = sizeof(AGENT_VERSION) - 1},
	};

	memcpy(m.boot, id->boot, WIRE_ID);
	memcpy(m.generation, id->generation, WIRE_ID);
	conn_queue(&c->link.conn,
		wire_put_ready(conn_reserve(&c->link.conn, ANSWER_MAX), ANSWER_MAX, &m));
	link_send(&c->link);
	/* While the host makes HELLO. */
	network_prepare(&c->agent->network);
}

static void on_late(void *user)
{
	(void)user;
	modules_load_late(PID1_MODULES_LATE);
	if (network_device())
		modules_load_late(PID1_MODULES_NET_LATE);
}

/* HELLO_ACK is queued: sends it, with SERVING where nothing long lies between. 0 or -errno. */
static int serve(struct control *c, const struct wire_hello *h, uint64_t came_ns)
{
	struct agent *a = c->agent;
	struct wire_serving m = {
		.execs = execs_begun(&a->execs),
		.dropped = execs_lost(&a->execs),
	};
	int r = 0;

	execs_forget_lost(&a->execs);
	if (!main_was_started(&a->main)) {
		r = conn_flush(&c->link.conn);
		main_start(&a->main, h);
	}
	output_dial(&a->output);
	m.us = (uint32_t)((mono_ns() - came_ns) / 1000);
	conn_queue(&c->link.conn,
		wire_put_serving(conn_reserve(&c->link.conn, ANSWER_MAX), ANSWER_MAX, &m));
	if (!r)
		r = conn_flush(&c->link.conn);
	/* Not before: no command is answered before the host knows its guest. */
	if (!r)
		execs_serve(&a->execs);
	return r;
}

static int on_hello(struct control *c, const struct wire_frame *f)
{
	struct agent *a = c->agent;
	uint64_t came_ns = mono_ns();
	struct wire_hello_ack ack;
	struct wire_hello h;
	int r = wire_get_hello(f, &h);

	if (r == -EPROTONOSUPPORT)
		say_error("the host speaks version %u of the protocol, this agent %d: rebuild the "
			  "image",
			h.version, WIRE_VERSION);
	if (r < 0)
		return r;
	/* Until the answer is made nothing is taken, also when this is the second HELLO. */
	a->serving = false;
	hello_apply(a, &h, came_ns, &ack);
	quiesce_end(&a->quiesce);
	conn_queue(&c->link.conn,
		wire_put_hello_ack(conn_reserve(&c->link.conn, ANSWER_MAX), ANSWER_MAX, &ack));
	link_proved(&c->link);
	a->serving = true;
	r = serve(c, &h, came_ns);
	if (r < 0)
		return r;
	vitals_every(c, h.vitals_ms, VITALS_FIRST_MS);
	if (a->pid1 && ack.verdict == WIRE_BOOTED)
		timer_start(c->link.loop, &c->late, LATE_MS, on_late, c);
	return 0;
}

static int on_ping(struct control *c, const struct wire_frame *f)
{
	uint64_t nonce;
	int r = wire_get_u64(f, &nonce);

	if (r < 0)
		return r;
	conn_queue(&c->link.conn, wire_put_pong(conn_reserve(&c->link.conn, ANSWER_MAX), ANSWER_MAX,
					  nonce, boot_ns(), execs_running(&c->agent->execs)));
	return 0;
}

static int on_quiesce(struct control *c, const struct wire_frame *f)
{
	uint64_t came_ns = mono_ns();
	uint32_t ms;
	int r = wire_get_u32(f, &ms);

	if (!r)
		quiesce_begin(&c->agent->quiesce, ms, came_ns);
	return r;
}

static int on_thaw(struct control *c, const struct wire_frame *f)
{
	struct agent *a = c->agent;
	bool in_time = quiesce_on(&a->quiesce);
	uint64_t host_ns, came_ns = mono_ns();
	int r = wire_get_u64(f, &host_ns);
	int64_t step;

	if (r < 0)
		return r;
	/* The clock first: whoever goes on shall see the right one. */
	step = clock_fix(a, host_ns, came_ns, false);
	quiesce_thaw(&a->quiesce);
	conn_queue(&c->link.conn, wire_put_thawed(conn_reserve(&c->link.conn, ANSWER_MAX),
					  ANSWER_MAX, in_time, step));
	return 0;
}

static int on_poweroff(struct control *c, const struct wire_frame *f)
{
	uint8_t what;
	uint32_t grace;
	int r = wire_get_poweroff(f, &what, &grace);

	if (!r)
		power_begin(&c->agent->power, POWER_ASKED, 0, grace);
	return r;
}

static int on_frame(void *user, const struct wire_frame *f)
{
	struct control *c = user;
	uint32_t ms;
	int r;

	if (f->type == WIRE_HELLO)
		return on_hello(c, f);
	if (!c->agent->serving)
		return -EPROTO;
	switch (f->type) {
	case WIRE_PING:
		return on_ping(c, f);
	case WIRE_POWEROFF:
		return on_poweroff(c, f);
	case WIRE_QUIESCE:
		return on_quiesce(c, f);
	case WIRE_THAW:
		return on_thaw(c, f);
	case WIRE_VITALS_EVERY:
		r = wire_get_u32(f, &ms);
		if (!r)
			vitals_every(c, ms, 0);
		return r;
	default:
		return -EPROTO;
	}
}

static int control_send(void *user)
{
	struct control *c = user;

	return conn_flush(&c->link.conn);
}

static void on_lost(void *user)
{
	struct control *c = user;

	timer_stop(&c->vitals);
	/* Until the next HELLO it is not known whose guest this is. */
	c->agent->serving = false;
	output_hold(&c->agent->output);
	quiesce_end_soon(&c->agent->quiesce);
}

static const struct link_ops control_ops = {
	.name = "control",
	.on_up = on_up,
	.on_frame = on_frame,
	.send = control_send,
	.on_lost = on_lost,
	.reserve = ANSWERS * ANSWER_MAX,
};

void control_init(struct control *c, struct agent *a)
{
	c->agent = a;
	conn_init(&c->link.conn, &a->loop, c->in, c->out, sizeof(c->out));
	link_init(&c->link, &control_ops, &a->transport, WIRE_PORT_CONTROL, c);
}

void control_start(struct control *c)
{
	link_start(&c->link);
}

void control_bye(struct control *c, uint8_t reason, int32_t status)
{
	const size_t n = ANSWER_MAX;
	uint8_t *p = conn_reserve(&c->link.conn, n);

	if (c->link.state != LINK_UP || !p)
		return;
	conn_queue(&c->link.conn, wire_put_exit(p, n, WIRE_BYE, reason, status));
	link_send(&c->link);
}

void control_quiesced(struct control *c, const struct wire_quiesced *m)
{
	uint8_t *p = conn_reserve(&c->link.conn, ANSWER_MAX);

	if (c->link.state != LINK_UP || !p)
		return;
	conn_queue(&c->link.conn, wire_put_quiesced(p, ANSWER_MAX, m));
}

void control_flush(struct control *c)
{
	link_send(&c->link);
}

void control_close(struct control *c, uint32_t ms)
{
	timer_stop(&c->vitals);
	link_close(&c->link, ms);
}
