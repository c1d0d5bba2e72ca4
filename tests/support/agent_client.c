#include "tests/support/agent_client.h"

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
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool wait_fd(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left = until - now_ms();

	return poll(&p, 1, left > 0 ? (int)left : 0) > 0;
}

void peer_init(struct peer *p, int fd)
{
	p->fd = fd;
	wire_reader_init(&p->in, p->buf, sizeof(p->buf));
}

void peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

int peer_next(struct peer *p, struct wire_frame *f, int ms)
{
	int64_t until = now_ms() + ms;

	for (;;) {
		int r = wire_next(&p->in, f);
		size_t room;
		uint8_t *to;
		ssize_t n;

		assert_true(r >= 0);
		if (r)
			return 1;
		if (!wait_fd(p->fd, POLLIN, until))
			return -ETIMEDOUT;
		to = wire_room(&p->in, &room);
		n = read(p->fd, to, room);
		if (n <= 0)
			return 0;
		wire_commit(&p->in, (size_t)n);
	}
}

void peer_expect(struct peer *p, uint8_t type, struct wire_frame *f)
{
	int r = peer_next(p, f, CLIENT_MS);

	if (r != 1)
		fail_msg("no frame %s from the agent: %s", wire_type_name(type),
			r ? "silence" : "end of the stream");
	if (f->type != type)
		fail_msg("frame %s instead of %s", wire_type_name(f->type), wire_type_name(type));
}

void peer_expect_end(struct peer *p)
{
	struct wire_frame f;
	int r;

	while ((r = peer_next(p, &f, CLIENT_MS)) == 1)
		;
	assert_int_equal(r, 0);
	peer_close(p);
}

void peer_send(struct peer *p, const void *data, size_t n)
{
	const uint8_t *at = data;
	int64_t until = now_ms() + CLIENT_MS;

	while (n) {
		ssize_t r = send(p->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (r < 0) {
			/* The agent may have closed on us: the reader finds out. */
			if (errno != EAGAIN)
				return;
			assert_true(wait_fd(p->fd, POLLOUT, until));
			continue;
		}
		at += r;
		n -= (size_t)r;
	}
}

void peer_put(struct peer *p, uint8_t type, const void *payload, size_t n)
{
	uint8_t header[WIRE_HEADER];

	wire_header(header, type, (uint32_t)n);
	peer_send(p, header, sizeof(header));
	peer_send(p, payload, n);
}

static void address(struct sockaddr_un *sa, const char *path, const char *suffix)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(sa->sun_path, sizeof(sa->sun_path), "%s%s", path, suffix);
}

int listen_at(const char *path, const char *suffix)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;

	address(&sa, path, suffix);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

bool peer_waits(int listener, int ms)
{
	return wait_fd(listener, POLLIN, now_ms() + ms);
}

static void accept_into(int listener, struct peer *p)
{
	int fd;

	assert_true(wait_fd(listener, POLLIN, now_ms() + CLIENT_MS));
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	peer_close(p);
	peer_init(p, fd);
}

