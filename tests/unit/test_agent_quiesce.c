/* The agent's standstill before a snapshot, as a real process: QUIESCE, THAW, and all else that
 * ends it. */
// OBJS: tests/support/agent_client.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/agent_client.h"

/* Only to see that nothing comes. */
#define QUIET_MS 300
/* Longer than any test. */
#define LONG_MS 60000

static struct agent_proc agent;

static void put_quiesce(uint32_t limit_ms)
{
	uint8_t buf[32];

	peer_send(&agent.control, buf,
		(size_t)wire_put_u32(buf, sizeof(buf), WIRE_QUIESCE, limit_ms));
}

static struct wire_quiesced expect_quiesced(bool drained)
{
	struct wire_quiesced m;
	struct wire_frame f;

	peer_expect(&agent.control, WIRE_QUIESCED, &f);
	assert_int_equal(wire_get_quiesced(&f, &m), 0);
	assert_int_equal(m.drained, drained);
	return m;
}

static struct wire_quiesced quiesce(uint32_t limit_ms)
{
	put_quiesce(limit_ms);
	return expect_quiesced(true);
}

static void put_thaw(void)
{
	struct timespec ts;
	uint8_t buf[32];

	clock_gettime(CLOCK_REALTIME, &ts);
	peer_send(&agent.control, buf,
		(size_t)wire_put_u64(buf, sizeof(buf), WIRE_THAW,
			(uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec));
}

static void thaw(bool in_time)
{
	struct wire_frame f;
	uint8_t got;
	int64_t step;

	put_thaw();
	peer_expect(&agent.control, WIRE_THAWED, &f);
	assert_int_equal(wire_get_thawed(&f, &got, &step), 0);
	assert_int_equal(got, in_time);
	/* The same machine's clock, and time to come here. */
	assert_true(step >= 0 && step < 10000000000);
}

static void ping(uint32_t execs)
{
	uint64_t nonce, uptime;
	struct wire_frame f;
	uint8_t buf[32];
	uint32_t got;

	peer_send(&agent.control, buf, (size_t)wire_put_u64(buf, sizeof(buf), WIRE_PING, 7));
	peer_expect(&agent.control, WIRE_PONG, &f);
	assert_int_equal(wire_get_pong(&f, &nonce, &uptime, &got), 0);
	assert_int_equal(got, execs);
}

static void up(const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct wire_hello_ack ack;
	struct wire_out_open open;

	agent_start(&agent);
	agent_hello(&agent, 1, argv, false, &ack);
	agent_output(&agent, &open);
}

/* ---- output ---- */

/* Eight-digit numbers, so that each byte of the stream is known from its offset. */
#define NUMBERS_SCRIPT "exec seq 10000001 99999999"

static uint8_t number_byte(uint64_t offset)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)(10000001 + offset / 9));
	return (uint8_t)text[offset % 9];
}

/* Takes the next OUT_DATA, which must follow the last one. False: none within ms. */
static bool take(uint64_t *next, bool store, int ms)
{
	const uint8_t *data;
	struct wire_frame f;
	uint64_t offset;
	uint8_t buf[32];
	uint32_t n;
	int r;

	while ((r = peer_next(&agent.output, &f, ms)) == 1 && f.type == WIRE_OUT_CREDIT)
		;
	if (r != 1) {
		assert_int_equal(r, -ETIMEDOUT);
		return false;
	}
	assert_int_equal(f.type, WIRE_OUT_DATA);
	assert_int_equal(wire_get_out_data(&f, &offset, &data, &n), 0);
	assert_true(offset == *next);
	for (uint32_t i = 0; i < n; i++)
		if (data[i] != number_byte(offset + i))
			fail_msg("byte %llu is wrong", (unsigned long long)offset + i);
	*next += n;
	if (store)
		peer_send(&agent.output, buf,
			(size_t)wire_put_u64(buf, sizeof(buf), WIRE_OUT_STORED, *next));
	return true;
}

