// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_host.c
/* Packets that no driver sends: wrong addresses, ops, states, credit, numbers. Each is answered by
 * an RST or dropped, and other connections go on. Numbers as in test_vsock_hostile.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>

#include "backend/base/util.h"
#include "tests/support/vsock_host.h"

static uint8_t block[65536];

/* 13: addresses, types, ops and flags that are none. */
static void test_13_wrong_cids(void **state)
{
	static const uint64_t cids[] = {0, 1, 2, 4, UINT32_MAX, UINT64_MAX, 0x100000003};
	struct rig *r = rig_new(0);

	(void)state;
	for (unsigned i = 0; i < countof(cids); i++) {
		struct packet p = guest_packet(1, 1001, PACKET_REQUEST);

		p.src_cid = cids[i];
		rig_send(r, &p, NULL);
		p = guest_packet(1, 1001, PACKET_REQUEST);
		p.dst_cid = cids[i] == 2 ? 3 : cids[i];
		rig_send(r, &p, NULL);
	}
	rig_silent(r);
	assert_int_equal(r->dials, 0);
	rig_free(r);
}

static void test_13_wrong_types(void **state)
{
	static const uint16_t types[] = {0, PACKET_SEQPACKET, 3, 0xffff};
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 1, 1001);

	(void)state;
	for (unsigned i = 0; i < countof(types); i++) {
		struct packet p = guest_packet(9, 1001, PACKET_REQUEST);

		p.type = types[i];
		rig_send(r, &p, NULL);
		p = rig_expect(r, PACKET_RST);
		assert_int_equal(p.type, types[i]);
		assert_int_equal(p.dst_port, 9);
		/* On the ports of a stream connection: that one is not meant. */
		p = rig_packet(s, PACKET_RW);
		p.type = types[i];
		rig_send(r, &p, NULL);
		rig_expect(r, PACKET_RST);
		assert_false(s->closed);
		p.op = PACKET_RST;
		rig_send(r, &p, NULL);
		rig_silent(r);
	}
	assert_int_equal(r->dials, 1);
	rig_free(r);
}

static void test_13_wrong_ops(void **state)
{
	static const uint16_t ops[] = {0, 8, 9, 0x7fff, 0xffff};
	struct rig *r = rig_new(0);

	(void)state;
	for (unsigned i = 0; i < countof(ops); i++) {
		struct host_stream *s = rig_guest_open(r, 10 + i, 1001);
		struct packet p = rig_packet(s, (enum packet_op)ops[i]);

		p.flags = UINT32_MAX;
		rig_send(r, &p, NULL);
		rig_expect(r, PACKET_RST);
		assert_true(s->closed);
		/* Without a connection as well. */
		rig_send(r, &p, NULL);
		rig_expect(r, PACKET_RST);
		rig_silent(r);
	}
	rig_free(r);
}

static void test_13_garbage_flags(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(s, PACKET_SHUTDOWN);

	(void)state;
	p.flags = 0;
	rig_send(r, &p, NULL);
	p.flags = ~PACKET_SHUT_BOTH;
	rig_send(r, &p, NULL);
	rig_silent(r);
	assert_false(s->closed || s->shut_rd || s->shut_wr);
	p = rig_packet(s, PACKET_RW);
	p.flags = UINT32_MAX;
	p.len = 2;
	rig_send(r, &p, "ok");
	assert_int_equal(s->out_len, 2);
	rig_free(r);
}

/* 14: packets that do not fit the state. */
static void test_14_request_twice(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(s, PACKET_REQUEST);

	(void)state;
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	assert_int_equal(r->dials, 1);
	rig_still_works(r);
	rig_free(r);
}

