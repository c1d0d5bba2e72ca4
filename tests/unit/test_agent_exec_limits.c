/* Commands of the agent when things go wrong: lost connections, limits, slow readers, garbage. */
// OBJS: tests/support/agent_client.c tests/support/exec_sh.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/exec_sh.h"

static size_t open_fds(pid_t pid)
{
	char path[64];
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* ---- lost connections ---- */

/* `script` prints the pid of a child in its group; both must be gone after the connection is. */
static void lose(const struct agent_proc *a, const char *script, bool tty)
{
	struct wire_frame f;
	struct peer p;
	pid_t pid, child;
	char text[64];

	pid = exec_sh_start(a, &p, script, tty);
	peer_expect(&p, WIRE_STDOUT, &f);
	snprintf(text, sizeof(text), "%.*s", (int)f.len, (const char *)f.payload);
	child = (pid_t)strtol(text, NULL, 10);
	assert_true(child > 1);
	peer_close(&p);
	assert_true(pid_gone(pid, CLIENT_MS));
	assert_true(pid_gone(child, CLIENT_MS));
}

static void test_lost_connection(void **state)
{
	const struct agent_proc *a = *state;

	lose(a, "sleep 1000 & echo $!; wait", false);
	lose(a, "sleep 1000 & echo $!; wait", true);
	/* Deaf to SIGHUP. */
	lose(a, "trap '' HUP; sleep 1000 & echo $!; wait; wait", false);
	lose(a, "trap '' HUP; sleep 1000 & echo $!; wait; wait", true);
	/* Stopped. */
	lose(a, "sleep 1000 & kill -STOP $!; echo $!; kill -STOP $$", false);
	/* The command has ended; its child holds the output. */
	lose(a, "sleep 1000 & echo $!; exit 0", false);
}

static void test_lost_before_go(void **state)
{
	const struct agent_proc *a = *state;
	const char *argv[] = {"sh", "-c", "touch ran", NULL};
	const struct exec_spec s = {.argv = argv, .cwd = a->dir};
	struct wire_frame f;
	char path[128];
	struct peer p;

	exec_connect(a, &p);
	exec_send_req(&p, &s);
	peer_expect(&p, WIRE_ACK, &f);
	peer_close(&p);
	exec_expect(a, "echo alive", "alive\n");
	snprintf(path, sizeof(path), "%s/ran", a->dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_at_most_once(void **state)
{
	const struct agent_proc *a = *state;
	uint8_t id[WIRE_ID] = "0123456789abcde";
	const char *argv[] = {"echo", "once", NULL};
	const struct exec_spec s = {.argv = argv, .id = id};
	struct exec_result r;
	struct wire_frame f;
	struct peer p, q;

	/* Before GO nothing ran: the same request may come again, the newest counts. */
	exec_connect(a, &p);
	exec_send_req(&p, &s);
	peer_expect(&p, WIRE_ACK, &f);
	exec_connect(a, &q);
	exec_send_req(&q, &s);
	peer_expect(&q, WIRE_ACK, &f);
	peer_expect_end(&p);
	peer_put(&q, WIRE_GO, NULL, 0);
	peer_expect(&q, WIRE_STARTED, &f);
	exec_finish(&q, &r);
	assert_string_equal(r.out, "once\n");
	exec_refused(a, &s, 125, "already");
	/* Also with a thousand requests in between. */
	for (int i = 0; i < 1000; i++) {
		struct exec_spec t = {.argv = argv};

		exec_connect(a, &p);
		exec_send_req(&p, &t);
		peer_expect(&p, WIRE_ACK, &f);
		if (i % 10 == 0) {
			peer_put(&p, WIRE_GO, NULL, 0);
			peer_expect(&p, WIRE_STARTED, &f);
			exec_finish(&p, &r);
		} else {
			peer_close(&p);
		}
	}
	exec_refused(a, &s, 125, "already");
}

/* ---- limits ---- */

static void test_64_at_once(void **state)
{
	const struct agent_proc *a = *state;
	static struct peer p[WIRE_EXECS_MAX];
	const char *argv[] = {"cat", NULL}, *one_more[] = {"true", NULL};
	const struct exec_spec s = {.argv = argv, .in = true};
	struct exec_result r;

	for (int i = 0; i < WIRE_EXECS_MAX; i++)
		exec_start(a, &p[i], &s);
	exec_refused(a, &(struct exec_spec){.argv = one_more}, 125, "EAGAIN");
	for (int i = 0; i < WIRE_EXECS_MAX; i++)
		peer_put(&p[i], WIRE_STDIN, &i, sizeof(i));
	for (int i = 0; i < WIRE_EXECS_MAX; i++) {
		peer_put(&p[i], WIRE_STDIN_EOF, NULL, 0);
		exec_finish(&p[i], &r);
		assert_int_equal(r.out_len, sizeof(i));
		assert_memory_equal(r.out, &i, sizeof(i));
	}
	exec_expect(a, "echo again", "again\n");
}

/* More connections than slots wait in the kernel; none is lost. */
static void test_more_connections_than_slots(void **state)
{
	const struct agent_proc *a = *state;
	enum { N = 150 };
	static int fd[N];
	struct peer p;

	for (int i = 0; i < N; i++) {
		exec_connect(a, &p);
		fd[i] = p.fd;
		/* Slots are held only while connections stay: end the older half on the way. */
		if (i >= 60)
			close(fd[i - 60]);
	}
	for (int i = N - 60; i < N; i++)
		close(fd[i]);
	exec_expect(a, "echo served", "served\n");
}

static void test_nothing_leaks(void **state)
{
	const struct agent_proc *a = *state;
	size_t before, after;

	exec_expect(a, "echo warm", "warm\n");
	before = open_fds(a->pid);
	for (int i = 0; i < 200; i++) {
		struct exec_result r = exec_sh(a, i % 3 ? "exit 3" : "echo x; echo y >&2; exit 3");

		assert_int_equal(r.value, 3);
	}
	after = open_fds(a->pid);
	assert_int_equal(before, after);
	/* And no zombie. */
	exec_expect(a, "ps -o stat= --ppid $PPID | grep -c Z || true", "0\n");
}

static void test_background_child_holds_output(void **state)
{
	const struct agent_proc *a = *state;
	struct exec_result r = exec_sh(a, "sleep 1000 & echo $!");
	pid_t child = (pid_t)strtol(r.out, NULL, 10);

	/* EXIT came although stdout was open, and what the command left behind lives. */
	assert_int_equal(r.value, 0);
	assert_true(child > 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(pid_gone(child, CLIENT_MS));
}

static void test_slow_reader_blocks_only_itself(void **state)
{
	const struct agent_proc *a = *state;
	const size_t n = 8 * 1024 * 1024;
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	exec_sh_start(a, &p, "head -c 8388608 /dev/zero; echo end >&2", false);
	peer_expect(&p, WIRE_STDOUT, &f);
	for (int i = 0; i < 20; i++)
		exec_expect(a, "echo quick", "quick\n");
	/* Longer than a command without readers is waited for. */
	poll(NULL, 0, 600);
	r.out_len = f.len;
	while (r.out_len < n) {
		assert_int_equal(peer_next(&p, &f, CLIENT_MS), 1);
		assert_true(f.len <= WIRE_CHUNK);
		if (f.type == WIRE_STDOUT)
			r.out_len += f.len;
		else
			assert_memory_equal(f.payload, "end\n", 4);
	}
	assert_int_equal(r.out_len, n);
	exec_finish(&p, &r);
	assert_int_equal(r.out_len, 0);
	assert_int_equal(r.value, 0);
}

static void test_biggest_request(void **state)
{
	const struct agent_proc *a = *state;
	static char big[60000];
	const char *argv[] = {"sh", "-c", "printf %s \"$1\" | wc -c", "sh", big, NULL};
	const struct exec_spec s = {.argv = argv};
	struct exec_result r;

	memset(big, 'q', sizeof(big) - 1);
	exec_run(a, &s, &r);
	assert_string_equal(r.out, "59999\n");
}

/* ---- garbage ---- */

static void garbage(const struct agent_proc *a, const void *bytes, size_t n)
{
	struct peer p;

	exec_connect(a, &p);
	peer_send(&p, bytes, n);
	peer_expect_end(&p);
}

static void test_garbage(void **state)
{
	const struct agent_proc *a = *state;
	static uint8_t noise[200000];
	const uint8_t huge[] = {WIRE_REQ, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f};
	const uint8_t go[] = {WIRE_GO, 0, 0, 0, 0, 0, 0, 0};
	struct wire_frame f;
	struct wire_str why;
	uint8_t code;
	struct peer p;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 7 + 3);
	garbage(a, noise, sizeof(noise));
	garbage(a, huge, sizeof(huge));
	garbage(a, go, sizeof(go));
	/* A REQ that does not decode gets its sentence. */
	exec_connect(a, &p);
	peer_put(&p, WIRE_REQ, noise, 100);
	peer_expect(&p, WIRE_REFUSED, &f);
	assert_int_equal(wire_get_refused(&f, &code, &why), 0);
	assert_int_equal(code, 125);
	peer_expect_end(&p);
	exec_expect(a, "echo alive", "alive\n");
}

static void test_garbage_while_running(void **state)
{
	const struct agent_proc *a = *state;
	const struct {
		uint8_t type;
		const char *payload;
		size_t n;
	} bad[] = {
		{WIRE_REQ, "", 0},
		{WIRE_GO, "", 0},
		{WIRE_HELLO, "", 0},
		{WIRE_SIGNAL, "", 0},
		{WIRE_SIGNAL, "\0", 1},
		{WIRE_SIGNAL, "\xff", 1},
		{WIRE_RESIZE, "\0\0", 2},
		{WIRE_STDIN_EOF, "x", 1},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct peer p;
		pid_t pid = exec_sh_start(a, &p, "exec sleep 1000", false);

		peer_put(&p, bad[i].type, bad[i].payload, bad[i].n);
		peer_expect_end(&p);
		assert_true(pid_gone(pid, CLIENT_MS));
	}
	exec_expect(a, "echo alive", "alive\n");
}

static void test_bad_preface(void **state)
{
	const struct agent_proc *a = *state;
	static const char *const lines[] = {"HELLO 4992\n", "CONNECT 4990\n", "CONNECT x\n",
		"CONNECT -4992\n", "CONNECT 4992 4992\n", "connect 00000000000000000000004992\n",
		"0123456789012345678901234567890123456789"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct peer p;

		exec_connect_raw(a, &p);
		peer_send(&p, lines[i], strlen(lines[i]));
		peer_expect_end(&p);
	}
	exec_expect(a, "echo alive", "alive\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_connection),
		cmocka_unit_test(test_lost_before_go),
		cmocka_unit_test(test_at_most_once),
		cmocka_unit_test(test_64_at_once),
		cmocka_unit_test(test_more_connections_than_slots),
		cmocka_unit_test(test_nothing_leaks),
		cmocka_unit_test(test_background_child_holds_output),
		cmocka_unit_test(test_slow_reader_blocks_only_itself),
		cmocka_unit_test(test_biggest_request),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_garbage_while_running),
		cmocka_unit_test(test_bad_preface),
	};

	return cmocka_run_group_tests(tests, exec_setup, exec_teardown);
}
