// LIBS: guest base
// OBJS: tests/support/looptest.c tests/support/fake_agent.c
/* The output connection: floods, restarts of the daemon, gaps, disks that refuse, input with
 * credit, hostile agents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/support/fake_agent.h"

static struct seen seen, other;
static struct peer p1, p2;

static uint64_t hash(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

static uint8_t byte_at(uint64_t i)
{
	uint64_t x = (i / 8 + 1) * 0x9e3779b97f4a7c15u;

	return (uint8_t)(x >> (8 * (i % 8)));
}

static void fill(uint8_t *p, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(at + i);
}

static uint64_t stored_hash(struct outlog *o, uint64_t from, uint64_t to)
{
	static uint8_t b[WIRE_CHUNK];
	uint64_t h = 1;
	struct err e;

	while (from < to) {
		ssize_t n = outlog_read(o, from, b, sizeof(b), &e);

		assert_true(n > 0);
		h = hash(h, b, (size_t)n);
		from += (uint64_t)n;
	}
	return h;
}

static void test_flood(void **state)
{
	static uint8_t b[WIRE_CHUNK];
	const uint64_t total = 50u << 20;
	uint64_t sent = 0, h = 1;

	(void)state;
	fake_open(&seen);
	assert_int_equal(fake_output(&p1, 1, 0, 0, 1), 0);
	while (sent < total) {
		size_t n = total - sent < sizeof(b) ? (size_t)(total - sent) : sizeof(b);

		fill(b, sent, n);
		h = hash(h, b, n);
		fake_data(&p1, sent, b, n);
		sent += n;
	}
	fake_stored(&p1, total);
	assert_int_equal(outlog_end(seen.out), total);
	assert_true(stored_hash(seen.out, 0, total) == h);
	/* One OUT_STORED and one call for many frames. */
	assert_in_range(seen.output, 1, 50 * 32);
	peer_close(&p1);
	fake_close(&seen);
}

/* The daemon ends at any moment and the next one goes on: a fake agent with a ring that resends
 * from where OUT_RESUME says, in pieces of other sizes. */
static void test_restart_without_loss_or_doubles(void **state)
{
	static uint8_t b[WIRE_CHUNK];
	uint64_t next = 0, written = 0, h = 1;

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		uint64_t resume;

		fake_open(&seen);
		written += 100000 + round * 7919;
		resume = fake_output(&p1, 5, next, written, 1);
		assert_in_range(resume, next, written);
		next = resume; /* what is stored leaves the ring */
		for (uint64_t at = resume; at < written;) {
			size_t n = 1 + (size_t)((at * 2654435761u) % 9000);

			n = n < written - at ? n : (size_t)(written - at);
			fill(b, at, n);
			fake_data(&p1, at, b, n);
			at += n;
		}
		if (round % 3 == 0) /* sometimes all of it arrives, sometimes not */
			fake_stored(&p1, written);
		else
			ev_run(t_loop, EVRUN_NOWAIT);
		peer_close(&p1);
		fake_close(&seen);
	}
	fake_open(&seen);
	next = fake_output(&p1, 5, next, written, 1);
	fill(b, next, written - next < sizeof(b) ? (size_t)(written - next) : sizeof(b));
	while (next < written) {
		size_t n = written - next < sizeof(b) ? (size_t)(written - next) : sizeof(b);

		fill(b, next, n);
		fake_data(&p1, next, b, n);
		next += n;
	}
	ev_run(t_loop, EVRUN_NOWAIT);
	peer_close(&p1);
	T_UNTIL(outlog_end(seen.out) >= written, "rest of the output");
	for (uint64_t at = 0; at < written; at += sizeof(b)) {
		size_t n = written - at < sizeof(b) ? (size_t)(written - at) : sizeof(b);

		fill(b, at, n);
		h = hash(h, b, n);
	}
	assert_int_equal(outlog_end(seen.out), written);
	assert_true(stored_hash(seen.out, 0, written) == h);
	assert_int_equal(fake_log_count(&seen, "output.gap"), 0);
	fake_close(&seen);
}

