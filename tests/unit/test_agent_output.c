/* The agent's numbered output stream and its main process, as a real process. */
// OBJS: tests/support/agent_client.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/agent_client.h"

static struct agent_proc agent;

/* Starts an agent whose main process is `sh -c script` on pipes. */
static void up(const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct wire_hello_ack ack;
	struct wire_out_open open;

	agent_start(&agent);
	agent_hello(&agent, 1, argv, false, &ack);
	agent_output(&agent, &open);
	assert_int_equal(open.first, 0);
}

static void stored(uint64_t offset)
{
	uint8_t buf[32];

	agent.stored = offset;
	peer_send(&agent.output, buf,
		(size_t)wire_put_u64(buf, sizeof(buf), WIRE_OUT_STORED, offset));
}

/* The next OUT_DATA: its bytes in the reader's buffer; other frames (credit) are passed over.
 * False: none within ms. */
static bool next_data(uint64_t *offset, const uint8_t **data, uint32_t *n, int ms)
{
	struct wire_frame f;
	int r;

	while ((r = peer_next(&agent.output, &f, ms)) == 1 && f.type == WIRE_OUT_CREDIT)
		;
	if (r == -ETIMEDOUT)
		return false;
	assert_int_equal(r, 1);
	assert_int_equal(f.type, WIRE_OUT_DATA);
	assert_int_equal(wire_get_out_data(&f, offset, data, n), 0);
	assert_true(*n <= WIRE_CHUNK);
	return true;
}

/* Reads the stream until the text came; stores everything. */
static void wait_text(const char *text)
{
	char seen[16384] = "";
	size_t len = 0;

	while (!strstr(seen, text)) {
		const uint8_t *data;
		uint64_t offset;
		uint32_t n;

		if (!next_data(&offset, &data, &n, CLIENT_MS))
			fail_msg("'%s' did not come; came: %s", text, seen);
		assert_true(len + n < sizeof(seen));
		memcpy(seen + len, data, n);
		len += n;
		seen[len] = 0;
		stored(offset + n);
	}
}

static void expect_exit(uint8_t how, int32_t value)
{
	struct wire_frame f;
	uint8_t got_how;
	int32_t got;

	do
		assert_int_equal(peer_next(&agent.output, &f, CLIENT_MS), 1);
	while (f.type == WIRE_OUT_CREDIT);
	assert_int_equal(f.type, WIRE_OUT_MAIN_EXIT);
	assert_int_equal(wire_get_exit(&f, &got_how, &got), 0);
	assert_int_equal(got_how, how);
	assert_int_equal(got, value);
}

static void expect_bye(uint8_t reason, int32_t status)
{
	struct wire_frame f;
	uint8_t got;
	int32_t value;

	peer_expect(&agent.control, WIRE_BYE, &f);
	assert_int_equal(wire_get_exit(&f, &got, &value), 0);
	assert_int_equal(got, reason);
	assert_int_equal(value, status);
}

/* ---- stream ---- */

static void test_both_streams_in_order(void **state)
{
	(void)state;
	up("echo one; echo two >&2; echo three; exec sleep 1000");
	wait_text("one\ntwo\nthree\n");
	agent_stop(&agent);
}

/* Eight-digit numbers, so that each byte of the stream is known from its offset. */
#define NUMBERS      400000
#define COUNT_SCRIPT "exec seq 10000001 10400000"

static uint8_t number_byte(uint64_t offset)
{
	uint64_t number = 10000001 + offset / 9;
	char text[24];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
	return (uint8_t)text[offset % 9];
}

/* Takes frames until the stream's `until`; checks every byte; stores at each frame or never. */
static void take_numbers(uint64_t *next, uint64_t until, bool store)
{
	while (*next < until) {
		const uint8_t *data;
		uint64_t offset;
		uint32_t n;

		assert_true(next_data(&offset, &data, &n, CLIENT_MS));
		assert_true(offset == *next);
		for (uint32_t i = 0; i < n; i++)
			if (data[i] != number_byte(offset + i))
				fail_msg("byte %llu is wrong", (unsigned long long)offset + i);
		*next += n;
		if (store)
			stored(*next);
	}
}

/* Connections that break at any place lose and repeat nothing that was stored. */
static void test_resend_after_reconnect(void **state)
{
	const uint64_t all = NUMBERS * 9ull;
	uint64_t next = 0;
	int breaks = 0;

	(void)state;
	up(COUNT_SCRIPT);
	while (next < all) {
		uint64_t until = next + 150000 < all ? next + 150000 : all;
		struct wire_out_open open;

		take_numbers(&next, until, true);
		if (next >= all)
			break;
		/* Some bytes arrive, but are not stored before the connection breaks. */
		take_numbers(&next, next + 1, false);
		next = agent.stored;
		peer_close(&agent.output);
		agent_output(&agent, &open);
		assert_true(open.first <= next && next <= open.next);
		breaks++;
	}
	assert_true(breaks > 15);
	expect_exit(WIRE_EXITED, 0);
	agent_stop(&agent);
}

