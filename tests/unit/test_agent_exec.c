/* Commands of the agent as a real process: exit codes, streams, limits, lost connections. */
// OBJS: tests/support/agent_client.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/agent_client.h"

static struct agent_proc agent;

static int setup(void **state)
{
	(void)state;
	agent_up(&agent);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	agent_stop(&agent);
	return 0;
}

static struct exec_result run_sh(const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	const struct exec_spec s = {.argv = argv};
	struct exec_result r;

	exec_run(&agent, &s, &r);
	return r;
}

/* Starts `sh -c script` with stdin. */
static pid_t start_sh(struct peer *p, const char *script, bool tty)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	const struct exec_spec s = {.argv = argv, .in = true, .tty = tty, .rows = 30, .cols = 90};

	return exec_start(&agent, p, &s);
}

static void refused(const struct exec_spec *s, uint8_t code, const char *part)
{
	char why[512];
	struct peer p;

	exec_connect(&agent, &p);
	exec_send_req(&p, s);
	exec_expect_refused(&p, code, why, sizeof(why));
	if (!strstr(why, part))
		fail_msg("'%s' is not in the reason '%s'", part, why);
}

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

/* ---- results ---- */

static void test_exit_codes(void **state)
{
	struct exec_result r = run_sh("exit 0");

	(void)state;
	assert_int_equal(r.how, WIRE_EXITED);
	assert_int_equal(r.value, 0);
	r = run_sh("exit 77");
	assert_int_equal(r.how, WIRE_EXITED);
	assert_int_equal(r.value, 77);
	r = run_sh("kill -9 $$");
	assert_int_equal(r.how, WIRE_SIGNALED);
	assert_int_equal(r.value, SIGKILL);
	r = run_sh("kill -PIPE $$");
	assert_int_equal(r.how, WIRE_SIGNALED);
	assert_int_equal(r.value, SIGPIPE);
}

static void test_streams_apart(void **state)
{
	struct exec_result r = run_sh("echo out; echo err >&2; printf more");

	(void)state;
	assert_string_equal(r.out, "out\nmore");
	assert_string_equal(r.err, "err\n");
}

static void test_refusals(void **state)
{
	const char *missing[] = {"no-such-command", NULL}, *passwd[] = {"/etc/passwd", NULL};
	const char *folder[] = {"/tmp", NULL}, *ok[] = {"true", NULL}, *empty[] = {"", NULL};
	const char *bad_env[] = {"NOVALUE", NULL};

	(void)state;
	refused(&(struct exec_spec){.argv = missing}, 127, "no-such-command");
	refused(&(struct exec_spec){.argv = empty}, 127, "''");
	refused(&(struct exec_spec){.argv = passwd}, 126, "/etc/passwd");
	refused(&(struct exec_spec){.argv = folder}, 126, "/tmp");
	refused(&(struct exec_spec){.argv = ok, .cwd = "/no/such"}, 126, "/no/such");
	refused(&(struct exec_spec){.argv = ok, .cwd = "/etc/passwd"}, 126, "/etc/passwd");
	refused(&(struct exec_spec){.argv = ok, .user = "nobody-here"}, 125, "nobody-here");
	refused(&(struct exec_spec){.argv = ok, .user = "12x"}, 125, "12x");
	refused(&(struct exec_spec){.argv = ok, .user = "4294967295"}, 125, "4294967295");
	refused(&(struct exec_spec){.argv = ok, .env = bad_env}, 125, "NOVALUE");
}

