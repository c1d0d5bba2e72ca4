/* Commands of the agent as a real process: exit codes, streams, stdin, terminals. */
// OBJS: tests/support/agent_client.c tests/support/exec_sh.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/exec_sh.h"

/* ---- results ---- */

static void test_exit_codes(void **state)
{
	const struct agent_proc *a = *state;
	struct exec_result r = exec_sh(a, "exit 0");

	assert_int_equal(r.how, WIRE_EXITED);
	assert_int_equal(r.value, 0);
	r = exec_sh(a, "exit 77");
	assert_int_equal(r.how, WIRE_EXITED);
	assert_int_equal(r.value, 77);
	r = exec_sh(a, "kill -9 $$");
	assert_int_equal(r.how, WIRE_SIGNALED);
	assert_int_equal(r.value, SIGKILL);
	r = exec_sh(a, "kill -PIPE $$");
	assert_int_equal(r.how, WIRE_SIGNALED);
	assert_int_equal(r.value, SIGPIPE);
}

static void test_streams_apart(void **state)
{
	const struct agent_proc *a = *state;
	struct exec_result r = exec_sh(a, "echo out; echo err >&2; printf more");

	assert_string_equal(r.out, "out\nmore");
	assert_string_equal(r.err, "err\n");
}

static void test_refusals(void **state)
{
	const struct agent_proc *a = *state;
	const char *missing[] = {"no-such-command", NULL}, *passwd[] = {"/etc/passwd", NULL};
	const char *folder[] = {"/tmp", NULL}, *ok[] = {"true", NULL}, *empty[] = {"", NULL};
	const char *bad_env[] = {"NOVALUE", NULL};

	exec_refused(a, &(struct exec_spec){.argv = missing}, 127, "no-such-command");
	exec_refused(a, &(struct exec_spec){.argv = empty}, 127, "''");
	exec_refused(a, &(struct exec_spec){.argv = passwd}, 126, "/etc/passwd");
	exec_refused(a, &(struct exec_spec){.argv = folder}, 126, "/tmp");
	exec_refused(a, &(struct exec_spec){.argv = ok, .cwd = "/no/such"}, 126, "/no/such");
	exec_refused(a, &(struct exec_spec){.argv = ok, .cwd = "/etc/passwd"}, 126, "/etc/passwd");
	exec_refused(a, &(struct exec_spec){.argv = ok, .user = "nobody-here"}, 125, "nobody-here");
	exec_refused(a, &(struct exec_spec){.argv = ok, .user = "12x"}, 125, "12x");
	exec_refused(a, &(struct exec_spec){.argv = ok, .user = "4294967295"}, 125, "4294967295");
	exec_refused(a, &(struct exec_spec){.argv = ok, .env = bad_env}, 125, "NOVALUE");
}