static void test_full_ring_blocks_writers(void **state)
{
	const uint64_t all = NUMBERS * 9ull;
	const uint8_t *data;
	uint64_t offset, next = 0;
	uint32_t n;

	(void)state;
	up(COUNT_SCRIPT);
	/* Nothing is stored: the agent gives what its ring holds and then stops. */
	take_numbers(&next, WIRE_RING - 8192, false);
	while (next_data(&offset, &data, &n, 300))
		next += n;
	assert_true(next <= WIRE_RING);
	/* Commands still work. */
	exec_expect(&agent, "echo alive", "alive\n");
	/* A little room lets a little through. */
	stored(100000);
	take_numbers(&next, WIRE_RING + 50000, false);
	while (next_data(&offset, &data, &n, 300))
		next += n;
	assert_true(next <= WIRE_RING + 100000);
	stored(next);
	take_numbers(&next, all, true);
	expect_exit(WIRE_EXITED, 0);
	agent_stop(&agent);
}

static void test_fifo(void **state)
{
	char script[256];
	struct wire_out_open open;

	(void)state;
	up("exec sleep 1000");
	snprintf(script, sizeof(script), "echo from a command > %s", agent.fifo);
	exec_expect(&agent, script, "");
	wait_text("from a command\n");
	/* Also while the host is away. */
	peer_close(&agent.output);
	snprintf(script, sizeof(script), "echo meanwhile > %s", agent.fifo);
	exec_expect(&agent, script, "");
	agent_output(&agent, &open);
	wait_text("meanwhile\n");
	agent_stop(&agent);
}

static void hostile(uint8_t type, uint64_t value, size_t n)
{
	struct wire_out_open open;

	peer_put(&agent.output, type, &value, n);
	peer_expect_end(&agent.output);
	agent_output(&agent, &open);
	assert_true(open.next >= open.first);
}

static void test_hostile_output_frames(void **state)
{
	static uint8_t big[20000];
	struct wire_out_open open;

	(void)state;
	up("echo hello; exec sleep 1000");
	wait_text("hello\n");
	hostile(WIRE_OUT_STORED, 1000, 8);
	hostile(WIRE_OUT_STORED, UINT64_MAX, 8);
	hostile(WIRE_OUT_STORED, 0, 7);
	hostile(WIRE_OUT_RESUME, 6, 8); /* a second one */
	hostile(WIRE_OUT_RESIZE, 0, 1);
	hostile(WIRE_PING, 0, 8);
	hostile(WIRE_REQ, 0, 8);
	peer_put(&agent.output, WIRE_OUT_INPUT, big, sizeof(big)); /* over the credit */
	peer_expect_end(&agent.output);
	agent_output(&agent, &open);
	/* A host that claims more than was written. */
	agent.stored = 999;
	peer_close(&agent.output);
	agent_output(&agent, &open);
	peer_expect_end(&agent.output);
	agent.stored = 6;
	agent_output(&agent, &open);
	assert_int_equal(open.next, 6);
	agent_stop(&agent);
}

/* ---- main process ---- */

static void main_ends(const char *script, uint8_t how, int32_t value, int32_t status)
{
	up(script);
	wait_text("last words\n");
	expect_exit(how, value);
	expect_bye(1, status);
	assert_true(pid_gone(agent.pid, CLIENT_MS));
	agent_stop(&agent);
}

static void test_main_ends(void **state)
{
	(void)state;
	main_ends("echo last words; exit 4", WIRE_EXITED, 4, 4);
	main_ends("echo last words; kill -9 $$", WIRE_SIGNALED, 9, 137);
	/* What it leaves behind holds the pipe and does not hold up the end. */
	main_ends("sleep 1000 & echo last words; exit 0", WIRE_EXITED, 0, 0);
}

static void test_main_cannot_start(void **state)
{
	static const char *const argv[] = {"no-such-program", NULL};
	struct wire_hello_ack ack;
	struct wire_out_open open;

	(void)state;
	agent_start(&agent);
	agent_hello(&agent, 1, argv, false, &ack);
	agent_output(&agent, &open);
	wait_text("no-such-program");
	expect_exit(WIRE_NOT_STARTED, 127);
	expect_bye(1, 127);
	agent_stop(&agent);
}

/* The end waits for a host that comes back in time to store the rest. */
static void test_main_ends_while_host_is_away(void **state)
{
	struct wire_out_open open;

	(void)state;
	up("read x; echo last words; exit 6");
	peer_put(&agent.output, WIRE_OUT_INPUT, "go\n", 3);
	peer_expect(&agent.output, WIRE_OUT_CREDIT, &(struct wire_frame){0});
	peer_close(&agent.output);
	agent_output(&agent, &open);
	wait_text("last words\n");
	expect_exit(WIRE_EXITED, 6);
	expect_bye(1, 6);
	agent_stop(&agent);
}

