/* Theory of operation
 *
 * Two numberings meet here. The guest numbers its bytes from the start of its agent (stream id). We
 * number what we store from 0 for the life of the VM; readers know only that. A stream begins with
 * the pair (first, start): the guest's byte `first` is our byte `start`, so
 *
 *	ours = start + (guest's - first)	guest_next = first + (end - start)
 *
 * and the pair is kept in output.json with the stream id, written (by rename) before the first
 * byte of the stream is. A guest that comes back with the same id is asked to go on at guest_next:
 * what we have is not sent again, what we lack is still in its ring. A new id, or a guest that has
 * gone back behind guest_next, begins a new pair at our end.
 *
 * A gap (the guest's ring began behind guest_next) is a jump in our numbers too: the next segment
 * file is named by its first byte's number, so the hole between two files is the record of the gap
 * and the equations above stay true.
 *
 * The end is not written anywhere: it is the newest file's name plus its size. A daemon killed in
 * the middle of a write has stored the part that is in the file, no more and no less; the guest
 * resends from there. The end can't be before `start` of the stream under way (all files deleted by
 * hand), so start is the lower bound at opening. */
#include "backend/guest/outlog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define NAME_LEN  (sizeof("output-0123456789abcdef.log") - 1)
#define META      "output.json"
#define META_TEMP "output.json.tmp"

struct segment {
	uint64_t start, size;
};

struct outlog {
	char *dir;
	int dir_fd;
	struct segment segs[OUTLOG_SEGMENTS_MAX + 1]; /* oldest first; one more while rotating */
	size_t count;
	int fd;      /* the newest segment, for writing; -1: not opened yet */
	int read_fd; /* the segment read last, or -1 */
	uint64_t read_start;
	uint64_t end;
	uint64_t segment_max, total_max;
	bool has_stream;
	uint8_t stream[WIRE_ID];
	uint64_t first, start; /* see above */
};

static char *segment_name(char out[NAME_LEN + 1], uint64_t start)
{
	snprintf(out, NAME_LEN + 1, "output-%016" PRIx64 ".log", start);
	return out;
}

/* Number of the first byte from a file name; false when it is not one of ours. */
static bool parse_name(const char *name, uint64_t *ret)
{
	char again[NAME_LEN + 1];

	if (strlen(name) != NAME_LEN || sscanf(name, "output-%16" SCNx64 ".log", ret) != 1)
		return false;
	return !strcmp(segment_name(again, *ret), name) && *ret < OUTLOG_OFFSET_MAX;
}

static struct segment *newest(struct outlog *o)
{
	return o->count ? &o->segs[o->count - 1] : NULL;
}

static void drop_oldest(struct outlog *o)
{
	char name[NAME_LEN + 1];

	if (o->read_fd >= 0 && o->read_start == o->segs[0].start)
		close_fd(&o->read_fd);
	/* A file that cannot be deleted is forgotten until the next opening finds it again. */
	(void)unlinkat(o->dir_fd, segment_name(name, o->segs[0].start), 0);
	memmove(o->segs, o->segs + 1, --o->count * sizeof(o->segs[0]));
}

