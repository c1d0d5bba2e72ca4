#include "backend/snapshot/sparse.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "backend/base/buf.h"
#include "backend/base/hash.h"

int sparse_pread(int fd, void *buf, size_t len, uint64_t pos)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int sparse_pwrite(int fd, const void *buf, size_t len, uint64_t pos)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int next_stretch(struct sparse_reader *r, uint64_t pos)
{
	off_t from = -1, to;

	errno = ENXIO;
	if (pos < r->size)
		from = lseek(r->fd, (off_t)pos, SEEK_DATA);
	if (from < 0 && errno == EINVAL)
		from = (off_t)pos; /* a filesystem that knows no holes: all is data */
	else if (from < 0 && errno != ENXIO)
		return -errno;
	if (from < 0 || (uint64_t)from >= r->size) {
		r->from = r->to = UINT64_MAX;
		return 0;
	}
	to = lseek(r->fd, from, SEEK_HOLE);
	r->from = (uint64_t)from;
	r->to = to > from ? min_of((uint64_t)to, r->size) : r->size;
	return 0;
}

int sparse_begin(struct sparse_reader *r, int fd, uint64_t size)
{
	*r = (struct sparse_reader){.fd = fd, .size = size};
	return next_stretch(r, 0);
}

int sparse_read(struct sparse_reader *r, uint64_t pos, size_t len, uint8_t *buf)
{
	uint64_t end = pos + len, at = pos;

	if (r->from >= end)
		return 0;
	while (r->from < end) {
		uint64_t a = max_of(r->from, pos), b = min_of(r->to, end);
		int x;

		memset(buf + (at - pos), 0, a - at);
		x = sparse_pread(r->fd, buf + (a - pos), b - a, a);
		if (x < 0)
			return x;
		at = b;
		if (r->to > end)
			break; /* the rest is the next chunk's */
		x = next_stretch(r, r->to);
		if (x < 0)
			return x;
	}
	memset(buf + (at - pos), 0, end - at);
	return 1;
}

int sparse_skip(struct sparse_reader *r)
{
	return next_stretch(r, r->to);
}

bool sparse_is_zero(const void *p, size_t n)
{
	const uint64_t *w = p, *end = w + n / sizeof(*w);

	for (; end - w >= 8; w += 8)
		if (w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7])
			return false;
	for (; w < end; w++)
		if (*w)
			return false;
	return true;
}

/* ---- sums ----------------------------------------------------------------------------------- */

uint8_t *sparse_chunk_new(void)
{
	void *p = NULL;

	if (posix_memalign(&p, SPARSE_PAGE, SNAPSHOT_CHUNK) != 0)
		abort(); /* as xcalloc */
	return p;
}

/* Pages in SNAPSHOT_CHUNK, and the most stretches of them. */
#define CHUNK_PAGES (SNAPSHOT_CHUNK / SPARSE_PAGE)
#define STRETCHES   (CHUNK_PAGES / 2 + 1)

/* As sparse_is_zero, of a page that may be the cut last one of a file. */
static bool page_is_zero(const uint8_t *page, size_t n)
{
	static const uint8_t zeros[8];
	size_t words = n & ~(size_t)7;

	return sparse_is_zero(page, words) && memcmp(page + words, zeros, n - words) == 0;
}

int sparse_chunk_sum(const uint8_t *chunk, size_t len, uint8_t out[32], struct err *e)
{
	uint8_t map[CHUNK_PAGES / 8] = {0};
	struct iovec parts[1 + STRETCHES] = {{map, sizeof(map)}};
	size_t count = 1, data = 0;
	bool before = false;
	int r;

	memset(out, 0, 32);
	for (size_t off = 0; off < len; off += SPARSE_PAGE) {
		size_t n = min_of(len - off, (size_t)SPARSE_PAGE), page = off / SPARSE_PAGE;

		if (page_is_zero(chunk + off, n)) {
			before = false;
			continue;
		}
		map[page / 8] |= (uint8_t)(1u << (page % 8));
		if (!before)
			parts[count++] = (struct iovec){(void *)(chunk + off), 0};
		parts[count - 1].iov_len += n;
		before = true;
		data += n;
	}
	r = data ? hash_parts(parts, count, out, e) : 0;
	return r < 0 ? r : (int)data;
}

