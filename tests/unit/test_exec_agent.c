// LIBS: guest base
// OBJS: tests/support/looptest.c tests/support/exec_job.c tests/support/fake_agent.c
/* The host side against the real agent as an ordinary process of this host (vmdeck-agent-host):
 * commands, input, output floods over restarts of the host side, power off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backend/base/util.h"
#include "backend/guest/stream.h"
#include "tests/support/exec_job.h"
#include "tests/support/fake_agent.h"

static char agent_path[512];
static struct seen seen, other;
static struct job jobs[10];
static char text[1 << 16];

/* An agent and its host side. */
struct vm {
	pid_t pid;
	int pidfd;
	char dir[64];
	char vsock[128];
	struct seen *seen;
};

static int find_agent(void)
{
	ssize_t n = readlink("/proc/self/exe", agent_path, sizeof(agent_path) - 1);
	char *slash;

	if (n < 0)
		return -1;
	agent_path[n] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(agent_path, '/');
		if (!slash)
			return -1;
		*slash = '\0';
	}
	strcat(agent_path, "/vmdeck-agent-host");
	return access(agent_path, X_OK);
}

static void pidfd_ready(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	*(int *)w->data = 1;
}

/* Runs the loop until the process of pidfd has ended. */
static void wait_end(int pidfd, const char *what)
{
	int ended = 0;
	ev_io w;

	ev_io_init(&w, pidfd_ready, pidfd, EV_READ);
	w.data = &ended;
	ev_io_start(t_loop, &w);
	t_until(&ended, what);
	ev_io_stop(t_loop, &w);
}

static void agent_start(struct vm *vm)
{
	vm->pid = fork();
	if (!vm->pid) {
		int fd = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		close_range(3, ~0U, 0);
		execl(agent_path, "vmdeck-agent-host", "--unix", vm->vsock, NULL);
		_exit(127);
	}
	vm->pidfd = (int)syscall(SYS_pidfd_open, vm->pid, 0);
	assert_true(vm->pidfd >= 0);
	fcntl(vm->pidfd, F_SETFD, FD_CLOEXEC);
}

/* In t_dir, with main process argv; returns when the agent serves. */
static void vm_start(struct vm *vm, struct seen *s, const char *const *argv)
{
	vm->seen = s;
	strcpy(vm->dir, t_dir);
	snprintf(vm->vsock, sizeof(vm->vsock), "%s", t_path("v.sock"));
	fake_open_main(s, argv, false);
	agent_start(vm);
	t_until(&s->ready, "HELLO_ACK of the agent");
}

static void vm_stop(struct vm *vm)
{
	int status;

	kill(vm->pid, SIGTERM);
	wait_end(vm->pidfd, "end of the agent");
	assert_int_equal(waitpid(vm->pid, &status, 0), vm->pid);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	close(vm->pidfd);
	fake_close(vm->seen);
}

static const char *const cat_main[] = {"cat", NULL};
#define SH(script) ((const char *const[]){"sh", "-c", script, NULL})

static void run(const struct vm *vm, struct job *j, const char *const *argv, uint8_t flags)
{
	assert_int_equal(job_start(j, vm->vsock, argv, flags, 20), 0);
}

static void test_exit_codes(void **state)
{
	static const struct {
		const char *script, *out;
		uint8_t how;
		int32_t value;
	} cases[] = {
		{"true", "", WIRE_EXITED, 0},
		{"echo hello; exit 7", "hello\n", WIRE_EXITED, 7},
		{"echo a; echo b >&2; exit 255", NULL, WIRE_EXITED, 255},
		{"kill -9 $$", "", WIRE_SIGNALED, 9},
	};
	struct vm vm;

	(void)state;
	vm_start(&vm, &seen, cat_main);
	for (size_t i = 0; i < countof(cases); i++) {
		run(&vm, &jobs[0], SH(cases[i].script), 0);
		job_finish(&jobs[0], text, sizeof(text));
		assert_int_equal(jobs[0].r, 0);
		assert_int_equal(jobs[0].how, cases[i].how);
		assert_int_equal(jobs[0].value, cases[i].value);
		if (cases[i].out)
			assert_string_equal(text, cases[i].out);
	}
	run(&vm, &jobs[0], (const char *const[]){"no-such-command", NULL}, 0);
	job_finish(&jobs[0], NULL, 0);
	assert_int_equal(jobs[0].r, -EREMOTEIO);
	assert_int_equal(jobs[0].value, 127);
	assert_non_null(strstr(jobs[0].e.msg, "no-such-command"));
	run(&vm, &jobs[0], (const char *const[]){"/etc/passwd", NULL}, 0);
	job_finish(&jobs[0], NULL, 0);
	assert_int_equal(jobs[0].value, 126);
	vm_stop(&vm);
}

