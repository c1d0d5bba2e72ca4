#include "backend/guest/framed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define FRAMED_IN (WIRE_HEADER + WIRE_PAYLOAD_MAX)

void framed_init(struct framed *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = c->hup_fd = -1;
}

int framed_release(struct framed *c)
{
	if (c->fd < 0)
		return -1;
	ev_io_stop(c->loop, &c->rd);
	ev_io_stop(c->loop, &c->wr);
	ev_idle_stop(c->loop, &c->again);
	ev_timer_stop(c->loop, &c->rest);
	ev_io_stop(c->loop, &c->hup);
	close_fd(&c->hup_fd);
	buf_fini(&c->out);
	free(c->in);
	c->in = NULL;
	c->has_frame = false;
	return steal_fd(&c->fd);
}

void framed_close(struct framed *c)
{
	int fd = framed_release(c);

	if (fd >= 0)
		close(fd);
}

/* libev knows readable and writable only, and held means that readable must not be asked for. */
static void hold(struct framed *c)
{
	struct epoll_event want = {.events = EPOLLRDHUP};

	c->held = true;
	ev_io_stop(c->loop, &c->rd);
	ev_timer_stop(c->loop, &c->rest);
	if (!c->ops->hangup_ends)
		return;
	if (c->hup_fd < 0) {
		c->hup_fd = epoll_create1(EPOLL_CLOEXEC);
		if (c->hup_fd < 0)
			return; /* out of descriptors: it is noticed when reading goes on */
		(void)epoll_ctl(c->hup_fd, EPOLL_CTL_ADD, c->fd, &want);
		ev_io_set(&c->hup, c->hup_fd, EV_READ);
	}
	ev_io_start(c->loop, &c->hup);
}

static void batch(struct framed *c)
{
	if (!c->fresh)
		return;
	c->fresh = false;
	if (c->ops->on_batch)
		c->ops->on_batch(c);
}

static void end(struct framed *c, int r, const struct err *e)
{
	batch(c);
	if (c->fd < 0)
		return;
	framed_close(c);
	c->ops->on_end(c, r, e);
}

/* Gives out the frames in the buffer. 1: more bytes are needed; 0: enough for now, or over. */
static int deliver(struct framed *c, int *budget)
{
	struct err e = {0};
	int r;

	for (;;) {
		if (!c->has_frame) {
			r = wire_next(&c->reader, &c->frame);
			if (r == 0)
				return 1;
			if (r < 0) {
				err_set(&e, EPROTO, "malformed frame");
				end(c, -EPROTO, &e);
				return 0;
			}
		}
		c->has_frame = true;
		if ((*budget)-- <= 0) {
			ev_idle_start(c->loop, &c->again);
			return 0;
		}
		r = c->ops->on_frame(c, &c->frame, &e);
		if (c->fd < 0)
			return 0;
		if (r == FRAMED_HOLD) {
			hold(c);
			return 0;
		}
		c->has_frame = false;
		c->fresh = true;
		if (r < 0) {
			end(c, r, &e);
			return 0;
		}
	}
}

/* Reads once. 1: bytes came; 0: nothing there, or over. */
static int fill(struct framed *c, size_t *ret_n, bool *ret_short)
{
	struct err e = {0};
	size_t room;
	uint8_t *p = wire_room(&c->reader, &room);
	ssize_t n;

	do
		n = recv(c->fd, p, room, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		wire_commit(&c->reader, (size_t)n);
		c->received += (uint64_t)n;
		*ret_n += (size_t)n;
		*ret_short = (size_t)n < room;
		return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0) {
		int code = errno;

		err_set(&e, code, "connection lost: %s", strerror(code));
		end(c, -code, &e);
	} else if (c->reader.len) {
		err_set(&e, ECONNRESET, "closed within a frame");
		end(c, -ECONNRESET, &e);
	} else {
		err_set(&e, ECONNRESET, "closed by the peer");
		end(c, 0, &e);
	}
	return 0;
}

static void take_rest(struct framed *c)
{
	ev_io_stop(c->loop, &c->rd);
	ev_now_update(c->loop);
	ev_timer_set(&c->rest, c->ops->rest, 0.);
	ev_timer_start(c->loop, &c->rest);
}

static void on_rested(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct framed *c = w->data;

	(void)revents;
	ev_io_start(loop, &c->rd);
}

static void pump(struct framed *c)
{
	int frames = FRAMED_WAKEUP_FRAMES;
	size_t bytes = 0;
	bool last = false;

	while (deliver(c, &frames)) {
		if (last || bytes >= FRAMED_WAKEUP_BYTES)
			break;
		if (!fill(c, &bytes, &last))
			break;
	}
	if (c->fd >= 0)
		batch(c);
	if (c->fd >= 0 && !c->held && c->ops->rest > 0 && bytes >= FRAMED_WAKEUP_BYTES)
		take_rest(c);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct framed *c = w->data;

	(void)loop;
	(void)revents;
	if (ev_is_active(&c->again))
		return; /* the rest of the last wakeup comes first */
	c->ops->enter(c);
	pump(c);
	c->ops->leave(c);
}

