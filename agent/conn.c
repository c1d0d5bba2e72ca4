#include "agent/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/util.h"

void conn_init(struct conn *c, struct loop *l, void *in, void *out, size_t out_cap)
{
	*c = (struct conn){.loop = l, .fd = -1, .slot = -1, .out = out, .out_cap = out_cap};
	wire_reader_init(&c->in, in, CONN_IN_CAP);
}

int conn_open(struct conn *c, int fd, uint32_t events, loop_fn *fn, void *user)
{
	int slot = loop_add(c->loop, fd, events, fn, user);

	if (slot < 0) {
		close_fd(&fd);
		return slot;
	}
	wire_reader_init(&c->in, c->in.buf, c->in.cap);
	c->out_head = c->out_len = 0;
	c->fd = fd;
	c->slot = slot;
	return 0;
}

void conn_close(struct conn *c)
{
	loop_del(c->loop, &c->slot);
	close_fd(&c->fd);
}

int conn_fill(struct conn *c)
{
	size_t room;
	uint8_t *p = wire_room(&c->in, &room);
	ssize_t n;

	if (!room)
		return -EPROTO;
	n = recv(c->fd, p, room, MSG_DONTWAIT);
	if (n > 0) {
		wire_commit(&c->in, (size_t)n);
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	return -ECONNRESET;
}

uint8_t *conn_reserve(struct conn *c, size_t n)
{
	if (conn_room(c) < n)
		return NULL;
	if (c->out_cap - c->out_head - c->out_len < n) {
		memmove(c->out, c->out + c->out_head, c->out_len);
		c->out_head = 0;
	}
	return c->out + c->out_head + c->out_len;
}

void conn_queue(struct conn *c, int n)
{
	if (n < 0)
		say_error("cannot encode a frame: errno %d", -n);
	else
		c->out_len += (size_t)n;
}

int conn_flush(struct conn *c)
{
	ssize_t n = 1;

	while (c->out_len && n > 0) {
		n = send(c->fd, c->out + c->out_head, c->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			c->out_head += (size_t)n;
			c->out_len -= (size_t)n;
		}
	}
	if (!c->out_len)
		c->out_head = 0;
	loop_set(c->loop, c->slot, EPOLLIN | (c->out_len ? EPOLLOUT : 0));
	return 0;
}