/* 1 MiB through stdin within credit, back by stdout. */
static void test_stdin(void **state)
{
	const size_t total = 1 << 20;
	uint8_t *data = malloc(total), *got = malloc(total);
	size_t sent = 0, at = 0, credit = 0;
	struct job *j = &jobs[0];
	uint8_t h[WIRE_HEADER];
	struct vm vm;
	uint32_t n;

	(void)state;
	for (size_t i = 0; i < total; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
	vm_start(&vm, &seen, cat_main);
	run(&vm, j, (const char *const[]){"cat", NULL}, WIRE_REQ_STDIN);
	while (peer_next(&j->client)) {
		const struct wire_frame *f = &j->client.f;

		if (f->type == WIRE_STDOUT) {
			assert_true(at + f->len <= total);
			memcpy(got + at, f->payload, f->len);
			at += f->len;
		}
		if (f->type != WIRE_CREDIT)
			continue;
		assert_int_equal(wire_get_u32(f, &n), 0);
		credit += n;
		while (credit && sent < total) {
			n = (uint32_t)min_of(min_of(credit, total - sent), WIRE_CHUNK);
			wire_header(h, WIRE_STDIN, n);
			assert_true(peer_send(&j->client, h, sizeof(h)));
			assert_true(peer_send(&j->client, data + sent, n));
			sent += n;
			credit -= n;
		}
		if (sent == total) {
			wire_header(h, WIRE_STDIN_EOF, 0);
			assert_true(peer_send(&j->client, h, sizeof(h)));
			sent++; /* once */
		}
	}
	t_until(&j->done, "end of the relay");
	peer_close(&j->client);
	assert_int_equal(j->r, 0);
	assert_int_equal(at, total);
	assert_memory_equal(got, data, total);
	free(data);
	free(got);
	vm_stop(&vm);
}

/* A client that is gone takes its command along, with what that started. */
static void test_killed_client_kills_the_command(void **state)
{
	struct job *j = &jobs[0];
	int pids[2] = {0}, fds[2];
	struct vm vm;

	(void)state;
	vm_start(&vm, &seen, cat_main);
	run(&vm, j, SH("sleep 1000 & echo $$ $!; wait"), 0);
	while (!pids[1]) {
		assert_true(peer_next(&j->client));
		if (j->client.f.type == WIRE_STDOUT)
			assert_int_equal(sscanf((const char *)j->client.f.payload, "%d %d",
						 &pids[0], &pids[1]),
				2);
	}
	for (int i = 0; i < 2; i++) {
		fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
		assert_true(fds[i] >= 0);
	}
	peer_close(&j->client);
	for (int i = 0; i < 2; i++) {
		wait_end(fds[i], "end of the command's processes");
		close(fds[i]);
	}
	t_until(&j->done, "end of the relay");
	assert_int_equal(j->r, -EPIPE);
	vm_stop(&vm);
}

static int count_fds_of(pid_t pid)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_many_in_a_row(void **state)
{
	struct job *j = &jobs[0];
	struct vm vm;
	int own, its;

	(void)state;
	vm_start(&vm, &seen, cat_main);
	own = its = 0;
	for (int i = 0; i < 300; i++) {
		run(&vm, j, SH("echo $0 out; exit 3"), 0);
		job_finish(j, text, sizeof(text));
		assert_int_equal(j->r, 0);
		assert_int_equal(j->value, 3);
		assert_string_equal(text, "sh out\n");
		if (i == 20) {
			own = t_count_fds();
			its = count_fds_of(vm.pid);
		}
	}
	assert_int_equal(t_count_fds(), own);
	assert_in_range(count_fds_of(vm.pid), 1, its + 1);
	vm_stop(&vm);
}

static void test_ten_at_once(void **state)
{
	struct vm vm;

	(void)state;
	vm_start(&vm, &seen, cat_main);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 10; i++) {
			char script[64];

			snprintf(script, sizeof(script), "seq 1 %d; exit %d", 1000 + i, i);
			run(&vm, &jobs[i], SH(script), 0);
		}
		for (int i = 0; i < 10; i++) {
			char last[32];

			job_finish(&jobs[i], text, sizeof(text));
			assert_int_equal(jobs[i].r, 0);
			assert_int_equal(jobs[i].value, i);
			snprintf(last, sizeof(last), "\n%d\n", 1000 + i);
			assert_non_null(strstr(text, last));
		}
	}
	vm_stop(&vm);
}

