// LIBS: base
// OBJS: tui/console/splits.c tui/console/layout.c
/* The tree of windows: every cell belongs to one window or one line, whatever is done to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tui/console/splits.h"

#define ROWS 60
#define COLS 200

static const struct rect wide = {2, 5, 40, 120};

/* Each cell of the area is covered once, by a leaf or a divider, and nothing outside is. */
static void check_cover(const struct splits *s)
{
	static char cell[ROWS + 8][COLS + 8];
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(s, leaf);
	struct rect r;

	memset(cell, 0, sizeof(cell));
	for (int i = 0; i < SPLIT_NODES_MAX + count; i++) {
		if (i < count)
			r = s->node[leaf[i]].r;
		else if (!splits_divider(s, i - count, &r))
			continue;
		assert_true(r.h >= 0 && r.w >= 0);
		for (int y = r.y; y < r.y + r.h; y++)
			for (int x = r.x; x < r.x + r.w; x++)
				cell[y][x]++;
	}
	for (int y = 0; y < ROWS + 8; y++)
		for (int x = 0; x < COLS + 8; x++) {
			bool in = y >= s->area.y && y < s->area.y + s->area.h && x >= s->area.x &&
				  x < s->area.x + s->area.w;

			assert_int_equal(cell[y][x], in);
		}
}

/* Every used node hangs in the tree once, every leaf is found. */
static void check_tree(const struct splits *s)
{
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(s, leaf), used = 0;

	assert_in_range(count, 1, SPLIT_LEAVES_MAX);
	for (int i = 0; i < SPLIT_NODES_MAX; i++) {
		const struct split_node *n = &s->node[i];

		if (!n->used)
			continue;
		used++;
		if (n->parent < 0)
			assert_int_equal(i, s->root);
		else
			assert_true(s->node[n->parent].child[0] == i ||
				    s->node[n->parent].child[1] == i);
		if (n->child[0] >= 0)
			assert_in_range(n->share, 1, SPLIT_SHARE - 1);
	}
	assert_int_equal(used, 2 * count - 1);
	for (int i = 0; i < count; i++)
		assert_true(splits_is_leaf(s, leaf[i]));
}

static void check_least(const struct splits *s)
{
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(s, leaf);

	for (int i = 0; i < count; i++) {
		assert_true(s->node[leaf[i]].r.h >= SPLIT_ROWS_MIN);
		assert_true(s->node[leaf[i]].r.w >= SPLIT_COLS_MIN);
	}
}

static void test_split_and_close(void **state)
{
	struct splits s;
	struct err e;
	int a, b;

	(void)state;
	splits_init(&s);
	splits_place(&s, wide);
	assert_int_equal(splits_close(&s, 0), -1);
	a = splits_split(&s, 0, SPLIT_SIDE, &e);
	assert_true(a > 0);
	assert_int_equal(s.node[0].r.w + s.node[a].r.w + 1, 120);
	assert_in_range(s.node[0].r.w - s.node[a].r.w + 1, 0, 2);
	b = splits_split(&s, a, SPLIT_STACKED, &e);
	assert_int_equal(s.node[a].r.h, 20);
	assert_int_equal(s.node[b].r.h, 20);
	check_cover(&s);
	assert_int_equal(splits_toward(&s, 0, 0, 1), b); /* its middle row is b's first */
	assert_int_equal(splits_toward(&s, b, -1, 0), a);
	assert_int_equal(splits_toward(&s, a, 1, 0), b);
	assert_int_equal(splits_toward(&s, a, 0, -1), 0);
	assert_int_equal(splits_toward(&s, a, 0, 1), -1);
	assert_int_equal(splits_toward(&s, 0, -1, 0), -1);
	assert_int_equal(splits_next(&s, 0, 1), a);
	assert_int_equal(splits_next(&s, 0, -1), b);
	assert_int_equal(splits_next(&s, b, 1), 0);
	/* Who is beside a closed window gets its place. */
	assert_int_equal(splits_close(&s, 0), a);
	assert_int_equal(s.node[a].r.w, 120);
	assert_int_equal(splits_close(&s, a), b);
	assert_int_equal(s.root, b);
	assert_memory_equal(&s.node[b].r, &wide, sizeof(wide));
	check_tree(&s);
}