static int add_chunk(
	struct buf *list, uint64_t index, const uint8_t *chunk, size_t len, struct err *e)
{
	uint64_t le = htole64(index);
	uint8_t sum[32];
	int r = sparse_chunk_sum(chunk, len, sum, e);

	if (r <= 0)
		return r;
	r = buf_append(list, &le, sizeof(le));
	return r < 0 ? r : buf_append(list, sum, sizeof(sum));
}

int sparse_file_sum(
	int fd, uint64_t size, const char *path, uint8_t out[32], struct meter *m, struct err *e)
{
	autofree uint8_t *chunk = sparse_chunk_new();
	struct sparse_reader reader;
	struct buf list;
	int r = sparse_begin(&reader, fd, size);

	buf_init(&list, 0); /* 40 bytes per MiB of a file that we measured */
	for (uint64_t pos = 0; r >= 0 && pos < size; pos += SNAPSHOT_CHUNK) {
		size_t len = min_of(size - pos, (uint64_t)SNAPSHOT_CHUNK);
		int n = sparse_read(&reader, pos, len, chunk);

		r = n;
		if (n < 0)
			err_set(e, -n, "cannot read '%s': %s", path, strerror(-n));
		else if (n > 0)
			r = add_chunk(&list, pos / SNAPSHOT_CHUNK, chunk, len, e);
		if (r >= 0)
			r = meter_step(m, n ? len : 0, e);
	}
	if (r >= 0)
		r = hash_raw(list.len ? buf_peek(&list) : (const uint8_t *)"", list.len, out, e);
	buf_fini(&list);
	return r;
}

/* ---- copies --------------------------------------------------------------------------------- */

static int copy_stretch(const struct sparse_reader *r, int out, uint8_t *chunk)
{
	uint64_t pos = r->from;

	while (pos < r->to) {
		off_t from = (off_t)pos, to = (off_t)pos;
		size_t len = min_of(r->to - pos, (uint64_t)SNAPSHOT_CHUNK);
		ssize_t n = copy_file_range(r->fd, &from, out, &to, len, 0);
		int x;

		if (n > 0) {
			pos += (uint64_t)n;
			continue;
		}
		x = sparse_pread(r->fd, chunk, len, pos); /* across filesystems */
		if (x >= 0)
			x = sparse_pwrite(out, chunk, len, pos);
		if (x < 0)
			return x;
		pos += len;
	}
	return 0;
}

static int copy_data(int fd, int out, uint64_t size, struct meter *m, struct err *e)
{
	autofree uint8_t *chunk = sparse_chunk_new();
	struct sparse_reader r;
	int x = sparse_begin(&r, fd, size);

	while (x >= 0 && r.from != UINT64_MAX) {
		x = copy_stretch(&r, out, chunk);
		if (x >= 0 && m && (x = meter_step(m, r.to - r.from, e)) < 0)
			return x;
		if (x >= 0)
			x = next_stretch(&r, r.to);
	}
	if (x >= 0 && ftruncate(out, (off_t)size) < 0)
		x = -errno;
	return x;
}

int sparse_copy(int fd, const char *to, struct meter *m, struct err *e)
{
	autofd int out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;
	int r;

	if (out < 0)
		return store_write_failed(e, -errno, to);
	if (ioctl(out, FICLONE, fd) == 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "cannot copy to '%s'", to);
	r = copy_data(fd, out, (uint64_t)st.st_size, m, e);
	return r < 0 && r != -ECANCELED ? store_write_failed(e, r, to) : r;
}