/* Runs a script with that text, which execve refuses after GO: no STARTED, a sentence on stderr. */
static void not_started(const struct agent_proc *a, const char *text, int code)
{
	char path[128];
	const char *argv[] = {path, NULL};
	const struct exec_spec s = {.argv = argv};
	struct exec_result r;
	struct wire_frame f;
	struct peer p;
	FILE *file;

	snprintf(path, sizeof(path), "%s/script", a->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
	exec_connect(a, &p);
	exec_send_req(&p, &s);
	peer_expect(&p, WIRE_ACK, &f);
	peer_put(&p, WIRE_GO, NULL, 0);
	exec_finish(&p, &r);
	unlink(path);
	assert_int_equal(r.how, WIRE_NOT_STARTED);
	assert_int_equal(r.value, code);
	assert_non_null(strstr(r.err, path));
}

static void test_not_started(void **state)
{
	const struct agent_proc *a = *state;

	not_started(a, "#!/no/such/interpreter\n", 127);
	not_started(a, "echo no interpreter line\n", 126);
}

static void test_environment(void **state)
{
	const struct agent_proc *a = *state;
	const char *env_argv[] = {"env", NULL}, *pwd_argv[] = {"pwd", NULL};
	const char *env[] = {"MINE=a b", "FROM_HELLO=changed", "PATH=/usr/bin:/bin", NULL};
	const struct exec_spec with = {.argv = env_argv, .env = env}, without = {.argv = env_argv};
	const struct exec_spec cwd = {.argv = pwd_argv, .cwd = "/usr"};
	struct exec_result r;

	exec_run(a, &without, &r);
	assert_non_null(strstr(r.out, "FROM_HELLO=yes\n"));
	assert_non_null(strstr(r.out, "PATH=/usr/local/sbin:"));
	assert_non_null(strstr(r.out, "HOME=/"));
	assert_null(strstr(r.out, "TERM="));
	exec_run(a, &with, &r);
	assert_non_null(strstr(r.out, "MINE=a b\n"));
	assert_non_null(strstr(r.out, "FROM_HELLO=changed\n"));
	assert_non_null(strstr(r.out, "PATH=/usr/bin:/bin\n"));
	exec_run(a, &cwd, &r);
	assert_string_equal(r.out, "/usr\n");
	/* Nothing of the agent's own state is inherited. */
	exec_expect(a, "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
	/* Signals 32 and 33 are libc's own and no program can reset them: what the starter of the
	 * tests ignores shows. */
	exec_expect(a,
		"grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t\\n' | "
		"sed s/0000000180000000/0000000000000000/",
		"SigBlk:0000000000000000SigIgn:0000000000000000");
}

static void test_users(void **state)
{
	const struct agent_proc *a = *state;
	const char *argv[] = {"sh", "-c", "echo $(id -u):$(id -g):$(id -G) $HOME", NULL};
	struct exec_result r;

	if (getuid() != 0) {
		skip();
		return;
	}
	exec_run(a, &(struct exec_spec){.argv = argv, .user = "nobody"}, &r);
	assert_memory_equal(r.out, "65534:65534:65534 /", 19);
	exec_run(a, &(struct exec_spec){.argv = argv, .user = "54321"}, &r);
	assert_string_equal(r.out, "54321:0:0 /\n");
	exec_run(a, &(struct exec_spec){.argv = argv, .user = "54321:777"}, &r);
	assert_string_equal(r.out, "54321:777:777 /\n");
	exec_run(a, &(struct exec_spec){.argv = argv, .user = "0"}, &r);
	assert_memory_equal(r.out, "0:0:0", 5);
}

/* ---- stdin ---- */

/* Sends data within the credit while collecting stdout; returns how much came back equal. */
static size_t through_cat(struct peer *p, const uint8_t *data, size_t n)
{
	size_t sent = 0, credit = WIRE_STDIN_CREDIT, got = 0;
	struct wire_frame f;
	uint32_t more;

	while (got < n) {
		while (sent < n && credit) {
			size_t k = n - sent < credit ? n - sent : credit;

			k = k < WIRE_CHUNK ? k : WIRE_CHUNK;
			peer_put(p, WIRE_STDIN, data + sent, k);
			sent += k;
			credit -= k;
		}
		assert_int_equal(peer_next(p, &f, CLIENT_MS), 1);
		if (f.type == WIRE_CREDIT) {
			assert_int_equal(wire_get_u32(&f, &more), 0);
			credit += more;
			assert_true(credit <= WIRE_STDIN_CREDIT);
			continue;
		}
		assert_int_equal(f.type, WIRE_STDOUT);
		assert_true(got + f.len <= n);
		assert_memory_equal(f.payload, data + got, f.len);
		got += f.len;
	}
	return got;
}

static void test_stdin_through_cat(void **state)
{
	const struct agent_proc *a = *state;
	const size_t n = 1024 * 1024 + 17;
	uint8_t *data = malloc(n);
	struct exec_result r;
	struct peer p;

	assert_non_null(data);
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 31 + i / 255);
	exec_sh_start(a, &p, "cat", false);
	assert_int_equal(through_cat(&p, data, n), n);
	peer_put(&p, WIRE_STDIN_EOF, NULL, 0);
	exec_finish(&p, &r);
	assert_int_equal(r.value, 0);
	assert_int_equal(r.out_len, 0);
	free(data);
}

static void test_stdin_eof_behind_data(void **state)
{
	const struct agent_proc *a = *state;
	struct exec_result r;
	struct peer p;

	exec_sh_start(a, &p, "wc -c", false);
	for (int i = 0; i < 4; i++) {
		static const uint8_t zeros[16000];

		peer_put(&p, WIRE_STDIN, zeros, sizeof(zeros));
	}
	peer_put(&p, WIRE_STDIN_EOF, NULL, 0);
	exec_finish(&p, &r);
	assert_string_equal(r.out, "64000\n");
}

/* A command that closes its stdin takes nothing, and its host is not stuck. */
static void test_stdin_not_wanted(void **state)
{
	const struct agent_proc *a = *state;
	static const uint8_t zeros[WIRE_CHUNK];
	uint32_t credit = WIRE_STDIN_CREDIT, more;
	struct wire_frame f;
	struct exec_result r;
	struct peer p;
	size_t sent = 0;

	exec_sh_start(a, &p, "exec <&-; echo closed; exec sleep 100", false);
	exec_wait_text(&p, "closed");
	while (sent < 512 * 1024) {
		if (credit >= sizeof(zeros)) {
			peer_put(&p, WIRE_STDIN, zeros, sizeof(zeros));
			sent += sizeof(zeros);
			credit -= sizeof(zeros);
			continue;
		}
		peer_expect(&p, WIRE_CREDIT, &f);
		assert_int_equal(wire_get_u32(&f, &more), 0);
		credit += more;
	}
	peer_put(&p, WIRE_SIGNAL, "\x0f", 1);
	exec_finish(&p, &r);
	assert_int_equal(r.how, WIRE_SIGNALED);
	assert_int_equal(r.value, SIGTERM);
	exec_expect(a, "cat; echo no stdin is /dev/null", "no stdin is /dev/null\n");
}

static void test_stdin_over_credit(void **state)
{
	const struct agent_proc *a = *state;
	static const uint8_t zeros[WIRE_CHUNK];
	struct peer p;
	pid_t pid;

	pid = exec_sh_start(a, &p, "exec sleep 100", false);
	/* The pipe takes 64 KiB and the agent holds as much. */
	for (int i = 0; i < 6; i++)
		peer_put(&p, WIRE_STDIN, zeros, sizeof(zeros));
	peer_expect_end(&p);
	assert_true(pid_gone(pid, CLIENT_MS));
}

/* ---- terminal ---- */

static void test_tty(void **state)
{
	const struct agent_proc *a = *state;
	struct exec_result r;
	struct peer p;
	uint8_t buf[32];

	exec_sh_start(a, &p,
		"stty size; test -t 0 -a -t 1 -a -t 2 && echo all three; echo $TERM; "
		"trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 0.05; done",
		true);
	exec_wait_text(&p, "30 90\r\nall three\r\nxterm-256color\r\nready\r\n");
	peer_send(&p, buf, (size_t)wire_put_size(buf, sizeof(buf), WIRE_RESIZE, 50, 132));
	exec_finish(&p, &r);
	assert_non_null(strstr(r.out, "50 132\r\n"));
	assert_int_equal(r.value, 5);
}

static void test_tty_default_size_and_end_of_input(void **state)
{
	const struct agent_proc *a = *state;
	const char *argv[] = {"sh", "-c", "stty size; cat", NULL};
	const struct exec_spec s = {.argv = argv, .in = true, .tty = true};
	struct exec_result r;
	struct peer p;

	exec_start(a, &p, &s);
	exec_wait_text(&p, "24 80\r\n");
	peer_put(&p, WIRE_STDIN, "line\n", 5);
	peer_put(&p, WIRE_STDIN_EOF, NULL, 0);
	exec_finish(&p, &r);
	assert_int_equal(r.how, WIRE_EXITED);
	assert_int_equal(r.value, 0);
	assert_non_null(strstr(r.out, "line"));
}

static void type(struct peer *p, const char *text)
{
	peer_put(p, WIRE_STDIN, text, strlen(text));
}

static void test_tty_interrupt_and_jobs(void **state)
{
	const struct agent_proc *a = *state;
	const char *argv[] = {"sh", "-i", NULL}, *env[] = {"PS1=READY>", NULL};
	const struct exec_spec s = {.argv = argv, .env = env, .in = true, .tty = true};
	struct exec_result r;
	struct peer p;

	exec_start(a, &p, &s);
	exec_wait_text(&p, "READY>");
	/* Ctrl-C ends the command in the foreground, not the shell. */
	type(&p, "(echo a$((1+1))b; sleep 1000)\n");
	exec_wait_text(&p, "a2b");
	type(&p, "\x03");
	exec_wait_text(&p, "READY>");
	/* Ctrl-Z stops it, and fg brings it back to the terminal. */
	type(&p, "(echo c$((1+2))d; read x; echo got-$x)\n");
	exec_wait_text(&p, "c3d");
	type(&p, "\x1a");
	exec_wait_text(&p, "READY>");
	type(&p, "fg\n");
	type(&p, "word\n");
	exec_wait_text(&p, "got-word");
	type(&p, "exit 9\n");
	exec_finish(&p, &r);
	assert_int_equal(r.value, 9);
}

static void test_signal_to_group(void **state)
{
	const struct agent_proc *a = *state;
	struct exec_result r;
	struct peer p;

	exec_sh_start(
		a, &p, "trap 'echo got it; exit 3' USR1; echo ready; sleep 1000 & wait", false);
	exec_wait_text(&p, "ready");
	/* The background sleep is in the group and dies of it: nobody holds the output. */
	peer_put(&p, WIRE_SIGNAL, "\x0a", 1);
	exec_finish(&p, &r);
	assert_non_null(strstr(r.out, "got it"));
	assert_int_equal(r.value, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_streams_apart),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_not_started),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_stdin_through_cat),
		cmocka_unit_test(test_stdin_eof_behind_data),
		cmocka_unit_test(test_stdin_not_wanted),
		cmocka_unit_test(test_stdin_over_credit),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_tty_default_size_and_end_of_input),
		cmocka_unit_test(test_tty_interrupt_and_jobs),
		cmocka_unit_test(test_signal_to_group),
	};

	return cmocka_run_group_tests(tests, exec_setup, exec_teardown);
}
