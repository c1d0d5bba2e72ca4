#include "backend/base/buf.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){.limit = limit};
}

void buf_fini(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct buf){.limit = b->limit};
}

size_t buf_room(const struct buf *b)
{
	if (!b->limit)
		return SIZE_MAX - b->len;
	return b->limit > b->len ? b->limit - b->len : 0;
}

/* Moving the unread bytes to the front is paid for by the bytes consumed since the last time. */
static void make_front_room(struct buf *b)
{
	if (!b->head)
		return;
	memmove(b->data, b->data + b->head, b->len);
	b->head = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	size_t want;
	uint8_t *p;

	if (n > buf_room(b))
		return NULL;
	if (b->head + b->len + n <= b->cap)
		return b->data + b->head + b->len;
	if (b->len + n <= b->cap && b->head >= b->len) {
		make_front_room(b);
		return b->data + b->len;
	}
	want = max_of(b->cap * 2, (b->len + n + 255) & ~(size_t)255);
	p = malloc(want);
	if (!p)
		return NULL;
	if (b->len)
		memcpy(p, b->data + b->head, b->len);
	free(b->data);
	b->data = p;
	b->head = 0;
	b->cap = want;
	return p + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
	b->len += n;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	uint8_t *room;

	if (!n)
		return 0;
	room = buf_reserve(b, n);
	if (!room)
		return -ENOBUFS;
	memcpy(room, p, n);
	b->len += n;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *room;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	room = buf_reserve(b, (size_t)n + 1);
	if (!room)
		return -ENOBUFS;
	va_start(ap, fmt);
	vsnprintf((char *)room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	b->head += n;
	b->len -= n;
	if (!b->len)
		b->head = 0;
}

ssize_t buf_read(struct buf *b, int fd, size_t max)
{
	size_t n = min_of(max, buf_room(b));
	uint8_t *room;
	ssize_t r;

	room = n ? buf_reserve(b, n) : NULL;
	if (!room)
		return -ENOBUFS;
	do
		r = read(fd, room, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	b->len += (size_t)r;
	return r;
}

ssize_t buf_write(struct buf *b, int fd)
{
	ssize_t r;

	if (!b->len)
		return 0;
	do {
		r = send(fd, buf_peek(b), b->len, MSG_NOSIGNAL);
		if (r < 0 && errno == ENOTSOCK)
			r = write(fd, buf_peek(b), b->len);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	buf_consume(b, (size_t)r);
	return r;
}