/* The stored stream is "1\n2\n...": returns the first number that is missing. */
static int check_lines(struct outlog *o, int count)
{
	static char b[WIRE_CHUNK + 1];
	uint64_t at = 0;
	int next = 1;
	size_t keep = 0;
	struct err e;

	for (;;) {
		ssize_t n = outlog_read(o, at, b + keep, sizeof(b) - 1 - keep, &e);
		char *p = b, *end;

		if (n <= 0)
			break;
		at += (uint64_t)n;
		b[keep + (size_t)n] = '\0';
		while ((end = strchr(p, '\n'))) {
			if (atoi(p) != next)
				return next;
			next++;
			p = end + 1;
		}
		keep = strlen(p);
		memmove(b, p, keep);
	}
	return next == count + 1 && !keep ? 0 : next;
}

/* The main process floods; the host side is closed and opened again in the middle of it, many
 * times; commands run meanwhile. Not a line is lost or doubled. */
static void test_flood_over_restarts(void **state)
{
	const int lines = 3000000;
	const uint64_t total = 22888896; /* bytes of these lines */
	const char *const *argv = SH("seq 1 3000000; read x; exit 4");
	struct vm vm;
	int restarts = 0, status;
	uint64_t end = 0;

	(void)state;
	vm_start(&vm, &seen, argv);
	while (end < total) {
		uint64_t next = min_of(end + (2u << 20), total);

		T_UNTIL(outlog_end(seen.out) >= next, "output");
		run(&vm, &jobs[0], (const char *const[]){"true", NULL}, 0);
		job_finish(&jobs[0], NULL, 0);
		assert_int_equal(jobs[0].value, 0);
		end = outlog_end(seen.out);
		fake_close(&seen);
		fake_open_main(&seen, argv, false);
		restarts++;
		t_until(&seen.ready, "HELLO_ACK after a restart");
		assert_int_equal(seen.ack.verdict, WIRE_RESUMED);
	}
	assert_true(restarts > 3);
	assert_int_equal(check_lines(seen.out, lines), 0);
	T_UNTIL(guest_input(seen.g, "\n", 1) == 1, "output connection");
	t_until(&seen.main_exit, "end of the main process");
	assert_int_equal(seen.how, WIRE_EXITED);
	assert_int_equal(seen.value, 4);
	/* The main process' end is the guest's. */
	t_until(&seen.bye, "BYE");
	assert_int_equal(seen.reason, 1);
	wait_end(vm.pidfd, "end of the agent");
	assert_int_equal(waitpid(vm.pid, &status, 0), vm.pid);
	close(vm.pidfd);
	fake_close(&seen);
}

static void feed_end(struct stream_feed *s, int r, const struct err *e)
{
	(void)r;
	(void)e;
	*(int *)stream_feed_user(s) = 1;
}

static struct stream_feed *feed;

static void wake(struct guest *g)
{
	(void)g;
	if (feed)
		stream_feed_wake(feed);
}

/* Flood through the log and an attached client: the same bytes in both. */
static void test_flood_attached(void **state)
{
	static const struct stream_callbacks cb = {.on_end = feed_end};
	struct stream_spec spec = {.follow = true};
	static struct peer client;
	uint64_t next = 0, offset, end;
	int ended = 0, sv[2];
	const uint8_t *data;
	struct vm vm;
	struct err e;
	uint32_t n;

	(void)state;
	vm_start(&vm, &seen, SH("read x; seq 1 2000000; read x"));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	peer_take(&client, sv[1]);
	spec.client_fd = sv[0];
	spec.log = seen.out;
	assert_int_equal(stream_feed_start(&feed, t_loop, &spec, &cb, &ended, &e), 0);
	seen.on_output = wake;
	T_UNTIL(guest_input(seen.g, "go\n", 3) == 3, "output connection");
	end = 14888896; /* bytes of 1..2000000, one a line */
	while (next < end) {
		static uint8_t b[WIRE_CHUNK];

		peer_expect(&client, WIRE_OUT_DATA);
		assert_int_equal(wire_get_out_data(&client.f, &offset, &data, &n), 0);
		assert_int_equal(offset, next);
		assert_int_equal(outlog_read(seen.out, offset, b, n, &e), n);
		assert_memory_equal(b, data, n);
		next += n;
	}
	assert_int_equal(next, end);
	assert_int_equal(check_lines(seen.out, 2000000), 0);
	stream_feed_stop(feed);
	peer_expect_eof(&client);
	assert_int_equal(ended, 1);
	feed = NULL;
	peer_close(&client);
	vm_stop(&vm);
}

