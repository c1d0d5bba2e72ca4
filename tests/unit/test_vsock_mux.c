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
	pattern_fill(block, 0, 10000);
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
		pattern_check(r->guest.last_payload, at, p.len);
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
	pattern_fill(block, 0, 1000);
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
	pattern_check(s->out, 0, 1000);
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
	pattern_fill(block, 0, 60000);
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
	pattern_check(s->out, 0, 60000);
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
	pattern_fill(block, 0, 100);
	rig_send(r, &p, block);
	mux_detach(&r->mux);
	reads = s->reads;
	host_put(r, s, "abc", 3);
	host_room(r, s, 1000); /* the host peer goes on reading */
	rig_run(r);
	assert_int_equal(s->reads, reads);
	assert_int_equal(s->out_len, 100);
	pattern_check(s->out, 0, 100);
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
	};

	return cmocka_run_group_tests_name("vsock_mux", tests, NULL, NULL);
}
