/* The agent's control connection, as a real process: HELLO, health, vitals, restore, power off. */
// OBJS: tests/support/agent_client.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/agent_client.h"

static struct agent_proc agent;

static const char *const sleeper[] = {"sleep", "100000", NULL};

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

static void ping(uint64_t nonce)
{
	uint8_t buf[32];

	peer_send(&agent.control, buf, (size_t)wire_put_u64(buf, sizeof(buf), WIRE_PING, nonce));
}

static uint32_t expect_pong(uint64_t nonce)
{
	uint64_t got, uptime;
	struct wire_frame f;
	uint32_t execs;

	do
		assert_int_equal(peer_next(&agent.control, &f, CLIENT_MS), 1);
	while (f.type == WIRE_VITALS);
	assert_int_equal(f.type, WIRE_PONG);
	assert_int_equal(wire_get_pong(&f, &got, &uptime, &execs), 0);
	assert_true(got == nonce);
	assert_true(uptime > 0);
	return execs;
}

/* ---- HELLO ---- */

static void test_verdicts(void **state)
{
	struct wire_hello_ack ack;
	struct wire_out_open first, again;

	(void)state;
	agent_start(&agent);
	agent_hello(&agent, 1, sleeper, false, &ack);
	assert_int_equal(ack.verdict, WIRE_BOOTED);
	assert_true(ack.clock_step_ns > -1000000000 && ack.clock_step_ns < 1000000000);
	agent_output(&agent, &first);
	assert_int_equal(first.main_state, 1);
	/* The daemon was started again. */
	peer_close(&agent.control);
	agent_hello(&agent, 1, NULL, false, &ack);
	assert_int_equal(ack.verdict, WIRE_RESUMED);
	agent_output(&agent, &again);
	assert_memory_equal(first.stream, again.stream, WIRE_ID);
	/* A clone. */
	peer_close(&agent.control);
	agent_hello(&agent, 2, NULL, false, &ack);
	assert_int_equal(ack.verdict, WIRE_RESTORED);
	agent_output(&agent, &again);
	assert_int_equal(again.generation[0], 2);
	/* The main process was neither ended nor started again. */
	assert_int_equal(again.main_state, 1);
	exec_expect(&agent, "ps -o args= --ppid $PPID | grep -c '^sleep 100000'", "1\n");
	agent_stop(&agent);
}

/* The same connection may carry a second HELLO. */
static void test_hello_is_idempotent(void **state)
{
	static struct wire_hello h;
	struct wire_hello_ack ack;
	struct wire_frame f;
	uint8_t buf[512];
	int n;

	(void)state;
	agent_up(&agent);
	h.version = WIRE_VERSION;
	memset(h.generation, 1, WIRE_ID);
	n = wire_put_hello(buf, sizeof(buf), &h);
	peer_send(&agent.control, buf, (size_t)n);
	peer_expect(&agent.control, WIRE_HELLO_ACK, &f);
	assert_int_equal(wire_get_hello_ack(&f, &ack), 0);
	assert_int_equal(ack.verdict, WIRE_RESUMED);
	agent_stop(&agent);
}

static void test_restore_drops_commands(void **state)
{
	const char *argv[] = {"sleep", "1000", NULL};
	const struct exec_spec s = {.argv = argv};
	struct wire_hello_ack ack;
	struct peer p;
	pid_t pid;

	(void)state;
	agent_up(&agent);
	pid = exec_start(&agent, &p, &s);
	/* A daemon that comes back finds the command running... */
	peer_close(&agent.control);
	agent_hello(&agent, 1, NULL, false, &ack);
	assert_int_equal(kill(pid, 0), 0);
	/* ...a clone does not own it. */
	peer_close(&agent.control);
	agent_hello(&agent, 9, NULL, false, &ack);
	peer_expect_end(&p);
	assert_true(pid_gone(pid, CLIENT_MS));
	exec_expect(&agent, "echo served", "served\n");
	agent_stop(&agent);
}

