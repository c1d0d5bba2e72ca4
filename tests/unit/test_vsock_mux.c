// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_host.c
/* The mux with an honest guest: connections, credit, ends, waits, fairness, no byte lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "backend/base/util.h"
#include "tests/support/vsock_host.h"

static uint8_t block[65536];

/* Byte n of a stream: no period that a ring or buffer size could hide. */
static uint8_t byte_at(uint64_t n)
{
	return (uint8_t)(n ^ (n >> 8) * 31 ^ (n >> 16) * 17);
}

static void fill(uint8_t *p, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(at + i);
}

static void check(const uint8_t *p, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != byte_at(at + i))
			fail_msg("byte %llu is wrong", (unsigned long long)(at + i));
}

static void test_host_dials(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p;

	(void)state;
	assert_int_equal(s->conn->host_port, 1u << 30);
	host_put(r, s, "hello", 5);
	rig_run(r);
	p = rig_expect(r, PACKET_RW);
	assert_int_equal(p.len, 5);
	assert_memory_equal(r->guest.last_payload, "hello", 5);
	assert_int_equal(p.buf_alloc, VSOCK_BUF_BIG);
	p = rig_packet(s, PACKET_RW);
	p.len = 3;
	rig_send(r, &p, "abc");
	assert_int_equal(s->out_len, 3);
	assert_memory_equal(s->out, "abc", 3);
	rig_silent(r);
	rig_free(r);
}

static void test_host_dials_refused(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_dial(r, 99);
	struct packet p = rig_expect(r, PACKET_REQUEST);

	(void)state;
	p = guest_packet(99, p.src_port, PACKET_RST);
	rig_send(r, &p, NULL);
	assert_true(s->closed);
	assert_false(s->opened);
	assert_int_equal(r->mux.table.count, 0);
	rig_silent(r);
	rig_free(r);
}

static void test_guest_dials(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 4000, 1001);
	struct packet p;

	(void)state;
	assert_int_equal(s->conn->host_port, 1001);
	assert_false(s->opened); /* no OK line on a dialled socket */
	host_put(r, s, "x", 1);
	rig_run(r);
	p = rig_expect(r, PACKET_RW);
	assert_int_equal(p.src_port, 1001);
	assert_int_equal(p.dst_port, 4000);
	rig_free(r);
}

static void test_guest_dials_nobody(void **state)
{
	struct rig *r = rig_new(0);
	struct packet p = guest_packet(4000, 1001, PACKET_REQUEST);

	(void)state;
	r->dial_error = -ECONNREFUSED;
	rig_send(r, &p, NULL);
	p = rig_expect(r, PACKET_RST);
	assert_int_equal(p.src_port, 1001);
	assert_int_equal(p.dst_port, 4000);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

/* A hung-up peer before and after the guest heard of it. */
static void test_dial_cancelled(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s;
	struct packet p;

	(void)state;
	mux_detach(&r->mux); /* the guest is stopped: the REQUEST can't go out */
	s = rig_dial(r, 52);
	host_hangup(r, s);
	mux_attach(&r->mux, &r->rx, &r->tx);
	rig_run(r);
	rig_silent(r);
	assert_int_equal(r->mux.table.count, 0);
	s = rig_dial(r, 52);
	p = rig_expect(r, PACKET_REQUEST);
	host_hangup(r, s);
	rig_run(r);
	rig_expect(r, PACKET_RST);
	assert_int_equal(r->mux.table.count, 0);
	/* The guest's answer crosses it. */
	p = guest_packet(52, p.src_port, PACKET_RESPONSE);
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RST);
	rig_free(r);
}

static void test_dial_times_out(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s;

	(void)state;
	mux_tick(&r->mux, 1000);
	s = rig_dial(r, 52);
	rig_expect(r, PACKET_REQUEST);
	assert_int_equal(mux_deadline(&r->mux), 1000 + VSOCK_REQUEST_MS);
	mux_tick(&r->mux, 1000 + VSOCK_REQUEST_MS - 1);
	assert_false(s->closed);
	mux_tick(&r->mux, 1000 + VSOCK_REQUEST_MS);
	assert_true(s->closed);
	rig_run(r);
	rig_expect(r, PACKET_RST);
	assert_int_equal(r->mux.table.count, 0);
	assert_true(mux_deadline(&r->mux) == UINT64_MAX);
	rig_free(r);
}

