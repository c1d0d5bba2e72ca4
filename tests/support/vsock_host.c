/* In-memory host streams behind the operations of the mux. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/util.h"
#include "backend/vsock/iov.h"
#include "tests/support/vsock_host.h"

/* A place of its own as long as there are some, then that of a closed one. */
static struct host_stream *stream_add(struct rig *r, struct conn *c)
{
	struct host_stream *s = &r->streams[r->nstreams];

	if (r->nstreams < HOST_STREAMS) {
		r->nstreams++;
	} else {
		s = r->streams;
		while (s < r->streams + HOST_STREAMS && !s->closed)
			s++;
		assert_true(s < r->streams + HOST_STREAMS);
		free(s->in);
		free(s->out);
	}
	*s = (struct host_stream){.conn = c, .used = true, .room = SIZE_MAX};
	return s;
}

static int op_dial(struct mux *m, struct conn *c)
{
	struct rig *r = m->user;

	r->dials++;
	if (r->dial_error)
		return r->dial_error;
	c->host = stream_add(r, c);
	return 0;
}

static int op_opened(struct mux *m, struct conn *c)
{
	struct host_stream *s = c->host;

	(void)m;
	assert_false(s->opened);
	s->opened = true;
	return s->write_error;
}

static ssize_t op_read(struct mux *m, struct conn *c, const struct iovec *iov, unsigned n)
{
	struct host_stream *s = c->host;
	size_t left = s->in_len - s->in_at, k;

	(void)m;
	assert_false(s->closed);
	s->reads++;
	if (left == 0)
		return s->read_error ? s->read_error : s->peer_eof ? 0 : -EAGAIN;
	k = iov_write(iov, n, s->in + s->in_at, left);
	s->in_at += k;
	return (ssize_t)k;
}

static ssize_t op_write(struct mux *m, struct conn *c, const struct iovec *iov, unsigned n)
{
	struct host_stream *s = c->host;
	size_t k = min_of(iov_len(iov, n), s->room);

	(void)m;
	assert_false(s->closed || s->shut_wr);
	s->writes++;
	if (s->write_error)
		return s->write_error;
	if (k == 0)
		return -EAGAIN;
	if (s->out_len + k > s->out_cap) {
		s->out_cap = max_of(s->out_cap * 2, s->out_len + k);
		s->out = realloc(s->out, s->out_cap);
		assert_non_null(s->out);
	}
	iov_read(iov, n, s->out + s->out_len, k);
	s->out_len += k;
	s->room -= s->room == SIZE_MAX ? 0 : k;
	return (ssize_t)k;
}

static void op_shut(struct mux *m, struct conn *c, int how)
{
	struct host_stream *s = c->host;

	(void)m;
	assert_false(s->closed);
	if (how == SHUT_RD)
		s->shut_rd = true;
	else
		s->shut_wr = true;
}

static void op_close(struct mux *m, struct conn *c)
{
	struct host_stream *s = c->host;
	struct rig *r = m->user;

	assert_false(s->closed);
	s->closed = true;
	s->conn = NULL;
	r->closes++;
}

static const struct mux_ops host_ops = {
	.dial = op_dial,
	.opened = op_opened,
	.read = op_read,
	.write = op_write,
	.shut = op_shut,
	.close = op_close,
};

struct rig *rig_new(unsigned flags)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct ring_layout l;

	assert_non_null(r);
	guest_init(&r->guest, 128, 3776, flags);
	l = guest_layout(&r->guest, GUEST_RX);
	assert_int_equal(ring_init(&r->rx, &r->guest.mem, &l), 0);
	l = guest_layout(&r->guest, GUEST_TX);
	assert_int_equal(ring_init(&r->tx, &r->guest.mem, &l), 0);
	mux_init(&r->mux, &host_ops, r);
	r->mux.guest_cid = GUEST_CID;
	mux_attach(&r->mux, &r->rx, &r->tx);
	guest_post_all(&r->guest);
	rig_run(r);
	return r;
}

void rig_free(struct rig *r)
{
	mux_fini(&r->mux);
	assert_int_equal(r->mux.table.count, 0);
	for (unsigned i = 0; i < r->nstreams; i++) {
		assert_true(r->streams[i].closed);
		free(r->streams[i].in);
		free(r->streams[i].out);
	}
	guest_fini(&r->guest);
	free(r);
}

