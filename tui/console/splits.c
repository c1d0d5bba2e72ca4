/* The tree of windows: what it is made of, and where everything lies. */
#include "tui/console/splits.h"

#include <errno.h>
#include <string.h>

/* ---- nodes ----------------------------------------------------------------------------------- */

bool splits_is_leaf(const struct splits *s, int n)
{
	return n >= 0 && n < SPLIT_NODES_MAX && s->node[n].used && s->node[n].child[0] < 0;
}

static int node_new(struct splits *s)
{
	for (int i = 0; i < SPLIT_NODES_MAX; i++)
		if (!s->node[i].used) {
			s->node[i] = (struct split_node){.used = true,
				.parent = -1,
				.child = {-1, -1},
				.share = SPLIT_SHARE / 2};
			return i;
		}
	return -1;
}

void splits_empty(struct splits *s)
{
	memset(s, 0, sizeof(*s));
	s->root = -1;
}

void splits_init(struct splits *s)
{
	splits_empty(s);
	s->root = node_new(s);
}

static int count_leaves(const struct splits *s)
{
	int count = 0;

	for (int i = 0; i < SPLIT_NODES_MAX; i++)
		count += splits_is_leaf(s, i);
	return count;
}

int splits_leaf(struct splits *s)
{
	return count_leaves(s) < SPLIT_LEAVES_MAX ? node_new(s) : -1;
}

int splits_join(struct splits *s, enum split_dir dir, int share, int first, int second)
{
	int n = node_new(s);

	s->node[n].dir = dir;
	s->node[n].share = max_of(1, min_of(share, SPLIT_SHARE - 1));
	s->node[n].child[0] = first;
	s->node[n].child[1] = second;
	s->node[first].parent = s->node[second].parent = n;
	return n;
}

void splits_set_root(struct splits *s, int n)
{
	s->root = n;
}

/* Puts node `by` where node `n` is in the tree. */
static void replace(struct splits *s, int n, int by)
{
	int parent = s->node[n].parent;

	s->node[by].parent = parent;
	if (parent < 0)
		s->root = by;
	else
		s->node[parent].child[s->node[parent].child[1] == n] = by;
}

/* ---- geometry -------------------------------------------------------------------------------- */

/* Cells in a direction: as if each part side by side had its line. */
static int extent(const struct split_node *n, enum split_dir dir)
{
	return dir == SPLIT_SIDE ? n->r.w + 1 : n->r.h;
}

/* The least that a subtree needs in a direction, counted as extent does. */
static int least(const struct splits *s, int n, enum split_dir dir)
{
	const struct split_node *node = &s->node[n];
	int a, b;

	if (node->child[0] < 0)
		return dir == SPLIT_SIDE ? SPLIT_COLS_MIN + 1 : SPLIT_ROWS_MIN;
	a = least(s, node->child[0], dir);
	b = least(s, node->child[1], dir);
	return node->dir == dir ? a + b : max_of(a, b);
}

/* What the first child of a node gets of total. */
static int first_part(const struct splits *s, const struct split_node *node, int total)
{
	int a = least(s, node->child[0], node->dir), b = least(s, node->child[1], node->dir);
	int part = (int)(((long)total * node->share + SPLIT_SHARE / 2) / SPLIT_SHARE);

	if (a + b <= total)
		part = max_of(a, min_of(part, total - b));
	return max_of(0, min_of(part, total));
}

static void place(struct splits *s, int n, struct rect r)
{
	struct split_node *node = &s->node[n];
	struct rect a = r, b = r;
	int part;

	node->r = r;
	if (node->child[0] < 0)
		return;
	part = first_part(s, node, extent(node, node->dir));
	if (node->dir == SPLIT_STACKED) {
		a.h = part;
		b.y += part;
		b.h -= part;
	} else {
		a.w = max_of(part - 1, 0);
		b.x = min_of(r.x + part, r.x + r.w);
		b.w = max_of(r.w - part, 0);
	}
	place(s, node->child[0], a);
	place(s, node->child[1], b);
}

void splits_place(struct splits *s, struct rect area)
{
	s->area = (struct rect){area.y, area.x, max_of(area.h, 0), max_of(area.w, 0)};
	place(s, s->root, s->area);
}

bool splits_divider(const struct splits *s, int n, struct rect *ret)
{
	const struct split_node *node = &s->node[n];

	if (!node->used || node->child[0] < 0 || node->dir != SPLIT_SIDE)
		return false;
	*ret = s->node[node->child[0]].r;
	ret->x += ret->w;
	ret->w = 1;
	return ret->x < node->r.x + node->r.w && ret->h > 0;
}

/* ---- changes --------------------------------------------------------------------------------- */