static void rotate(struct outlog *o)
{
	uint64_t total = 0;

	for (size_t i = 0; i < o->count; i++)
		total += o->segs[i].size;
	while (o->count > 1 && (total > o->total_max || o->count > OUTLOG_SEGMENTS_MAX)) {
		total -= o->segs[0].size;
		drop_oldest(o);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Adds a file that was found; with the table full, the oldest is deleted. */
static void add_found(struct outlog *o, struct segment s)
{
	o->segs[o->count++] = s;
	if (o->count <= OUTLOG_SEGMENTS_MAX)
		return;
	qsort(o->segs, o->count, sizeof(o->segs[0]), by_start);
	drop_oldest(o);
}

static int scan(struct outlog *o, struct err *e)
{
	DIR *d = opendir(o->dir);
	struct dirent *ent;

	if (!d)
		return err_errno(e, "cannot open the output folder '%s'", o->dir);
	while ((ent = readdir(d))) {
		struct segment s;
		struct stat st;

		if (!parse_name(ent->d_name, &s.start))
			continue;
		if (fstatat(o->dir_fd, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISREG(st.st_mode))
			continue;
		s.size = min_of((uint64_t)st.st_size, OUTLOG_OFFSET_MAX - s.start);
		add_found(o, s);
	}
	closedir(d);
	qsort(o->segs, o->count, sizeof(o->segs[0]), by_start);
	/* Files never overlap; where somebody made them, the newer one holds. */
	for (size_t i = 0; i + 1 < o->count; i++)
		o->segs[i].size = min_of(o->segs[i].size, o->segs[i + 1].start - o->segs[i].start);
	if (o->count)
		o->end = newest(o)->start + newest(o)->size;
	return 0;
}

/* Without a readable output.json the guest's stream counts as a new one. */
static void load_meta(struct outlog *o)
{
	autofree char *path = xasprintf("%s/" META, o->dir);
	autofree char *text = NULL;
	autojson struct json_object *j = NULL;
	const char *id;
	int64_t first, start;
	size_t n;

	if (file_read(path, 4096, &text, &n, NULL) < 0 || jsonx_parse(text, n, &j, NULL) < 0)
		return;
	id = jsonx_str(j, "stream");
	first = jsonx_int(j, "first", -1);
	start = jsonx_int(j, "start", -1);
	if (!id || first < 0 || start < 0 || (uint64_t)start >= OUTLOG_OFFSET_MAX ||
		(uint64_t)first >= OUTLOG_OFFSET_MAX || hex_decode(o->stream, WIRE_ID, id) < 0)
		return;
	o->first = (uint64_t)first;
	o->start = (uint64_t)start;
	o->end = max_of(o->end, o->start);
	o->has_stream = true;
}

/* By rename, without fsync: it must survive the daemon's death, and a loop that serves all VMs must
 * not wait for a disk. */
static int save_meta(struct outlog *o, struct err *e)
{
	char text[160], id[2 * WIRE_ID + 1];
	autofd int fd = -1;
	int n;

	hex_encode(id, o->stream, WIRE_ID);
	n = snprintf(text, sizeof(text),
		"{\"stream\":\"%s\",\"first\":%" PRIu64 ",\"start\":%" PRIu64 "}\n", id, o->first,
		o->start);
	fd = openat(o->dir_fd, META_TEMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "cannot create '%s/" META_TEMP "'", o->dir);
	errno = ENOSPC; /* what a short write means */
	if (write(fd, text, (size_t)n) != n ||
		renameat(o->dir_fd, META_TEMP, o->dir_fd, META) < 0) {
		int r = err_errno(e, "cannot write '%s/" META "'", o->dir);

		(void)unlinkat(o->dir_fd, META_TEMP, 0);
		return r;
	}
	return 0;
}

int outlog_open(struct outlog **ret, const char *dir, struct err *e)
{
	struct outlog *o = xcalloc(1, sizeof(*o));
	int r;

	o->dir = xstrdup(dir);
	o->fd = o->read_fd = -1;
	o->segment_max = OUTLOG_SEGMENT;
	o->total_max = OUTLOG_TOTAL;
	o->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dir_fd < 0)
		r = err_errno(e, "cannot open the output folder '%s'", dir);
	else
		r = scan(o, e);
	if (r < 0) {
		outlog_close(o);
		return r;
	}
	load_meta(o);
	rotate(o);
	*ret = o;
	return 0;
}

void outlog_close(struct outlog *o)
{
	if (!o)
		return;
	close_fd(&o->fd);
	close_fd(&o->read_fd);
	close_fd(&o->dir_fd);
	free(o->dir);
	free(o);
}

void outlog_set_limits(struct outlog *o, uint64_t segment, uint64_t total)
{
	o->segment_max = max_of(segment, 1);
	o->total_max = total;
	rotate(o);
}

int outlog_stream(struct outlog *o, const uint8_t stream[WIRE_ID], uint64_t first, uint64_t next,
	struct err *e)
{
	struct outlog old = *o;
	int r;

	if (first > next || next >= OUTLOG_OFFSET_MAX)
		return err_set(e, EPROTO,
			"output numbers make no sense (%" PRIu64 " to %" PRIu64 ")", first, next);
	if (o->has_stream && !memcmp(o->stream, stream, WIRE_ID) && next >= outlog_guest_next(o))
		return 0;
	memcpy(o->stream, stream, WIRE_ID);
	o->first = first;
	o->start = o->end;
	o->has_stream = true;
	r = save_meta(o, e);
	if (r < 0) {
		*o = old;
		return r;
	}
	return 1;
}

uint64_t outlog_guest_next(const struct outlog *o)
{
	return o->first + (o->end - o->start);
}

/* The segment that takes the next byte, opened for writing, begun when there is none. */
static int writable(struct outlog *o, struct err *e)
{
	struct segment *s = newest(o);
	char name[NAME_LEN + 1];
	bool begin = !s || s->start + s->size != o->end || s->size >= o->segment_max;

	if (o->fd >= 0 && !begin)
		return 0;
	close_fd(&o->fd);
	segment_name(name, begin ? o->end : s->start);
	/* A file that is not in the table but has the name was cut off by hand: begin it anew. */
	o->fd = openat(o->dir_fd, name,
		O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (begin ? O_TRUNC : 0), 0600);
	if (o->fd < 0)
		return err_errno(e, "cannot write '%s/%s'", o->dir, name);
	if (begin) {
		o->segs[o->count++] = (struct segment){.start = o->end};
		rotate(o);
	}
	return 0;
}

static int store(struct outlog *o, const uint8_t *p, size_t n, struct err *e)
{
	while (n) {
		struct segment *s;
		ssize_t w;
		int r = writable(o, e);

		if (r < 0)
			return r;
		s = newest(o);
		w = pwrite(o->fd, p, min_of(n, o->segment_max - s->size), (off_t)s->size);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			if (!w)
				errno = ENOSPC;
			return err_errno(e, "cannot write output to '%s'", o->dir);
		}
		s->size += (uint64_t)w;
		o->end += (uint64_t)w;
		p += w;
		n -= (size_t)w;
	}
	rotate(o);
	return 0;
}

static bool gap_fits(const struct outlog *o, uint64_t lost)
{
	return o->end < OUTLOG_OFFSET_MAX / 2 && lost < OUTLOG_OFFSET_MAX / 2 - o->end;
}

int outlog_append(struct outlog *o, uint64_t guest_offset, const void *data, size_t n,
	uint64_t *ret_lost, struct err *e)
{
	uint64_t next = outlog_guest_next(o), have;

	*ret_lost = 0;
	if (!o->has_stream)
		return err_set(e, EPROTO, "output before its stream id");
	if (guest_offset >= OUTLOG_OFFSET_MAX - n ||
		(guest_offset > next && !gap_fits(o, guest_offset - next)))
		return err_set(e, EPROTO, "output offset %" PRIu64 " makes no sense", guest_offset);
	if (guest_offset > next) {
		*ret_lost = guest_offset - next;
		o->end += *ret_lost;
		next = guest_offset;
	}
	have = next - guest_offset;
	if (have >= n)
		return 0;
	return store(o, (const uint8_t *)data + have, n - have, e);
}

uint64_t outlog_first(const struct outlog *o)
{
	return o->count ? o->segs[0].start : o->end;
}

uint64_t outlog_end(const struct outlog *o)
{
	return o->end;
}

uint64_t outlog_seek(const struct outlog *o, uint64_t offset)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct segment *s = &o->segs[i];

		if (s->size && offset < s->start + s->size)
			return max_of(offset, s->start);
	}
	return o->end;
}

