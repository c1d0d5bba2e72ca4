/* The interpreter: each action takes its numbers from the data; at its end all are 0. */
#include "tests/support/vsock_storm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/base/util.h"
#include "tests/support/vsock_host.h"

#define ARENA      (GUEST_GPA + 0x700000)
#define ARENA_SIZE 0x40000u
#define PORTS      6

struct storm {
	const uint8_t *data;
	size_t left;
	struct rig *r;
	struct storm_count *count;
	uint16_t cursor[GUEST_QUEUES]; /* next descriptor to overwrite */
	uint64_t now;
	bool detached;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "storm: %s\n", what);
	abort();
}

static uint32_t take(struct storm *s, unsigned bytes)
{
	uint32_t v = 0;

	for (; bytes > 0 && s->left > 0; bytes--, s->left--)
		v = v << 8 | *s->data++;
	return v;
}

/* Mostly small, at times at a limit. */
static uint32_t take_size(struct storm *s)
{
	static const uint32_t edges[] = {0, 1, 43, 44, 45, 65535, 65536, 65537, 0xffffffff};
	uint32_t v = take(s, 2);

	if (v % 16 == 0)
		return edges[v / 16 % countof(edges)];
	return v % 16 < 8 ? v / 16 % 300 : v;
}

static struct host_stream *pick(struct storm *s)
{
	uint32_t v = take(s, 1);

	return s->r->nstreams ? &s->r->streams[v % s->r->nstreams] : NULL;
}

static void raw_desc(struct storm *s, unsigned queue, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint16_t i = s->cursor[queue], num = s->r->guest.rings[queue].num;

	s->cursor[queue] = (uint16_t)((i + 1) % num);
	guest_desc(&s->r->guest, queue, i, addr, len, flags, s->cursor[queue]);
}

static uint64_t arena(struct storm *s)
{
	return ARENA + take(s, 2) * 2u;
}

/* A packet that fits some connection, or nearly does. */
static void act_packet(struct storm *s)
{
	struct host_stream *h = pick(s);
	struct packet p = guest_packet(
		take(s, 1) % PORTS, take(s, 1) % PORTS, (enum packet_op)(take(s, 1) % 9));
	uint64_t at = arena(s);
	uint32_t size = take_size(s);
	uint16_t head = s->cursor[GUEST_TX];
	uint8_t twist = (uint8_t)take(s, 1);

	if (h && h->conn && twist % 4)
		p = rig_packet(h, (enum packet_op)p.op);
	p.flags = twist / 16;
	p.len = p.op == PACKET_RW ? size : 0;
	if (twist % 16 == 3)
		p.len += 7;
	if (twist % 32 == 5)
		p.buf_alloc = take_size(s);
	if (h && h->conn)
		p.fwd_cnt = h->conn->tx_cnt - (twist % 64 == 9 ? take_size(s) : 0);
	packet_encode(guest_ptr(&s->r->guest, at), &p);
	size = min_of(size, ARENA_SIZE - 0x20000u);
	raw_desc(s, GUEST_TX, at, PACKET_HEADER, size ? 1 : 0);
	if (size)
		raw_desc(s, GUEST_TX, at + PACKET_HEADER, size, 0);
	guest_publish(&s->r->guest, GUEST_TX, head);
	s->count->packets++;
}

/* A chain of anything. */
static void act_chain(struct storm *s)
{
	unsigned queue = take(s, 1) % GUEST_QUEUES, n = 1 + take(s, 1) % 5;
	uint16_t head = s->cursor[queue];

	for (unsigned i = 0; i < n; i++) {
		uint32_t kind = take(s, 1);
		uint64_t addr = kind % 16 == 0 ? (uint64_t)take(s, 4) << (kind / 16) : arena(s);
		uint16_t flags = (uint16_t)(kind % 8 == 7 ? take(s, 1) & 7 : kind & 2);

		raw_desc(s, queue, addr, take_size(s), flags | (i + 1 < n ? 1 : 0));
	}
	if (take(s, 1) % 32 == 0)
		head = (uint16_t)take(s, 2);
	guest_publish(&s->r->guest, queue, head);
}

static void act_post(struct storm *s)
{
	unsigned n = 1 + take(s, 1) % 16;
	uint32_t size = take(s, 1) % 4 ? 3776 : take_size(s);

	for (unsigned i = 0; i < n; i++) {
		uint16_t head = s->cursor[GUEST_RX];

		raw_desc(s, GUEST_RX, ARENA + i * 4096, size % 65536, 2);
		guest_publish(&s->r->guest, GUEST_RX, head);
	}
}

/* The guest scribbles over its rings. */
static void act_poke(struct storm *s)
{
	uint32_t at = take(s, 2) % 0x2000;

	((uint8_t *)guest_ptr(&s->r->guest, GUEST_GPA))[at] = (uint8_t)take(s, 1);
}