/* Host end: half close is passed on, bytes come first; then the guest's answer still arrives. */
static void test_host_half_close(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p;

	(void)state;
	host_put(r, s, "last", 4);
	host_eof(r, s);
	rig_run(r);
	assert_int_equal(rig_expect(r, PACKET_RW).len, 4);
	p = rig_expect(r, PACKET_SHUTDOWN);
	assert_int_equal(p.flags, PACKET_SHUT_SEND);
	p = rig_packet(s, PACKET_RW);
	p.len = 6;
	rig_send(r, &p, "answer");
	assert_int_equal(s->out_len, 6);
	assert_false(s->closed);
	p = rig_packet(s, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_BOTH;
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

/* Host closes: all its bytes, then SHUTDOWN of both directions, then the guest's RST ends it. */
static void test_host_closes(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p;
	uint32_t port = s->conn->host_port;

	(void)state;
	fill(block, 0, 10000);
	host_put(r, s, block, 10000);
	host_hangup(r, s);
	rig_run(r);
	for (uint64_t at = 0; at < 10000;) {
		p = rig_recv(r);
		if (p.op == PACKET_SHUTDOWN) {
			assert_int_equal(p.flags, PACKET_SHUT_RCV); /* it reads no more */
			continue;
		}
		assert_int_equal(p.op, PACKET_RW);
		check(r->guest.last_payload, at, p.len);
		at += p.len;
	}
	p = rig_expect(r, PACKET_SHUTDOWN);
	assert_int_equal(p.flags, PACKET_SHUT_BOTH);
	assert_true(s->closed);
	/* Bytes that the guest sent before it saw that are nobody's. */
	p = guest_packet(52, port, PACKET_RW);
	p.len = 4;
	rig_send(r, &p, "late");
	rig_silent(r);
	assert_int_equal(r->mux.table.count, 1);
	p = guest_packet(52, port, PACKET_RST);
	rig_send(r, &p, NULL);
	rig_silent(r);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

static void test_host_closes_guest_silent(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);

	(void)state;
	host_hangup(r, s);
	rig_run(r);
	assert_int_equal(rig_expect(r, PACKET_SHUTDOWN).flags, PACKET_SHUT_BOTH);
	mux_tick(&r->mux, VSOCK_CLOSE_MS);
	rig_run(r);
	rig_expect(r, PACKET_RST);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

/* Host bytes wait for credit even after their sender has closed. */
static void test_host_closes_without_credit(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_CREDIT_UPDATE);

	(void)state;
	p.buf_alloc = 0;
	rig_send(r, &p, NULL);
	host_put(r, s, "data", 4);
	host_hangup(r, s);
	rig_run(r);
	/* Asked once, not again and again. */
	rig_expect(r, PACKET_CREDIT_REQUEST);
	assert_int_equal(rig_expect(r, PACKET_SHUTDOWN).flags, PACKET_SHUT_RCV);
	rig_run(r);
	rig_silent(r);
	p.buf_alloc = 2;
	rig_send(r, &p, NULL);
	assert_int_equal(rig_expect(r, PACKET_RW).len, 2);
	p.buf_alloc = 100;
	p.fwd_cnt = 2;
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_CREDIT_REQUEST); /* it had run out again */
	assert_int_equal(rig_expect(r, PACKET_RW).len, 2);
	assert_int_equal(rig_expect(r, PACKET_SHUTDOWN).flags, PACKET_SHUT_BOTH);
	rig_free(r);
}

/* The guest closes: the host peer gets every byte before its end of file. */
static void test_guest_closes(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 4000, 1001);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->room = 10;
	fill(block, 0, 1000);
	p.len = 1000;
	rig_send(r, &p, block);
	p = rig_packet(s, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_BOTH;
	rig_send(r, &p, NULL);
	rig_silent(r); /* RST only after the flush */
	assert_false(s->closed);
	host_room(r, s, 989);
	rig_run(r);
	rig_silent(r);
	host_room(r, s, 100);
	rig_run(r);
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	assert_int_equal(s->out_len, 1000);
	check(s->out, 0, 1000);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

/* A slow host peer does not keep the guest longer than 2 s, and yet loses nothing. */
static void test_guest_closes_host_slow(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 4000, 1001);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->room = 0;
	fill(block, 0, 60000);
	p.len = 60000;
	rig_send(r, &p, block);
	p = rig_packet(s, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_BOTH;
	rig_send(r, &p, NULL);
	mux_tick(&r->mux, VSOCK_CLOSE_MS);
	rig_run(r);
	rig_expect(r, PACKET_RST);
	assert_false(s->closed);
	assert_int_equal(r->mux.table.count, 1);
	/* The guest may use the ports again meanwhile. */
	assert_ptr_not_equal(rig_guest_open(r, 4000, 1001), s);
	assert_int_equal(r->mux.table.count, 2);
	host_room(r, s, 60000);
	rig_run(r);
	assert_true(s->closed);
	assert_int_equal(s->out_len, 60000);
	check(s->out, 0, 60000);
	assert_int_equal(r->mux.table.count, 1);
	rig_free(r);
}

static void test_linger_is_limited(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 4000, 1001);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->room = 0;
	p.len = 100;
	rig_send(r, &p, block);
	p = rig_packet(s, PACKET_RST);
	rig_send(r, &p, NULL);
	assert_false(s->closed);
	mux_tick(&r->mux, VSOCK_LINGER_MS - 1);
	assert_false(s->closed);
	mux_tick(&r->mux, VSOCK_LINGER_MS);
	assert_true(s->closed);
	mux_reap(&r->mux);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

static void test_guest_half_close(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->room = 2;
	p.len = 4;
	rig_send(r, &p, "data");
	p = rig_packet(s, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_SEND;
	rig_send(r, &p, NULL);
	assert_false(s->shut_wr);
	host_room(r, s, 2);
	assert_true(s->shut_wr); /* after the last byte */
	host_put(r, s, "still", 5);
	rig_run(r);
	assert_int_equal(rig_expect(r, PACKET_RW).len, 5);
	p.flags = PACKET_SHUT_RCV;
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	rig_free(r);
}

/* A guest that wants nothing more: the host peer's bytes are not read. */
static void test_guest_shuts_receive(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_SHUTDOWN);

	(void)state;
	p.flags = PACKET_SHUT_RCV;
	rig_send(r, &p, NULL);
	assert_true(s->shut_rd);
	host_put(r, s, "x", 1);
	rig_run(r);
	rig_silent(r);
	assert_int_equal(s->reads, 0);
	host_hangup(r, s);
	rig_run(r);
	assert_int_equal(rig_expect(r, PACKET_SHUTDOWN).flags, PACKET_SHUT_BOTH);
	rig_free(r);
}

static void test_both_close_at_once(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_SHUTDOWN);

	(void)state;
	host_hangup(r, s);
	rig_run(r);
	rig_expect(r, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_BOTH;
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RST);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

/* The peer's socket breaks while the guest sends: the guest is told, nothing piles up. */
static void test_write_error(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->write_error = -EPIPE;
	for (unsigned i = 0; i < 20; i++) {
		p.len = i % 2 ? 60000 : 100;
		rig_send(r, &p, block);
	}
	assert_int_equal(rig_expect(r, PACKET_SHUTDOWN).flags, PACKET_SHUT_RCV);
	assert_int_equal(s->conn->out.len, 0);
	s->read_error = -ECONNRESET;
	mux_host_readable(&r->mux, s->conn, true);
	rig_run(r);
	assert_true(s->closed);
	rig_free(r);
}

/* Credit for the guest: told in time, never more than there is, exact over the whole buffer. */
static void test_credit_updates(void **state)
{
	struct rig *r = rig_new(GUEST_EVENT_IDX);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_RW), q;
	uint32_t sent = 0;

	(void)state;
	s->room = 0;
	p.len = 65536;
	for (; sent < VSOCK_BUF_BIG; sent += p.len)
		rig_send(r, &p, block);
	rig_silent(r);
	assert_int_equal(conn_room(s->conn), 0);
	host_room(r, s, VSOCK_BUF_BIG / 4 - 1);
	rig_run(r);
	rig_silent(r);
	host_room(r, s, 1);
	rig_run(r);
	q = rig_expect(r, PACKET_CREDIT_UPDATE);
	assert_int_equal(q.fwd_cnt, VSOCK_BUF_BIG / 4);
	assert_int_equal(q.buf_alloc, VSOCK_BUF_BIG);
	/* Asked for, it is told at once. */
	host_room(r, s, 5);
	q = rig_packet(s, PACKET_CREDIT_REQUEST);
	rig_send(r, &q, NULL);
	assert_int_equal(rig_expect(r, PACKET_CREDIT_UPDATE).fwd_cnt, VSOCK_BUF_BIG / 4 + 5);
	rig_free(r);
}

/* No chain of the guest is kept: all rings are level whenever the mux rests. */
static void test_nothing_in_flight(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->room = 1;
	p.len = 50000;
	rig_send(r, &p, block);
	host_put(r, s, block, 5000);
	rig_run(r);
	assert_int_equal(r->tx.last_avail, r->tx.used_idx);
	assert_int_equal(r->rx.last_avail, r->rx.used_idx);
	rig_free(r);
}

/* The device is stopped and goes on: nothing is read or written meanwhile, nothing is lost. */
static void test_stop_and_go_on(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_RW);
	unsigned reads;

	(void)state;
	s->room = 10;
	p.len = 100;
	fill(block, 0, 100);
	rig_send(r, &p, block);
	mux_detach(&r->mux);
	reads = s->reads;
	host_put(r, s, "abc", 3);
	host_room(r, s, 1000); /* the host peer goes on reading */
	rig_run(r);
	assert_int_equal(s->reads, reads);
	assert_int_equal(s->out_len, 100);
	check(s->out, 0, 100);
	rig_silent(r);
	mux_attach(&r->mux, &r->rx, &r->tx);
	rig_run(r);
	assert_int_equal(rig_expect(r, PACKET_RW).len, 3);
	rig_free(r);
}

