/* Growing byte queue with a hard limit: append at the end, consume at the front. */
#ifndef VMDECK_BASE_BUF_H
#define VMDECK_BASE_BUF_H

#include <stdarg.h>

#include "backend/base/util.h"

struct buf {
	uint8_t *data; /* owned */
	size_t head;   /* first unread byte */
	size_t len;    /* unread bytes */
	size_t cap;
	size_t limit; /* len never grows past it; 0 = no limit (only for own, bounded data) */
};

void buf_init(struct buf *b, size_t limit);
/* Frees; accepts NULL and a zeroed buf; the buf can be used again. */
void buf_fini(struct buf *b);

static inline const uint8_t *buf_peek(const struct buf *b)
{
	return b->data + b->head;
}

/* Room for n more bytes, contiguous; NULL when that would pass the limit. */
uint8_t *buf_reserve(struct buf *b, size_t n) must_check;
/* Makes n bytes written into the reserved room part of the queue. */
void buf_commit(struct buf *b, size_t n);
/* 0, or -ENOBUFS with nothing appended when the limit is passed. */
int buf_append(struct buf *b, const void *p, size_t n) must_check;
int buf_printf(struct buf *b, const char *fmt, ...) must_check printf_like(2, 3);
/* Drops n (<= len) bytes from the front. */
void buf_consume(struct buf *b, size_t n);
/* Bytes that may still be appended (SIZE_MAX without a limit). */
size_t buf_room(const struct buf *b);

/* read(2)s once into the queue, at most max bytes or the room left: bytes read, 0 at end of
 * file, -errno (-EAGAIN: nothing there; -ENOBUFS: queue full). */
ssize_t buf_read(struct buf *b, int fd, size_t max);
/* write(2)s once from the front (MSG_NOSIGNAL on sockets): bytes written and consumed, or -errno.
 */
ssize_t buf_write(struct buf *b, int fd);

#endif