/* REQ waits, unanswered, until HELLO_ACK was sent on the present control connection. */
static void test_commands_wait_for_hello(void **state)
{
	const char *argv[] = {"echo", "now", NULL};
	const struct exec_spec s = {.argv = argv};
	struct wire_hello_ack ack;
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	(void)state;
	agent_start(&agent);
	for (uint8_t round = 1; round <= 2; round++) {
		/* Its listener is there before it dials us. */
		assert_int_equal(poll(&(struct pollfd){.fd = agent.control_fd, .events = POLLIN}, 1,
					 CLIENT_MS),
			1);
		exec_connect(&agent, &p);
		exec_send_req(&p, &s);
		assert_int_equal(peer_next(&p, &f, 300), -ETIMEDOUT);
		agent_hello(&agent, round, sleeper, false, &ack);
		peer_expect(&p, WIRE_ACK, &f);
		peer_put(&p, WIRE_GO, NULL, 0);
		peer_expect(&p, WIRE_STARTED, &f);
		exec_finish(&p, &r);
		assert_string_equal(r.out, "now\n");
		peer_close(&agent.control);
	}
	agent_stop(&agent);
}

static void test_other_version_is_refused(void **state)
{
	static struct wire_hello h;
	struct wire_hello_ack ack;
	struct wire_frame f;
	uint8_t buf[512];
	int n;

	(void)state;
	agent_start(&agent);
	agent_hello(&agent, 1, sleeper, false, &ack);
	h.version = WIRE_VERSION + 1;
	n = wire_put_hello(buf, sizeof(buf), &h);
	peer_send(&agent.control, buf, (size_t)n);
	do
		n = peer_next(&agent.control, &f, CLIENT_MS);
	while (n == 1);
	assert_int_equal(n, 0);
	/* It dials again and works with one that speaks its version. */
	agent_hello(&agent, 1, NULL, false, &ack);
	agent_stop(&agent);
}

static void bad_control(uint8_t type, const void *payload, size_t n)
{
	struct wire_hello_ack ack;

	peer_put(&agent.control, type, payload, n);
	peer_expect_end(&agent.control);
	agent_hello(&agent, 1, NULL, false, &ack);
	assert_int_equal(ack.verdict, WIRE_RESUMED);
}

static void test_garbage_on_control(void **state)
{
	uint8_t noise[300];

	(void)state;
	agent_up(&agent);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 11 + 5);
	bad_control(WIRE_HELLO, noise, sizeof(noise));
	bad_control(WIRE_HELLO, "", 0);
	bad_control(WIRE_PING, noise, 7);
	bad_control(WIRE_POWEROFF, "\x05\0\0\0\0", 5);
	bad_control(WIRE_VITALS_EVERY, noise, 5);
	bad_control(WIRE_READY, noise, 50);
	bad_control(0x77, noise, 3);
	exec_expect(&agent, "echo alive", "alive\n");
	agent_stop(&agent);
}

/* A host that refuses (no daemon) is dialled until it is there. */
static void test_redial(void **state)
{
	struct wire_hello_ack ack;
	struct wire_out_open open;
	char path[128];

	(void)state;
	agent_up(&agent);
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s_4990", agent.path);
		close(agent.control_fd);
		unlink(path);
		peer_close(&agent.control);
		peer_close(&agent.output);
		/* Some dials fail meanwhile. */
		poll(NULL, 0, 50 * i);
		agent.control_fd = listen_at(path, "");
		agent_hello(&agent, 1, NULL, false, &ack);
		assert_int_equal(ack.verdict, WIRE_RESUMED);
		agent_output(&agent, &open);
	}
	agent_stop(&agent);
}

/* ---- health ---- */

static void test_ping(void **state)
{
	const char *argv[] = {"cat", NULL};
	const struct exec_spec s = {.argv = argv, .in = true};
	struct exec_result r;
	struct peer p;

	(void)state;
	agent_up(&agent);
	ping(42);
	assert_int_equal(expect_pong(42), 0);
	exec_start(&agent, &p, &s);
	ping(UINT64_MAX);
	assert_int_equal(expect_pong(UINT64_MAX), 1);
	peer_put(&p, WIRE_STDIN_EOF, NULL, 0);
	exec_finish(&p, &r);
	/* Many at once are answered in order. */
	for (uint64_t i = 0; i < 2000; i++)
		ping(i);
	for (uint64_t i = 0; i < 2000; i++)
		assert_int_equal(expect_pong(i), 0);
	agent_stop(&agent);
}

