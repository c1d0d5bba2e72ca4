/* Lines to records, records to blocks of the ring, and an index of the blocks. */
#include "tui/console/scroll_store.h"

#include <string.h>

#include "backend/base/util.h"
#include "tui/console/scroll_file.h"
#include "tui/console/scroll_pack.h"

#define BLOCK_LINES 64           /* one entry of the index; they are dropped together */
#define FLUSH_AT    (64u * 1024) /* bytes that are written at once */
#define CACHED      8            /* blocks read back */
#define LINE_COLS   1000
#define WRAPS       0x80000000u /* in a record's head, which is its length */

struct block {
	uint64_t begin, end; /* its bytes in the ring; equal: nothing cached */
	uint8_t *data;       /* owned */
	size_t cap;
	int count;
	uint32_t record[BLOCK_LINES]; /* where in data */
};

struct scroll_store {
	struct scroll_file file;
	uint64_t first, next, lines_max;
	uint64_t flushed, end;    /* offsets: what is in the ring, what is in all */
	uint8_t *pending;         /* owned: bytes from flushed to end */
	uint64_t *index;          /* owned: where blocks begin, from that of `first` on */
	size_t blocks, index_cap; /* used and allocated */
	size_t index_skip;        /* entries at the front whose blocks were dropped */
	struct block cache[CACHED];
	struct grid_line line; /* handed out */
	struct cell cells[LINE_COLS];
	bool told;
};

struct scroll_store *scroll_store_new(size_t bytes, uint64_t lines)
{
	struct scroll_store *s = xcalloc(1, sizeof(*s));

	/* Room for what is flushed at once, several times. */
	scroll_file_init(&s->file, max_of(bytes ? bytes : SCROLL_BYTES, 4u * FLUSH_AT));
	s->lines_max = max_of(lines ? lines : SCROLL_LINES, (uint64_t)BLOCK_LINES);
	return s;
}

void scroll_store_free(struct scroll_store *s)
{
	if (!s)
		return;
	for (int i = 0; i < CACHED; i++)
		free(s->cache[i].data);
	scroll_file_fini(&s->file);
	free(s->pending);
	free(s->index);
	free(s);
}

uint64_t scroll_store_first(const struct scroll_store *s)
{
	return s ? s->first : 0;
}

uint64_t scroll_store_next(const struct scroll_store *s)
{
	return s ? s->next : 0;
}

const char *scroll_store_trouble(struct scroll_store *s)
{
	if (!s || s->told || !s->file.trouble[0])
		return NULL;
	s->told = true;
	return s->file.trouble;
}

/* ---- index ----------------------------------------------------------------------------------- */

static void index_add(struct scroll_store *s, uint64_t at)
{
	if (s->index_skip + s->blocks == s->index_cap && s->index_skip > s->index_cap / 2) {
		memmove(s->index, s->index + s->index_skip, s->blocks * sizeof(*s->index));
		s->index_skip = 0;
	}
	if (s->index_skip + s->blocks == s->index_cap) {
		size_t cap = max_of(s->index_cap * 2, (size_t)64);
		uint64_t *grown = xcalloc(cap, sizeof(*grown));

		if (s->blocks)
			memcpy(grown, s->index + s->index_skip, s->blocks * sizeof(*grown));
		free(s->index);
		s->index = grown;
		s->index_cap = cap;
		s->index_skip = 0;
	}
	s->index[s->index_skip + s->blocks++] = at;
}

static void drop_block(struct scroll_store *s)
{
	s->first = min_of((s->first / BLOCK_LINES + 1) * BLOCK_LINES, s->next);
	s->index_skip++;
	s->blocks--;
}

static uint64_t oldest(const struct scroll_store *s)
{
	return s->blocks ? s->index[s->index_skip] : s->end;
}

/* What the ring has no room for any more. */
static void drop_old(struct scroll_store *s)
{
	while (s->blocks > 1 && s->end - oldest(s) > s->file.size)
		drop_block(s);
	while (s->blocks > 1 && s->next - s->first > s->lines_max)
		drop_block(s);
}

