/* Guest to host: every packet the guest can send, in every state of its connection. */
#include "backend/vsock/mux_internal.h"

#include <errno.h>
#include <sys/socket.h>

#include "backend/base/util.h"
#include "backend/vsock/iov.h"

#define FLUSH_MIN 65536 /* collected bytes that are written before the pass ends */

/* A packet as copied from its chain; the payload still lies in guest memory. */
struct incoming {
	struct packet p;
	struct iovec *iov;
	unsigned n;
};

static void reply_rst(struct mux *m, const struct packet *p)
{
	unsigned at = (m->reply_head + m->reply_count) % VSOCK_REPLIES_MAX;

	if (m->reply_count == VSOCK_REPLIES_MAX)
		return;
	m->replies[at] = (struct mux_reply){p->dst_port, p->src_port, p->type};
	m->reply_count++;
}

static void request(struct mux *m, const struct packet *p)
{
	struct conn *c = table_add(&m->table, p->dst_port, p->src_port);

	if (!c) {
		reply_rst(m, p);
		return;
	}
	mux_set_state(m, c, CONN_OPEN);
	conn_learn(c, p);
	if (m->ops->dial(m, c) < 0) {
		mux_gone(m, c);
		reply_rst(m, p);
		return;
	}
	mux_pend(m, c, CONN_SEND_RESPONSE);
}

/* Straight from guest memory when nothing waits before it; returns what was written. */
static size_t write_direct(struct mux *m, struct conn *c, struct incoming *in)
{
	ssize_t w;

	if (c->out.len > 0 || c->blocked || in->p.len < VSOCK_DIRECT_MIN)
		return 0;
	w = m->ops->write(m, c, in->iov, in->n);
	if (w == -EAGAIN)
		w = 0;
	if (w < 0) {
		mux_host_deaf(m, c);
		return 0;
	}
	c->blocked = (size_t)w < in->p.len;
	return (size_t)w;
}

static void deliver(struct mux *m, struct conn *c, struct incoming *in)
{
	size_t done = write_direct(m, c, in);

	if (c->host_deaf)
		done = in->p.len;
	mux_forwarded(m, c, done);
	if (done == in->p.len)
		return;
	in->n = iov_cut(in->iov, in->iov, in->n, done, in->p.len);
	if (obuf_put(&c->out, in->iov, in->n) < 0) {
		mux_reset(m, c, false);
		return;
	}
	if (c->blocked)
		return;
	if (c->out.len >= FLUSH_MIN)
		mux_flush(m, c);
	else if (list_empty(&c->dirty))
		list_push(&m->dirty, &c->dirty);
}

static void on_rw(struct mux *m, struct conn *c, struct incoming *in)
{
	if (c->state == CONN_CLOSING)
		return; /* sent before it saw our SHUTDOWN; nobody is left to read it */
	if (c->state != CONN_OPEN || (c->guest_shut & PACKET_SHUT_SEND) ||
		in->p.len > conn_room(c)) {
		mux_reset(m, c, true);
		return;
	}
	c->rx_cnt += in->p.len;
	if (in->p.len > 0)
		deliver(m, c, in);
}

static void on_response(struct mux *m, struct conn *c, struct incoming *in)
{
	(void)in;
	if (c->state != CONN_REQUESTED || (c->pending & CONN_SEND_REQUEST)) {
		mux_reset(m, c, true);
		return;
	}
	mux_set_state(m, c, CONN_OPEN);
	if (m->ops->opened(m, c) < 0)
		mux_reset(m, c, false);
}

static void on_rst(struct mux *m, struct conn *c, struct incoming *in)
{
	(void)in;
	mux_gone(m, c);
}

static void shut_open(struct mux *m, struct conn *c)
{
	if (c->guest_shut == PACKET_SHUT_BOTH) {
		c->readable = false;
		mux_set_state(m, c, CONN_DRAINING);
	} else if ((c->guest_shut & PACKET_SHUT_RCV) && c->hung_up) {
		mux_host_over(m, c);
		return;
	} else if (c->guest_shut & PACKET_SHUT_RCV) {
		m->ops->shut(m, c, SHUT_RD);
	}
	if (c->out.len == 0)
		mux_flushed(m, c);
}