static void test_new_stream_and_gap(void **state)
{
	(void)state;
	fake_open(&seen);
	assert_int_equal(fake_output(&p1, 1, 0, 3, 1), 0);
	fake_data(&p1, 0, "abc", 3);
	fake_stored(&p1, 3);
	/* The newest wins; its ring has lost 3..9. */
	assert_int_equal(fake_output(&p2, 1, 10, 12, 1), 10);
	peer_expect_eof(&p1);
	fake_data(&p2, 10, "de", 2);
	fake_stored(&p2, 12);
	assert_int_equal(outlog_end(seen.out), 12);
	assert_int_equal(outlog_seek(seen.out, 3), 10);
	assert_int_equal(fake_log_count(&seen, "output.gap {\"lost\":7,\"end\":12}"), 1);
	peer_close(&p1);
	/* Another boot: numbering goes on at our end. */
	assert_int_equal(fake_output(&p1, 2, 0, 1, 1), 0);
	fake_data(&p1, 0, "f", 1);
	fake_stored(&p1, 1);
	assert_int_equal(outlog_end(seen.out), 13);
	assert_int_equal(fake_log_count(&seen, "output.accept"), 3);
	assert_int_equal(seen.output_open, 3);
	peer_close(&p1);
	peer_close(&p2);
	fake_close(&seen);
}

static void expect_thrown_out(struct peer *p, const char *why)
{
	while (peer_next(p))
		assert_int_equal(p->f.type, WIRE_OUT_STORED); /* of what was good before */
	peer_close(p);
	if (!strstr(seen.log, why))
		fail_msg("no '%s' in:\n%s", why, seen.log);
}

static void test_garbage(void **state)
{
	struct wire_out_open m = {.stream = {1}};
	uint8_t b[4096];

	(void)state;
	fake_open(&seen);
	peer_dial(&p1, t_path("v.sock_4991"));
	memset(b, 0xff, sizeof(b));
	peer_put(&p1, sizeof(b), b);
	expect_thrown_out(&p1, "malformed frame");

	peer_dial(&p1, t_path("v.sock_4991"));
	peer_put(&p1, wire_put_out_open(b, sizeof(b), &m), b);
	expect_thrown_out(&p1, "OUT_OPEN of another generation");

	peer_dial(&p1, t_path("v.sock_4991"));
	peer_put(&p1, wire_put_out_data(b, sizeof(b), 0, "x", 1), b);
	expect_thrown_out(&p1, "OUT_DATA is out of place");

	memcpy(m.generation, fake_generation, WIRE_ID);
	m.first = m.next = UINT64_MAX;
	peer_dial(&p1, t_path("v.sock_4991"));
	peer_put(&p1, wire_put_out_open(b, sizeof(b), &m), b);
	expect_thrown_out(&p1, "numbers make no sense");

	fake_output(&p1, 1, 0, 0, 1);
	fake_data(&p1, UINT64_MAX - 1, "xyz", 3);
	expect_thrown_out(&p1, "makes no sense");

	/* A hole in the middle: not even a file is made for it. */
	fake_output(&p1, 1, 0, 0, 1);
	fake_data(&p1, 0, "a", 1);
	fake_data(&p1, 5, "b", 1);
	expect_thrown_out(&p1, "hole in the output at 5");
	assert_int_equal(outlog_end(seen.out), 1);

	fake_output(&p1, 1, 0, 1, 1);
	wire_header(b, WIRE_OUT_CREDIT, 1);
	peer_put(&p1, WIRE_HEADER + 1, b);
	expect_thrown_out(&p1, "malformed OUT_CREDIT");

	fake_output(&p1, 1, 0, 1, 1);
	peer_put(&p1, wire_put_exit(b, sizeof(b), WIRE_OUT_MAIN_EXIT, 9, 1), b);
	expect_thrown_out(&p1, "malformed OUT_MAIN_EXIT");

	assert_int_equal(fake_output(&p1, 1, 0, 1, 1), 1);
	peer_close(&p1);
	fake_close(&seen);
}