/* Reads the flood and stores it while pings and commands are answered. */
static void test_flood_delays_nobody(void **state)
{
	static const char *const yes[] = {"yes", "0123456789", NULL};
	struct wire_hello_ack ack;
	struct wire_out_open open;
	struct wire_frame f;
	const uint8_t *data;
	uint64_t offset;
	uint8_t buf[32];
	uint32_t n;

	(void)state;
	agent_start(&agent);
	agent_hello(&agent, 1, yes, false, &ack);
	agent_output(&agent, &open);
	for (uint64_t i = 0; i < 300; i++) {
		ping(i);
		for (int k = 0; k < 20; k++) {
			assert_int_equal(peer_next(&agent.output, &f, CLIENT_MS), 1);
			if (f.type == WIRE_OUT_CREDIT)
				continue;
			assert_int_equal(wire_get_out_data(&f, &offset, &data, &n), 0);
			peer_send(&agent.output, buf,
				(size_t)wire_put_u64(
					buf, sizeof(buf), WIRE_OUT_STORED, offset + n));
		}
		expect_pong(i);
		if (i % 30 == 0)
			exec_expect(&agent, "echo quick", "quick\n");
	}
	agent_stop(&agent);
}

static void test_vitals(void **state)
{
	struct wire_vitals v;
	struct wire_frame f;
	uint8_t buf[32];

	(void)state;
	agent_up(&agent);
	peer_send(
		&agent.control, buf, (size_t)wire_put_u32(buf, sizeof(buf), WIRE_VITALS_EVERY, 50));
	for (int i = 0; i < 3; i++) {
		peer_expect(&agent.control, WIRE_VITALS, &f);
		assert_int_equal(wire_get_vitals(&f, &v), 0);
	}
	assert_int_equal(v.why.len, 0);
	assert_true(v.mem_total > 1024 * 1024 && v.mem_available <= v.mem_total);
	assert_true(v.runnable >= 1 && v.runnable < 100000);
	assert_true(v.procs >= 3 && v.procs < v.pids_max);
	assert_true(v.cpu_ns > 0 && v.cpu_idle_ns > 0 && v.cpu_ns != WIRE_VITAL_UNKNOWN);
	assert_true(v.load_milli != WIRE_VITAL_UNKNOWN && v.oom_kills != WIRE_VITAL_UNKNOWN);
	assert_true(v.run_free != WIRE_VITAL_UNKNOWN && v.ptys != WIRE_VITAL_UNKNOWN);
	assert_int_equal(v.execs, 0);
	assert_int_equal(v.out_ring_used, 0);
	/* Off: a PONG comes, and then nothing. */
	peer_send(
		&agent.control, buf, (size_t)wire_put_u32(buf, sizeof(buf), WIRE_VITALS_EVERY, 0));
	ping(1);
	expect_pong(1);
	assert_int_equal(peer_next(&agent.control, &f, 200), -ETIMEDOUT);
	agent_stop(&agent);
}

/* ---- power ---- */

static void poweroff_with(uint32_t grace_ms)
{
	uint8_t buf[32];

	peer_send(&agent.control, buf, (size_t)wire_put_poweroff(buf, sizeof(buf), 0, grace_ms));
}