static void test_main_ends_and_host_stores_nothing(void **state)
{
	const uint8_t *data;
	uint64_t offset;
	uint32_t n;

	(void)state;
	up("echo last words; exit 6");
	assert_true(next_data(&offset, &data, &n, CLIENT_MS));
	expect_exit(WIRE_EXITED, 6);
	/* Bounded: the guest ends although nothing is acknowledged. */
	expect_bye(1, 6);
	assert_true(pid_gone(agent.pid, CLIENT_MS));
	agent_stop(&agent);
}

static void test_input_within_credit(void **state)
{
	static uint8_t data[200000];
	uint32_t credit = 0, more;
	size_t sent = 0, got = 0;
	struct wire_frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13 + i / 251);
	up("exec cat");
	while (got < sizeof(data)) {
		size_t k = sizeof(data) - sent < credit ? sizeof(data) - sent : credit;

		if (k) {
			peer_put(&agent.output, WIRE_OUT_INPUT, data + sent, k);
			sent += k;
			credit -= (uint32_t)k;
		}
		assert_int_equal(peer_next(&agent.output, &f, CLIENT_MS), 1);
		if (f.type == WIRE_OUT_CREDIT) {
			assert_int_equal(wire_get_u32(&f, &more), 0);
			credit += more;
		} else {
			const uint8_t *p;
			uint64_t offset;
			uint32_t n;

			assert_int_equal(wire_get_out_data(&f, &offset, &p, &n), 0);
			assert_true(offset == got && got + n <= sizeof(data));
			assert_memory_equal(p, data + got, n);
			got += n;
			stored(got);
		}
	}
	agent_stop(&agent);
}

static void type(const char *text)
{
	peer_put(&agent.output, WIRE_OUT_INPUT, text, strlen(text));
}

static void shell_up(void)
{
	struct wire_hello_ack ack;
	struct wire_out_open open;

	agent_start(&agent);
	agent_hello(&agent, 1, NULL, false, &ack);
	agent_output(&agent, &open);
}

static void test_default_shell(void **state)
{
	uint8_t buf[32];

	(void)state;
	shell_up();
	type("echo a$((1+1))b $0 $FROM_HELLO; stty size; test -t 1 && echo terminal\n");
	wait_text("terminal\r\n");
	peer_send(&agent.output, buf,
		(size_t)wire_put_size(buf, sizeof(buf), WIRE_OUT_RESIZE, 50, 132));
	type("stty size\n");
	wait_text("50 132\r\n");
	/* Ctrl-C reaches the command in the foreground. */
	type("(echo c$((1+2))d; sleep 1000; echo not)\n");
	wait_text("c3d");
	type("\x03");
	type("echo e$((2+2))f\n");
	wait_text("e4f\r\n");
	agent_stop(&agent);
}

static void test_shell_is_started_again(void **state)
{
	struct wire_frame f;

	(void)state;
	shell_up();
	type("echo first $$; exit\n");
	wait_text("first ");
	/* The new shell's input may be typed before it is there: wait for its own size answer. */
	for (int tries = 0; tries < 3; tries++) {
		type("stty size\n");
		if (peer_next(&agent.output, &f, 3000) == 1 && f.type == WIRE_OUT_DATA)
			break;
	}
	type("echo second\n");
	wait_text("second\r\n");
	exec_expect(&agent, "echo alive", "alive\n");
	agent_stop(&agent);
}

static void test_tty_main_ends(void **state)
{
	static const char *const argv[] = {"sh", "-c", "stty size; echo last words; exit 3", NULL};
	struct wire_hello_ack ack;
	struct wire_out_open open;

	(void)state;
	agent_start(&agent);
	agent_hello(&agent, 1, argv, true, &ack);
	agent_output(&agent, &open);
	wait_text("30 90\r\nlast words\r\n");
	expect_exit(WIRE_EXITED, 3);
	expect_bye(1, 3);
	agent_stop(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_streams_in_order),
		cmocka_unit_test(test_resend_after_reconnect),
		cmocka_unit_test(test_full_ring_blocks_writers),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_hostile_output_frames),
		cmocka_unit_test(test_main_ends),
		cmocka_unit_test(test_main_cannot_start),
		cmocka_unit_test(test_main_ends_while_host_is_away),
		cmocka_unit_test(test_main_ends_and_host_stores_nothing),
		cmocka_unit_test(test_input_within_credit),
		cmocka_unit_test(test_default_shell),
		cmocka_unit_test(test_shell_is_started_again),
		cmocka_unit_test(test_tty_main_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
