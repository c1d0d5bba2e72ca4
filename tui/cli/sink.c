#include "tui/cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The source is held while anything is queued, so this holds what was under way at that moment. */
#define QUEUE_MAX (8u * 1024 * 1024)

static void on_writable(struct ev_loop *loop, ev_io *w, int revents);

/* /proc/self/fd/N opens the same pipe or terminal as a new open file description, whose O_NONBLOCK
 * is ours alone. Not for regular files (the offset and O_APPEND would be lost; they never block),
 * and not for a pty master's /dev/ptmx, which would make a new pty. */
static int open_own(int fd, const struct stat *st)
{
	char path[40];

	if (S_ISCHR(st->st_mode) && major(st->st_rdev) == 5 && minor(st->st_rdev) == 2)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void sink_init(struct sink *s, struct ev_loop *loop, int fd, sink_on_drained *fn, void *user)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	s->loop = loop;
	s->fd = fd;
	s->own = -1;
	s->on_drained = fn;
	s->user = user;
	buf_init(&s->queue, QUEUE_MAX);
	if (fstat(fd, &st) < 0)
		s->failed = -errno;
	else if (S_ISSOCK(st.st_mode))
		s->socket = true;
	else if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		s->own = open_own(fd, &st);
		if (s->own < 0)
			s->chunk = PIPE_BUF;
	}
	ev_io_init(&s->watch, on_writable, s->own >= 0 ? s->own : fd, EV_WRITE);
}

void sink_fini(struct sink *s)
{
	if (!s || !s->loop)
		return;
	ev_io_stop(s->loop, &s->watch);
	close_fd(&s->own);
	buf_fini(&s->queue);
	s->loop = NULL;
}

/* One write: bytes, or -errno (-EAGAIN: not now). */
static ssize_t put(struct sink *s, const void *data, size_t n)
{
	ssize_t r;

	do {
		if (s->socket)
			r = send(s->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		else
			r = write(s->own >= 0 ? s->own : s->fd, data,
				s->chunk ? min_of(n, s->chunk) : n);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

static int fail(struct sink *s, int r)
{
	s->failed = r;
	ev_io_stop(s->loop, &s->watch);
	buf_consume(&s->queue, s->queue.len);
	return r;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sink *s = container_of(w, struct sink, watch);
	ssize_t r = put(s, buf_peek(&s->queue), s->queue.len);

	(void)loop;
	(void)revents;
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		s->on_drained(s, fail(s, (int)r));
		return;
	}
	buf_consume(&s->queue, (size_t)r);
	if (s->queue.len)
		return;
	ev_io_stop(s->loop, &s->watch);
	s->on_drained(s, 0);
}

int sink_write(struct sink *s, const void *data, size_t n)
{
	const uint8_t *p = data;

	if (s->failed)
		return s->failed;
	/* A descriptor that can block is only written to when the loop says it is writable. */
	while (n && !s->queue.len && !s->chunk) {
		ssize_t r = put(s, p, n);

		if (r == -EAGAIN)
			break;
		if (r < 0)
			return fail(s, (int)r);
		p += r;
		n -= (size_t)r;
	}
	if (!n)
		return s->queue.len ? 1 : 0;
	if (buf_append(&s->queue, p, n) < 0)
		return fail(s, -ENOBUFS);
	ev_io_start(s->loop, &s->watch);
	return 1;
}

bool sink_busy(const struct sink *s)
{
	return s->queue.len > 0;
}
