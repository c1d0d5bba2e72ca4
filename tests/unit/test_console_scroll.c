// LIBS: base
// OBJS: tui/console/scroll_store.c tui/console/scroll_pack.c tui/console/scroll_file.c
// OBJS: tui/console/keys.c
/* Lines that scrolled off: packed, on disk, dropped, on a full disk, from hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/base/util.h"
#include "tui/console/paint.h"
#include "tui/console/scroll_pack.h"
#include "tui/console/scroll_store.h"

#define COLS_ 80

static const struct cell blank = {.fg = COLOUR_DEFAULT, .bg = COLOUR_DEFAULT, .width = 1};

/* A line whose text tells its number, in colours that change with it. */
static int make_line(struct cell *cells, uint64_t number)
{
	char text[COLS_ + 1];
	int n = snprintf(text, sizeof(text), "line %llu %.*s", (unsigned long long)number,
		(int)(number % 40), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst");

	for (int i = 0; i < COLS_; i++) {
		cells[i] = blank;
		if (i < n)
			cells[i].chars[0] = (uint32_t)text[i];
		if (i < n && number % 3 == 0)
			cells[i].fg = PAINT_RGB | (int32_t)(number & 0xffffff);
	}
	cells[COLS_ - 1].wraps = number % 7 == 0;
	return n;
}

static void add(struct scroll_store *s, uint64_t from, uint64_t to)
{
	struct cell cells[COLS_];

	for (uint64_t i = from; i < to; i++) {
		(void)make_line(cells, i);
		scroll_store_add(s, cells, COLS_);
	}
}

static void check(struct scroll_store *s, uint64_t number)
{
	struct cell want[COLS_];
	int n = make_line(want, number);
	const struct grid_line *line = scroll_store_get(s, number);

	assert_non_null(line);
	assert_int_equal(line->wraps, number % 7 == 0);
	assert_int_equal(line->cols, line->wraps ? COLS_ : n - (number % 40 == 0));
	for (int i = 0; i < line->cols; i++) {
		assert_int_equal(line->cells[i].chars[0], want[i].chars[0]);
		assert_int_equal(line->cells[i].fg, want[i].fg);
	}
}

static void test_spill(void **state)
{
	struct scroll_store *s = scroll_store_new(0, 0);

	(void)state;
	add(s, 0, 100000);
	assert_int_equal(scroll_store_first(s), 0);
	assert_int_equal(scroll_store_next(s), 100000);
	assert_null(scroll_store_trouble(s));
	for (uint64_t i = 0; i < 100000; i += 97)
		check(s, i);
	for (uint64_t i = 99999; i > 99000; i--)
		check(s, i);
	assert_null(scroll_store_get(s, 100000));
	scroll_store_free(s);
}

static void test_limits(void **state)
{
	struct scroll_store *s = scroll_store_new(256 * 1024, 0);

	(void)state;
	add(s, 0, 100000);
	assert_true(scroll_store_first(s) > 90000);
	assert_true(scroll_store_first(s) < 99000);
	assert_null(scroll_store_get(s, scroll_store_first(s) - 1));
	for (uint64_t i = scroll_store_first(s); i < 100000; i++)
		check(s, i);
	scroll_store_free(s);
	s = scroll_store_new(0, 500);
	add(s, 0, 10000);
	assert_true(10000 - scroll_store_first(s) <= 564);
	for (uint64_t i = scroll_store_first(s); i < 10000; i++)
		check(s, i);
	scroll_store_free(s);
}

/* Lines taken back and written again, over the edges of blocks and flushes. */
static void test_pop(void **state)
{
	struct scroll_store *s = scroll_store_new(256 * 1024, 0);
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 400; round++) {
		uint64_t next = scroll_store_next(s);
		unsigned n = (seed = seed * 1103515245u + 12345u) >> 16 & 255;

		add(s, next, next + n);
		for (unsigned i = 0; i < n / 3; i++)
			scroll_store_pop(s);
		for (uint64_t i = scroll_store_first(s); i < scroll_store_next(s); i += 13)
			check(s, i);
	}
	while (scroll_store_next(s) > scroll_store_first(s))
		scroll_store_pop(s);
	scroll_store_pop(s);
	add(s, scroll_store_next(s), scroll_store_next(s) + 200);
	check(s, scroll_store_next(s) - 1);
	scroll_store_free(s);
}