/* No room: nothing is acknowledged or lost, the connection waits; with room again it goes on. */
static void test_disk_refuses(void **state)
{
	struct rlimit old, small;
	static uint8_t b[WIRE_CHUNK];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 5000;
	fake_open(&seen);
	assert_int_equal(fake_output(&p1, 1, 0, 0, 1), 0);
	fill(b, 0, sizeof(b));
	setrlimit(RLIMIT_FSIZE, &small);
	fake_data(&p1, 0, b, 4000);
	fake_data(&p1, 4000, b + 4000, 4000);
	fake_data(&p1, 8000, b + 8000, 1000);
	T_UNTIL(fake_log_count(&seen, "output.error"), "refusal of the disk");
	t_quiet(2.5); /* two more tries of a second each, one event */
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(fake_log_count(&seen, "output.error"), 1);
	assert_int_equal(outlog_end(seen.out), 5000);
	fake_stored(&p1, 5000);
	fake_stored(&p1, 9000);
	assert_int_equal(fake_log_count(&seen, "output.recovered"), 1);
	assert_true(stored_hash(seen.out, 0, 9000) == hash(1, b, 9000));
	peer_close(&p1);
	/* The stream id can't be kept: OUT_OPEN waits in the same way. */
	small.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &small);
	peer_dial(&p1, t_path("v.sock_4991"));
	{
		struct wire_out_open m = {.stream = {7}};
		uint8_t open[128];
		uint64_t offset;

		memcpy(m.generation, fake_generation, WIRE_ID);
		peer_put(&p1, wire_put_out_open(open, sizeof(open), &m), open);
		T_UNTIL(fake_log_count(&seen, "output.error") > 1, "refusal of the disk");
		setrlimit(RLIMIT_FSIZE, &old);
		peer_expect(&p1, WIRE_OUT_RESUME);
		assert_int_equal(wire_get_u64(&p1.f, &offset), 0);
		assert_int_equal(offset, 0);
	}
	peer_close(&p1);
	fake_close(&seen);
}

struct waiter {
	int called;
	bool again;
};

static void on_room(void *user)
{
	struct waiter *w = user;

	w->called++;
	if (w->again)
		guest_want_input(seen.g, on_room, w);
}

static void give_credit(uint32_t n)
{
	uint8_t b[64];

	peer_put(&p1, wire_put_u32(b, sizeof(b), WIRE_OUT_CREDIT, n), b);
}

static size_t take_input(size_t want)
{
	size_t got = 0;

	while (got < want) {
		peer_expect(&p1, WIRE_OUT_INPUT);
		for (uint32_t i = 0; i < p1.f.len; i++)
			assert_int_equal(p1.f.payload[i], byte_at(got + i));
		got += p1.f.len;
	}
	return got;
}

static void test_input_credit(void **state)
{
	static uint8_t b[70000];
	struct waiter w = {0}, gone = {0};
	uint16_t rows, cols;

	(void)state;
	fake_open(&seen);
	assert_int_equal(guest_input(seen.g, "x", 1), -ENOTCONN);
	fill(b, 0, sizeof(b));
	fake_output(&p1, 1, 0, 0, 1);
	/* No credit: 64 KiB are queued, not a byte is sent. */
	assert_int_equal(guest_input(seen.g, b, sizeof(b)), 65536);
	assert_int_equal(guest_input(seen.g, b, 1), 0);
	guest_want_input(seen.g, on_room, &w);
	guest_want_input(seen.g, on_room, &gone);
	guest_want_input(seen.g, NULL, &gone);
	guest_resize(seen.g, 11, 22);
	peer_expect(&p1, WIRE_OUT_RESIZE); /* and no OUT_INPUT before it */
	assert_int_equal(wire_get_size(&p1.f, &rows, &cols), 0);
	assert_int_equal(rows * 100 + cols, 1122);
	give_credit(100);
	assert_int_equal(take_input(100), 100);
	assert_int_equal(w.called, 1);
	assert_int_equal(gone.called, 0);
	assert_int_equal(guest_input(seen.g, b + 65536, 500), 100);
	/* A connection that comes anew has no credit; the queue goes on where it was. */
	assert_int_equal(fake_output(&p2, 1, 0, 0, 1), 0);
	peer_close(&p1);
	p1 = p2;
	p1.r.buf = p1.buf;
	w.again = true;
	guest_want_input(seen.g, on_room, &w);
	give_credit(UINT32_MAX);
	give_credit(UINT32_MAX); /* more than fits a number: as much as one can say */
	for (size_t got = 0, at = 100; got < 65536;) {
		peer_expect(&p1, WIRE_OUT_INPUT);
		for (uint32_t i = 0; i < p1.f.len; i++)
			assert_int_equal(p1.f.payload[i], byte_at(at + i));
		got += p1.f.len;
		at += p1.f.len;
	}
	assert_in_range(w.called, 2, 20); /* asks again each time, and is not called without end */
	assert_int_equal(guest_input(seen.g, "hi", 2), 2);
	peer_expect(&p1, WIRE_OUT_INPUT);
	assert_int_equal(p1.f.len, 2);
	peer_close(&p1);
	fake_close(&seen);
}

