/* Life of a connection: states, waits, the host stream's end. */
#include "backend/vsock/mux_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/util.h"

/* RESETTING has no limit: it waits for a guest that gives no rx buffer, and holds nothing else. */
static const unsigned state_ms[CONN__COUNT] = {
	[CONN_REQUESTED] = VSOCK_REQUEST_MS,
	[CONN_DRAINING] = VSOCK_CLOSE_MS,
	[CONN_CLOSING] = VSOCK_CLOSE_MS,
	[CONN_GONE] = VSOCK_LINGER_MS,
};

void mux_init(struct mux *m, const struct mux_ops *ops, void *user)
{
	memset(m, 0, sizeof(*m));
	m->ops = ops;
	m->user = user;
	table_init(&m->table);
	list_init(&m->ready);
	list_init(&m->dirty);
	list_init(&m->dead);
	for (unsigned i = 0; i < CONN__COUNT; i++)
		list_init(&m->timers[i]);
}

void mux_attach(struct mux *m, struct ring *rx, struct ring *tx)
{
	m->rx = rx;
	m->tx = tx;
}

void mux_detach(struct mux *m)
{
	m->rx = m->tx = NULL;
}

void mux_set_state(struct mux *m, struct conn *c, enum conn_state s)
{
	c->state = s;
	list_del(&c->timer);
	if (state_ms[s] == 0)
		return;
	c->deadline = m->now + state_ms[s];
	list_push(&m->timers[s], &c->timer);
}

void mux_ready(struct mux *m, struct conn *c)
{
	if (list_empty(&c->ready))
		list_push(&m->ready, &c->ready);
}

void mux_pend(struct mux *m, struct conn *c, unsigned pending)
{
	c->pending |= pending;
	mux_ready(m, c);
}

static void drop_host(struct mux *m, struct conn *c)
{
	if (c->host)
		m->ops->close(m, c);
	c->host = NULL;
	c->readable = false;
	list_del(&c->dirty);
	obuf_fini(&c->out);
}

/* Both sides are over: it is freed at the end of the pass. */
static void bury(struct mux *m, struct conn *c)
{
	table_remove(&m->table, c);
	list_del(&c->ready);
	list_del(&c->timer);
	list_push(&m->dead, &c->node);
}

void mux_reap(struct mux *m)
{
	struct list *l;

	while ((l = list_pop(&m->dead))) {
		struct conn *c = container_of(l, struct conn, node);

		conn_fini(c);
		free(c);
	}
}

void mux_fini(struct mux *m)
{
	if (!m->ops)
		return;
	while (!list_empty(&m->table.all)) {
		struct conn *c = container_of(m->table.all.next, struct conn, node);

		drop_host(m, c);
		bury(m, c);
	}
	mux_reap(m);
}

static bool may_linger(const struct conn *c)
{
	return c->host && c->out.len > 0 && !c->host_deaf;
}

void mux_reset(struct mux *m, struct conn *c, bool linger)
{
	c->pending = 0;
	c->readable = false;
	mux_set_state(m, c, CONN_RESETTING);
	mux_pend(m, c, CONN_SEND_RST);
	if (!linger || !may_linger(c))
		drop_host(m, c);
}

void mux_gone(struct mux *m, struct conn *c)
{
	c->pending = 0;
	c->readable = false;
	list_del(&c->ready);
	table_unhash(&m->table, c);
	mux_set_state(m, c, CONN_GONE);
	if (may_linger(c))
		return;
	drop_host(m, c);
	bury(m, c);
}

void mux_host_over(struct mux *m, struct conn *c)
{
	drop_host(m, c);
	mux_set_state(m, c, CONN_CLOSING);
	mux_pend(m, c, CONN_SEND_SHUTDOWN);
}

void mux_host_deaf(struct mux *m, struct conn *c)
{
	c->fwd_cnt += (uint32_t)c->out.len;
	obuf_fini(&c->out);
	c->host_deaf = true;
	if (c->state == CONN_OPEN)
		mux_pend(m, c, CONN_SEND_SHUTDOWN);
	mux_flushed(m, c);
}

void mux_forwarded(struct mux *m, struct conn *c, size_t n)
{
	c->fwd_cnt += (uint32_t)n;
	if (c->state == CONN_OPEN && conn_owes_credit(c))
		mux_pend(m, c, CONN_SEND_CREDIT);
}

void mux_flush(struct mux *m, struct conn *c)
{
	struct iovec iov[2];
	unsigned n = obuf_peek(&c->out, iov);
	size_t len = c->out.len;
	ssize_t w;

	list_del(&c->dirty);
	if (len == 0 || c->blocked || !c->host)
		return;
	w = m->ops->write(m, c, iov, n);
	if (w < 0 && w != -EAGAIN) {
		mux_host_deaf(m, c);
		return;
	}
	if (w > 0) {
		obuf_drop(&c->out, (size_t)w);
		mux_forwarded(m, c, (size_t)w);
	}
	c->blocked = c->out.len > 0;
	if (!c->blocked)
		mux_flushed(m, c);
}