static void test_poweroff(void **state)
{
	const char *polite[] = {
		"sh", "-c", "trap 'exit 0' TERM; echo r; while :; do sleep 0.05; done", NULL};
	const char *deaf[] = {
		"sh", "-c", "trap '' TERM; echo r; while :; do sleep 0.05; done", NULL};
	const char *late[] = {"true", NULL};
	struct exec_result r;
	struct peer p, q, l;
	struct wire_frame f;
	char why[256];

	(void)state;
	agent_up(&agent);
	exec_start(&agent, &p, &(struct exec_spec){.argv = polite});
	exec_start(&agent, &q, &(struct exec_spec){.argv = deaf});
	exec_wait_text(&p, "r\n");
	exec_wait_text(&q, "r\n");
	poweroff_with(700);
	expect_bye(0, 0);
	/* The grace is still running: the polite one ends by itself, new ones are refused. */
	exec_connect(&agent, &l);
	exec_send_req(&l, &(struct exec_spec){.argv = late});
	exec_expect_refused(&l, 125, why, sizeof(why));
	exec_finish(&p, &r);
	assert_int_equal(r.how, WIRE_EXITED);
	exec_finish(&q, &r);
	assert_int_equal(r.how, WIRE_SIGNALED);
	assert_int_equal(r.value, SIGKILL);
	/* The main process' end is told, too. */
	do
		assert_int_equal(peer_next(&agent.output, &f, CLIENT_MS), 1);
	while (f.type != WIRE_OUT_MAIN_EXIT);
	assert_true(pid_gone(agent.pid, CLIENT_MS));
	agent_stop(&agent);
}

static void test_poweroff_of_a_shell(void **state)
{
	struct wire_hello_ack ack;
	struct wire_out_open open;

	(void)state;
	agent_start(&agent);
	agent_hello(&agent, 1, NULL, false, &ack);
	agent_output(&agent, &open);
	/* An interactive shell ignores SIGTERM; it must not use up the grace. */
	poweroff_with(1000000);
	expect_bye(0, 0);
	peer_close(&agent.output);
	assert_true(pid_gone(agent.pid, CLIENT_MS));
	agent_stop(&agent);
}

static void test_signal_ends_the_guest(void **state)
{
	(void)state;
	agent_up(&agent);
	kill(agent.pid, SIGTERM);
	expect_bye(2, 0);
	assert_true(pid_gone(agent.pid, CLIENT_MS));
	agent_stop(&agent);
}

/* ---- command line ---- */

static int run(const char *const *args, char *out, size_t n)
{
	char self[PATH_MAX], program[PATH_MAX + 32];
	const char *argv[8] = {program};
	size_t len = 0;
	ssize_t k = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int p[2], status;
	pid_t pid;

	assert_true(k > 0);
	self[k] = 0;
	snprintf(program, sizeof(program), "%s/../vmdeck-agent-host", dirname(self));
	for (int i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(p[1], 1);
		dup2(p[1], 2);
		execv(program, (char *const *)argv);
		_exit(99);
	}
	close(p[1]);
	while ((k = read(p[0], out + len, n - 1 - len)) > 0)
		len += (size_t)k;
	out[len] = 0;
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_command_line(void **state)
{
	char out[4096];

	(void)state;
	assert_int_equal(run((const char *[]){"--version", NULL}, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "vmdeck-agent "));
	assert_int_equal(run((const char *[]){"--help", NULL}, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "--output-fifo"));
	assert_int_equal(run((const char *[]){NULL}, out, sizeof(out)), 2);
	assert_non_null(strstr(out, "--unix"));
	assert_int_equal(run((const char *[]){"--unix", NULL}, out, sizeof(out)), 2);
	assert_int_equal(run((const char *[]){"--wrong", NULL}, out, sizeof(out)), 2);
	assert_non_null(strstr(out, "'--wrong'"));
	assert_int_equal(
		run((const char *[]){"--unix", "/no/such/dir/v.sock", NULL}, out, sizeof(out)), 1);
	assert_non_null(strstr(out, "/no/such/dir/v.sock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_hello_is_idempotent),
		cmocka_unit_test(test_restore_drops_commands),
		cmocka_unit_test(test_commands_wait_for_hello),
		cmocka_unit_test(test_other_version_is_refused),
		cmocka_unit_test(test_garbage_on_control),
		cmocka_unit_test(test_redial),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_flood_delays_nobody),
		cmocka_unit_test(test_vitals),
		cmocka_unit_test(test_poweroff),
		cmocka_unit_test(test_poweroff_of_a_shell),
		cmocka_unit_test(test_signal_ends_the_guest),
		cmocka_unit_test(test_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
