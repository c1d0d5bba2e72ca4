/* The lines that scrolled off a pane, oldest dropped first: packed, in a temporary file without a
 * name that is used as a ring, in memory where there is no room for one. Nothing here fails for
 * its caller; what could not be done is told by scroll_store_trouble. */
#ifndef VMDECK_TUI_CONSOLE_SCROLL_STORE_H
#define VMDECK_TUI_CONSOLE_SCROLL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/console/cell.h"

#define SCROLL_BYTES  (64u << 20) /* on disk, a pane */
#define SCROLL_MEMORY (1u << 20)  /* where there is no file */
#define SCROLL_LINES  1000000u

struct scroll_store;

/* bytes: at most on disk; lines: at most kept (0: the defaults). */
struct scroll_store *scroll_store_new(size_t bytes, uint64_t lines);
/* From now on at most so many lines are kept; older ones go at once, in blocks of 64. */
void scroll_store_limit(struct scroll_store *s, uint64_t lines);
void scroll_store_free(struct scroll_store *s); /* NULL is fine */

/* Adds a line behind the newest. Blanks at the end are cut, unless the line goes on in the next one
 * (`wraps` of its last cell). */
void scroll_store_add(struct scroll_store *s, const struct cell *cells, int cols);
/* Lines are numbered from 0 on for good: kept are those from first up to (without) next. A NULL
 * store has none. */
uint64_t scroll_store_first(const struct scroll_store *s);
uint64_t scroll_store_next(const struct scroll_store *s);
/* A kept line, or NULL (also when the disk does not give it back). Valid until the next call on
 * this store. */
const struct grid_line *scroll_store_get(struct scroll_store *s, uint64_t number);
/* Takes the newest line back; its number is given out again. */
void scroll_store_pop(struct scroll_store *s);
/* Once after lines had to be kept in memory: why, a sentence; else NULL. */
const char *scroll_store_trouble(struct scroll_store *s);

#endif