/* Runs a script with that text, which execve refuses after GO: no STARTED, a sentence on stderr. */
static void not_started(const char *text, int code)
{
	char path[128];
	const char *argv[] = {path, NULL};
	const struct exec_spec s = {.argv = argv};
	struct exec_result r;
	struct wire_frame f;
	struct peer p;
	FILE *file;

	snprintf(path, sizeof(path), "%s/script", agent.dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
	exec_connect(&agent, &p);
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
	(void)state;
	not_started("#!/no/such/interpreter\n", 127);
	not_started("echo no interpreter line\n", 126);
}

static void test_environment(void **state)
{
	const char *env_argv[] = {"env", NULL}, *pwd_argv[] = {"pwd", NULL};
	const char *env[] = {"MINE=a b", "FROM_HELLO=changed", "PATH=/usr/bin:/bin", NULL};
	const struct exec_spec with = {.argv = env_argv, .env = env}, without = {.argv = env_argv};
	const struct exec_spec cwd = {.argv = pwd_argv, .cwd = "/usr"};
	struct exec_result r;

	(void)state;
	exec_run(&agent, &without, &r);
	assert_non_null(strstr(r.out, "FROM_HELLO=yes\n"));
	assert_non_null(strstr(r.out, "PATH=/usr/local/sbin:"));
	assert_non_null(strstr(r.out, "HOME=/"));
	assert_null(strstr(r.out, "TERM="));
	exec_run(&agent, &with, &r);
	assert_non_null(strstr(r.out, "MINE=a b\n"));
	assert_non_null(strstr(r.out, "FROM_HELLO=changed\n"));
	assert_non_null(strstr(r.out, "PATH=/usr/bin:/bin\n"));
	exec_run(&agent, &cwd, &r);
	assert_string_equal(r.out, "/usr\n");
	/* Nothing of the agent's own state is inherited. */
	exec_expect(&agent, "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
	/* Signals 32 and 33 are libc's own: no program can reset them, so the tests' starter's show. */
	exec_expect(&agent,
		"grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\t\\n' | sed s/0000000180000000/0000000000000000/",
		"SigBlk:0000000000000000SigIgn:0000000000000000");
}

static void test_users(void **state)
{
	const char *argv[] = {"sh", "-c", "echo $(id -u):$(id -g):$(id -G) $HOME", NULL};
	struct exec_result r;

	(void)state;
	if (getuid() != 0) {
		skip();
		return;
	}
	exec_run(&agent, &(struct exec_spec){.argv = argv, .user = "nobody"}, &r);
	assert_memory_equal(r.out, "65534:65534:65534 /", 19);
	exec_run(&agent, &(struct exec_spec){.argv = argv, .user = "54321"}, &r);
	assert_string_equal(r.out, "54321:0:0 /\n");
	exec_run(&agent, &(struct exec_spec){.argv = argv, .user = "54321:777"}, &r);
	assert_string_equal(r.out, "54321:777:777 /\n");
	exec_run(&agent, &(struct exec_spec){.argv = argv, .user = "0"}, &r);
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
	const size_t n = 1024 * 1024 + 17;
	uint8_t *data = malloc(n);
	struct exec_result r;
	struct peer p;

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i * 31 + i / 255);
	start_sh(&p, "cat", false);
	assert_int_equal(through_cat(&p, data, n), n);
	peer_put(&p, WIRE_STDIN_EOF, NULL, 0);
	exec_finish(&p, &r);
	assert_int_equal(r.value, 0);
	assert_int_equal(r.out_len, 0);
	free(data);
}

static void test_stdin_eof_behind_data(void **state)
{
	struct exec_result r;
	struct peer p;

	(void)state;
	start_sh(&p, "wc -c", false);
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
	static const uint8_t zeros[WIRE_CHUNK];
	uint32_t credit = WIRE_STDIN_CREDIT, more;
	struct wire_frame f;
	struct exec_result r;
	struct peer p;
	size_t sent = 0;

	(void)state;
	start_sh(&p, "exec <&-; echo closed; exec sleep 100", false);
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
	exec_expect(&agent, "cat; echo no stdin is /dev/null", "no stdin is /dev/null\n");
}

static void test_stdin_over_credit(void **state)
{
	static const uint8_t zeros[WIRE_CHUNK];
	struct peer p;
	pid_t pid;

	(void)state;
	pid = start_sh(&p, "exec sleep 100", false);
	/* The pipe takes 64 KiB and the agent holds as much. */
	for (int i = 0; i < 6; i++)
		peer_put(&p, WIRE_STDIN, zeros, sizeof(zeros));
	peer_expect_end(&p);
	assert_true(pid_gone(pid, CLIENT_MS));
}

/* ---- terminal ---- */

static void test_tty(void **state)
{
	struct exec_result r;
	struct peer p;
	uint8_t buf[32];

	(void)state;
	start_sh(&p,
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
	const char *argv[] = {"sh", "-c", "stty size; cat", NULL};
	const struct exec_spec s = {.argv = argv, .in = true, .tty = true};
	struct exec_result r;
	struct peer p;

	(void)state;
	exec_start(&agent, &p, &s);
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
	const char *argv[] = {"sh", "-i", NULL}, *env[] = {"PS1=READY>", NULL};
	const struct exec_spec s = {.argv = argv, .env = env, .in = true, .tty = true};
	struct exec_result r;
	struct peer p;

	(void)state;
	exec_start(&agent, &p, &s);
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
	struct exec_result r;
	struct peer p;

	(void)state;
	start_sh(&p, "trap 'echo got it; exit 3' USR1; echo ready; sleep 1000 & wait", false);
	exec_wait_text(&p, "ready");
	/* The background sleep is in the group and dies of it: nobody holds the output. */
	peer_put(&p, WIRE_SIGNAL, "\x0a", 1);
	exec_finish(&p, &r);
	assert_non_null(strstr(r.out, "got it"));
	assert_int_equal(r.value, 3);
}

/* ---- lost connections ---- */

/* `script` prints the pid of a child in its group; both must be gone after the connection is. */
static void lose(const char *script, bool tty)
{
	struct wire_frame f;
	struct peer p;
	pid_t pid, child;
	char text[64];

	pid = start_sh(&p, script, tty);
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
	(void)state;
	lose("sleep 1000 & echo $!; wait", false);
	lose("sleep 1000 & echo $!; wait", true);
	/* Deaf to SIGHUP. */
	lose("trap '' HUP; sleep 1000 & echo $!; wait; wait", false);
	lose("trap '' HUP; sleep 1000 & echo $!; wait; wait", true);
	/* Stopped. */
	lose("sleep 1000 & kill -STOP $!; echo $!; kill -STOP $$", false);
	/* The command has ended; its child holds the output. */
	lose("sleep 1000 & echo $!; exit 0", false);
}

static void test_lost_before_go(void **state)
{
	const char *argv[] = {"sh", "-c", "touch ran", NULL};
	const struct exec_spec s = {.argv = argv, .cwd = agent.dir};
	struct wire_frame f;
	char path[128];
	struct peer p;

	(void)state;
	exec_connect(&agent, &p);
	exec_send_req(&p, &s);
	peer_expect(&p, WIRE_ACK, &f);
	peer_close(&p);
	exec_expect(&agent, "echo alive", "alive\n");
	snprintf(path, sizeof(path), "%s/ran", agent.dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_at_most_once(void **state)
{
	uint8_t id[WIRE_ID] = "0123456789abcde";
	const char *argv[] = {"echo", "once", NULL};
	const struct exec_spec s = {.argv = argv, .id = id};
	struct exec_result r;
	struct wire_frame f;
	struct peer p, q;

	(void)state;
	/* Before GO nothing ran: the same request may come again, the newest counts. */
	exec_connect(&agent, &p);
	exec_send_req(&p, &s);
	peer_expect(&p, WIRE_ACK, &f);
	exec_connect(&agent, &q);
	exec_send_req(&q, &s);
	peer_expect(&q, WIRE_ACK, &f);
	peer_expect_end(&p);
	peer_put(&q, WIRE_GO, NULL, 0);
	peer_expect(&q, WIRE_STARTED, &f);
	exec_finish(&q, &r);
	assert_string_equal(r.out, "once\n");
	refused(&s, 125, "already");
	/* Also with a thousand requests in between. */
	for (int i = 0; i < 1000; i++) {
		struct exec_spec t = {.argv = argv};

		exec_connect(&agent, &p);
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
	refused(&s, 125, "already");
}

/* ---- limits ---- */

static void test_64_at_once(void **state)
{
	static struct peer p[WIRE_EXECS_MAX];
	const char *argv[] = {"cat", NULL}, *one_more[] = {"true", NULL};
	const struct exec_spec s = {.argv = argv, .in = true};
	struct exec_result r;

	(void)state;
	for (int i = 0; i < WIRE_EXECS_MAX; i++)
		exec_start(&agent, &p[i], &s);
	refused(&(struct exec_spec){.argv = one_more}, 125, "EAGAIN");
	for (int i = 0; i < WIRE_EXECS_MAX; i++)
		peer_put(&p[i], WIRE_STDIN, &i, sizeof(i));
	for (int i = 0; i < WIRE_EXECS_MAX; i++) {
		peer_put(&p[i], WIRE_STDIN_EOF, NULL, 0);
		exec_finish(&p[i], &r);
		assert_int_equal(r.out_len, sizeof(i));
		assert_memory_equal(r.out, &i, sizeof(i));
	}
	exec_expect(&agent, "echo again", "again\n");
}

/* More connections than slots wait in the kernel; none is lost. */
static void test_more_connections_than_slots(void **state)
{
	enum { N = 150 };
	static int fd[N];
	struct peer p;

	(void)state;
	for (int i = 0; i < N; i++) {
		exec_connect(&agent, &p);
		fd[i] = p.fd;
		/* Slots are held only while connections stay: end the older half on the way. */
		if (i >= 60)
			close(fd[i - 60]);
	}
	for (int i = N - 60; i < N; i++)
		close(fd[i]);
	exec_expect(&agent, "echo served", "served\n");
}

static void test_nothing_leaks(void **state)
{
	size_t before, after;

	(void)state;
	exec_expect(&agent, "echo warm", "warm\n");
	before = open_fds(agent.pid);
	for (int i = 0; i < 200; i++) {
		struct exec_result r = run_sh(i % 3 ? "exit 3" : "echo x; echo y >&2; exit 3");

		assert_int_equal(r.value, 3);
	}
	after = open_fds(agent.pid);
	assert_int_equal(before, after);
	/* And no zombie. */
	exec_expect(&agent, "ps -o stat= --ppid $PPID | grep -c Z || true", "0\n");
}

static void test_background_child_holds_output(void **state)
{
	struct exec_result r = run_sh("sleep 1000 & echo $!");
	pid_t child = (pid_t)strtol(r.out, NULL, 10);

	(void)state;
	/* EXIT came although stdout was open, and what the command left behind lives. */
	assert_int_equal(r.value, 0);
	assert_true(child > 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(pid_gone(child, CLIENT_MS));
}

static void test_slow_reader_blocks_only_itself(void **state)
{
	const size_t n = 8 * 1024 * 1024;
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	(void)state;
	start_sh(&p, "head -c 8388608 /dev/zero; echo end >&2", false);
	peer_expect(&p, WIRE_STDOUT, &f);
	for (int i = 0; i < 20; i++)
		exec_expect(&agent, "echo quick", "quick\n");
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
	static char big[60000];
	const char *argv[] = {"sh", "-c", "printf %s \"$1\" | wc -c", "sh", big, NULL};
	const struct exec_spec s = {.argv = argv};
	struct exec_result r;

	(void)state;
	memset(big, 'q', sizeof(big) - 1);
	exec_run(&agent, &s, &r);
	assert_string_equal(r.out, "59999\n");
}

/* ---- garbage ---- */

static void garbage(const void *bytes, size_t n)
{
	struct peer p;

	exec_connect(&agent, &p);
	peer_send(&p, bytes, n);
	peer_expect_end(&p);
}

static void test_garbage(void **state)
{
	static uint8_t noise[200000];
	const uint8_t huge[] = {WIRE_REQ, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f};
	const uint8_t go[] = {WIRE_GO, 0, 0, 0, 0, 0, 0, 0};
	struct wire_frame f;
	struct wire_str why;
	uint8_t code;
	struct peer p;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 7 + 3);
	garbage(noise, sizeof(noise));
	garbage(huge, sizeof(huge));
	garbage(go, sizeof(go));
	/* A REQ that does not decode gets its sentence. */
	exec_connect(&agent, &p);
	peer_put(&p, WIRE_REQ, noise, 100);
	peer_expect(&p, WIRE_REFUSED, &f);
	assert_int_equal(wire_get_refused(&f, &code, &why), 0);
	assert_int_equal(code, 125);
	peer_expect_end(&p);
	exec_expect(&agent, "echo alive", "alive\n");
}

static void test_garbage_while_running(void **state)
{
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

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct peer p;
		pid_t pid = start_sh(&p, "exec sleep 1000", false);

		peer_put(&p, bad[i].type, bad[i].payload, bad[i].n);
		peer_expect_end(&p);
		assert_true(pid_gone(pid, CLIENT_MS));
	}
	exec_expect(&agent, "echo alive", "alive\n");
}

static void test_bad_preface(void **state)
{
	static const char *const lines[] = {"HELLO 4992\n", "CONNECT 4990\n", "CONNECT x\n",
		"CONNECT -4992\n", "CONNECT 4992 4992\n", "connect 00000000000000000000004992\n",
		"0123456789012345678901234567890123456789"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct peer p;

		exec_connect_raw(&agent, &p);
		peer_send(&p, lines[i], strlen(lines[i]));
		peer_expect_end(&p);
	}
	exec_expect(&agent, "echo alive", "alive\n");
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

	return cmocka_run_group_tests(tests, setup, teardown);
}
