/* Copy mode of a pane: its lines, frozen, with a cursor, a selection and a search. What the guest
 * writes meanwhile goes on arriving behind it. */
#ifndef VMDECK_TUI_CONSOLE_COPY_H
#define VMDECK_TUI_CONSOLE_COPY_H

#include "backend/base/err.h"
#include "tui/console/pane.h"

enum copy_move {
	COPY_LEFT,
	COPY_RIGHT,
	COPY_UP,
	COPY_DOWN,
	COPY_WORD,
	COPY_WORD_BACK,
	COPY_LINE_BEGIN,
	COPY_LINE_END,
	COPY_TOP,
	COPY_BOTTOM,
	COPY_PAGE_UP,
	COPY_PAGE_DOWN,
	COPY_HALF_UP,
	COPY_HALF_DOWN,
};
enum copy_select { COPY_SELECT_NONE, COPY_SELECT_CHARS, COPY_SELECT_LINES, COPY_SELECT_BLOCK };
enum copy_found { COPY_SEARCHING, COPY_FOUND, COPY_NOT_FOUND };

struct copy;

/* Freezes what the pane shows now; the pane must outlive it. */
struct copy *copy_new(struct pane *p);
void copy_free(struct copy *c); /* NULL is fine */
/* False: the pane was emptied meanwhile, nothing of this is there any more. */
bool copy_valid(const struct copy *c);

/* rows: of the screen it is drawn in. */
void copy_move(struct copy *c, enum copy_move move, int rows);
/* To a line, counted from 1 as copy_status does. */
void copy_goto(struct copy *c, uint64_t line);
/* Begins a selection at the cursor, changes its kind, or ends it (the same kind again). */
void copy_select(struct copy *c, enum copy_select kind);
/* The selected text (the cursor's line without a selection), lines that only the width had broken
 * joined, blanks at their ends cut. Ends early behind max bytes: then *cut. The caller frees. */
char *copy_text(struct copy *c, size_t max, size_t *ret_n, bool *cut);

/* A POSIX extended regular expression; without capitals it fits both. -EINVAL: what is wrong. */
int copy_search(struct copy *c, const char *pattern, bool back, struct err *e);
/* Once more; turn: the other way. False: nothing was searched for yet. */
bool copy_search_again(struct copy *c, bool turn);
/* Looks at some of the lines; again while it says COPY_SEARCHING. Found: the cursor is there. */
enum copy_found copy_search_step(struct copy *c);
void copy_search_stop(struct copy *c);
/* Percent of the lines that were looked at; -1: no search is under way. */
int copy_searched(const struct copy *c);

struct copy_status {
	uint64_t line, lines; /* the cursor's, from 1 on; all there are */
	uint64_t below;       /* that have arrived since */
	uint64_t dropped;     /* no longer kept */
	enum copy_select select;
};
struct copy_status copy_status(const struct copy *c);

/* Draws into r; the cursor's place goes to *cy, *cx. */
void copy_draw(struct copy *c, const struct paint *paint, struct rect r, int *cy, int *cx);

#endif
