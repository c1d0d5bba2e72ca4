/* Host to guest: connections take turns in filling the guest's receive buffers. */
#include "backend/vsock/mux_internal.h"

#include <errno.h>

#include "backend/base/util.h"
#include "backend/vsock/iov.h"

/* A buffer the guest can not have meant: it gets it back empty. */
static void give_back(struct mux *m, const struct ring_chain *ch)
{
	ring_take(m->rx, 1);
	ring_push(m->rx, ch->head, 0);
	m->rx_left--;
}

/* Looks at the chain `ahead`, in the scratch space at iov; notes when the guest has none. */
static bool peek(struct mux *m, uint16_t ahead, struct iovec *iov, struct ring_chain *ret)
{
	if (ring_peek(m->rx, ahead, iov, VSOCK_SEGMENTS_MAX, ret) > 0)
		return true;
	if (ahead == 0)
		m->starved = true;
	return false;
}

static bool header_chain(struct mux *m, struct ring_chain *ret)
{
	while (m->rx_left > 0 && peek(m, 0, m->batch.iov, ret)) {
		if (ret->n_read == 0 && ret->len >= PACKET_HEADER)
			return true;
		give_back(m, ret);
	}
	return false;
}

static void mark_written(const struct mem *mem, const struct ring_chain *ch, size_t len)
{
	if (!mem->log)
		return;
	for (unsigned i = 0; i < ch->n && len > 0; i++) {
		size_t k = min_of(ch->iov[i].iov_len, len);

		mem_mark(mem, ch->iov[i].iov_base, k);
		len -= k;
	}
}

/* Puts the header before a payload that is there already, and gives the chain to the guest. */
static void send_chain(struct mux *m, const struct ring_chain *ch, const struct packet *p)
{
	uint8_t raw[PACKET_HEADER];

	packet_encode(raw, p);
	iov_write(ch->iov, ch->n, raw, sizeof(raw));
	mark_written(m->rx->mem, ch, sizeof(raw) + p->len);
	ring_push(m->rx, ch->head, (uint32_t)sizeof(raw) + p->len);
	m->rx_left--;
}

static struct packet packet_of(const struct mux *m, struct conn *c, enum packet_op op)
{
	/* Every packet carries our credit. */
	c->fwd_told = c->fwd_cnt;
	c->pending &= ~(unsigned)CONN_SEND_CREDIT;
	return (struct packet){
		.src_cid = PACKET_CID_HOST,
		.dst_cid = m->guest_cid,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.type = PACKET_STREAM,
		.op = (uint16_t)op,
		.buf_alloc = c->buf_alloc,
		.fwd_cnt = c->fwd_cnt,
	};
}

static bool send_control(struct mux *m, struct conn *c, enum packet_op op, uint32_t flags)
{
	struct ring_chain ch;
	struct packet p;

	if (!header_chain(m, &ch))
		return false;
	ring_take(m->rx, 1);
	p = packet_of(m, c, op);
	p.flags = flags;
	send_chain(m, &ch, &p);
	return true;
}

static void send_replies(struct mux *m)
{
	for (unsigned i = 0; i < VSOCK_REPLIES_TURN && m->reply_count > 0; i++) {
		const struct mux_reply *r = &m->replies[m->reply_head];
		struct packet p = {
			.src_cid = PACKET_CID_HOST,
			.dst_cid = m->guest_cid,
			.src_port = r->host_port,
			.dst_port = r->guest_port,
			.type = r->type,
			.op = PACKET_RST,
		};
		struct ring_chain ch;

		if (!header_chain(m, &ch))
			return;
		ring_take(m->rx, 1);
		send_chain(m, &ch, &p);
		m->reply_head = (m->reply_head + 1) % VSOCK_REPLIES_MAX;
		m->reply_count--;
	}
}

static size_t payload_room(const struct ring_chain *ch)
{
	return min_of(ch->len - PACKET_HEADER, (size_t)VSOCK_PAYLOAD_MAX);
}

/* Collects up to max chains for `want` payload bytes without taking them. */
static void gather(struct mux *m, unsigned max, size_t want)
{
	struct mux_batch *b = &m->batch;
	unsigned used = 0;

	b->n = b->npay = 0;
	b->room = 0;
	while (b->n < max && b->room < want && m->rx_left > 0 && used <= VSOCK_SEGMENTS_MAX) {
		struct ring_chain *ch = &b->chains[b->n];
		size_t k;

		if (!peek(m, (uint16_t)b->n, b->iov + used, ch))
			return;
		if (ch->n_read > 0 || ch->len <= PACKET_HEADER) {
			if (b->n > 0)
				return;
			give_back(m, ch);
			continue;
		}
		if (b->npay + ch->n > VSOCK_SEGMENTS_MAX)
			return;
		k = min_of(payload_room(ch), want - b->room);
		b->npay += iov_cut(b->pay + b->npay, ch->iov, ch->n, PACKET_HEADER, k);
		b->room += k;
		used += ch->n;
		b->n++;
	}
}

