/* Scattered memory: copies and cuts over arrays of segments. */
#ifndef VMDECK_VSOCK_IOV_H
#define VMDECK_VSOCK_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* Sum of the lengths. */
size_t iov_len(const struct iovec *iov, unsigned n);

/* Copies up to len bytes out of (into) the segments; returns how many there were. */
size_t iov_read(const struct iovec *iov, unsigned n, void *dst, size_t len);
size_t iov_write(const struct iovec *iov, unsigned n, const void *src, size_t len);

/* Makes out the part of iov that starts after skip bytes and is at most len bytes long; returns the
 * number of segments. out has room for n and may be iov itself. */
unsigned iov_cut(struct iovec *out, const struct iovec *iov, unsigned n, size_t skip, size_t len);

#endif
