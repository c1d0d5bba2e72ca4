/* Bytes of the guest that the host peer has not taken yet: a ring that grows by doubling up to its
 * limit and gives memory back when it is empty. */
#ifndef VMDECK_VSOCK_OBUF_H
#define VMDECK_VSOCK_OBUF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct obuf {
	uint8_t *data; /* owned; cap is a power of two or 0 */
	size_t cap, head, len;
};

/* Frees; accepts a zeroed one; it can be used again. */
void obuf_fini(struct obuf *b);

/* Appends the segments. The caller keeps len within its limit. -ENOMEM: nothing was appended. */
int obuf_put(struct obuf *b, const struct iovec *iov, unsigned n);

/* All bytes as at most two segments; returns their number. */
unsigned obuf_peek(const struct obuf *b, struct iovec ret[2]);

/* Drops n (<= len) bytes from the front. */
void obuf_drop(struct obuf *b, size_t n);

#endif