static void test_14_response_out_of_place(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	struct packet p = rig_packet(s, PACKET_RESPONSE);

	(void)state;
	rig_send(r, &p, NULL); /* established already */
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	p = guest_packet(7, 8, PACKET_RESPONSE); /* nobody asked */
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RST);
	/* Guessed before the REQUEST could go out. */
	rig_empty_rx(r);
	s = rig_dial(r, 52);
	p = rig_packet(s, PACKET_RESPONSE);
	rig_send(r, &p, NULL);
	assert_false(s->opened);
	assert_true(s->closed);
	guest_post_all(&r->guest);
	rig_run(r);
	rig_expect(r, PACKET_RST);
	rig_free(r);
}

static void test_14_data_before_response(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_dial(r, 52);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	rig_expect(r, PACKET_REQUEST);
	p.len = 4;
	rig_send(r, &p, "data");
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	assert_int_equal(s->out_len, 0);
	s = rig_dial(r, 52);
	rig_expect(r, PACKET_REQUEST);
	p = rig_packet(s, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_SEND;
	rig_send(r, &p, NULL);
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	rig_free(r);
}

static void test_14_data_after_shutdown(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(s, PACKET_SHUTDOWN);

	(void)state;
	p.flags = PACKET_SHUT_SEND;
	rig_send(r, &p, NULL);
	assert_true(s->shut_wr);
	p = rig_packet(s, PACKET_RW);
	p.len = 4;
	rig_send(r, &p, "data");
	rig_expect(r, PACKET_RST);
	assert_true(s->closed);
	assert_int_equal(s->out_len, 0);
	rig_free(r);
}

static void test_14_data_while_draining(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->room = 0;
	p.len = 4;
	rig_send(r, &p, "data");
	p = rig_packet(s, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_BOTH;
	rig_send(r, &p, NULL);
	p = rig_packet(s, PACKET_RW);
	p.len = 4;
	rig_send(r, &p, "more");
	rig_expect(r, PACKET_RST);
	host_room(r, s, 100);
	rig_run(r);
	assert_memory_equal(s->out, "data", 4);
	assert_int_equal(s->out_len, 4);
	assert_true(s->closed);
	rig_free(r);
}

/* 14: RST storms, of strangers (no answer to them) and of packets that earn one. */
static void test_14_rst_storm(void **state)
{
	struct rig *r = rig_new(0);
	unsigned answers = 0, sent = 0;
	struct packet p;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		p = guest_packet(i, i * 7, PACKET_RST);
		rig_send(r, &p, NULL);
	}
	rig_silent(r);
	/* Nobody takes the answers: they are kept up to a limit, and tx goes on. */
	while (sent < 10000) {
		p = guest_packet(sent, 5, PACKET_RW);
		rig_send(r, &p, NULL);
		sent++;
	}
	assert_int_equal(r->mux.reply_count, VSOCK_REPLIES_MAX);
	for (unsigned i = 0; i < 100; i++) {
		while (guest_recv(&r->guest, &p)) {
			assert_int_equal(p.op, PACKET_RST);
			answers++;
		}
		guest_post_all(&r->guest);
		rig_run(r);
	}
	assert_int_equal(answers, 128 + VSOCK_REPLIES_MAX);
	rig_still_works(r);
	rig_free(r);
}

/* 15: credit that shrinks, grows to the limit, goes back: never more bytes than the guest's last
 * word allows. */
static void test_15_credit_games(void **state)
{
	static const struct {
		uint32_t alloc, fwd, most;
	} steps[] = {
		{0, 0, 0},
		{10, 0, 10},
		{10, 0, 10},
		{5, 10, 15},
		{0, 15, 15},
		{100, 5, 105},    /* fwd_cnt back */
		{100, 2000, 105}, /* ahead of what was sent: no credit from that */
		{UINT32_MAX, 105, 65536 + 105},
	};
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_open(r, 52);
	uint32_t got = 0;

	(void)state;
	host_put(r, s, block, 30000);
	rig_run(r);
	/* The RESPONSE gave 256 KiB: take those first. */
	while (s->in_at < 30000)
		rig_run(r);
	for (;;) {
		struct packet p;

		if (!guest_recv(&r->guest, &p))
			break;
		got += p.len;
		guest_post(&r->guest, 1);
	}
	assert_int_equal(got, 30000);
	got = 0;
	for (unsigned i = 0; i < countof(steps); i++) {
		struct packet p = rig_packet(s, PACKET_CREDIT_UPDATE);

		p.buf_alloc = steps[i].alloc;
		p.fwd_cnt = 30000 + steps[i].fwd;
		rig_send(r, &p, NULL);
		host_put(r, s, block, 8000);
		rig_run(r);
		while (guest_recv(&r->guest, &p)) {
			got += p.len;
			guest_post(&r->guest, 1);
		}
		rig_run(r);
		assert_in_range(got, 0, steps[i].most);
	}
	assert_true(got > 105);
	rig_free(r);
}

/* 16: more bytes than our buffer. */
static void test_16_overrun(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(s, PACKET_RW);

	(void)state;
	s->room = 0;
	p.len = 65536;
	for (unsigned i = 0; i < VSOCK_BUF_BIG / 65536; i++)
		rig_send(r, &p, block);
	rig_silent(r);
	assert_int_equal(s->conn->out.len, VSOCK_BUF_BIG);
	p.len = 1;
	rig_send(r, &p, block);
	rig_expect(r, PACKET_RST);
	/* What was within the limit still reaches the peer. */
	assert_false(s->closed);
	host_room(r, s, 1u << 20);
	rig_run(r);
	assert_int_equal(s->out_len, VSOCK_BUF_BIG);
	assert_true(s->closed);
	assert_int_equal(r->mux.table.count, 0);
	rig_free(r);
}

/* 17: a million REQUESTs, and ports at their limits. */
static void test_17_million_requests(void **state)
{
	struct rig *r = rig_new(GUEST_EVENT_IDX);
	unsigned responses = 0, resets = 0;
	struct packet p;

	(void)state;
	for (uint32_t i = 0; i < 1000000;) {
		p = guest_packet(i, i % 5, PACKET_REQUEST);
		if (guest_send(&r->guest, &p, NULL)) {
			i++;
			continue;
		}
		r->result = mux_run(&r->mux);
		guest_reclaim(&r->guest);
		while (guest_recv(&r->guest, &p)) {
			responses += p.op == PACKET_RESPONSE;
			resets += p.op == PACKET_RST;
		}
		guest_post_all(&r->guest);
	}
	assert_int_equal(r->mux.table.count, VSOCK_CONNS_MAX);
	assert_int_equal(responses, VSOCK_CONNS_MAX);
	assert_true(resets > 100000);
	assert_int_equal(r->dials, VSOCK_CONNS_MAX);
	assert_null(rig_dial(r, 52)); /* the host's peers neither */
	rig_free(r);
}

static void test_17_extreme_ports(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *a = rig_guest_open(r, 0, 0);
	struct host_stream *b = rig_guest_open(r, UINT32_MAX, UINT32_MAX);
	struct host_stream *c = rig_open(r, UINT32_MAX);

	(void)state;
	assert_int_equal(a->conn->host_port, 0);
	assert_int_equal(b->conn->host_port, UINT32_MAX);
	assert_int_equal(c->conn->guest_port, UINT32_MAX);
	rig_still_works(r);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_13_wrong_cids),
		cmocka_unit_test(test_13_wrong_types),
		cmocka_unit_test(test_13_wrong_ops),
		cmocka_unit_test(test_13_garbage_flags),
		cmocka_unit_test(test_14_request_twice),
		cmocka_unit_test(test_14_response_out_of_place),
		cmocka_unit_test(test_14_data_before_response),
		cmocka_unit_test(test_14_data_after_shutdown),
		cmocka_unit_test(test_14_data_while_draining),
		cmocka_unit_test(test_14_rst_storm),
		cmocka_unit_test(test_15_credit_games),
		cmocka_unit_test(test_16_overrun),
		cmocka_unit_test(test_17_million_requests),
		cmocka_unit_test(test_17_extreme_ports),
	};

	return cmocka_run_group_tests_name("vsock_protocol", tests, NULL, NULL);
}
