// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_host.c
/* Packets and buffers that no driver sends: each is answered by an RST, dropped, or breaks the
 * queue; other connections go on, and no byte outside guest memory changes (guard bytes, rig_free).
 * The numbers are those of the checklist of structures a guest can write; 1-7, 18 and 24 are in
 * test_vsock_ring.c. */
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

#define DATA (GUEST_GPA + 0x700000)

static uint8_t block[65536];

static void put_header(struct rig *r, uint64_t gpa, const struct packet *p)
{
	packet_encode(guest_ptr(&r->guest, gpa), p);
}

static void send_segs(struct rig *r, const struct guest_seg *segs, unsigned n)
{
	guest_add(&r->guest, GUEST_TX, segs, n);
	rig_run(r);
	/* Every chain came back. */
	assert_int_equal(r->guest.rings[GUEST_TX].nfree, r->guest.rings[GUEST_TX].num);
}

/* 7: a buffer to write among those of a packet. */
static void test_07_write_buffer_in_tx(void **state)
{
	struct rig *r = rig_new(0);
	struct packet p = guest_packet(1, 2, PACKET_REQUEST);
	struct guest_seg segs[] = {{DATA, PACKET_HEADER, false}, {DATA + 100, 8, true}};

	(void)state;
	put_header(r, DATA, &p);
	send_segs(r, segs, 2);
	rig_silent(r);
	assert_int_equal(r->dials, 0);
	rig_still_works(r);
	rig_free(r);
}

/* 7: buffers to read in the receive queue: given back empty, not written. */
static void test_07_read_buffer_in_rx(void **state)
{
	struct rig *r = rig_new(0);
	struct guest_seg read_only = {DATA, 4000, false};
	struct guest_seg mixed[] = {{DATA, 40, false}, {DATA + 40, 4000, true}};
	struct host_stream *s = rig_open(r, 52);
	uint16_t head;
	uint32_t len;

	(void)state;
	memset(guest_ptr(&r->guest, DATA), 0x77, 5000);
	rig_empty_rx(r);
	guest_add(&r->guest, GUEST_RX, &read_only, 1);
	guest_add(&r->guest, GUEST_RX, mixed, 2);
	host_put(r, s, "y", 1);
	rig_run(r);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(guest_used(&r->guest, GUEST_RX, &head, &len));
		assert_int_equal(len, 0);
	}
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(((uint8_t *)guest_ptr(&r->guest, DATA))[i], 0x77);
	guest_post(&r->guest, 1);
	rig_run(r);
	assert_int_equal(rig_expect(r, PACKET_RW).len, 1);
	rig_free(r);
}

/* 8: the header in 44 buffers of a byte. */
static void test_08_header_in_bytes(void **state)
{
	struct rig *r = rig_new(0);
	struct packet p = guest_packet(1, 2, PACKET_REQUEST);
	struct guest_seg segs[PACKET_HEADER + 2];
	struct host_stream *s;

	(void)state;
	put_header(r, DATA, &p);
	for (unsigned i = 0; i < PACKET_HEADER; i++)
		segs[i] = (struct guest_seg){DATA + i, 1, false};
	send_segs(r, segs, PACKET_HEADER);
	rig_expect(r, PACKET_RESPONSE);
	s = &r->streams[0];
	/* With a payload that starts in the middle of a buffer. */
	p = rig_packet(s, PACKET_RW);
	p.len = 6;
	put_header(r, DATA, &p);
	memcpy(guest_ptr(&r->guest, DATA + PACKET_HEADER), "abcdef", 6);
	segs[PACKET_HEADER - 1].len = 3;
	segs[PACKET_HEADER] = (struct guest_seg){DATA + PACKET_HEADER + 2, 4, false};
	send_segs(r, segs, PACKET_HEADER + 1);
	assert_int_equal(s->out_len, 6);
	assert_memory_equal(s->out, "abcdef", 6);
	rig_free(r);
}

