// LIBS: guest base
// OBJS: tests/support/looptest.c tests/support/fake_agent.c
/* QUIESCE, THAW and SERVING on the host's side: answers, limits, hostile agents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/base/str.h"
#include "tests/support/fake_agent.h"

static struct seen seen;
static struct peer p1;

/* What a callback of guest_quiesce or guest_thaw has said. */
struct heard {
	int came, r;
	struct wire_quiesced q;
	bool in_time;
	int64_t step;
	char why[400];
	struct guest *close; /* guest_close from inside it */
};

static void on_quiesced(void *user, int r, const struct wire_quiesced *q, const struct err *e)
{
	struct heard *h = user;

	assert_true((r == 0) == (q != NULL));
	h->came++;
	h->r = r;
	if (q)
		h->q = *q;
	snprintf(h->why, sizeof(h->why), "%s", e->msg);
	if (h->close)
		guest_close(h->close);
}

static void on_thawed(void *user, int r, bool in_time, int64_t step)
{
	struct heard *h = user;

	h->came++;
	h->r = r;
	h->in_time = in_time;
	h->step = step;
}

static void put_quiesced(uint8_t drained, uint64_t next)
{
	const struct wire_quiesced m = {.drained = drained, .us = 12, .execs = 4, .next = next};
	uint8_t b[64];

	peer_put(&p1, wire_put_quiesced(b, sizeof(b), &m), b);
}

static void put_thawed(uint8_t in_time, int64_t step)
{
	uint8_t b[64];

	peer_put(&p1, wire_put_thawed(b, sizeof(b), in_time, step), b);
}

static void test_quiesce_and_thaw(void **state)
{
	struct heard h = {0}, t = {0}, other = {0};
	struct err e = {0};
	uint64_t wall, now;
	uint32_t ms;

	(void)state;
	fake_open(&seen);
	assert_int_equal(guest_quiesce(seen.g, 1, on_quiesced, &h, &e), -ENOTCONN);
	assert_int_equal(guest_thaw(seen.g, 1, on_thawed, &t, &e), -ENOTCONN);
	fake_serve(&seen, &p1);
	assert_int_equal(guest_quiesce(seen.g, 2.5, on_quiesced, &h, &e), 0);
	assert_int_equal(guest_quiesce(seen.g, 1, on_quiesced, &other, &e), -EBUSY);
	peer_expect(&p1, WIRE_QUIESCE);
	assert_int_equal(wire_get_u32(&p1.f, &ms), 0);
	assert_int_equal(ms, 2500);
	put_quiesced(1, 1ull << 40);
	t_until(&h.came, "QUIESCED");
	assert_int_equal(h.r, 0);
	assert_int_equal(h.q.drained, 1);
	assert_int_equal(h.q.execs, 4);
	assert_true(h.q.next == 1ull << 40);

	assert_int_equal(guest_thaw(seen.g, 20, on_thawed, &t, &e), 0);
	assert_int_equal(guest_thaw(seen.g, 20, on_thawed, &other, &e), -EBUSY);
	peer_expect(&p1, WIRE_THAW);
	assert_int_equal(wire_get_u64(&p1.f, &wall), 0);
	now = wall_ns();
	assert_true(now >= wall && now - wall < 10000000000u);
	put_thawed(1, -123456789);
	t_until(&t.came, "THAWED");
	assert_int_equal(t.r, 0);
	assert_true(t.in_time);
	assert_true(t.step == -123456789);
	assert_int_equal(other.came, 0);
	assert_int_equal(
		fake_log_count(&seen, "guest.quiesce {\"drained\":true,\"waited_ms\":"), 1);
	assert_int_equal(fake_log_count(&seen, "\"execs\":4,\"next\":1099511627776}"), 1);
	assert_int_equal(
		fake_log_count(&seen, "guest.thaw {\"in_time\":true,\"clock_step_ms\":-123,"), 1);

	/* It may say that it has not managed; and that it went on by itself. */
	h.came = t.came = 0;
	assert_int_equal(guest_quiesce(seen.g, 1e9, on_quiesced, &h, &e), 0);
	peer_expect(&p1, WIRE_QUIESCE);
	assert_int_equal(wire_get_u32(&p1.f, &ms), 0);
	assert_int_equal(ms, WIRE_QUIESCE_MS);
	put_quiesced(0, 5);
	t_until(&h.came, "QUIESCED");
	assert_int_equal(h.r, 0);
	assert_int_equal(h.q.drained, 0);
	assert_int_equal(guest_thaw(seen.g, 20, on_thawed, &t, &e), 0);
	put_thawed(0, 0);
	t_until(&t.came, "THAWED");
	assert_false(t.in_time);
	peer_close(&p1);
	fake_close(&seen);
}