static void test_guest_forgotten(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *open = rig_open(r, 52), *slow = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(slow, PACKET_RW);
	struct host_stream *asked;

	(void)state;
	slow->room = 0;
	p.len = 10;
	rig_send(r, &p, block);
	asked = rig_dial(r, 53);
	rig_expect(r, PACKET_REQUEST);
	mux_forget_guest(&r->mux);
	rig_run(r);
	assert_true(open->closed);
	assert_true(asked->closed);
	assert_false(slow->closed); /* bytes of the old guest still reach their reader */
	rig_silent(r);
	host_room(r, slow, 10);
	rig_run(r);
	assert_true(slow->closed);
	assert_int_equal(slow->out_len, 10);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

/* Flood, in packets: one connection with endless bytes and endless credit, another with a byte now
 * and then. The byte has to be among the next turns' packets, whatever the flood does. */
static void run_fairness(unsigned floods)
{
	struct rig *r = rig_new(GUEST_EVENT_IDX);
	struct host_stream *quiet, *flood[8];
	uint8_t *bytes = calloc(1, 4u << 20);
	unsigned worst = 0;
	struct packet p;

	assert_non_null(bytes);
	quiet = rig_open(r, 1);
	for (unsigned i = 0; i < floods; i++)
		flood[i] = rig_open(r, 100 + i);
	for (unsigned i = 0; i < floods; i++) {
		p = rig_packet(flood[i], PACKET_CREDIT_UPDATE);
		p.buf_alloc = UINT32_MAX;
		rig_send(r, &p, NULL);
		host_put(r, flood[i], bytes, 4u << 20);
	}
	for (unsigned round = 0; round < 40; round++) {
		unsigned between = 0;
		bool found = false;

		host_put(r, quiet, "x", 1);
		while (!found) {
			r->result = mux_run(&r->mux);
			while (guest_recv(&r->guest, &p)) {
				found |= p.dst_port == 1;
				between += !found;
			}
			assert_true(between < 10000);
			guest_post_all(&r->guest);
		}
		worst = max_of(worst, between);
	}
	/* One pass that was under way, and a turn of each. */
	assert_in_range(worst, 1, VSOCK_RX_CHAINS + floods * VSOCK_TURN_CHAINS);
	for (unsigned i = 0; i < floods; i++)
		assert_true(flood[i]->in_at > 100000);
	free(bytes);
	rig_free(r);
}

static void test_fairness(void **state)
{
	(void)state;
	run_fairness(1);
	run_fairness(8);
}

/* Floods share evenly. */
static void test_even_shares(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s[5];
	uint8_t *bytes = calloc(1, 8u << 20);
	size_t least = SIZE_MAX, most = 0;
	struct packet p;

	(void)state;
	assert_non_null(bytes);
	for (unsigned i = 0; i < 5; i++)
		s[i] = rig_open(r, 100 + i);
	for (unsigned i = 0; i < 5; i++) {
		p = rig_packet(s[i], PACKET_CREDIT_UPDATE);
		p.buf_alloc = UINT32_MAX;
		rig_send(r, &p, NULL);
		host_put(r, s[i], bytes, 8u << 20);
	}
	for (unsigned round = 0; round < 200; round++) {
		mux_run(&r->mux);
		while (guest_recv(&r->guest, &p))
			;
		guest_post_all(&r->guest);
	}
	for (unsigned i = 0; i < 5; i++) {
		least = min_of(least, s[i]->in_at);
		most = max_of(most, s[i]->in_at);
	}
	assert_in_range(most - least, 0, VSOCK_TURN_CHAINS * 3732);
	free(bytes);
	rig_free(r);
}

/* A host peer that never reads holds its own connection only. */
static void test_stuck_reader_holds_nobody(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *stuck = rig_guest_open(r, 1, 1001), *fine = rig_guest_open(r, 2, 1001);
	struct packet p;

	(void)state;
	stuck->room = 0;
	for (unsigned i = 0; i < VSOCK_BUF_BIG / 65536; i++) {
		p = rig_packet(stuck, PACKET_RW);
		p.len = 65536;
		rig_send(r, &p, block);
		p = rig_packet(fine, PACKET_RW);
		p.len = 1000;
		rig_send(r, &p, block);
		assert_int_equal(fine->out_len, (i + 1) * 1000);
	}
	rig_free(r);
}

/* The guest gives no receive buffers while 1000 peers dial: they wait, then all are served. */
static void test_no_rx_buffers(void **state)
{
	struct rig *r = rig_new(GUEST_EVENT_IDX);
	unsigned got = 0;
	struct packet p;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_non_null(rig_dial(r, i));
	assert_true(r->mux.starved);
	/* 128 are in the buffers it had. The rest as it posts, each by a kick. */
	while (got < 1000) {
		while (guest_recv(&r->guest, &p)) {
			assert_int_equal(p.op, PACKET_REQUEST);
			assert_int_equal(p.dst_port, got);
			got++;
		}
		guest_post(&r->guest, 7);
		if (got < 993)
			assert_true(guest_wants_kick(&r->guest, GUEST_RX));
		rig_run(r);
	}
	rig_silent(r);
	rig_free(r);
}

/* rx buffers of other sizes than Linux has today. */
static void run_rx_size(uint32_t size)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p;
	uint64_t at = 0;
	uint32_t len;
	uint16_t head;

	/* Swap the posted buffers for small ones: serve them away first. */
	while (r->guest.rings[GUEST_RX].nfree < 128) {
		p = rig_packet(s, PACKET_CREDIT_REQUEST);
		rig_send(r, &p, NULL);
		while (guest_used(&r->guest, GUEST_RX, &head, &len))
			;
	}
	r->guest.rx_size = size;
	guest_post_all(&r->guest);
	fill(block, 0, 50000);
	host_put(r, s, block, 50000);
	for (unsigned i = 0; at < 50000 && i < 100000; i++) {
		rig_run(r);
		while (guest_recv(&r->guest, &p)) {
			check(r->guest.last_payload, at, p.len);
			at += p.len;
		}
		guest_post_all(&r->guest);
	}
	assert_int_equal(at, 50000);
	rig_free(r);
}