static void test_limits(void **state)
{
	struct splits s;
	struct err e;
	int leaf = 0, count = 1;

	(void)state;
	splits_init(&s);
	splits_place(&s, (struct rect){0, 0, 5, 20});
	assert_int_equal(splits_split(&s, 0, SPLIT_STACKED, &e), -ENOSPC);
	assert_non_null(strstr(e.msg, "no room: 5 rows"));
	assert_int_equal(splits_split(&s, 0, SPLIT_SIDE, &e), -ENOSPC);
	assert_non_null(strstr(e.msg, "no room: 20 columns"));
	splits_place(&s, (struct rect){0, 0, 6, 21});
	assert_true(splits_split(&s, 0, SPLIT_STACKED, &e) > 0);
	check_least(&s);
	splits_place(&s, (struct rect){0, 0, 60, 200});
	for (count = 2; count < SPLIT_LEAVES_MAX; count++) {
		splits_equalise(&s);
		leaf = splits_split(&s, 0, count < 8 ? SPLIT_STACKED : SPLIT_SIDE, &e);
		assert_true(leaf > 0);
	}
	assert_int_equal(splits_split(&s, leaf, SPLIT_SIDE, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "16 windows"));
	assert_int_equal(splits_leaf(&s), -1);
	splits_only(&s, leaf);
	check_tree(&s);
	assert_int_equal(s.node[leaf].r.h, 60);
}

static void test_equalise(void **state)
{
	struct splits s;
	struct err e;
	int a, b, c;

	(void)state;
	splits_init(&s);
	splits_place(&s, (struct rect){0, 0, 30, 80});
	a = splits_split(&s, 0, SPLIT_SIDE, &e);
	b = splits_split(&s, a, SPLIT_SIDE, &e);
	c = splits_split(&s, b, SPLIT_STACKED, &e);
	splits_equalise(&s);
	assert_int_equal(s.node[0].r.w, 26);
	assert_int_equal(s.node[a].r.w, 26);
	assert_int_equal(s.node[b].r.w, 26);
	assert_int_equal(s.node[c].r.w, 26);
	assert_int_equal(s.node[b].r.h, 15);
	/* The edge moves to the cell, and what is beside it gives. */
	assert_true(splits_grow(&s, 0, SPLIT_SIDE, 5));
	assert_int_equal(s.node[0].r.w, 31);
	assert_true(splits_grow(&s, c, SPLIT_STACKED, -3));
	assert_int_equal(s.node[c].r.h, 12);
	assert_true(splits_grow(&s, c, SPLIT_STACKED, 100));
	assert_int_equal(s.node[c].r.h, 27);
	assert_false(splits_grow(&s, c, SPLIT_STACKED, 1));
	assert_false(splits_grow(&s, 0, SPLIT_STACKED, 1));
	check_cover(&s);
	check_least(&s);
	/* Another size and back: the proportions stay. */
	splits_place(&s, (struct rect){0, 0, 50, 160});
	assert_in_range(s.node[0].r.w, 62, 64);
	splits_place(&s, (struct rect){0, 0, 2, 8});
	check_cover(&s);
	splits_place(&s, (struct rect){0, 0, 30, 80});
	assert_int_equal(s.node[0].r.w, 31);
	assert_int_equal(s.node[c].r.h, 27);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static void test_random(void **state)
{
	uint64_t seed = 5;
	struct splits s;
	struct err e;
	bool roomy = true; /* since the area was last large enough for everything */

	(void)state;
	splits_init(&s);
	splits_place(&s, wide);
	for (int i = 0; i < 30000; i++) {
		int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(&s, leaf);
		int at = leaf[next_random(&seed) % (unsigned)count];
		enum split_dir dir = next_random(&seed) % 2 ? SPLIT_SIDE : SPLIT_STACKED;

		switch (next_random(&seed) % 12) {
		case 0:
			splits_place(&s, (struct rect){(int)(next_random(&seed) % 4), 3,
						 (int)(next_random(&seed) % ROWS),
						 (int)(next_random(&seed) % COLS)});
			roomy = false;
			break;
		case 1:
			(void)splits_close(&s, at);
			break;
		case 2:
			if (i % 50 == 0)
				splits_only(&s, at);
			break;
		case 3:
			splits_equalise(&s);
			break;
		case 4:
			splits_only(&s, at);
			splits_place(&s, wide);
			roomy = true;
			break;
		case 5:
		case 6:
			(void)splits_grow(&s, at, dir, (int)(next_random(&seed) % 21) - 10);
			break;
		case 7:
			at = splits_toward(&s, at, dir ? 1 : 0, dir ? 0 : -1);
			assert_true(at == -1 || splits_is_leaf(&s, at));
			break;
		default:
			(void)splits_split(&s, at, dir, &e);
		}
		check_tree(&s);
		if (i % 5 == 0)
			check_cover(&s);
		if (roomy)
			check_least(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_and_close),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_equalise),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
