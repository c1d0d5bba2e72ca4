/* Host streams: the first line, and the operations the mux moves bytes with. All descriptors are
 * watched edge-triggered: one registration each, and a change of it only while one is full. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "backend/base/util.h"
#include "backend/vsock/hybrid_internal.h"
#include "backend/vsock/line.h"
#include "backend/vsock/ram.h"

#define WATCH (EPOLLIN | EPOLLRDHUP | EPOLLET)

/* Closing with bytes unread makes the peer's read fail (ECONNRESET) where an end is meant. */
void close_softly(int fd)
{
	char junk[16384];

	shutdown(fd, SHUT_RDWR);
	/* No more can come in; what a socket queues is bounded, this loop too. */
	for (unsigned i = 0; i < 64 && recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0; i++)
		;
	close(fd);
}

static void stream_close(struct hybrid *h, struct stream *s)
{
	if (s->fd < 0)
		return;
	if (s->hup)
		close(s->fd);
	else
		close_softly(s->fd);
	s->fd = -1;
	if (!s->conn)
		h->greeting_count--;
	s->conn = NULL;
	list_del(&s->node);
	list_push(&h->dead, &s->node);
}

void stream_reap(struct hybrid *h)
{
	struct list *l;

	while ((l = list_pop(&h->dead)))
		free(container_of(l, struct stream, node));
}

void stream_close_greeting(struct hybrid *h)
{
	while (!list_empty(&h->greeting))
		stream_close(h, container_of(h->greeting.next, struct stream, node));
	while (!list_empty(&h->waiting))
		stream_close(h, container_of(h->waiting.next, struct stream, node));
}

void stream_expire(struct hybrid *h)
{
	while (!list_empty(&h->greeting)) {
		struct stream *s = container_of(h->greeting.next, struct stream, node);

		if (s->deadline > h->now)
			break;
		stream_close(h, s);
	}
}

static bool watch(struct hybrid *h, struct stream *s, int op, uint32_t more)
{
	struct epoll_event ev = {.events = WATCH | more, .data.ptr = &s->source};

	return epoll_ctl(h->epfd, op, s->fd, &ev) == 0;
}

static void arm(struct hybrid *h, struct stream *s, bool on)
{
	if (s->armed != on && watch(h, s, EPOLL_CTL_MOD, on ? EPOLLOUT : 0))
		s->armed = on;
}

static void dial(struct hybrid *h, struct stream *s, bool more)
{
	struct conn *c;

	list_del(&s->node);
	c = mux_dial(&h->mux, s->port, s);
	if (!c) {
		stream_close(h, s);
		return;
	}
	s->conn = c;
	h->greeting_count--;
	if (more || s->eof)
		mux_host_readable(&h->mux, c, s->eof);
}

void stream_dial_waiting(struct hybrid *h)
{
	while (!list_empty(&h->waiting))
		dial(h, container_of(h->waiting.next, struct stream, node), true);
}

static void answer_memory(struct hybrid *h, struct stream *s, bool make_private)
{
	enum ram_state state = RAM_NONE;
	char why[200] = "no guest memory is mapped", text[256];
	int r = make_private ? -ENXIO : 0;

	if (h->ram && make_private)
		r = ram_make_private(h->ram, why, sizeof(why));
	if (h->ram)
		state = ram_state(h->ram);
	snprintf(text, sizeof(text), "%s %s\n", r < 0 ? "ERROR" : "OK",
		r < 0 ? why : ram_state_name(state));
	/* The first bytes on this socket: they fit, or the peer is gone and it is closed anyway. */
	(void)!send(s->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	stream_close(h, s);
}

static void greeted(struct hybrid *h, struct stream *s, bool more)
{
	switch (line_parse(s->line, s->line_len, &s->port)) {
	case LINE_CONNECT:
		if (h->running) {
			dial(h, s, more);
			return;
		}
		/* Until the device runs: without a limit in time, as a VM may be paused for long.
		 */
		s->waiting = true;
		list_del(&s->node);
		list_push(&h->waiting, &s->node);
		return;
	case LINE_MEMORY_STATE:
		answer_memory(h, s, false);
		return;
	case LINE_MEMORY_PRIVATE:
		answer_memory(h, s, true);
		return;
	case LINE_BAD:
		break;
	}
	stream_close(h, s);
}

/* Takes the line and not a byte more: what follows is the guest's. */
static void greet(struct hybrid *h, struct stream *s)
{
	char *at = s->line + s->line_len;
	size_t room = sizeof(s->line) - s->line_len;
	ssize_t n = recv(s->fd, at, room, MSG_PEEK | MSG_DONTWAIT);
	char *end;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		stream_close(h, s);
		return;
	}
	end = memchr(at, '\n', (size_t)n);
	if (recv(s->fd, at, end ? (size_t)(end - at) + 1 : (size_t)n, MSG_DONTWAIT) <= 0) {
		stream_close(h, s);
		return;
	}
	s->line_len += (unsigned)(end ? end - at : n);
	if (end)
		greeted(h, s, (size_t)n == room || end + 1 < at + n);
	else if (s->line_len == sizeof(s->line) || s->eof)
		stream_close(h, s);
}