static void take_bytes(uint64_t *next, uint64_t more)
{
	uint64_t until = *next + more;

	while (*next < until)
		assert_true(take(next, true, CLIENT_MS));
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* A flood stops, all of it is stored, and no byte of it is lost or repeated afterwards. */
static void test_flood_is_drained(void **state)
{
	uint64_t next = 0;

	(void)state;
	up(NUMBERS_SCRIPT);
	take_bytes(&next, 200000);
	for (int round = 0; round < 20; round++) {
		struct wire_quiesced m;

		put_quiesce(LONG_MS);
		while (!readable(agent.control.fd))
			take(&next, true, 20);
		m = expect_quiesced(true);
		/* The host has stored it all before it is told so. */
		assert_true(m.next == next);
		if (round == 0)
			assert_false(take(&next, true, QUIET_MS));
		ping(0);
		thaw(true);
		take_bytes(&next, 200000);
	}
	agent_stop(&agent);
}

static void test_host_does_not_store(void **state)
{
	struct wire_quiesced m;
	uint64_t next = 0;

	(void)state;
	up(NUMBERS_SCRIPT);
	assert_true(take(&next, false, CLIENT_MS));
	put_quiesce(200);
	m = expect_quiesced(false);
	assert_true(m.us >= 200000);
	/* Its limit counts again from the answer; then it goes on by itself. */
	while (take(&next, true, QUIET_MS))
		if (next > m.next)
			break;
	assert_true(next > m.next);
	thaw(false);
	take_bytes(&next, 200000);
	agent_stop(&agent);
}

/* The host stores after the limit: nothing was lost by it. */
static void test_not_drained_and_thawed(void **state)
{
	struct wire_quiesced m;
	uint64_t next = 0;
	uint8_t buf[32];

	(void)state;
	up(NUMBERS_SCRIPT);
	while (take(&next, false, QUIET_MS))
		;
	assert_true(next <= WIRE_RING);
	put_quiesce(LONG_MS);
	ping(0);
	/* THAW while it still drains: both are answered, in their order. */
	put_thaw();
	m = expect_quiesced(false);
	assert_true(m.next == next);
	peer_expect(&agent.control, WIRE_THAWED, &(struct wire_frame){0});
	peer_send(
		&agent.output, buf, (size_t)wire_put_u64(buf, sizeof(buf), WIRE_OUT_STORED, next));
	take_bytes(&next, 200000);
	agent_stop(&agent);
}

static void test_fifo_waits(void **state)
{
	char script[256];
	const uint8_t *data;
	struct wire_frame f;
	uint64_t offset;
	uint32_t n;

	(void)state;
	agent_up(&agent);
	snprintf(script, sizeof(script), "read x; echo 10000001 > %s; echo written", agent.fifo);
	{
		const char *argv[] = {"sh", "-c", script, NULL};
		const struct exec_spec s = {.argv = argv, .in = true};
		struct peer p;

		exec_start(&agent, &p, &s);
		quiesce(LONG_MS);
		peer_put(&p, WIRE_STDIN, "\n", 1);
		assert_int_equal(peer_next(&p, &f, QUIET_MS), -ETIMEDOUT);
		thaw(true);
		exec_wait_text(&p, "written");
		peer_close(&p);
	}
	do
		assert_int_equal(peer_next(&agent.output, &f, CLIENT_MS), 1);
	while (f.type == WIRE_OUT_CREDIT);
	assert_int_equal(wire_get_out_data(&f, &offset, &data, &n), 0);
	assert_int_equal(n, 9);
	assert_memory_equal(data, "10000001\n", 9);
	agent_stop(&agent);
}

/* ---- commands ---- */

static const char *const hello_argv[] = {"echo", "now", NULL};
static const struct exec_spec hello_spec = {.argv = hello_argv};

static void test_request_waits(void **state)
{
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	(void)state;
	agent_up(&agent);
	quiesce(LONG_MS);
	exec_connect(&agent, &p);
	exec_send_req(&p, &hello_spec);
	assert_int_equal(peer_next(&p, &f, QUIET_MS), -ETIMEDOUT);
	thaw(true);
	peer_expect(&p, WIRE_ACK, &f);
	peer_put(&p, WIRE_GO, NULL, 0);
	peer_expect(&p, WIRE_STARTED, &f);
	exec_finish(&p, &r);
	assert_string_equal(r.out, "now\n");
	agent_stop(&agent);
}

static void test_go_waits(void **state)
{
	struct wire_quiesced m;
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	(void)state;
	agent_up(&agent);
	exec_connect(&agent, &p);
	exec_send_req(&p, &hello_spec);
	peer_expect(&p, WIRE_ACK, &f);
	m = quiesce(LONG_MS);
	assert_int_equal(m.execs, 1);
	peer_put(&p, WIRE_GO, NULL, 0);
	assert_int_equal(peer_next(&p, &f, QUIET_MS), -ETIMEDOUT);
	thaw(true);
	peer_expect(&p, WIRE_STARTED, &f);
	exec_finish(&p, &r);
	assert_string_equal(r.out, "now\n");
	agent_stop(&agent);
}

/* Its output waits, its end waits, and none of it is lost. */
static void test_running_command_goes_on(void **state)
{
	const char *argv[] = {"sh", "-c", "echo begin; read x; seq 1 200000 | cksum; exit 5", NULL};
	const struct exec_spec s = {.argv = argv, .in = true};
	struct wire_quiesced m;
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	(void)state;
	agent_up(&agent);
	exec_start(&agent, &p, &s);
	exec_wait_text(&p, "begin");
	m = quiesce(LONG_MS);
	assert_int_equal(m.execs, 1);
	peer_put(&p, WIRE_STDIN, "\n", 1);
	assert_int_equal(peer_next(&p, &f, 2 * QUIET_MS), -ETIMEDOUT);
	thaw(true);
	exec_finish(&p, &r);
	assert_int_equal(r.value, 5);
	assert_string_equal(r.out, "3581800518 1288895\n");
	agent_stop(&agent);
}

/* A flood of a command: what is half-sent is finished, the rest stays with the command. */
static void test_command_flood(void **state)
{
	const char *argv[] = {"sh", "-c", "exec seq 10000001 10300000", NULL};
	const struct exec_spec s = {.argv = argv};
	struct wire_frame f;
	uint64_t next = 0;
	bool asked = false, held = false;
	struct peer p;
	int r;

	(void)state;
	agent_up(&agent);
	exec_start(&agent, &p, &s);
	while ((r = peer_next(&p, &f, asked && !held ? QUIET_MS : CLIENT_MS)) != 1 ||
		f.type == WIRE_STDOUT) {
		if (r == -ETIMEDOUT) {
			expect_quiesced(true);
			held = true;
			thaw(true);
			continue;
		}
		assert_int_equal(r, 1);
		for (uint32_t i = 0; i < f.len; i++)
			if (f.payload[i] != number_byte(next + i))
				fail_msg("byte %llu is wrong", (unsigned long long)next + i);
		next += f.len;
		if (!asked && next > 300000) {
			put_quiesce(LONG_MS);
			asked = true;
		}
	}
	assert_int_equal(f.type, WIRE_EXIT);
	assert_true(held);
	assert_true(next == 300000 * 9);
	peer_close(&p);
	agent_stop(&agent);
}

/* A client that reads nothing holds the standstill up to its limit, not for ever. */
static void test_stuck_client(void **state)
{
	const char *argv[] = {"yes", NULL};
	const struct exec_spec s = {.argv = argv};
	struct wire_frame f;
	struct peer p;

	(void)state;
	agent_up(&agent);
	exec_start(&agent, &p, &s);
	peer_expect(&p, WIRE_STDOUT, &f);
	/* Its connection is full when nothing changes any more; the agent knows that at the latest
	 * when it was asked twice. */
	poll(NULL, 0, QUIET_MS);
	put_quiesce(200);
	expect_quiesced(false);
	thaw(true);
	peer_close(&p);
	exec_expect(&agent, "echo alive", "alive\n");
	agent_stop(&agent);
}

/* ---- other ways out ---- */

static void test_limit_thaws(void **state)
{
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	(void)state;
	agent_up(&agent);
	quiesce(100);
	exec_connect(&agent, &p);
	exec_send_req(&p, &hello_spec);
	/* No word from the host. */
	peer_expect(&p, WIRE_ACK, &f);
	peer_put(&p, WIRE_GO, NULL, 0);
	peer_expect(&p, WIRE_STARTED, &f);
	exec_finish(&p, &r);
	thaw(false);
	agent_stop(&agent);
}

static void test_again_restarts_the_limit(void **state)
{
	struct wire_frame f;
	uint8_t buf[64];
	int n;
	struct peer p;

	(void)state;
	agent_up(&agent);
	quiesce(300);
	quiesce(LONG_MS);
	exec_connect(&agent, &p);
	exec_send_req(&p, &hello_spec);
	assert_int_equal(peer_next(&p, &f, 3 * QUIET_MS), -ETIMEDOUT);
	/* A limit of nothing is one that has passed. */
	quiesce(0);
	peer_expect(&p, WIRE_ACK, &f);
	peer_close(&p);
	thaw(false);
	/* Two in a row are two answers, the first of them that it was not drained. */
	n = wire_put_u32(buf, sizeof(buf), WIRE_QUIESCE, LONG_MS);
	n += wire_put_u32(buf + n, sizeof(buf) - (size_t)n, WIRE_QUIESCE, LONG_MS);
	peer_send(&agent.control, buf, (size_t)n);
	expect_quiesced(false);
	expect_quiesced(true);
	thaw(true);
	agent_stop(&agent);
}

static void test_lost_control_thaws(void **state)
{
	struct wire_hello_ack ack;
	uint64_t next = 0;

	(void)state;
	up(NUMBERS_SCRIPT);
	take_bytes(&next, 100000);
	put_quiesce(LONG_MS);
	while (!readable(agent.control.fd))
		take(&next, true, 20);
	expect_quiesced(true);
	peer_close(&agent.control);
	/* The output goes on although nobody answers the control connection. */
	take_bytes(&next, 200000);
	agent_hello(&agent, 1, NULL, false, &ack);
	assert_int_equal(ack.verdict, WIRE_RESUMED);
	agent_stop(&agent);
}

static void test_poweroff_thaws(void **state)
{
	struct wire_frame f;
	uint8_t buf[32];

	(void)state;
	agent_up(&agent);
	quiesce(LONG_MS);
	peer_send(&agent.control, buf, (size_t)wire_put_poweroff(buf, sizeof(buf), 0, 5000));
	peer_expect(&agent.control, WIRE_BYE, &f);
	peer_close(&agent.output);
	assert_true(pid_gone(agent.pid, CLIENT_MS));
	agent_stop(&agent);
}

/* The main process ends meanwhile: the host hears of it, and of its last words, afterwards. */
static void test_main_ends_meanwhile(void **state)
{
	const uint8_t *data;
	struct wire_frame f;
	uint64_t offset;
	uint32_t n;
	uint8_t buf[32];

	(void)state;
	up("read x; echo last words; exit 6");
	peer_expect(&agent.output, WIRE_OUT_CREDIT, &f);
	quiesce(LONG_MS);
	peer_put(&agent.output, WIRE_OUT_INPUT, "\n", 1);
	assert_int_equal(peer_next(&agent.output, &f, 2 * QUIET_MS), -ETIMEDOUT);
	assert_false(readable(agent.control.fd));
	thaw(true);
	peer_expect(&agent.output, WIRE_OUT_DATA, &f);
	assert_int_equal(wire_get_out_data(&f, &offset, &data, &n), 0);
	assert_memory_equal(data, "last words\n", 11);
	peer_send(&agent.output, buf, (size_t)wire_put_u64(buf, sizeof(buf), WIRE_OUT_STORED, 11));
	peer_expect(&agent.output, WIRE_OUT_MAIN_EXIT, &f);
	peer_expect(&agent.control, WIRE_BYE, &f);
	agent_stop(&agent);
}

static void test_vitals_are_held_back(void **state)
{
	struct wire_frame f;
	uint8_t buf[32];

	(void)state;
	agent_up(&agent);
	peer_send(
		&agent.control, buf, (size_t)wire_put_u32(buf, sizeof(buf), WIRE_VITALS_EVERY, 50));
	peer_expect(&agent.control, WIRE_VITALS, &f);
	put_quiesce(LONG_MS);
	do
		assert_int_equal(peer_next(&agent.control, &f, CLIENT_MS), 1);
	while (f.type == WIRE_VITALS);
	assert_int_equal(f.type, WIRE_QUIESCED);
	assert_int_equal(peer_next(&agent.control, &f, QUIET_MS), -ETIMEDOUT);
	ping(0);
	thaw(true);
	peer_expect(&agent.control, WIRE_VITALS, &f);
	agent_stop(&agent);
}

static void hostile(uint8_t type, const void *payload, size_t n)
{
	struct wire_hello_ack ack;

	peer_put(&agent.control, type, payload, n);
	peer_expect_end(&agent.control);
	agent_hello(&agent, 1, NULL, false, &ack);
}

static void test_hostile_frames(void **state)
{
	(void)state;
	agent_up(&agent);
	hostile(WIRE_QUIESCE, "", 0);
	hostile(WIRE_QUIESCE, "12345", 5);
	hostile(WIRE_THAW, "1234567", 7);
	quiesce(LONG_MS);
	hostile(WIRE_THAW, "123456789", 9);
	quiesce(LONG_MS);
	hostile(WIRE_QUIESCED, "", 0);
	/* THAW of what is not quiesced is an answer, not an error. */
	thaw(false);
	exec_expect(&agent, "echo alive", "alive\n");
	agent_stop(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_is_drained),
		cmocka_unit_test(test_host_does_not_store),
		cmocka_unit_test(test_not_drained_and_thawed),
		cmocka_unit_test(test_fifo_waits),
		cmocka_unit_test(test_request_waits),
		cmocka_unit_test(test_go_waits),
		cmocka_unit_test(test_running_command_goes_on),
		cmocka_unit_test(test_command_flood),
		cmocka_unit_test(test_stuck_client),
		cmocka_unit_test(test_limit_thaws),
		cmocka_unit_test(test_again_restarts_the_limit),
		cmocka_unit_test(test_lost_control_thaws),
		cmocka_unit_test(test_poweroff_thaws),
		cmocka_unit_test(test_main_ends_meanwhile),
		cmocka_unit_test(test_vitals_are_held_back),
		cmocka_unit_test(test_hostile_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