static void test_main_exit(void **state)
{
	uint8_t b[64];
	int n = wire_put_exit(b, sizeof(b), WIRE_OUT_MAIN_EXIT, WIRE_SIGNALED, 9);

	(void)state;
	fake_open(&seen);
	fake_output(&p1, 1, 0, 0, 1);
	fake_data(&p1, 0, "last", 4);
	peer_put(&p1, n, b);
	t_until(&seen.main_exit, "main exit");
	assert_int_equal(seen.how, WIRE_SIGNALED);
	assert_int_equal(seen.value, 9);
	assert_true(seen.output > 0); /* its last words came first */
	assert_int_equal(outlog_end(seen.out), 4);
	peer_close(&p1);
	/* After a reconnect the agent says it again; the daemon is told once. */
	fake_output(&p1, 1, 4, 4, 2);
	peer_put(&p1, n, b);
	fake_data(&p1, 4, "!", 1);
	fake_stored(&p1, 5);
	assert_int_equal(seen.main_exit, 1);
	peer_close(&p1);
	fake_close(&seen);
	/* A new daemon is told. */
	fake_open(&seen);
	fake_output(&p1, 1, 4, 5, 2);
	peer_put(&p1, n, b);
	t_until(&seen.main_exit, "main exit");
	peer_close(&p1);
	fake_close(&seen);
}

/* A guest that sends and reads nothing: no queue grows, the others are served. */
static void test_guest_that_does_not_read(void **state)
{
	static uint8_t b[WIRE_CHUNK];
	uint64_t at = 0;

	(void)state;
	fake_open(&seen);
	fake_output(&p1, 1, 0, 0, 1);
	while (at < 8u << 20) { /* thousands of OUT_STORED, none read */
		fake_data(&p1, at, b, 1000);
		at += 1000;
	}
	fake_stored(&p1, at);
	peer_close(&p1);
	fake_close(&seen);
}

/* Two guests in one loop: a flood of one doesn't keep the other's ping waiting for its end. */
static void on_pong(void *user, int r, uint64_t rtt, uint64_t uptime, uint32_t execs)
{
	(void)rtt;
	(void)uptime;
	(void)execs;
	*(int *)user = r ? -1 : 1;
}

static void test_flood_and_ping(void **state)
{
	static uint8_t b[WIRE_CHUNK];
	uint64_t at = 0, nonce;
	int pongs = 0, came = 1;
	uint8_t frame[64];
	char dir[64];

	(void)state;
	fake_open(&seen);
	fake_output(&p1, 1, 0, 0, 1);
	/* The other guest lives in its own folder. */
	snprintf(dir, sizeof(dir), "%s", t_dir);
	snprintf(t_dir, sizeof(t_dir), "%.50s/other", dir);
	assert_int_equal(mkdir(t_dir, 0700), 0);
	fake_open(&other);
	fake_serve(&other, &p2);
	while (at < 20u << 20) {
		if (came) {
			assert_int_equal(came, 1);
			came = 0;
			assert_int_equal(guest_ping(other.g, 20, on_pong, &came, NULL), 0);
			peer_expect(&p2, WIRE_PING);
			assert_int_equal(wire_get_u64(&p2.f, &nonce), 0);
			peer_put(&p2, wire_put_pong(frame, sizeof(frame), nonce, 1, 1), frame);
			pongs++;
		}
		fake_data(&p1, at, b, sizeof(b));
		at += sizeof(b);
	}
	fake_stored(&p1, at);
	assert_true(pongs > 10);
	peer_close(&p1);
	peer_close(&p2);
	fake_close(&other);
	strcpy(t_dir, dir);
	fake_close(&seen);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
	const struct CMUnitTest tests[] = {
		T(test_flood),
		T(test_restart_without_loss_or_doubles),
		T(test_new_stream_and_gap),
		T(test_garbage),
		T(test_disk_refuses),
		T(test_input_credit),
		T(test_main_exit),
		T(test_guest_that_does_not_read),
		T(test_flood_and_ping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