static void conn_events(struct hybrid *h, struct stream *s, uint32_t ev)
{
	if (ev & EPOLLOUT) {
		mux_host_writable(&h->mux, s->conn);
		if (s->fd < 0)
			return; /* that was the last byte it waited for */
		if (!s->conn->blocked)
			arm(h, s, false);
	}
	if (ev & (EPOLLIN | EPOLLRDHUP))
		mux_host_readable(&h->mux, s->conn, s->eof);
	if (s->hup)
		mux_host_hangup(&h->mux, s->conn);
}

static void on_stream(struct hybrid *h, struct source *src, uint32_t ev)
{
	struct stream *s = container_of(src, struct stream, source);

	if (s->fd < 0)
		return; /* closed by an earlier event of this pass */
	s->eof |= (ev & EPOLLRDHUP) != 0;
	s->hup |= (ev & (EPOLLHUP | EPOLLERR)) != 0;
	if (s->conn)
		conn_events(h, s, ev);
	else if (s->hup)
		stream_close(h, s);
	else if (!s->waiting)
		greet(h, s);
}

static struct stream *stream_new(struct hybrid *h, int fd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->source.fn = on_stream;
	s->fd = fd;
	list_init(&s->node);
	if (!watch(h, s, EPOLL_CTL_ADD, 0)) {
		free(s);
		return NULL;
	}
	return s;
}

void stream_accepted(struct hybrid *h, int fd)
{
	struct stream *s = NULL;

	if (h->mux.table.count + h->greeting_count < VSOCK_CONNS_MAX)
		s = stream_new(h, fd);
	if (!s) {
		close_softly(fd);
		return;
	}
	s->deadline = h->now + VSOCK_GREETING_MS;
	list_push(&h->greeting, &s->node);
	h->greeting_count++;
}

/* A UNIX socket connects at once or not at all, so this can not stall: with a full backlog it is
 * EAGAIN. */
static int op_dial(struct mux *m, struct conn *c)
{
	struct hybrid *h = m->user;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stream *s;

	if (fd < 0)
		return -errno;
	/* Fits: HYBRID_PATH_MAX leaves room for "_4294967295". */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.*s_%u", HYBRID_PATH_MAX, h->path,
		c->host_port);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	s = stream_new(h, fd);
	if (!s)
		return -ENOMEM;
	s->conn = c;
	c->host = s;
	steal_fd(&fd);
	return 0;
}

static int op_opened(struct mux *m, struct conn *c)
{
	struct stream *s = c->host;
	char text[24];
	int n = snprintf(text, sizeof(text), "OK %u\n", c->host_port);

	(void)m;
	/* The first bytes on this socket: they fit, or the peer is gone. */
	return send(s->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) == n ? 0 : -EPIPE;
}

static ssize_t op_read(struct mux *m, struct conn *c, const struct iovec *iov, unsigned n)
{
	struct stream *s = c->host;
	ssize_t r = readv(s->fd, iov, (int)n);

	(void)m;
	return r < 0 ? -errno : r;
}

static ssize_t op_write(struct mux *m, struct conn *c, const struct iovec *iov, unsigned n)
{
	struct stream *s = c->host;
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};
	ssize_t r = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	int e = errno;
	size_t len = 0;

	if (r < 0 && e != EAGAIN)
		return -e;
	for (unsigned i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (r < 0 || (size_t)r < len)
		arm(m->user, s, true);
	return r < 0 ? -e : r;
}

static void op_shut(struct mux *m, struct conn *c, int how)
{
	struct stream *s = c->host;

	(void)m;
	shutdown(s->fd, how);
}

static void op_close(struct mux *m, struct conn *c)
{
	stream_close(m->user, c->host);
}

const struct mux_ops stream_ops = {
	.dial = op_dial,
	.opened = op_opened,
	.read = op_read,
	.write = op_write,
	.shut = op_shut,
	.close = op_close,
};