/* n payload bytes lie in the gathered chains: makes packets of them. */
static void send_gathered(struct mux *m, struct conn *c, size_t n)
{
	for (unsigned i = 0; n > 0; i++) {
		const struct ring_chain *ch = &m->batch.chains[i];
		struct packet p = packet_of(m, c, PACKET_RW);

		p.len = (uint32_t)min_of(n, payload_room(ch));
		ring_take(m->rx, 1);
		send_chain(m, ch, &p);
		c->tx_cnt += p.len;
		n -= p.len;
	}
}

static void host_ended(struct mux *m, struct conn *c)
{
	c->host_eof = true;
	c->readable = false;
	if (c->hung_up)
		mux_host_over(m, c);
	else
		mux_pend(m, c, CONN_SEND_SHUTDOWN);
}

static void send_data(struct mux *m, struct conn *c)
{
	uint32_t credit = conn_credit(c);
	size_t room;
	ssize_t n;

	if (credit == 0) {
		if (!c->asked)
			c->pending |= CONN_ASK_CREDIT;
		c->asked = true;
		return;
	}
	/* Many small messages need few buffers: more are looked at only for a stream of bytes. */
	gather(m, c->bulk ? VSOCK_TURN_CHAINS : 2, credit);
	room = m->batch.room;
	if (room == 0)
		return;
	n = m->ops->read(m, c, m->batch.pay, m->batch.npay);
	if (n > 0) {
		send_gathered(m, c, (size_t)n);
		c->bulk = (size_t)n == room;
		c->readable = c->bulk || c->eof_near;
	} else if (n == 0) {
		host_ended(m, c);
	} else if (n == -EAGAIN) {
		c->readable = false;
	} else {
		c->hung_up = true;
		mux_host_deaf(m, c);
		host_ended(m, c);
	}
}

static bool has_work(const struct conn *c)
{
	return c->pending || (conn_wants_data(c) && (conn_credit(c) > 0 || !c->asked));
}

static bool send_pending(struct mux *m, struct conn *c, unsigned bit, enum packet_op op)
{
	uint32_t flags = 0;

	if (!(c->pending & bit))
		return true;
	if (bit == CONN_SEND_SHUTDOWN) {
		flags = conn_shut_flags(c);
		if ((flags & ~c->told_shut) == 0) {
			c->pending &= ~bit;
			return true;
		}
	}
	if (!send_control(m, c, op, flags))
		return false;
	c->pending &= ~bit;
	c->told_shut |= flags;
	return true;
}

/* Order matters: an answer before data, data before the SHUTDOWN that ends it. */
static void turn(struct mux *m, struct conn *c)
{
	if (c->pending & CONN_SEND_RST) {
		if (send_control(m, c, PACKET_RST, 0))
			mux_gone(m, c);
		return;
	}
	if (!send_pending(m, c, CONN_SEND_REQUEST, PACKET_REQUEST) ||
		!send_pending(m, c, CONN_SEND_RESPONSE, PACKET_RESPONSE))
		return;
	if (conn_wants_data(c))
		send_data(m, c);
	if (c->state == CONN_GONE || c->state == CONN_RESETTING)
		return;
	if (send_pending(m, c, CONN_SEND_CREDIT, PACKET_CREDIT_UPDATE) &&
		send_pending(m, c, CONN_ASK_CREDIT, PACKET_CREDIT_REQUEST))
		send_pending(m, c, CONN_SEND_SHUTDOWN, PACKET_SHUTDOWN);
}

static void next_turn(struct mux *m)
{
	struct conn *c = container_of(m->ready.next, struct conn, ready);
	int left = m->rx_left;

	list_del(&c->ready);
	turn(m, c);
	if (c->state == CONN_GONE || !has_work(c) || !list_empty(&c->ready))
		return;
	/* Without a buffer it keeps its place, otherwise it goes to the end of the line. */
	if (m->rx_left == left)
		list_push_front(&m->ready, &c->ready);
	else
		list_push(&m->ready, &c->ready);
}

bool mux_rx_run(struct mux *m)
{
	m->rx_left = VSOCK_RX_CHAINS;
	m->starved = false;
	while (m->reply_count > 0 || !list_empty(&m->ready)) {
		if (m->rx_left <= 0)
			return true;
		send_replies(m);
		if (!m->starved && !list_empty(&m->ready))
			next_turn(m);
		if (m->starved)
			return false;
	}
	return false;
}