void scroll_store_limit(struct scroll_store *s, uint64_t lines)
{
	s->lines_max = max_of(lines, (uint64_t)BLOCK_LINES);
	drop_old(s);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void flush(struct scroll_store *s)
{
	uint64_t size = s->file.size;
	bool kept;

	drop_old(s);
	kept = scroll_file_write(&s->file, s->flushed, s->pending, (size_t)(s->end - s->flushed));
	s->flushed = s->end;
	if (!kept) {
		/* Begin anew, with a whole block. */
		s->next = (s->next + BLOCK_LINES - 1) / BLOCK_LINES * BLOCK_LINES;
		s->first = s->next;
		s->blocks = s->index_skip = 0;
	}
	if (s->file.size != size)
		drop_old(s);
}

void scroll_store_add(struct scroll_store *s, const struct cell *cells, int cols)
{
	uint32_t head;
	uint8_t *at;
	bool wraps;

	cols = min_of(cols, LINE_COLS);
	wraps = cols > 0 && cells[cols - 1].wraps;
	while (!wraps && cols > 0 && cell_is_blank(&cells[cols - 1]))
		cols--;
	if (!s->pending)
		s->pending = xcalloc(1, FLUSH_AT + SCROLL_PACK_MAX(LINE_COLS));
	if (s->next % BLOCK_LINES == 0)
		index_add(s, s->end);
	at = s->pending + (s->end - s->flushed);
	head = (uint32_t)scroll_pack(at + sizeof(head), cells, cols);
	s->end += sizeof(head) + head;
	head |= wraps ? WRAPS : 0;
	memcpy(at, &head, sizeof(head));
	s->next++;
	if (s->next - s->first > s->lines_max)
		drop_old(s);
	if (s->end - s->flushed >= FLUSH_AT)
		flush(s);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_bytes(struct scroll_store *s, uint64_t at, uint8_t *out, size_t n)
{
	size_t old = at < s->flushed ? (size_t)min_of((uint64_t)n, s->flushed - at) : 0;

	if (old && !scroll_file_read(&s->file, at, out, old))
		return false;
	if (n > old)
		memcpy(out + old, s->pending + (at + old - s->flushed), n - old);
	return true;
}

static void find_records(struct block *b, size_t n)
{
	b->count = 0;
	for (size_t at = 0; b->count < BLOCK_LINES && at + sizeof(uint32_t) <= n;) {
		uint32_t head;

		memcpy(&head, b->data + at, sizeof(head));
		if ((head & ~WRAPS) > n - at - sizeof(head))
			break;
		b->record[b->count++] = (uint32_t)at;
		at += sizeof(head) + (head & ~WRAPS);
	}
}

/* The block of a kept line. */
static struct block *block_get(struct scroll_store *s, uint64_t number)
{
	size_t i = (size_t)(number / BLOCK_LINES - s->first / BLOCK_LINES) + s->index_skip;
	uint64_t begin = s->index[i];
	uint64_t end = i + 1 < s->index_skip + s->blocks ? s->index[i + 1] : s->end;
	struct block *b = &s->cache[number / BLOCK_LINES % CACHED];

	if (b->begin == begin && b->end == end)
		return b;
	b->begin = b->end = 0;
	if (b->cap < end - begin) {
		free(b->data);
		b->cap = (size_t)(end - begin);
		b->data = xcalloc(1, b->cap);
	}
	if (!read_bytes(s, begin, b->data, (size_t)(end - begin)))
		return NULL;
	b->begin = begin;
	b->end = end;
	find_records(b, (size_t)(end - begin));
	return b;
}

const struct grid_line *scroll_store_get(struct scroll_store *s, uint64_t number)
{
	struct block *b;
	const uint8_t *at;
	uint32_t head;

	if (!s || number < s->first || number >= s->next)
		return NULL;
	b = block_get(s, number);
	if (!b || (int)(number % BLOCK_LINES) >= b->count)
		return NULL;
	at = b->data + b->record[number % BLOCK_LINES];
	memcpy(&head, at, sizeof(head));
	s->line.cols = scroll_unpack(at + sizeof(head), head & ~WRAPS, s->cells, LINE_COLS);
	s->line.wraps = head & WRAPS;
	s->line.cells = s->cells;
	return &s->line;
}

void scroll_store_pop(struct scroll_store *s)
{
	struct block *b;

	if (s->next == s->first)
		return;
	b = block_get(s, s->next - 1);
	s->next--;
	if (b && (int)(s->next % BLOCK_LINES) < b->count)
		s->end = b->begin + b->record[s->next % BLOCK_LINES];
	s->flushed = min_of(s->flushed, s->end);
	if (b)
		b->begin = b->end = 0;
	if (s->next % BLOCK_LINES == 0)
		s->blocks--;
}