/* 9: no whole header. */
static void test_09_short_packets(void **state)
{
	struct rig *r = rig_new(GUEST_INDIRECT);
	struct packet p = guest_packet(1, 2, PACKET_REQUEST);

	(void)state;
	put_header(r, DATA, &p);
	for (uint32_t n = 0; n < PACKET_HEADER; n++) {
		struct guest_seg seg = {DATA, n, false};

		send_segs(r, &seg, 1);
		guest_add_indirect(&r->guest, GUEST_TX, &seg, 1);
		rig_run(r);
	}
	rig_silent(r);
	assert_int_equal(r->dials, 0);
	rig_still_works(r);
	rig_free(r);
}

/* 10: a length that the chain does not have, or above 64 KiB. */
static void test_10_wrong_length(void **state)
{
	static const uint32_t lens[] = {5, 65537, 0x7fffffff, UINT32_MAX, UINT32_MAX - 43};

	(void)state;
	for (unsigned i = 0; i < countof(lens); i++) {
		struct rig *r = rig_new(0);
		struct host_stream *s = rig_guest_open(r, 1, 1001);
		struct packet p = rig_packet(s, PACKET_RW);
		struct guest_seg seg = {DATA, PACKET_HEADER + 4, false};

		p.len = lens[i];
		put_header(r, DATA, &p);
		send_segs(r, &seg, 1);
		/* A hole in the stream: the connection ends. */
		rig_expect(r, PACKET_RST);
		assert_true(s->closed);
		assert_int_equal(s->out_len, 0);
		/* Without a connection it is just dropped. */
		send_segs(r, &seg, 1);
		rig_silent(r);
		rig_still_works(r);
		rig_free(r);
	}
}

static void test_10_above_64k_in_chain(void **state)
{
	struct rig *r = rig_new(0);
	struct host_stream *s = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(s, PACKET_RW);
	struct guest_seg seg = {DATA, PACKET_HEADER + 65537, false};

	(void)state;
	p.len = 65537;
	put_header(r, DATA, &p);
	send_segs(r, &seg, 1);
	rig_expect(r, PACKET_RST);
	assert_int_equal(s->out_len, 0);
	rig_free(r);
}

/* 10: the header changes after it was read: an op that runs while the payload is handled rewrites
 * it, and everything still goes by the copy. */
static uint8_t *toctou_header;

static ssize_t toctou_write(struct mux *m, struct conn *c, const struct iovec *iov, unsigned n)
{
	struct host_stream *s = c->host;

	(void)m;
	memset(toctou_header, 0xff, PACKET_HEADER);
	assert_int_equal(n, 1);
	assert_int_equal(iov[0].iov_len, 20000);
	s->writes++;
	return 12000; /* the rest is to be copied with the lengths known */
}

static void test_10_header_changes(void **state)
{
	struct rig *r = rig_new(0);
	struct mux_ops ops = *r->mux.ops;
	const struct mux_ops *old = r->mux.ops;
	struct host_stream *s = rig_guest_open(r, 1, 1001);
	struct packet p = rig_packet(s, PACKET_RW);
	struct guest_seg segs[] = {{DATA, PACKET_HEADER, false}, {DATA + 64, 20000, false}};

	(void)state;
	ops.write = toctou_write;
	r->mux.ops = &ops;
	p.len = 20000;
	put_header(r, DATA, &p);
	toctou_header = guest_ptr(&r->guest, DATA);
	send_segs(r, segs, 2);
	assert_int_equal(s->writes, 1);
	assert_int_equal(s->conn->rx_cnt, 20000);
	assert_int_equal(s->conn->fwd_cnt, 12000);
	assert_int_equal(s->conn->out.len, 8000);
	r->mux.ops = old;
	rig_free(r);
}