static void act_dial(struct storm *s)
{
	struct host_stream *h;

	if (s->r->mux.table.count >= VSOCK_CONNS_MAX - 1)
		return;
	h = rig_dial_quietly(s->r, take(s, 1) % PORTS);
	s->count->dialled += h != NULL;
}

static void act_host(struct storm *s)
{
	static uint8_t bytes[70000];
	struct host_stream *h = pick(s);
	uint32_t what = take(s, 1);

	if (!h || !h->conn)
		return;
	if (what % 8 < 4 && h->in_len < (1u << 20))
		host_put(s->r, h, bytes, take_size(s) % sizeof(bytes));
	else if (what % 8 == 4)
		host_eof(s->r, h);
	else if (what % 8 == 5)
		host_hangup(s->r, h);
	else if (what % 8 == 6)
		h->room = 0;
	else
		host_room(s->r, h, take_size(s));
}

static void act_time(struct storm *s)
{
	s->now += take(s, 2);
	mux_tick(&s->r->mux, s->now);
}

static void act_other(struct storm *s)
{
	uint32_t what = take(s, 1);

	if (what % 8 == 0)
		s->r->dial_error = s->r->dial_error ? 0 : -ECONNREFUSED;
	else if (what % 64 == 1)
		mux_forget_guest(&s->r->mux);
	else if (what % 8 == 2)
		s->detached = !s->detached;
	if (s->detached)
		mux_detach(&s->r->mux);
	else
		mux_attach(&s->r->mux, &s->r->rx, &s->r->tx);
}

static void check_conn(const struct conn *c)
{
	must(c->out.len <= c->buf_alloc, "more bytes held than announced");
	must(c->out.cap <= VSOCK_BUF_BIG, "a buffer above its limit");
	must(c->state < CONN__COUNT, "no state");
	must(c->state != CONN_OPEN || c->host, "an open connection without a host stream");
	must(c->state != CONN_CLOSING || !c->host, "a closing connection with a host stream");
	must(c->state != CONN_GONE || c->host, "a connection without sides");
	must(c->state != CONN_OPEN || c->host_deaf || c->rx_cnt - c->fwd_cnt == c->out.len,
		"bytes that are neither held nor handed on");
}

static void check(struct storm *s)
{
	const struct table *t = &s->r->mux.table;
	unsigned n = 0;

	for (const struct list *l = t->all.next; l != &t->all; l = l->next, n++)
		check_conn(container_of(l, struct conn, node));
	must(n == t->count && n <= VSOCK_CONNS_MAX, "the number of connections");
	must(list_empty(&s->r->mux.dirty), "bytes left unwritten");
	must(list_empty(&s->r->mux.dead), "dead connections left");
	must(s->r->mux.reply_count <= VSOCK_REPLIES_MAX, "the number of replies");
	for (unsigned i = 0; i < s->r->nstreams; i++) {
		const struct host_stream *h = &s->r->streams[i];

		must(h->closed || !h->conn || h->conn->host == h, "a stream of another connection");
	}
}

/* A broken queue: as the device does, then as a guest that resets it. */
static void restart(struct storm *s)
{
	struct ring_layout l;

	s->count->broken++;
	mux_detach(&s->r->mux);
	mux_forget_guest(&s->r->mux);
	mux_run(&s->r->mux);
	guest_reset(&s->r->guest);
	for (unsigned i = 0; i < GUEST_QUEUES; i++) {
		l = guest_layout(&s->r->guest, i);
		must(ring_init(i ? &s->r->tx : &s->r->rx, &s->r->guest.mem, &l) == 0, "ring_init");
	}
	if (!s->detached)
		mux_attach(&s->r->mux, &s->r->rx, &s->r->tx);
}

static void run(struct storm *s)
{
	unsigned passes = 0, r;

	do {
		r = mux_run(&s->r->mux);
		must(++passes < 5000, "the mux does not come to rest");
	} while (r & MUX_MORE);
	if (r & MUX_BROKEN)
		restart(s);
	check(s);
}

static void (*const actions[])(struct storm *) = {
	act_packet,
	act_packet,
	act_packet,
	act_packet,
	act_packet,
	act_packet,
	act_packet,
	act_packet,
	act_post,
	act_post,
	act_post,
	act_host,
	act_host,
	act_host,
	act_host,
	act_dial,
	act_chain,
	act_poke,
	act_time,
	act_other,
};

void storm_run(const uint8_t *data, size_t n, struct storm_count *count)
{
	struct storm s = {.data = data, .left = n, .count = count};

	s.r = rig_new((n ? data[0] % 4 : 0));
	while (s.left > 0) {
		uint32_t op = take(&s, 1);

		actions[op % countof(actions)](&s);
		if (op >= 64) /* several actions at once, now and then */
			run(&s);
	}
	run(&s);
	for (unsigned i = 0; i < s.r->nstreams; i++)
		count->opened += s.r->streams[i].opened;
	count->resets += s.r->closes;
	rig_free(s.r);
}