int splits_split(struct splits *s, int leaf, enum split_dir dir, struct err *e)
{
	struct rect r = s->node[leaf].r;
	struct split_node old;
	int added, n;

	if (count_leaves(s) >= SPLIT_LEAVES_MAX)
		return err_set(e, E2BIG,
			"there are %d windows already, and no more than that: C-w c closes one",
			SPLIT_LEAVES_MAX);
	if (dir == SPLIT_STACKED && r.h < 2 * SPLIT_ROWS_MIN)
		return err_set(e, ENOSPC,
			"no room: %d rows are too few for two windows of %d rows (C-w v splits "
			"side by side)",
			r.h, SPLIT_ROWS_MIN);
	if (dir == SPLIT_SIDE && r.w < 2 * SPLIT_COLS_MIN + 1)
		return err_set(e, ENOSPC,
			"no room: %d columns are too few for two windows of %d columns (C-w s "
			"splits one over the other)",
			r.w, SPLIT_COLS_MIN);
	added = node_new(s);
	old = s->node[leaf];
	n = splits_join(s, dir, SPLIT_SHARE / 2, leaf, added);
	s->node[leaf].parent = old.parent;
	replace(s, leaf, n);
	s->node[leaf].parent = n;
	splits_place(s, s->area);
	return added;
}

/* The first leaf of a subtree, or the last. */
static int end_leaf(const struct splits *s, int n, int side)
{
	while (s->node[n].child[0] >= 0)
		n = s->node[n].child[side];
	return n;
}

int splits_close(struct splits *s, int leaf)
{
	int parent = s->node[leaf].parent, side, other;

	if (parent < 0)
		return -1;
	side = s->node[parent].child[1] == leaf;
	other = s->node[parent].child[!side];
	replace(s, parent, other);
	s->node[leaf].used = s->node[parent].used = false;
	splits_place(s, s->area);
	return end_leaf(s, other, side);
}

void splits_only(struct splits *s, int leaf)
{
	for (int i = 0; i < SPLIT_NODES_MAX; i++)
		s->node[i].used = i == leaf;
	s->node[leaf].parent = -1;
	s->root = leaf;
	splits_place(s, s->area);
}

/* How many windows stand in a line in that direction. */
static int in_line(const struct splits *s, int n, enum split_dir dir)
{
	const struct split_node *node = &s->node[n];
	int a, b;

	if (node->child[0] < 0)
		return 1;
	a = in_line(s, node->child[0], dir);
	b = in_line(s, node->child[1], dir);
	return node->dir == dir ? a + b : max_of(a, b);
}

void splits_equalise(struct splits *s)
{
	for (int i = 0; i < SPLIT_NODES_MAX; i++) {
		struct split_node *node = &s->node[i];
		int a, b;

		if (!node->used || node->child[0] < 0)
			continue;
		a = in_line(s, node->child[0], node->dir);
		b = in_line(s, node->child[1], node->dir);
		node->share = SPLIT_SHARE * a / (a + b);
	}
	splits_place(s, s->area);
}

bool splits_grow(struct splits *s, int leaf, enum split_dir dir, int by)
{
	int n = leaf, parent, total, part, to;
	struct split_node *node;

	while ((parent = s->node[n].parent) >= 0 && s->node[parent].dir != dir)
		n = parent;
	if (parent < 0)
		return false;
	node = &s->node[parent];
	total = extent(node, dir);
	part = first_part(s, node, total);
	to = part + (node->child[0] == n ? by : -by);
	to = max_of(
		least(s, node->child[0], dir), min_of(to, total - least(s, node->child[1], dir)));
	if (to == part || to <= 0 || to >= total)
		return false;
	node->share = (int)(((long)to * SPLIT_SHARE + total / 2) / total);
	splits_place(s, s->area);
	return true;
}

/* ---- from one to the other --------------------------------------------------------------------
 */

static void collect(const struct splits *s, int n, int *leaf, int *count)
{
	if (s->node[n].child[0] < 0) {
		leaf[(*count)++] = n;
		return;
	}
	collect(s, s->node[n].child[0], leaf, count);
	collect(s, s->node[n].child[1], leaf, count);
}

int splits_leaves(const struct splits *s, int leaf[SPLIT_LEAVES_MAX])
{
	int count = 0;

	collect(s, s->root, leaf, &count);
	return count;
}

int splits_next(const struct splits *s, int at, int step)
{
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(s, leaf);

	for (int i = 0; i < count; i++)
		if (leaf[i] == at)
			return leaf[((i + step) % count + count) % count];
	return leaf[0];
}

/* Cells between the leaf's edge and the other one in the direction; < 0: not there. */
static int distance(struct rect a, struct rect b, int dy, int dx)
{
	return dy < 0   ? a.y - (b.y + b.h)
	       : dy > 0 ? b.y - (a.y + a.h)
	       : dx < 0 ? a.x - (b.x + b.w)
			: b.x - (a.x + a.w);
}

/* Whether b covers the line through the middle of a. */
static bool in_way(struct rect a, struct rect b, int dy)
{
	int y = a.y + a.h / 2, x = a.x + a.w / 2;

	/* The column between two windows belongs to the left one. */
	return dy ? x >= b.x && x <= b.x + b.w : y >= b.y && y < b.y + b.h;
}

int splits_toward(const struct splits *s, int at, int dy, int dx)
{
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(s, leaf), found = -1, nearest = 0;

	for (int i = 0; i < count; i++) {
		struct rect a = s->node[at].r, b = s->node[leaf[i]].r;
		int d = distance(a, b, dy, dx);

		if (leaf[i] == at || d < 0 || !in_way(a, b, dy))
			continue;
		if (found < 0 || d < nearest) {
			found = leaf[i];
			nearest = d;
		}
	}
	return found;
}