void mux_flushed(struct mux *m, struct conn *c)
{
	if (c->state == CONN_OPEN) {
		if ((c->guest_shut & PACKET_SHUT_SEND) && !c->wrote_eof && !c->host_deaf) {
			c->wrote_eof = true;
			m->ops->shut(m, c, SHUT_WR);
		}
	} else if (c->state == CONN_DRAINING) {
		mux_reset(m, c, false);
	} else if (c->state == CONN_RESETTING) {
		drop_host(m, c);
	} else if (c->state == CONN_GONE) {
		drop_host(m, c);
		bury(m, c);
	}
}

void mux_forget_guest(struct mux *m)
{
	struct list *at = m->table.all.next;

	while (at != &m->table.all) {
		struct conn *c = container_of(at, struct conn, node);

		at = at->next;
		if (c->state != CONN_GONE)
			mux_gone(m, c);
	}
	m->reply_count = 0;
}

struct conn *mux_dial(struct mux *m, uint32_t guest_port, void *host)
{
	uint32_t port = table_new_port(&m->table, guest_port);
	struct conn *c = table_add(&m->table, port, guest_port);

	if (!c)
		return NULL;
	c->host = host;
	mux_set_state(m, c, CONN_REQUESTED);
	mux_pend(m, c, CONN_SEND_REQUEST);
	return c;
}

void mux_host_readable(struct mux *m, struct conn *c, bool eof)
{
	c->readable = true;
	c->eof_near |= eof;
	if (conn_wants_data(c))
		mux_ready(m, c);
}

void mux_host_writable(struct mux *m, struct conn *c)
{
	c->blocked = false;
	mux_flush(m, c);
}

/* The guest never heard of it, or must be told to forget it. */
static void cancel_request(struct mux *m, struct conn *c)
{
	if (!(c->pending & CONN_SEND_REQUEST)) {
		mux_reset(m, c, false);
		return;
	}
	mux_gone(m, c);
}

void mux_host_hangup(struct mux *m, struct conn *c)
{
	c->hung_up = true;
	if (c->state == CONN_REQUESTED) {
		cancel_request(m, c);
		return;
	}
	mux_host_deaf(m, c);
	if (c->state != CONN_OPEN)
		return;
	if (c->host_eof || (c->guest_shut & PACKET_SHUT_RCV))
		mux_host_over(m, c);
	else
		mux_host_readable(m, c, true);
}

static void expire(struct mux *m, struct conn *c)
{
	if (c->state == CONN_REQUESTED) {
		cancel_request(m, c);
	} else if (c->state == CONN_GONE) {
		drop_host(m, c);
		bury(m, c);
	} else {
		mux_reset(m, c, true);
	}
}

void mux_tick(struct mux *m, uint64_t now)
{
	m->now = now;
	for (unsigned i = 0; i < CONN__COUNT; i++) {
		while (!list_empty(&m->timers[i])) {
			struct conn *c = container_of(m->timers[i].next, struct conn, timer);

			if (c->deadline > now)
				break;
			expire(m, c);
		}
	}
}

uint64_t mux_deadline(const struct mux *m)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < CONN__COUNT; i++) {
		const struct conn *c = container_of(m->timers[i].next, struct conn, timer);

		if (!list_empty(&m->timers[i]))
			next = min_of(next, c->deadline);
	}
	return next;
}

static void flush_dirty(struct mux *m)
{
	struct list *l;

	while ((l = list_pop(&m->dirty)))
		mux_flush(m, container_of(l, struct conn, dirty));
}

/* Nothing is left to do: kicks are wanted again, for rx only when something waits for it. */
static unsigned rest(struct mux *m)
{
	bool tx = ring_kick_on(m->tx);
	bool rx = m->starved && ring_kick_on(m->rx);

	return tx || rx ? MUX_MORE : 0;
}

unsigned mux_run(struct mux *m)
{
	unsigned r = 0;

	if (!m->rx) {
		mux_reap(m);
		return 0;
	}
	ring_kick_off(m->tx);
	ring_kick_off(m->rx);
	if (mux_tx_run(m))
		r |= MUX_MORE;
	flush_dirty(m);
	if (mux_rx_run(m))
		r |= MUX_MORE;
	mux_reap(m);
	if (m->rx->broken || m->tx->broken)
		return MUX_BROKEN;
	if (ring_signal(m->rx))
		r |= MUX_SIGNAL_RX;
	if (ring_signal(m->tx))
		r |= MUX_SIGNAL_TX;
	if (!(r & MUX_MORE))
		r |= rest(m);
	return r;
}
