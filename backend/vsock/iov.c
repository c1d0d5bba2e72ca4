/* Copies and cuts over arrays of segments. Knows nothing of guests. */
#include "backend/vsock/iov.h"

#include <string.h>

#include "backend/base/util.h"

size_t iov_len(const struct iovec *iov, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

size_t iov_read(const struct iovec *iov, unsigned n, void *dst, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t k = min_of(iov[i].iov_len, len - done);

		memcpy((char *)dst + done, iov[i].iov_base, k);
		done += k;
	}
	return done;
}

size_t iov_write(const struct iovec *iov, unsigned n, const void *src, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		size_t k = min_of(iov[i].iov_len, len - done);

		memcpy(iov[i].iov_base, (const char *)src + done, k);
		done += k;
	}
	return done;
}

unsigned iov_cut(struct iovec *out, const struct iovec *iov, unsigned n, size_t skip, size_t len)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n && len > 0; i++) {
		struct iovec v = iov[i];

		if (skip >= v.iov_len) {
			skip -= v.iov_len;
			continue;
		}
		v.iov_base = (char *)v.iov_base + skip;
		v.iov_len = min_of(v.iov_len - skip, len);
		skip = 0;
		len -= v.iov_len;
		out[k++] = v;
	}
	return k;
}