static const struct segment *find(const struct outlog *o, uint64_t offset)
{
	for (size_t i = o->count; i-- > 0;) {
		const struct segment *s = &o->segs[i];

		if (offset >= s->start)
			return offset - s->start < s->size ? s : NULL;
	}
	return NULL;
}

ssize_t outlog_read(struct outlog *o, uint64_t offset, void *out, size_t n, struct err *e)
{
	const struct segment *s = find(o, offset);
	char name[NAME_LEN + 1];
	ssize_t r;

	if (offset >= o->end)
		return 0;
	if (!s)
		return err_set(e, ERANGE, "output byte %" PRIu64 " is not kept any more", offset);
	segment_name(name, s->start);
	if (o->read_fd < 0 || o->read_start != s->start) {
		close_fd(&o->read_fd);
		o->read_fd = openat(o->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (o->read_fd < 0)
			return err_errno(e, "cannot read '%s/%s'", o->dir, name);
		o->read_start = s->start;
	}
	do
		r = pread(o->read_fd, out, min_of(n, s->start + s->size - offset),
			(off_t)(offset - s->start));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_errno(e, "cannot read '%s/%s'", o->dir, name);
	if (!r)
		return err_set(
			e, EIO, "'%s/%s' is shorter than it was: somebody cut it", o->dir, name);
	return r;
}