static void test_rx_sizes(void **state)
{
	static const uint32_t sizes[] = {45, 46, 64, 100, 1500, 3775};

	(void)state;
	for (unsigned i = 0; i < countof(sizes); i++)
		run_rx_size(sizes[i]);
}

/* Both ways at once, with a reader that is full now and then and 32-bit counters that wrap. */
static void run_flood(unsigned flags)
{
	struct rig *r = rig_new(flags);
	struct host_stream *s = rig_open(r, 52);
	const uint64_t total = 8u << 20;
	uint64_t sent = 0, got = 0, checked = 0, in = 0;
	uint32_t guest_fwd = 0xfff80000, tx = 0xfff80000, peer_fwd;

	/* As if 4 GB had gone before. */
	s->conn->rx_cnt = s->conn->fwd_cnt = s->conn->fwd_told = tx;
	s->conn->tx_cnt = s->conn->peer_fwd = guest_fwd;
	peer_fwd = tx;
	s->room = 0;
	while (got < total || checked < total) {
		struct packet p;

		if (in < total && s->in_len - s->in_at < 100000) {
			s->in_len = s->in_at = 0;
			fill(block, in, sizeof(block));
			host_put(r, s, block, sizeof(block));
			in += sizeof(block);
		}
		while (sent < total) {
			uint32_t credit = VSOCK_BUF_BIG - (tx - peer_fwd);

			p = rig_packet(s, PACKET_RW);
			p.fwd_cnt = guest_fwd;
			p.len = (uint32_t)min_of(
				min_of(credit, 1 + (uint32_t)(sent * 7 % 65536)), total - sent);
			fill(block, sent, p.len);
			if (p.len == 0 || !guest_send(&r->guest, &p, block))
				break;
			sent += p.len;
			tx += p.len;
		}
		rig_run(r);
		while (guest_recv(&r->guest, &p)) {
			peer_fwd = p.fwd_cnt;
			if (p.op == PACKET_RW) {
				check(r->guest.last_payload, got, p.len);
				got += p.len;
				guest_fwd += p.len;
			}
		}
		guest_post_all(&r->guest);
		p = rig_packet(s, PACKET_CREDIT_UPDATE);
		p.fwd_cnt = guest_fwd;
		rig_send(r, &p, NULL);
		check(s->out, checked, s->out_len);
		checked += s->out_len;
		s->out_len = 0;
		host_room(r, s, 30000 + sent % 50000);
	}
	assert_true(tx < 0xfff80000 && guest_fwd < 0xfff80000);
	rig_free(r);
}

