// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_host.c
/* Many connections on one pair of rings: fairness counted in packets, floods, scarce buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "backend/base/util.h"
#include "tests/support/vsock_host.h"

static uint8_t block[65536];

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

	rig_empty_rx(r);
	r->guest.rx_size = size;
	guest_post_all(&r->guest);
	pattern_fill(block, 0, 50000);
	host_put(r, s, block, 50000);
	for (unsigned i = 0; at < 50000 && i < 100000; i++) {
		rig_run(r);
		while (guest_recv(&r->guest, &p)) {
			pattern_check(r->guest.last_payload, at, p.len);
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
			pattern_fill(block, in, sizeof(block));
			host_put(r, s, block, sizeof(block));
			in += sizeof(block);
		}
		while (sent < total) {
			uint32_t credit = VSOCK_BUF_BIG - (tx - peer_fwd);

			p = rig_packet(s, PACKET_RW);
			p.fwd_cnt = guest_fwd;
			p.len = (uint32_t)min_of(
				min_of(credit, 1 + (uint32_t)(sent * 7 % 65536)), total - sent);
			pattern_fill(block, sent, p.len);
			if (p.len == 0 || !guest_send(&r->guest, &p, block))
				break;
			sent += p.len;
			tx += p.len;
		}
		rig_run(r);
		while (guest_recv(&r->guest, &p)) {
			peer_fwd = p.fwd_cnt;
			if (p.op == PACKET_RW) {
				pattern_check(r->guest.last_payload, got, p.len);
				got += p.len;
				guest_fwd += p.len;
			}
		}
		guest_post_all(&r->guest);
		p = rig_packet(s, PACKET_CREDIT_UPDATE);
		p.fwd_cnt = guest_fwd;
		rig_send(r, &p, NULL);
		pattern_check(s->out, checked, s->out_len);
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
		cmocka_unit_test(test_fairness),
		cmocka_unit_test(test_even_shares),
		cmocka_unit_test(test_stuck_reader_holds_nobody),
		cmocka_unit_test(test_no_rx_buffers),
		cmocka_unit_test(test_rx_sizes),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests_name("vsock_share", tests, NULL, NULL);
}
