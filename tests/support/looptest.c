#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/looptest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/base/file.h"

struct ev_loop *t_loop;
char t_dir[64];
static int fds_before;

int t_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

int t_setup(void **state)
{
	(void)state;
	strcpy(t_dir, "/tmp/vmdeck-loop-XXXXXX");
	assert_non_null(mkdtemp(t_dir));
	fds_before = t_count_fds();
	t_loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(t_loop);
	return 0;
}

static void at_once(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

int t_teardown(void **state)
{
	(void)state;
	assert_int_equal(tree_remove(t_dir, NULL), 0);
	/* What the loop still has to learn about closed descriptors must not count as a leak. */
	assert_int_equal(ev_run(t_loop, EVRUN_NOWAIT), 0); /* 0: no active watcher is left */
	ev_loop_destroy(t_loop);
	t_loop = NULL;
	assert_int_equal(t_count_fds(), fds_before);
	return 0;
}

const char *t_path(const char *name)
{
	static char ring[8][128];
	static unsigned at;
	char *p = ring[at++ % 8];

	snprintf(p, sizeof(ring[0]), "%s/%s", t_dir, name);
	return p;
}

static void on_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents; /* ends ev_run, that is all */
}

void t_turn(double end, const char *what)
{
	double left = end - ev_time();
	ev_timer t;

	if (left <= 0)
		fail_msg("no %s within %g s", what, T_DEADLINE);
	ev_now_update(t_loop);
	ev_timer_init(&t, on_late, left, 0.);
	ev_timer_start(t_loop, &t);
	ev_run(t_loop, EVRUN_ONCE);
	ev_timer_stop(t_loop, &t);
}

void t_until(const int *flag, const char *what)
{
	T_UNTIL(*flag, what);
}

void t_quiet(double s)
{
	ev_timer t;

	ev_now_update(t_loop);
	ev_timer_init(&t, at_once, s, 0.);
	ev_timer_start(t_loop, &t);
	ev_run(t_loop, 0);
	ev_timer_stop(t_loop, &t);
}

static void set_flag(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	*(int *)w->data = 1;
}

/* Runs the loop until fd is readable (EV_READ) or writable (EV_WRITE). */
static void wait_fd(int fd, int events, const char *what)
{
	int ready = 0;
	ev_io w;

	ev_io_init(&w, set_flag, fd, events);
	w.data = &ready;
	ev_io_start(t_loop, &w);
	t_until(&ready, what);
	ev_io_stop(t_loop, &w);
}

/* ---- peers ---- */

void peer_take(struct peer *p, int fd)
{
	assert_true(fd >= 0);
	p->fd = fd;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	wire_reader_init(&p->r, p->buf, sizeof(p->buf));
}

void peer_dial(struct peer *p, const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	peer_take(p, fd);
}

void peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

bool peer_send(struct peer *p, const void *data, size_t n)
{
	const char *at = data;

	while (n) {
		ssize_t r = send(p->fd, at, n, MSG_NOSIGNAL);

		if (r > 0) {
			at += r;
			n -= (size_t)r;
		} else if (errno == EAGAIN) {
			wait_fd(p->fd, EV_WRITE, "room to send");
		} else {
			return false;
		}
	}
	return true;
}

void peer_put(struct peer *p, int n, const void *frame)
{
	assert_true(n > 0);
	assert_true(peer_send(p, frame, (size_t)n));
}

bool peer_next(struct peer *p)
{
	for (;;) {
		int r = wire_next(&p->r, &p->f);
		size_t room;
		uint8_t *at;
		ssize_t n;

		assert_true(r >= 0);
		if (r == 1)
			return true;
		at = wire_room(&p->r, &room);
		n = recv(p->fd, at, room, 0);
		if (n > 0)
			wire_commit(&p->r, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			wait_fd(p->fd, EV_READ, "frame");
		else if (n < 0)
			fail_msg("recv: %s", strerror(errno));
		else
			return false;
	}
}

void peer_expect(struct peer *p, uint8_t type)
{
	if (!peer_next(p))
		fail_msg("end of file instead of %s", wire_type_name(type));
	if (p->f.type != type)
		fail_msg("%s instead of %s", wire_type_name(p->f.type), wire_type_name(type));
}

void peer_expect_eof(struct peer *p)
{
	if (peer_next(p))
		fail_msg("%s instead of the end of file", wire_type_name(p->f.type));
}

int t_listen(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

int t_accept(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			return fd;
		wait_fd(listener, EV_READ, "connection");
	}
}

void t_read(int fd, void *out, size_t n)
{
	char *at = out;

	while (n) {
		ssize_t r = recv(fd, at, n, MSG_DONTWAIT);

		if (r > 0) {
			at += r;
			n -= (size_t)r;
		} else if (r < 0 && errno == EAGAIN) {
			wait_fd(fd, EV_READ, "bytes");
		} else {
			fail_msg("end of file with %zu bytes to come", n);
		}
	}
}

void peer_accept_hybrid(struct peer *p, int listener, unsigned port)
{
	char want[32], got[32] = "";
	int n = snprintf(want, sizeof(want), "CONNECT %u\n", port);

	peer_take(p, t_accept(listener));
	t_read(p->fd, got, (size_t)n);
	assert_string_equal(got, want);
	assert_true(peer_send(p, "OK 1073741824\n", 14));
}
