#include "agent/ring.h"

#include <errno.h>
#include <string.h>

#include "agent/util.h"

void ring_init(struct ring *r, void *buf, size_t cap)
{
	*r = (struct ring){.buf = buf, .cap = cap};
}

int ring_iov(const struct ring *r, uint64_t offset, size_t n, struct iovec iov[2])
{
	size_t at = (size_t)(offset & (r->cap - 1)), head = min_of(n, r->cap - at);

	if (!n)
		return 0;
	iov[0] = (struct iovec){.iov_base = r->buf + at, .iov_len = head};
	if (head == n)
		return 1;
	iov[1] = (struct iovec){.iov_base = r->buf, .iov_len = n - head};
	return 2;
}

void ring_put(struct ring *r, const void *data, size_t n)
{
	struct iovec iov[2];
	int k = ring_iov(r, r->next, n, iov);
	const uint8_t *p = data;

	for (int i = 0; i < k; i++) {
		memcpy(iov[i].iov_base, p, iov[i].iov_len);
		p += iov[i].iov_len;
	}
	r->next += n;
}

void ring_release(struct ring *r, uint64_t offset)
{
	r->first = offset;
}

ssize_t ring_fill(struct ring *r, int fd, size_t max)
{
	struct iovec iov[2];
	size_t room = ring_room(r);
	int k = ring_iov(r, r->next, min_of(max, room), iov);
	ssize_t n;

	if (!k)
		return -ENOBUFS;
	n = readv(fd, iov, k);
	if (n < 0)
		return -errno;
	r->next += (size_t)n;
	return n;
}

ssize_t ring_drain(struct ring *r, int fd)
{
	struct iovec iov[2];
	int k = ring_iov(r, r->first, ring_used(r), iov);
	ssize_t n;

	if (!k)
		return 0;
	n = writev(fd, iov, k);
	if (n < 0)
		return -errno;
	r->first += (size_t)n;
	return n;
}