/* 11: a payload on control packets is ignored. */
static void test_11_payload_on_control(void **state)
{
	struct rig *r = rig_new(0);
	struct packet p = guest_packet(1, 1001, PACKET_REQUEST);
	struct host_stream *s;

	(void)state;
	p.len = 100;
	rig_send(r, &p, block);
	rig_expect(r, PACKET_RESPONSE);
	s = &r->streams[0];
	p = rig_packet(s, PACKET_CREDIT_UPDATE);
	p.len = 65536;
	rig_send(r, &p, block);
	p = rig_packet(s, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_BOTH;
	p.len = 7;
	rig_send(r, &p, block);
	rig_expect(r, PACKET_RST);
	assert_int_equal(s->out_len, 0);
	assert_true(s->closed);
	rig_free(r);
}

/* 12: receive buffers below a header, and of exactly one: enough for an answer, not for bytes. */
static void test_12_tiny_rx_buffers(void **state)
{
	static const uint32_t sizes[] = {0, 1, 43, 44};

	(void)state;
	for (unsigned i = 0; i < countof(sizes); i++) {
		struct rig *r = rig_new(0);
		struct host_stream *s = rig_open(r, 52);
		struct guest_seg seg = {DATA, sizes[i], true};
		struct packet p = rig_packet(s, PACKET_CREDIT_REQUEST);
		unsigned empty = 0, full = 0;
		uint16_t head;
		uint32_t len;

		rig_empty_rx(r);
		for (unsigned k = 0; k < 128; k++)
			guest_add(&r->guest, GUEST_RX, &seg, 1);
		rig_send(r, &p, NULL);
		host_put(r, s, "data", 4);
		rig_run(r);
		while (guest_used(&r->guest, GUEST_RX, &head, &len)) {
			empty += len == 0;
			full += len == PACKET_HEADER;
		}
		assert_int_equal(full, sizes[i] == PACKET_HEADER);
		assert_int_equal(empty + full, 128);
		assert_int_equal(s->in_at, 0);
		guest_post_all(&r->guest);
		rig_run(r);
		if (sizes[i] < PACKET_HEADER)
			assert_int_equal(rig_recv(r).op, PACKET_RW);
		else
			assert_int_equal(rig_expect(r, PACKET_RW).len, 4);
		rig_free(r);
	}
}

/* 4, 2 and others on the running device: the queue is broken, the mux says so and touches it no
 * more. */
static void test_broken_queue_stops(void **state)
{
	(void)state;
	for (unsigned queue = 0; queue < GUEST_QUEUES; queue++) {
		struct rig *r = rig_new(0);
		struct host_stream *s = rig_open(r, 52);
		uint16_t used;

		guest_set_avail_idx(
			&r->guest, queue, (uint16_t)(r->guest.rings[queue].avail_idx + 200));
		used = r->tx.used_idx;
		/* Empty the cached rx index too: it is looked at again when buffers run out. */
		for (unsigned i = 0; i < 200 && !(r->result & MUX_BROKEN); i++) {
			host_put(r, s, block, 4000);
			r->result = mux_run(&r->mux);
		}
		assert_true(r->result & MUX_BROKEN);
		assert_int_equal(r->tx.used_idx, used);
		mux_detach(&r->mux);
		mux_forget_guest(&r->mux);
		assert_true(s->closed);
		rig_free(r);
	}
}

/* 23: nothing can be pushed more often than it was taken: both rings stay level under a storm of
 * small and large bytes with a guest that posts one buffer at a time. */
static void test_23_one_buffer_at_a_time(void **state)
{
	struct rig *r = rig_new(GUEST_EVENT_IDX);
	struct host_stream *s = rig_open(r, 52);
	uint64_t got = 0;
	struct packet p;

	(void)state;
	host_put(r, s, block, 60000);
	rig_run(r);
	while (guest_recv(&r->guest, &p))
		got += p.len;
	host_put(r, s, block, 60000);
	while (got < 120000) {
		rig_run(r);
		assert_int_equal(r->rx.last_avail, r->rx.used_idx);
		while (guest_recv(&r->guest, &p))
			got += p.op == PACKET_RW ? p.len : 0;
		guest_post(&r->guest, 1);
	}
	assert_int_equal(got, 120000);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_07_write_buffer_in_tx),
		cmocka_unit_test(test_07_read_buffer_in_rx),
		cmocka_unit_test(test_08_header_in_bytes),
		cmocka_unit_test(test_09_short_packets),
		cmocka_unit_test(test_10_wrong_length),
		cmocka_unit_test(test_10_above_64k_in_chain),
		cmocka_unit_test(test_10_header_changes),
		cmocka_unit_test(test_11_payload_on_control),
		cmocka_unit_test(test_12_tiny_rx_buffers),
		cmocka_unit_test(test_broken_queue_stops),
		cmocka_unit_test(test_23_one_buffer_at_a_time),
	};

	return cmocka_run_group_tests_name("vsock_hostile", tests, NULL, NULL);
}
