#include "backend/snapshot/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/hash.h"
#include "backend/base/str.h"
#include "backend/snapshot/sparse.h"
#include "backend/snapshot/store.h"

/* ---- memory.seen ---------------------------------------------------------------------------- */

#define SEEN_FORMAT "%016" PRIx64 " %" PRIu64 " %s\n" /* inode, time stamp, what was held true */

static void seen_text(char *out, size_t n, const struct snapshot *s, uint64_t ino, uint64_t ns)
{
	snprintf(out, n, SEEN_FORMAT, ino, ns, s->memory_sha256);
}

bool verify_seen(const struct snapshot *s, uint64_t ino, uint64_t mtime_ns)
{
	autofree char *path = store_file(s, FILE_SEEN), *text = NULL;
	char want[128];

	if (ino == s->memory_ino && mtime_ns == s->memory_mtime_ns)
		return true;
	seen_text(want, sizeof(want), s, ino, mtime_ns);
	return file_read(path, sizeof(want), &text, NULL, NULL) == 0 && strcmp(text, want) == 0;
}

/* A verdict that cannot be kept (read-only, no space) costs the next use a reading, no more. */
static void keep_seen(const struct snapshot *s, uint64_t ino, uint64_t mtime_ns)
{
	autofree char *path = store_file(s, FILE_SEEN);
	char text[128];

	if (ino == s->memory_ino && mtime_ns == s->memory_mtime_ns)
		return;
	seen_text(text, sizeof(text), s, ino, mtime_ns);
	(void)file_write_atomic(path, text, strlen(text), 0600, NULL);
}

/* ---- one file ------------------------------------------------------------------------------- */

/* A small file in memory, of exactly this size and digest. */
static int read_known(const struct snapshot *s, const char *file, uint64_t bytes,
	const char *sha256, char **ret, struct err *e)
{
	autofd int fd = store_open(s, file, bytes, NULL, NULL, e);
	autofree char *data = NULL;
	char sum[HASH_HEX];
	int r;

	if (fd < 0)
		return fd;
	data = malloc(bytes);
	if (!data)
		return err_set(e, ENOMEM, "snapshot '%s': no memory for '%s'", s->name, file);
	r = sparse_pread(fd, data, bytes, 0);
	if (r < 0)
		return store_damaged(e, s, "its file '%s' cannot be read: %s", file, strerror(-r));
	r = hash_bytes(data, bytes, sum, e);
	if (r < 0)
		return r;
	if (strcmp(sum, sha256) != 0)
		return store_damaged(e, s,
			"its file '%s' was changed: its checksum is %.12s... instead of %.12s...",
			file, sum, sha256);
	if (ret)
		*ret = steal_ptr(&data);
	return 0;
}

int verify_state(const struct snapshot *s, struct err *e)
{
	return read_known(s, FILE_STATE, s->state_bytes, s->state_sha256, NULL, e);
}

static int verify_disk_file(const struct snapshot *s, const char *file,
	const struct snapshot_file *want, struct meter *m, struct err *e)
{
	autofd int fd = store_open(s, file, want->bytes, NULL, NULL, e);
	char have_hex[HASH_HEX], want_hex[HASH_HEX];
	uint8_t sum[32];
	int r;

	if (fd < 0)
		return fd;
	r = sparse_file_sum(fd, want->bytes, file, sum, m, e);
	if (r == -ECANCELED || (!r && memcmp(sum, want->sum, sizeof(sum)) == 0))
		return r;
	if (r < 0)
		return store_damaged(e, s, "its file '%s' cannot be read: %s", file, strerror(-r));
	hex_encode(have_hex, sum, sizeof(sum));
	hex_encode(want_hex, want->sum, sizeof(want->sum));
	return store_damaged(e, s,
		"its file '%s' (bytes 0 to %" PRIu64
		") was changed: its checksum is %.12s... instead of %.12s...",
		file, want->bytes - 1, have_hex, want_hex);
}

static int verify_disks(const struct snapshot *s, struct meter *m, struct err *e)
{
	char file[32];
	int r = 0;

	for (int n = 0; !r && n < s->disk_count; n++) {
		const struct snapshot_disk *d = &s->disks[n];

		for (uint32_t i = 0; !r && i < d->layers; i++) {
			snprintf(file, sizeof(file), "disk-%d.%" PRIu32, n, i);
			r = verify_disk_file(s, file, &d->files[i], m, e);
		}
		snprintf(file, sizeof(file), "disk-%d.new", n);
		if (!r)
			r = verify_disk_file(s, file, &d->fresh, m, e);
	}
	return r;
}

/* ---- memory --------------------------------------------------------------------------------- */

static int verify_chunk(const struct snapshot *s, struct sparse_reader *reader, uint64_t pos,
	uint8_t *chunk, const char *want, struct meter *m, struct err *e)
{
	size_t len = min_of(reader->size - pos, (uint64_t)SNAPSHOT_CHUNK);
	uint8_t sum[32] = {0};
	int n = sparse_read(reader, pos, len, chunk), r = n;

	if (n > 0)
		r = sparse_chunk_sum(chunk, len, sum, e);
	if (n < 0)
		return store_damaged(e, s, "its memory cannot be read behind byte %" PRIu64 ": %s",
			pos, strerror(-n));
	if (r < 0)
		return r;
	if (memcmp(sum, want, sizeof(sum)) != 0)
		return store_damaged(e, s,
			"its memory was changed within bytes %" PRIu64 " to %" PRIu64, pos,
			pos + len - 1);
	return meter_step(m, n ? len : 0, e);
}

static int verify_memory(const struct snapshot *s, struct meter *m, struct err *e)
{
	uint64_t ino, mtime_ns, size = store_memory_size(s);
	autofd int fd = store_open(s, FILE_MEMORY, size, &ino, &mtime_ns, e);
	autofree uint8_t *chunk = sparse_chunk_new();
	autofree char *sums = NULL;
	struct sparse_reader reader;
	int r;

	if (fd < 0)
		return fd;
	r = read_known(s, FILE_SUMS, store_sums_size(size), s->memory_sha256, &sums, e);
	if (r < 0 || !sums)
		return r;
	r = sparse_begin(&reader, fd, size);
	if (r < 0)
		return err_set(
			e, -r, "snapshot '%s': cannot read memory: %s", s->name, strerror(-r));
	for (uint64_t pos = 0; !r && pos < size; pos += SNAPSHOT_CHUNK)
		r = verify_chunk(s, &reader, pos, chunk, sums + pos / SNAPSHOT_CHUNK * 32, m, e);
	if (!r)
		keep_seen(s, ino, mtime_ns);
	return r;
}

int snapshot_verify_memory(struct task *t, const struct snapshot *s, struct err *e)
{
	struct meter m = {.task = t, .total = store_memory_size(s)};

	return verify_memory(s, &m, e);
}

int snapshot_verify(
	struct task *t, const struct snapshot *s, snapshot_progress *fn, void *user, struct err *e)
{
	struct meter m = {t, fn, user, 0, s->memory_bytes};
	int r = verify_state(s, e);

	for (int n = 0; n < s->disk_count; n++)
		m.total += s->disks[n].file_bytes;
	if (!r)
		r = verify_disks(s, &m, e);
	return r < 0 ? r : verify_memory(s, &m, e);
}
