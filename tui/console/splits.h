/* An area divided into windows: a tree whose inner nodes put two parts side by side or one over the
 * other, and whose leaves are the windows. Knows nothing of what they show. Pure. */
#ifndef VMDECK_TUI_CONSOLE_SPLITS_H
#define VMDECK_TUI_CONSOLE_SPLITS_H

#include <stdbool.h>

#include "backend/base/err.h"
#include "tui/console/layout.h"

#define SPLIT_LEAVES_MAX 16
#define SPLIT_NODES_MAX  (2 * SPLIT_LEAVES_MAX - 1)
#define SPLIT_ROWS_MIN   3 /* of a window: its title and two rows */
#define SPLIT_COLS_MIN   10
#define SPLIT_SHARE      10000 /* the whole */

/* Side by side takes one column between the parts for a line. */
enum split_dir { SPLIT_STACKED, SPLIT_SIDE };

struct split_node {
	bool used;
	int parent;   /* -1: the root */
	int child[2]; /* -1: a leaf; else above or left first */
	enum split_dir dir;
	int share; /* of the first child, 1..SPLIT_SHARE - 1 */
	struct rect r;
};

/* Leaves are known by the index of their node, which stays while they live. */
struct splits {
	struct split_node node[SPLIT_NODES_MAX];
	int root;
	struct rect area;
};

/* One leaf, 0. */
void splits_init(struct splits *s);
/* Gives every node its rectangle. Where there is room, no leaf gets less than its least size; else
 * some get little or nothing (h or w 0). */
void splits_place(struct splits *s, struct rect area);

/* Divides a leaf in two equal parts; the new leaf is the second. -ENOSPC or -E2BIG with a sentence.
 */
int splits_split(struct splits *s, int leaf, enum split_dir dir, struct err *e);
/* Removes a leaf; its place goes to its neighbour. Returns the leaf that is there now, -1 (and
 * nothing is done) for the last one. */
int splits_close(struct splits *s, int leaf);
/* Removes all but one. */
void splits_only(struct splits *s, int leaf);
/* Windows in a row or a column get equal parts. */
void splits_equalise(struct splits *s);
/* Moves the edge of the leaf so that it gets that many rows or columns more (negative: less), as
 * far as there is room. False: nothing could be moved. */
bool splits_grow(struct splits *s, int leaf, enum split_dir dir, int by);

/* All leaves in reading order of the tree; their number. */
int splits_leaves(const struct splits *s, int leaf[SPLIT_LEAVES_MAX]);
bool splits_is_leaf(const struct splits *s, int node);
/* The leaf that many steps further, round. */
int splits_next(const struct splits *s, int leaf, int step);
/* The leaf beside this one: dy, dx one of -1, 0, 1. -1: none there. */
int splits_toward(const struct splits *s, int leaf, int dy, int dx);
/* The column between the parts of a node; false: it has none. */
bool splits_divider(const struct splits *s, int node, struct rect *ret);

/* ---- to build a tree from the leaves up, as a stored one is read */
/* No node at all: first. */
void splits_empty(struct splits *s);
/* A leaf without a place in the tree yet, -1: there are SPLIT_LEAVES_MAX. */
int splits_leaf(struct splits *s);
/* A node over two that have none yet. */
int splits_join(struct splits *s, enum split_dir dir, int share, int first, int second);
void splits_set_root(struct splits *s, int node);

#endif
