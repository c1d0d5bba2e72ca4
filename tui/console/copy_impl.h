/* Inside of copy mode, for copy*.c only. */
#ifndef VMDECK_TUI_CONSOLE_COPY_IMPL_H
#define VMDECK_TUI_CONSOLE_COPY_IMPL_H

#include <regex.h>

#include "tui/console/copy.h"
#include "tui/console/pane_impl.h"

/* A line as text: UTF-8, and the column of each byte. */
struct copy_line_text {
	char text[PANE_COLS_MAX * CELL_CHARS * 4 + 1];
	uint16_t column[PANE_COLS_MAX * CELL_CHARS * 4 + 1];
	size_t len;
};

struct copy_span {
	int from, to; /* columns; to is outside */
};

struct copy {
	struct pane *pane;    /* borrowed */
	struct cell *screen;  /* owned: the rows as they were */
	int rows, cols;       /* of it */
	int used;             /* rows that have anything on them */
	uint64_t base;        /* number of its first row; below: lines of the scrollback */
	bool alternate;       /* a full-screen program: the scrollback is not its */
	struct grid_line row; /* handed out for rows of the screen */

	uint64_t line, top; /* cursor, first one in view */
	int col, left;
	enum copy_select select;
	uint64_t mark_line;
	int mark_col;

	struct {
		bool have, literal, fold;
		char pattern[256];
		regex_t regex;
		bool back;   /* as asked for with / or ? */
		bool turned; /* this one goes the other way */
		bool on;
		uint64_t at, done, total;
		bool first; /* the cursor's own line is due */
	} search;
	struct copy_line_text text;
};

/* First line that is kept, and the one behind the last. */
uint64_t copy_first(const struct copy *c);
uint64_t copy_end(const struct copy *c);
/* A line; never NULL: one that the disk does not give back is empty. Valid until the next call. */
const struct grid_line *copy_line(struct copy *c, uint64_t number);
/* Puts text of columns from..to into c->text. */
void copy_fill_text(struct copy *c, const struct grid_line *line, int from, int to);
/* The match at or behind byte `at` of c->text; false: none. */
bool copy_match(const struct copy *c, size_t at, size_t *from, size_t *to);
/* Cursor and view into what there is. */
void copy_settle(struct copy *c);
/* The selected columns of a line; false: none. */
bool copy_span(const struct copy *c, uint64_t number, int cols, struct copy_span *ret);

#endif