static void run_agent(const struct agent_proc *a, const char *etc)
{
	char self[PATH_MAX], program[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		_exit(99);
	self[n] = 0;
	snprintf(program, sizeof(program), "%s/../vmdeck-agent-host", dirname(self));
	execl(program, "vmdeck-agent-host", "--unix", a->path, "--output-fifo", a->fifo,
		etc ? "--network" : (char *)NULL, etc, (char *)NULL);
	_exit(99);
}

void agent_start(struct agent_proc *a)
{
	agent_start_network(a, NULL);
}

void agent_start_network(struct agent_proc *a, const char *etc)
{
	memset(a, 0, sizeof(*a));
	peer_init(&a->control, -1);
	peer_init(&a->output, -1);
	strcpy(a->dir, "/tmp/vmdeck-test-XXXXXX");
	assert_non_null(mkdtemp(a->dir));
	snprintf(a->path, sizeof(a->path), "%s/v.sock", a->dir);
	snprintf(a->fifo, sizeof(a->fifo), "%s/output", a->dir);
	a->control_fd = listen_at(a->path, "_4990");
	a->output_fd = listen_at(a->path, "_4991");
	a->pid = fork();
	assert_true(a->pid >= 0);
	if (!a->pid)
		run_agent(a, etc);
}

static void put_strings(struct wire_str *out, uint16_t *ret_n, const char *const *in)
{
	uint16_t n = 0;

	for (; in && in[n]; n++)
		out[n] = (struct wire_str){.s = in[n], .len = (uint16_t)strlen(in[n])};
	*ret_n = n;
}

void agent_hello(struct agent_proc *a, uint8_t generation, const char *const *argv, bool tty,
	struct wire_hello_ack *ret)
{
	static const char *const env[] = {"FROM_HELLO=yes", NULL};
	static struct wire_hello h;
	uint8_t buf[4096];
	struct wire_frame f;
	struct wire_ready ready;
	struct timespec ts;

	accept_into(a->control_fd, &a->control);
	peer_expect(&a->control, WIRE_READY, &f);
	assert_int_equal(wire_get_ready(&f, &ready), 0);
	memset(&h, 0, sizeof(h));
	clock_gettime(CLOCK_REALTIME, &ts);
	h.version = WIRE_VERSION;
	h.wall_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	memset(h.generation, generation, WIRE_ID);
	memset(h.instance, 0xaa, WIRE_ID);
	h.tty = tty;
	h.net = a->net;
	h.rows = 30;
	h.cols = 90;
	put_strings(h.argv, &h.argc, argv);
	put_strings(h.env, &h.envc, env);
	peer_send(&a->control, buf, (size_t)wire_put_hello(buf, sizeof(buf), &h));
	peer_expect(&a->control, WIRE_HELLO_ACK, &f);
	assert_int_equal(wire_get_hello_ack(&f, ret), 0);
	assert_memory_equal(ret->generation, h.generation, WIRE_ID);
	snprintf(a->network_why, sizeof(a->network_why), "%.*s", ret->network_why.len,
		ret->network_why.s);
	ret->network_why = (struct wire_str){0};
	peer_expect(&a->control, WIRE_SERVING, &f);
	assert_int_equal(wire_get_serving(&f, &a->serving), 0);
}

void agent_output(struct agent_proc *a, struct wire_out_open *ret)
{
	uint8_t buf[64];
	struct wire_frame f;

	accept_into(a->output_fd, &a->output);
	peer_expect(&a->output, WIRE_OUT_OPEN, &f);
	assert_int_equal(wire_get_out_open(&f, ret), 0);
	peer_send(&a->output, buf,
		(size_t)wire_put_u64(buf, sizeof(buf), WIRE_OUT_RESUME, a->stored));
}

void agent_up(struct agent_proc *a)
{
	static const char *const quiet[] = {"sleep", "100000", NULL};
	struct wire_hello_ack ack;
	struct wire_out_open open;

	agent_start(a);
	agent_hello(a, 1, quiet, false, &ack);
	agent_output(a, &open);
}

bool pid_gone(pid_t pid, int ms)
{
	int64_t until = now_ms() + ms;
	char path[64], text[512];

	/* No event tells the end of a process that is not our child, in another's subtree. */
	for (;;) {
		const char *state;
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return true;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		if (n <= 0)
			return true;
		text[n] = 0;
		state = strrchr(text, ')');
		if (state && state[2] == 'Z')
			return true;
		if (now_ms() > until)
			return false;
		poll(NULL, 0, 5);
	}
}

/* Stores what still comes, until the agent closes: it does not end before, or only after its limit.
 */
static void drain_output(struct agent_proc *a)
{
	uint8_t buf[32];
	struct wire_frame f;
	const uint8_t *data;
	uint64_t offset;
	uint32_t n;

	while (a->output.fd >= 0 && peer_next(&a->output, &f, CLIENT_MS) == 1) {
		if (f.type != WIRE_OUT_DATA)
			continue;
		assert_int_equal(wire_get_out_data(&f, &offset, &data, &n), 0);
		peer_send(&a->output, buf,
			(size_t)wire_put_u64(buf, sizeof(buf), WIRE_OUT_STORED, offset + n));
	}
	peer_close(&a->output);
}

void agent_stop(struct agent_proc *a)
{
	char listener[sizeof(a->path) + 8];
	int status = -1;

	kill(a->pid, SIGTERM);
	drain_output(a);
	if (!pid_gone(a->pid, CLIENT_MS))
		kill(a->pid, SIGKILL);
	waitpid(a->pid, &status, 0);
	peer_close(&a->control);
	close(a->control_fd);
	close(a->output_fd);
	snprintf(listener, sizeof(listener), "%s_4990", a->path);
	unlink(listener);
	snprintf(listener, sizeof(listener), "%s_4991", a->path);
	unlink(listener);
	/* Its own socket and FIFO it has removed itself. */
	assert_int_equal(rmdir(a->dir), 0);
	assert_int_equal(status, 0);
}

void exec_connect_raw(const struct agent_proc *a, struct peer *p)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa;

	address(&sa, a->path, "");
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	peer_init(p, fd);
}

void exec_connect(const struct agent_proc *a, struct peer *p)
{
	int64_t until = now_ms() + CLIENT_MS;
	char line[32] = "", c = 0;
	size_t n = 0;

	exec_connect_raw(a, p);
	peer_send(p, "CONNECT 4992\n", 13);
	while (c != '\n' && n < sizeof(line) - 1) {
		assert_true(wait_fd(p->fd, POLLIN, until));
		assert_int_equal(read(p->fd, &c, 1), 1);
		line[n++] = c;
	}
	assert_memory_equal(line, "OK ", 3);
}