static void test_flood(void **state)
{
	(void)state;
	run_flood(0);
	run_flood(GUEST_EVENT_IDX);
	run_flood(GUEST_EVENT_IDX | GUEST_INDIRECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_dials),
		cmocka_unit_test(test_host_dials_refused),
		cmocka_unit_test(test_guest_dials),
		cmocka_unit_test(test_guest_dials_nobody),
		cmocka_unit_test(test_dial_cancelled),
		cmocka_unit_test(test_dial_times_out),
		cmocka_unit_test(test_host_half_close),
		cmocka_unit_test(test_host_closes),
		cmocka_unit_test(test_host_closes_guest_silent),
		cmocka_unit_test(test_host_closes_without_credit),
		cmocka_unit_test(test_guest_closes),
		cmocka_unit_test(test_guest_closes_host_slow),
		cmocka_unit_test(test_linger_is_limited),
		cmocka_unit_test(test_guest_half_close),
		cmocka_unit_test(test_guest_shuts_receive),
		cmocka_unit_test(test_both_close_at_once),
		cmocka_unit_test(test_write_error),
		cmocka_unit_test(test_credit_updates),
		cmocka_unit_test(test_nothing_in_flight),
		cmocka_unit_test(test_stop_and_go_on),
		cmocka_unit_test(test_guest_forgotten),
		cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_even_shares),
		cmocka_unit_test(test_stuck_reader_holds_nobody),
		cmocka_unit_test(test_no_rx_buffers),
		cmocka_unit_test(test_rx_sizes),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests_name("vsock_mux", tests, NULL, NULL);
}