static void on_again(struct ev_loop *loop, ev_idle *w, int revents)
{
	struct framed *c = w->data;
	struct err e = {0};

	(void)revents;
	ev_idle_stop(loop, w);
	if (!c->held) {
		/* In the order of priorities, like any other wakeup. */
		ev_io_start(loop, &c->rd);
		ev_feed_event(loop, &c->rd, EV_READ);
		return;
	}
	if (!c->broken)
		return;
	/* Nobody reads, so nobody would notice. */
	c->ops->enter(c);
	err_set(&e, -c->broken, "connection lost: %s", strerror(-c->broken));
	end(c, c->broken, &e);
	c->ops->leave(c);
}

static void on_hangup(struct ev_loop *loop, ev_io *w, int revents)
{
	struct framed *c = w->data;
	struct err e = {0};

	(void)loop;
	(void)revents;
	c->ops->enter(c);
	err_set(&e, ECONNRESET, "closed by the peer");
	end(c, 0, &e);
	c->ops->leave(c);
}

static void set_broken(struct framed *c, int r)
{
	c->broken = r;
	buf_consume(&c->out, c->out.len);
	ev_io_stop(c->loop, &c->wr);
	if (c->held)
		ev_idle_start(c->loop, &c->again);
}

void framed_flush(struct framed *c)
{
	ssize_t r = 0;

	if (c->fd < 0 || c->broken)
		return;
	while (c->out.len && r >= 0)
		r = buf_write(&c->out, c->fd);
	if (r < 0 && r != -EAGAIN)
		set_broken(c, (int)r);
	else if (c->out.len)
		ev_io_start(c->loop, &c->wr);
	else
		ev_io_stop(c->loop, &c->wr);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct framed *c = w->data;

	(void)loop;
	(void)revents;
	c->ops->enter(c);
	framed_flush(c);
	if (!c->out.len && !c->broken && c->ops->on_drained)
		c->ops->on_drained(c);
	c->ops->leave(c);
}

int framed_queue(struct framed *c, const void *p, size_t n)
{
	if (c->fd < 0 || c->broken)
		return -EPIPE;
	return buf_append(&c->out, p, n);
}

int framed_send(struct framed *c, const void *p, size_t n)
{
	const uint8_t *at = p;
	ssize_t r = 0;

	if (c->fd < 0 || c->broken)
		return -EPIPE;
	if (c->out.len) {
		if (buf_append(&c->out, p, n) < 0)
			return -ENOBUFS;
		framed_flush(c);
		return 0;
	}
	if (n > c->ops->queue_max)
		return -ENOBUFS;
	while (n) {
		r = send(c->fd, at, n, MSG_NOSIGNAL);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			break;
		at += r;
		n -= (size_t)r;
	}
	if (r < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		set_broken(c, -errno);
		return -EPIPE;
	}
	if (n && buf_append(&c->out, at, n) < 0) {
		set_broken(c, -ENOMEM);
		return -EPIPE;
	}
	if (n)
		ev_io_start(c->loop, &c->wr);
	return 0;
}

void framed_unhold(struct framed *c)
{
	if (c->fd < 0 || !c->held)
		return;
	c->held = false;
	ev_io_stop(c->loop, &c->hup);
	if (c->has_frame)
		ev_idle_start(c->loop, &c->again);
	else
		ev_io_start(c->loop, &c->rd);
}

void framed_open(
	struct framed *c, struct ev_loop *loop, int fd, const struct framed_ops *ops, bool held)
{
	framed_init(c);
	c->ops = ops;
	c->loop = loop;
	c->fd = fd;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	c->in = xcalloc(1, FRAMED_IN);
	wire_reader_init(&c->reader, c->in, FRAMED_IN);
	buf_init(&c->out, ops->queue_max);
	ev_io_init(&c->rd, on_readable, fd, EV_READ);
	ev_io_init(&c->wr, on_writable, fd, EV_WRITE);
	ev_idle_init(&c->again, on_again);
	ev_set_priority(&c->rd, ops->priority);
	ev_set_priority(&c->wr, ops->priority);
	/* An idle watcher runs only when nothing of its priority or above is pending: the highest
	 * one can't be kept waiting by a flood elsewhere. */
	ev_set_priority(&c->again, EV_MAXPRI);
	ev_init(&c->hup, on_hangup);
	ev_init(&c->rest, on_rested);
	c->rd.data = c->wr.data = c->again.data = c->hup.data = c->rest.data = c;
	if (held)
		hold(c);
	else
		ev_io_start(loop, &c->rd);
}

void socket_finish(int fd)
{
	char waste[4096];
	ssize_t n;

	if (fd < 0)
		return;
	/* After this the peer cannot add to what waits here: the loop ends. Closing with unread
	 * bytes would give the peer ECONNRESET instead of the end of file. */
	(void)shutdown(fd, SHUT_RDWR);
	do
		n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
	while (n > 0 || (n < 0 && errno == EINTR));
	close(fd);
}