/* One guest floods, commands run in another one, in one loop: all of them end. */
static void test_flood_beside_commands(void **state)
{
	struct vm vm, flood;
	uint64_t worst = 0;
	double end;
	char dir[64];
	int done = 0, status;

	(void)state;
	vm_start(&vm, &seen, cat_main);
	strcpy(dir, t_dir);
	snprintf(t_dir, sizeof(t_dir), "%.50s/other", dir);
	assert_int_equal(mkdir(t_dir, 0700), 0);
	vm_start(&flood, &other, SH("seq 1 4000000"));
	strcpy(t_dir, dir);
	end = ev_time() + T_DEADLINE;
	while (!other.main_exit || done < 20) {
		if (ev_time() > end)
			fail_msg("%d commands, %ju bytes, events:\n%s", done,
				(uintmax_t)outlog_end(other.out), other.log);
		run(&vm, &jobs[0], (const char *const[]){"true", NULL}, 0);
		job_finish(&jobs[0], NULL, 0);
		assert_int_equal(jobs[0].r, 0);
		worst = max_of(worst, jobs[0].t.exit - jobs[0].t.start);
		done++;
	}
	assert_true(worst < 10000000000u);
	assert_int_equal(check_lines(other.out, 4000000), 0);
	wait_end(flood.pidfd, "end of the flooding agent");
	assert_int_equal(waitpid(flood.pid, &status, 0), flood.pid);
	close(flood.pidfd);
	fake_close(&other);
	vm_stop(&vm);
}

static void on_pong(void *user, int r, uint64_t rtt, uint64_t uptime, uint32_t execs)
{
	(void)rtt;
	(void)uptime;
	*(int *)user = r ? r : 1 + (int)execs;
}

static void test_control(void **state)
{
	struct vm vm;
	int pong = 0, status;

	(void)state;
	vm_start(&vm, &seen, cat_main);
	run(&vm, &jobs[0], SH("read x; echo got $x"), WIRE_REQ_STDIN);
	peer_expect(&jobs[0].client, WIRE_STARTED);
	assert_int_equal(guest_ping(seen.g, 20, on_pong, &pong, NULL), 0);
	t_until(&pong, "pong");
	assert_int_equal(pong, 2); /* one command runs */
	assert_int_equal(guest_set_vitals(seen.g, 100, NULL), 0);
	while (seen.last.execs != 1) {
		seen.vitals = 0;
		t_until(&seen.vitals, "vitals");
	}
	assert_true(seen.last.mem_total > 1000000);
	assert_int_equal(guest_poweroff(seen.g, false, 100, NULL), 0);
	t_until(&seen.bye, "BYE");
	assert_int_equal(seen.reason, 0);
	wait_end(vm.pidfd, "end of the agent");
	assert_int_equal(waitpid(vm.pid, &status, 0), vm.pid);
	close(vm.pidfd);
	job_finish(&jobs[0], text, sizeof(text));
	fake_close(&seen);
}

/* What is typed reaches the main process, within its credit and across a restart. */
static void test_main_input(void **state)
{
	static char line[1000];
	size_t taken = 0;
	const size_t total = 300 * sizeof(line);
	double end = ev_time() + T_DEADLINE;
	struct vm vm;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	vm_start(&vm, &seen, cat_main);
	while (taken < total) {
		ssize_t n = guest_input(
			seen.g, line + taken % sizeof(line), sizeof(line) - taken % sizeof(line));

		if (n > 0)
			taken += (size_t)n;
		else
			t_turn(end, "room for input");
	}
	T_UNTIL(outlog_end(seen.out) >= total, "echo");
	fake_close(&seen);
	fake_open_main(&seen, cat_main, false);
	t_until(&seen.ready, "HELLO_ACK after a restart");
	T_UNTIL(guest_input(seen.g, "again\n", 6) == 6, "output connection");
	T_UNTIL(outlog_end(seen.out) >= total + 6, "echo");
	assert_int_equal(outlog_read(seen.out, total, text, 6, NULL), 6);
	assert_memory_equal(text, "again\n", 6);
	vm_stop(&vm);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
	const struct CMUnitTest tests[] = {
		T(test_exit_codes),
		T(test_stdin),
		T(test_killed_client_kills_the_command),
		T(test_many_in_a_row),
		T(test_ten_at_once),
		T(test_flood_over_restarts),
		T(test_flood_attached),
		T(test_flood_beside_commands),
		T(test_control),
		T(test_main_input),
	};

	if (find_agent() < 0) {
		print_message("skipped: '%s' is not built\n", agent_path);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
