/* Growing byte ring. */
#include "backend/vsock/obuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/base/util.h"
#include "backend/vsock/iov.h"

#define FIRST 4096u
#define KEEP  16384u /* larger ones are freed when they get empty */

void obuf_fini(struct obuf *b)
{
	free(b->data);
	*b = (struct obuf){0};
}

static int grow(struct obuf *b, size_t need)
{
	struct iovec part[2];
	size_t cap = b->cap ? b->cap : FIRST;
	uint8_t *data;

	while (cap < need)
		cap *= 2;
	if (cap == b->cap)
		return 0;
	data = malloc(cap);
	if (!data)
		return -ENOMEM;
	iov_read(part, obuf_peek(b, part), data, b->len);
	free(b->data);
	b->data = data;
	b->cap = cap;
	b->head = 0;
	return 0;
}

static void append(struct obuf *b, const uint8_t *p, size_t n)
{
	size_t tail = (b->head + b->len) & (b->cap - 1);
	size_t k = min_of(n, b->cap - tail);

	memcpy(b->data + tail, p, k);
	if (n > k)
		memcpy(b->data, p + k, n - k);
	b->len += n;
}

int obuf_put(struct obuf *b, const struct iovec *iov, unsigned n)
{
	int r = grow(b, b->len + iov_len(iov, n));

	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++)
		append(b, iov[i].iov_base, iov[i].iov_len);
	return 0;
}

unsigned obuf_peek(const struct obuf *b, struct iovec ret[2])
{
	size_t k = min_of(b->len, b->cap - b->head);

	if (b->len == 0)
		return 0;
	ret[0] = (struct iovec){b->data + b->head, k};
	ret[1] = (struct iovec){b->data, b->len - k};
	return b->len > k ? 2 : 1;
}

void obuf_drop(struct obuf *b, size_t n)
{
	b->len -= n;
	b->head = b->cap ? (b->head + n) & (b->cap - 1) : 0;
	if (b->len > 0)
		return;
	b->head = 0;
	if (b->cap > KEEP)
		obuf_fini(b);
}