/* An answer that comes too late is not taken for the next question's. */
static void test_late_answers(void **state)
{
	struct heard h = {0}, t = {0};
	struct err e = {0};

	(void)state;
	fake_open(&seen);
	fake_serve(&seen, &p1);
	assert_int_equal(guest_quiesce(seen.g, 0, on_quiesced, &h, &e), 0);
	t_until(&h.came, "limit of QUIESCE");
	assert_int_equal(h.r, -ETIMEDOUT);
	assert_non_null(strstr(h.why, "QUIESCE"));
	assert_int_equal(guest_thaw(seen.g, 0.05, on_thawed, &t, &e), 0);
	t_until(&t.came, "limit of THAW");
	assert_int_equal(t.r, -ETIMEDOUT);
	assert_int_equal(fake_log_count(&seen, "guest.quiesce {\"waited_ms\":"), 1);
	assert_int_equal(fake_log_count(&seen, "guest.thaw {\"waited_ms\":"), 1);

	h.came = t.came = 0;
	assert_int_equal(guest_quiesce(seen.g, 20, on_quiesced, &h, &e), 0);
	assert_int_equal(guest_thaw(seen.g, 20, on_thawed, &t, &e), 0);
	put_quiesced(0, 1); /* to the first question */
	put_thawed(0, 1);
	put_quiesced(1, 2);
	put_thawed(1, 2);
	t_until(&h.came, "QUIESCED");
	t_until(&t.came, "THAWED");
	assert_true(h.q.next == 2 && h.q.drained);
	assert_true(t.step == 2 && t.in_time);
	for (int i = 0; i < 2; i++) {
		peer_expect(&p1, WIRE_QUIESCE);
		peer_expect(&p1, WIRE_THAW);
	}
	/* A third one has no question. */
	put_quiesced(1, 3);
	peer_expect_eof(&p1);
	assert_non_null(strstr(seen.log, "QUIESCED without a question"));
	peer_close(&p1);
	/* What was late is forgotten with its connection. */
	fake_serve(&seen, &p1);
	h.came = 0;
	assert_int_equal(guest_quiesce(seen.g, 20, on_quiesced, &h, &e), 0);
	put_quiesced(1, 9);
	t_until(&h.came, "QUIESCED");
	assert_true(h.q.next == 9);
	peer_close(&p1);
	fake_close(&seen);
}

static void test_connection_lost(void **state)
{
	struct heard h = {0}, t = {0};
	struct err e = {0};

	(void)state;
	fake_open(&seen);
	fake_serve(&seen, &p1);
	assert_int_equal(guest_quiesce(seen.g, 20, on_quiesced, &h, &e), 0);
	assert_int_equal(guest_thaw(seen.g, 20, on_thawed, &t, &e), 0);
	peer_close(&p1);
	t_until(&h.came, "end of QUIESCE");
	assert_int_equal(h.r, -ENOTCONN);
	assert_true(strlen(h.why) > 0);
	t_until(&t.came, "end of THAW");
	assert_int_equal(t.r, -ENOTCONN);
	/* The guest is closed while both are under way... */
	fake_serve(&seen, &p1);
	assert_int_equal(guest_quiesce(seen.g, 20, on_quiesced, &h, &e), 0);
	assert_int_equal(guest_thaw(seen.g, 20, on_thawed, &t, &e), 0);
	fake_close(&seen);
	assert_int_equal(h.came, 2);
	assert_int_equal(h.r, -ENOTCONN);
	assert_int_equal(t.came, 2);
	assert_int_equal(t.r, -ENOTCONN);
	peer_close(&p1);
}

static void test_closed_in_callback(void **state)
{
	struct heard h = {0};
	struct err e = {0};

	(void)state;
	for (int round = 0; round < 2; round++) {
		fake_open(&seen);
		fake_serve(&seen, &p1);
		h.came = 0;
		h.close = seen.g;
		assert_int_equal(guest_quiesce(seen.g, round ? 0 : 20, on_quiesced, &h, &e), 0);
		if (!round)
			put_quiesced(1, 1);
		t_until(&h.came, "QUIESCED or its limit");
		assert_int_equal(h.r, round ? -ETIMEDOUT : 0);
		seen.g = NULL;
		peer_close(&p1);
		fake_close(&seen);
	}
}

static void expect_thrown_out(const char *why)
{
	peer_expect_eof(&p1);
	peer_close(&p1);
	if (!strstr(seen.log, why))
		fail_msg("no '%s' in:\n%s", why, seen.log);
	seen.log[0] = 0;
}

static void test_hostile_answers(void **state)
{
	const struct wire_serving serving = {.us = 1};
	struct heard h = {0};
	struct err e = {0};
	uint8_t b[64];
	int n;

	(void)state;
	fake_open(&seen);
	fake_control(&p1);
	peer_put(&p1, wire_put_serving(b, sizeof(b), &serving), b);
	expect_thrown_out("SERVING is out of place");

	fake_serve(&seen, &p1);
	peer_put(&p1, wire_put_serving(b, sizeof(b), &serving), b);
	expect_thrown_out("SERVING twice");

	fake_serve(&seen, &p1);
	put_thawed(1, 0);
	expect_thrown_out("THAWED without a question");

	fake_serve(&seen, &p1);
	assert_int_equal(guest_quiesce(seen.g, 20, on_quiesced, &h, &e), 0);
	peer_expect(&p1, WIRE_QUIESCE);
	n = wire_put_u32(b, sizeof(b), WIRE_QUIESCED, 1);
	peer_put(&p1, n, b);
	expect_thrown_out("malformed QUIESCED");
	assert_int_equal(h.came, 1);
	assert_int_equal(h.r, -ENOTCONN);

	/* The host's own frame. */
	fake_serve(&seen, &p1);
	peer_put(&p1, wire_put_u64(b, sizeof(b), WIRE_THAW, 1), b);
	expect_thrown_out("THAW is out of place");
	fake_close(&seen);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
	const struct CMUnitTest tests[] = {
		T(test_quiesce_and_thaw),
		T(test_late_answers),
		T(test_connection_lost),
		T(test_closed_in_callback),
		T(test_hostile_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
