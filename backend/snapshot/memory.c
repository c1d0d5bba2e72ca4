/* Theory of operation: one pass over guest memory in chunks. A chunk is gathered from the base's
 * data and the pages that lie over it, hashed, and written without its zero pages. Where the
 * filesystem has made the file a reflink of the base, only the pages over it are written. Holes of
 * the base are never read: they would be filled with zeros in its page cache. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "backend/base/hash.h"
#include "backend/snapshot/snapshot.h"
#include "backend/snapshot/sparse.h"
#include "backend/snapshot/store.h"

struct writer {
	const struct frozen *f;
	struct sparse_reader base;
	size_t run;      /* first run that is not behind us */
	uint64_t run_at; /* where its bytes are in pages_fd */
	int out;         /* the memory file */
	bool cloned;     /* it has the base's data already */
	uint8_t *chunk;  /* owned */
	uint8_t *sums;   /* owned: 32 bytes a chunk */
	uint64_t data;   /* bytes of pages that are not zero */
	struct meter meter;
};

static void writer_fini(struct writer *w)
{
	close_fd(&w->out);
	free(w->chunk);
	free(w->sums);
}

/* What a driver hands over is held against its contract: a wrong run would be a wrong guest. */
static int check_frozen(const struct frozen *f, struct err *e)
{
	uint64_t end = 0, pages = 0;
	struct stat st;

	if (f->base_fd < 0 || !f->size || f->size % SPARSE_PAGE != 0)
		return err_set(e, EINVAL, "the VMM gave no memory to keep");
	if (fstat(f->base_fd, &st) < 0)
		return err_errno(e, "cannot look at the guest's memory");
	if ((uint64_t)st.st_size != f->size)
		return err_set(e, EINVAL, "the guest's memory has %llu bytes instead of %llu",
			(unsigned long long)st.st_size, (unsigned long long)f->size);
	for (size_t i = 0; i < f->run_count; i++) {
		const struct frozen_run *run = &f->runs[i];

		if (!run->len || run->offset % SPARSE_PAGE || run->len % SPARSE_PAGE ||
			run->offset < end || run->offset > f->size ||
			run->len > f->size - run->offset)
			return err_set(e, EINVAL, "the VMM gave pages that do not lie in memory");
		end = run->offset + run->len;
		pages += run->len;
	}
	if (!pages)
		return 0;
	if (f->pages_fd < 0 || fstat(f->pages_fd, &st) < 0 || (uint64_t)st.st_size < pages)
		return err_set(e, EINVAL, "the VMM gave fewer pages than it said");
	return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Writes bytes off..off+len of the chunk at pos but for zero pages; these are holes already, or
 * with punch are made so. */
static int lay(struct writer *w, uint64_t pos, size_t off, size_t len, bool punch)
{
	size_t end = off + len;
	int r = 0;

	while (!r && off < end) {
		bool zero = sparse_is_zero(w->chunk + off, SPARSE_PAGE);
		size_t from = off;

		do
			off += SPARSE_PAGE;
		while (off < end && sparse_is_zero(w->chunk + off, SPARSE_PAGE) == zero);
		if (!zero)
			r = sparse_pwrite(w->out, w->chunk + from, off - from, pos + from);
		else if (punch && fallocate(w->out, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  (off_t)(pos + from), (off_t)(off - from)) < 0)
			r = -errno;
	}
	return r;
}

/* Puts the pages that lie over the chunk onto it: 1 when there are any. *filled: whether the
 * chunk's bytes are set. */
static int overlay(struct writer *w, uint64_t pos, size_t len, bool filled)
{
	const struct frozen *f = w->f;
	uint64_t end = pos + len;
	int any = 0;

	while (w->run < f->run_count && f->runs[w->run].offset < end) {
		const struct frozen_run *run = &f->runs[w->run];
		uint64_t a = max_of(run->offset, pos), b = min_of(run->offset + run->len, end);
		int r;

		if (!any && !filled)
			memset(w->chunk, 0, len);
		any = 1;
		r = sparse_pread(
			f->pages_fd, w->chunk + (a - pos), b - a, w->run_at + (a - run->offset));
		if (!r && w->cloned)
			r = lay(w, pos, a - pos, b - a, true);
		if (r < 0)
			return r;
		if (run->offset + run->len > end)
			break; /* the rest is the next chunk's */
		w->run_at += run->len;
		w->run++;
	}
	return any;
}

static int write_chunk(struct writer *w, uint64_t pos, size_t len, struct err *e)
{
	int any = sparse_read(&w->base, pos, len, w->chunk), r = any, over;

	if (r >= 0)
		r = over = overlay(w, pos, len, any > 0);
	if (r >= 0 && !any && !over)
		return 0;
	if (r >= 0 && !w->cloned)
		r = lay(w, pos, 0, len, false);
	if (r < 0)
		return err_set(e, -r, "cannot write the guest's memory: %s%s", strerror(-r),
			r == -ENOSPC || r == -EDQUOT ? "; " STORE_NO_SPACE : "");
	r = sparse_chunk_sum(w->chunk, len, w->sums + pos / SNAPSHOT_CHUNK * 32, e);
	w->data += r > 0 ? (uint64_t)r : 0;
	return r;
}

/* Of a reflink nothing is in the page cache, and the first clone is to find it warm. */
static void warm(struct writer *w)
{
	struct sparse_reader r;

	if (sparse_begin(&r, w->out, w->f->size) < 0)
		return;
	while (r.from != UINT64_MAX) {
		(void)posix_fadvise(
			w->out, (off_t)r.from, (off_t)(r.to - r.from), POSIX_FADV_WILLNEED);
		if (sparse_skip(&r) < 0)
			return;
	}
}

static int write_all(struct writer *w, struct err *e)
{
	uint64_t size = w->f->size;
	int r = 0;

	for (uint64_t pos = 0; r >= 0 && pos < size; pos += SNAPSHOT_CHUNK) {
		size_t len = min_of(size - pos, (uint64_t)SNAPSHOT_CHUNK);

		r = write_chunk(w, pos, len, e);
		if (r >= 0)
			r = meter_step(&w->meter, len, e);
	}
	if (r >= 0 && w->cloned)
		warm(w);
	return r < 0 ? r : 0;
}

static int writer_init(struct writer *w, const char *path, struct err *e)
{
	uint64_t size = w->f->size;
	int r;

	w->out = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->out < 0)
		return store_write_failed(e, -errno, path);
	w->cloned = ioctl(w->out, FICLONE, w->f->base_fd) == 0;
	if (!w->cloned && ftruncate(w->out, (off_t)size) < 0)
		return store_write_failed(e, -errno, path);
	w->chunk = sparse_chunk_new();
	w->sums = xcalloc(1, store_sums_size(size));
	r = sparse_begin(&w->base, w->f->base_fd, size);
	return r < 0 ? err_set(e, -r, "cannot read the guest's memory: %s", strerror(-r)) : 0;
}

static int write_sums(struct snapshot_draft *d, const struct writer *w, struct err *e)
{
	autofree char *path = snapshot_draft_path(d, FILE_SUMS);
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t len = store_sums_size(w->f->size);
	int r = fd < 0 ? -errno : sparse_pwrite(fd, w->sums, len, 0);

	if (r < 0)
		return store_write_failed(e, r, path);
	d->s.memory_bytes = w->data;
	return hash_bytes(w->sums, len, d->s.memory_sha256, e);
}

int snapshot_draft_memory(struct snapshot_draft *d, struct task *t, const struct frozen *memory,
	snapshot_progress *fn, void *user, struct err *e)
{
	autofree char *path = snapshot_draft_path(d, FILE_MEMORY);
	struct writer w = {.f = memory, .out = -1, .meter = {t, fn, user, 0, memory->size}};
	int r = check_frozen(memory, e);

	if (!r)
		r = writer_init(&w, path, e);
	if (!r)
		r = write_all(&w, e);
	if (!r)
		r = write_sums(d, &w, e);
	writer_fini(&w);
	return r;
}