static void on_shutdown(struct mux *m, struct conn *c, struct incoming *in)
{
	unsigned before = c->guest_shut;

	c->guest_shut |= in->p.flags & PACKET_SHUT_BOTH;
	if (c->state == CONN_REQUESTED)
		mux_reset(m, c, false);
	else if (c->state == CONN_CLOSING && c->guest_shut == PACKET_SHUT_BOTH)
		mux_reset(m, c, false);
	else if (c->state == CONN_OPEN && c->guest_shut != before)
		shut_open(m, c);
}

/* The header's credit fields, which every packet has, are taken before. */
static void on_credit_update(struct mux *m, struct conn *c, struct incoming *in)
{
	(void)m;
	(void)c;
	(void)in;
}

static void on_credit_request(struct mux *m, struct conn *c, struct incoming *in)
{
	(void)in;
	mux_pend(m, c, CONN_SEND_CREDIT);
}

/* By op; one that is not here, or a second REQUEST, breaks the connection. */
static void (*const handlers[])(struct mux *, struct conn *, struct incoming *) = {
	[PACKET_RESPONSE] = on_response,
	[PACKET_RST] = on_rst,
	[PACKET_SHUTDOWN] = on_shutdown,
	[PACKET_RW] = on_rw,
	[PACKET_CREDIT_UPDATE] = on_credit_update,
	[PACKET_CREDIT_REQUEST] = on_credit_request,
};

static void to_conn(struct mux *m, struct conn *c, struct incoming *in)
{
	uint16_t op = in->p.op;

	if (c->state == CONN_RESETTING && op != PACKET_RST)
		return;
	if (op >= countof(handlers) || !handlers[op]) {
		mux_reset(m, c, true);
		return;
	}
	conn_learn(c, &in->p);
	handlers[op](m, c, in);
	if (conn_wants_data(c))
		mux_ready(m, c);
}

static void packet_in(struct mux *m, struct ring_chain *ch)
{
	struct incoming in = {.iov = ch->iov};
	uint8_t raw[PACKET_HEADER];
	struct conn *c;

	/* Buffers to write, or no whole header: no packet. */
	if (ch->n != ch->n_read || iov_read(ch->iov, ch->n, raw, sizeof(raw)) < sizeof(raw))
		return;
	__asm__ volatile(
		"" ::
			: "memory"); /* raw is the one copy: never look at the guest's again */
	packet_decode(raw, &in.p);
	if (in.p.src_cid != m->guest_cid || in.p.dst_cid != PACKET_CID_HOST)
		return;
	if (in.p.type != PACKET_STREAM) {
		if (in.p.op != PACKET_RST)
			reply_rst(m, &in.p);
		return;
	}
	c = table_find(&m->table, in.p.dst_port, in.p.src_port);
	if (in.p.len > ch->len - PACKET_HEADER || in.p.len > VSOCK_PAYLOAD_MAX) {
		if (c && c->state != CONN_RESETTING)
			mux_reset(m, c, true);
		return;
	}
	in.n = iov_cut(ch->iov, ch->iov, ch->n, PACKET_HEADER, in.p.len);
	if (c)
		to_conn(m, c, &in);
	else if (in.p.op == PACKET_REQUEST)
		request(m, &in.p);
	else if (in.p.op != PACKET_RST)
		reply_rst(m, &in.p);
}

bool mux_tx_run(struct mux *m)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < VSOCK_TX_CHAINS && bytes < VSOCK_TX_BYTES; i++) {
		struct ring_chain ch;

		if (ring_peek(m->tx, 0, m->batch.iov, VSOCK_SEGMENTS_MAX, &ch) <= 0)
			return false;
		ring_take(m->tx, 1);
		bytes += ch.len;
		packet_in(m, &ch);
		ring_push(m->tx, ch.head, 0);
	}
	return true;
}