void exec_send_req(struct peer *p, const struct exec_spec *s)
{
	static struct wire_exec_req m;
	static uint8_t buf[WIRE_HEADER + WIRE_PAYLOAD_MAX];
	const char *cwd = s->cwd ? s->cwd : "", *user = s->user ? s->user : "";
	int n;

	memset(&m, 0, sizeof(m));
	if (s->id)
		memcpy(m.id, s->id, WIRE_ID);
	else
		assert_int_equal(getrandom(m.id, WIRE_ID, 0), WIRE_ID);
	m.flags = (uint8_t)((s->in ? WIRE_REQ_STDIN : 0) | (s->tty ? WIRE_REQ_TTY : 0));
	m.rows = s->rows;
	m.cols = s->cols;
	m.cwd = (struct wire_str){.s = cwd, .len = (uint16_t)strlen(cwd)};
	m.user = (struct wire_str){.s = user, .len = (uint16_t)strlen(user)};
	put_strings(m.argv, &m.argc, s->argv);
	put_strings(m.env, &m.envc, s->env);
	n = wire_put_exec_req(buf, sizeof(buf), &m);
	assert_true(n > 0);
	peer_send(p, buf, (size_t)n);
}

pid_t exec_start(const struct agent_proc *a, struct peer *p, const struct exec_spec *s)
{
	struct wire_frame f;
	uint32_t pid, credit;

	exec_connect(a, p);
	exec_send_req(p, s);
	peer_expect(p, WIRE_ACK, &f);
	peer_put(p, WIRE_GO, NULL, 0);
	peer_expect(p, WIRE_STARTED, &f);
	assert_int_equal(wire_get_u32(&f, &pid), 0);
	if (s->in) {
		peer_expect(p, WIRE_CREDIT, &f);
		assert_int_equal(wire_get_u32(&f, &credit), 0);
		assert_int_equal(credit, WIRE_STDIN_CREDIT);
	}
	return (pid_t)pid;
}

static void collect(char *text, size_t cap, size_t *len, const struct wire_frame *f)
{
	if (*len < cap - 1) {
		size_t n = cap - 1 - *len < f->len ? cap - 1 - *len : f->len;

		memcpy(text + *len, f->payload, n);
		text[*len + n] = 0;
	}
	*len += f->len;
}

void exec_finish(struct peer *p, struct exec_result *r)
{
	struct wire_frame f;
	int got;

	memset(r, 0, sizeof(*r));
	while ((got = peer_next(p, &f, CLIENT_MS)) == 1 && f.type != WIRE_EXIT) {
		if (f.type == WIRE_STDOUT)
			collect(r->out, sizeof(r->out), &r->out_len, &f);
		else if (f.type == WIRE_STDERR)
			collect(r->err, sizeof(r->err), &r->err_len, &f);
		else
			assert_int_equal(f.type, WIRE_CREDIT);
	}
	assert_int_equal(got, 1);
	assert_int_equal(wire_get_exit(&f, &r->how, &r->value), 0);
	/* EXIT is the last frame. */
	assert_int_equal(peer_next(p, &f, CLIENT_MS), 0);
	peer_close(p);
}

void exec_run(const struct agent_proc *a, const struct exec_spec *s, struct exec_result *r)
{
	struct peer p;

	exec_start(a, &p, s);
	exec_finish(&p, r);
}

void exec_expect(const struct agent_proc *a, const char *script, const char *out)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	const struct exec_spec s = {.argv = argv};
	struct exec_result r;

	exec_run(a, &s, &r);
	assert_string_equal(r.out, out);
	assert_int_equal(r.how, WIRE_EXITED);
	assert_int_equal(r.value, 0);
}

void exec_expect_refused(struct peer *p, uint8_t code, char *why, size_t n)
{
	struct wire_frame f;
	struct wire_str s;
	uint8_t got;

	peer_expect(p, WIRE_REFUSED, &f);
	assert_int_equal(wire_get_refused(&f, &got, &s), 0);
	snprintf(why, n, "%.*s", s.len, s.s);
	assert_int_equal(got, code);
	assert_true(s.len > 0);
	peer_expect_end(p);
}

void exec_wait_text(struct peer *p, const char *text)
{
	char seen[8192] = "";
	size_t len = 0;
	struct wire_frame f;

	while (!strstr(seen, text)) {
		if (peer_next(p, &f, CLIENT_MS) != 1)
			fail_msg("'%s' did not come; came: %s", text, seen);
		if (f.type == WIRE_STDOUT)
			collect(seen, sizeof(seen), &len, &f);
		assert_true(f.type == WIRE_STDOUT || f.type == WIRE_CREDIT);
	}
}
