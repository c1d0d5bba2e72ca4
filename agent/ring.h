/* A byte ring over the owner's memory with offsets that never wrap: bytes [first, next) are in it.
 */
#ifndef VMDECK_AGENT_RING_H
#define VMDECK_AGENT_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ring {
	uint8_t *buf;
	size_t cap; /* a power of two */
	uint64_t first, next;
};

void ring_init(struct ring *r, void *buf, size_t cap);

static inline size_t ring_used(const struct ring *r)
{
	return (size_t)(r->next - r->first);
}

static inline size_t ring_room(const struct ring *r)
{
	return r->cap - ring_used(r);
}

/* Appends n (<= room) bytes. */
void ring_put(struct ring *r, const void *data, size_t n);
/* Forgets the bytes before offset (first <= offset <= next). */
void ring_release(struct ring *r, uint64_t offset);
/* Where n bytes from offset lie, whether written yet or not: the count of iov entries, 0..2. */
int ring_iov(const struct ring *r, uint64_t offset, size_t n, struct iovec iov[2]);
/* Reads once from fd, at most max bytes or the room: bytes, 0 at the end of file, -errno. */
ssize_t ring_fill(struct ring *r, int fd, size_t max);
/* Writes once to fd from the front and forgets what was taken: bytes, or -errno. */
ssize_t ring_drain(struct ring *r, int fd);

#endif