void rig_run(struct rig *r)
{
	unsigned passes = 0;

	do {
		r->result = mux_run(&r->mux);
		assert_true(++passes < 100000); /* it must come to rest */
	} while (r->result & MUX_MORE);
	guest_reclaim(&r->guest);
}

void rig_send(struct rig *r, const struct packet *p, const void *payload)
{
	assert_true(guest_send(&r->guest, p, payload));
	rig_run(r);
}

struct packet rig_recv(struct rig *r)
{
	struct packet p = {0};

	assert_true(guest_recv(&r->guest, &p));
	guest_post(&r->guest, 1);
	return p;
}

struct packet rig_expect(struct rig *r, enum packet_op op)
{
	struct packet p = rig_recv(r);

	assert_string_equal(packet_op_name(p.op), packet_op_name((uint16_t)op));
	return p;
}

void rig_silent(struct rig *r)
{
	struct packet p;

	if (guest_recv(&r->guest, &p))
		fail_msg("unexpected %s", packet_op_name(p.op));
}

void rig_empty_rx(struct rig *r)
{
	struct guest_ring *rx = &r->guest.rings[GUEST_RX];
	struct packet p;

	while (rx->nfree < rx->num) {
		p = guest_packet(1, 1, PACKET_RW); /* a stranger's: answered by an RST */
		rig_send(r, &p, NULL);
		while (guest_recv(&r->guest, &p))
			;
	}
}

struct host_stream *rig_dial_quietly(struct rig *r, uint32_t guest_port)
{
	struct host_stream *s = stream_add(r, NULL);

	s->conn = mux_dial(&r->mux, guest_port, s);
	if (!s->conn) {
		s->closed = true;
		return NULL;
	}
	return s;
}

struct host_stream *rig_dial(struct rig *r, uint32_t guest_port)
{
	struct host_stream *s = rig_dial_quietly(r, guest_port);

	if (s)
		rig_run(r);
	return s;
}

struct packet rig_packet(const struct host_stream *s, enum packet_op op)
{
	return guest_packet(s->conn->guest_port, s->conn->host_port, op);
}

struct host_stream *rig_open(struct rig *r, uint32_t guest_port)
{
	struct host_stream *s = rig_dial(r, guest_port);
	struct packet p = rig_expect(r, PACKET_REQUEST);

	assert_int_equal(p.dst_port, guest_port);
	assert_int_equal(p.src_port, s->conn->host_port);
	p = rig_packet(s, PACKET_RESPONSE);
	rig_send(r, &p, NULL);
	assert_true(s->opened);
	return s;
}

struct host_stream *rig_guest_open(struct rig *r, uint32_t guest_port, uint32_t host_port)
{
	struct packet p = guest_packet(guest_port, host_port, PACKET_REQUEST);

	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RESPONSE);
	return &r->streams[r->nstreams - 1];
}

void host_put(struct rig *r, struct host_stream *s, const void *data, size_t n)
{
	if (n > 0) {
		s->in = realloc(s->in, s->in_len + n);
		assert_non_null(s->in);
		memcpy(s->in + s->in_len, data, n);
	}
	s->in_len += n;
	if (s->conn)
		mux_host_readable(&r->mux, s->conn, s->peer_eof);
}

void host_eof(struct rig *r, struct host_stream *s)
{
	s->peer_eof = true;
	if (s->conn)
		mux_host_readable(&r->mux, s->conn, true);
}

void host_hangup(struct rig *r, struct host_stream *s)
{
	s->peer_eof = true;
	s->write_error = -EPIPE;
	if (s->conn)
		mux_host_readable(&r->mux, s->conn, true);
	if (s->conn)
		mux_host_hangup(&r->mux, s->conn);
}

void host_room(struct rig *r, struct host_stream *s, size_t n)
{
	s->room = s->room > SIZE_MAX - n ? SIZE_MAX : s->room + n;
	if (s->conn)
		mux_host_writable(&r->mux, s->conn);
}

void rig_still_works(struct rig *r)
{
	struct host_stream *s = rig_guest_open(r, 70000, 1001);
	struct packet p = rig_packet(s, PACKET_RW);

	p.len = 3;
	rig_send(r, &p, "abc");
	assert_int_equal(s->out_len, 3);
	host_put(r, s, "de", 2);
	rig_run(r);
	assert_int_equal(rig_expect(r, PACKET_RW).len, 2);
	p = rig_packet(s, PACKET_RST);
	rig_send(r, &p, NULL);
	rig_silent(r);
}