/* A file that can't grow: what it has goes on as the ring, smaller. */
static void full_at(rlim_t bytes, uint64_t least)
{
	struct scroll_store *s = scroll_store_new(0, 0);
	struct rlimit old, small;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){bytes, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	add(s, 0, 200000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(scroll_store_trouble(s));
	assert_null(scroll_store_trouble(s));
	assert_true(scroll_store_next(s) - scroll_store_first(s) > least);
	/* Where lines were lost their numbers go on with a whole block. */
	assert_true(scroll_store_next(s) >= 200000 && scroll_store_next(s) < 200000 + 128);
	if (scroll_store_next(s) == 200000)
		for (uint64_t i = scroll_store_first(s); i < 200000; i++)
			check(s, i);
	for (uint64_t i = scroll_store_first(s); i < scroll_store_next(s); i++)
		assert_non_null(scroll_store_get(s, i));
	scroll_store_free(s);
}

static void test_disk_full(void **state)
{
	(void)state;
	full_at(3 << 20, 30000);   /* becomes a ring of 3 MiB */
	full_at(100 << 10, 10000); /* too small: memory */
}

static void test_no_place(void **state)
{
	struct scroll_store *s;
	const char *const vars[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
	struct rlimit old, none = {0, 0};

	(void)state;
	for (size_t i = 0; i < countof(vars); i++)
		unsetenv(vars[i]);
	s = scroll_store_new(0, 0);
	/* No descriptor to be had. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	add(s, 0, 100000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_non_null(scroll_store_trouble(s));
	assert_true(scroll_store_next(s) - scroll_store_first(s) > 5000);
	for (uint64_t i = scroll_store_first(s); i < 100000; i++)
		check(s, i);
	scroll_store_free(s);
}

static void test_pack(void **state)
{
	struct cell cells[8], back[8];
	uint8_t out[SCROLL_PACK_MAX(8)];
	size_t n;

	(void)state;
	for (int i = 0; i < 8; i++)
		cells[i] = blank;
	cells[0].chars[0] = 0x4e2d; /* wide */
	cells[0].width = 2;
	cells[0].attrs = STYLE_BOLD;
	cells[1] = cells[0];
	cells[1].width = 0;
	cells[1].chars[0] = 0;
	cells[2].chars[0] = 'e'; /* combined */
	cells[2].chars[1] = 0x301;
	cells[2].chars[2] = 0x323;
	cells[2].bg = 200;
	cells[7].chars[0] = 0x1f600;
	n = scroll_pack(out, cells, 8);
	assert_true(n <= sizeof(out));
	assert_int_equal(scroll_unpack(out, n, back, 8), 8);
	for (int i = 0; i < 8; i++) {
		assert_memory_equal(back[i].chars, cells[i].chars, sizeof(cells[i].chars));
		assert_int_equal(back[i].width, cells[i].width);
		assert_int_equal(back[i].attrs, cells[i].attrs);
		assert_int_equal(back[i].bg, cells[i].bg);
	}
}

/* Any bytes are cells of some kind, within the room there is. */
static void test_hostile(void **state)
{
	struct cell cells[50], back[50];
	uint8_t in[300], out[SCROLL_PACK_MAX(50)];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = round % sizeof(in);
		int got;

		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
		got = scroll_unpack(in, n, cells, 50);
		assert_true(got >= 0 && got <= 50);
		for (int i = 0; i < 50; i++)
			for (size_t b = 0; b < sizeof(cells[i]); b++)
				((uint8_t *)&cells[i])[b] =
					(uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
		for (int i = 0; i < 50; i++)
			cells[i].protect = cells[i].wraps = false;
		n = scroll_pack(out, cells, 50);
		assert_true(n <= sizeof(out));
		(void)scroll_unpack(out, n, back, 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_spill),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_pop),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_no_place),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
