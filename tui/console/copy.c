/* The frozen lines, the cursor over them. */
#include <string.h>

#include "tui/console/copy_impl.h"

static const struct grid_line no_line = {0};

static int used_rows(const struct grid *g, int cursor_row)
{
	for (int row = g->rows - 1; row > cursor_row; row--)
		for (int col = 0; col < g->cols; col++)
			if (!cell_is_blank(grid_cell(g, row, col)))
				return row + 1;
	return cursor_row + 1;
}

struct copy *copy_new(struct pane *p)
{
	struct copy *c = xcalloc(1, sizeof(*c));
	struct grid *g = &p->term.grid;

	c->pane = p;
	c->rows = g->rows;
	c->cols = g->cols;
	c->alternate = g->alternate;
	c->screen = xcalloc((size_t)g->rows * (size_t)g->cols, sizeof(struct cell));
	for (int row = 0; row < g->rows; row++)
		memcpy(c->screen + (size_t)row * (size_t)g->cols, grid_cell(g, row, 0),
			(size_t)g->cols * sizeof(struct cell));
	c->used = used_rows(g, max_of(0, min_of(p->term.cursor.row, g->rows - 1)));
	c->base = scroll_store_next(g->back);
	g->frozen = true;
	c->top = c->base - (uint64_t)min_of((uint64_t)g->view, c->base - copy_first(c));
	c->line = g->view ? c->top : c->base + (uint64_t)max_of(p->term.cursor.row, 0);
	c->col = g->view ? 0 : p->term.cursor.col;
	copy_settle(c);
	return c;
}

void copy_free(struct copy *c)
{
	if (!c)
		return;
	c->pane->term.grid.frozen = false;
	if (c->search.have && !c->search.literal)
		regfree(&c->search.regex);
	free(c->screen);
	free(c);
}

bool copy_valid(const struct copy *c)
{
	return c->pane->term.grid.frozen;
}

uint64_t copy_first(const struct copy *c)
{
	uint64_t first = scroll_store_first(c->pane->term.grid.back);

	return c->alternate ? c->base : min_of(first, c->base);
}

uint64_t copy_end(const struct copy *c)
{
	return c->base + (uint64_t)c->used;
}

const struct grid_line *copy_line(struct copy *c, uint64_t number)
{
	const struct grid_line *line;
	int cols = c->cols;

	if (number >= copy_end(c))
		return &no_line;
	if (number < c->base) {
		line = scroll_store_get(c->pane->term.grid.back, number);
		return line ? line : &no_line;
	}
	c->row.cells = c->screen + (size_t)(number - c->base) * (size_t)c->cols;
	c->row.wraps = c->row.cells[cols - 1].wraps;
	while (!c->row.wraps && cols > 0 && cell_is_blank(&c->row.cells[cols - 1]))
		cols--;
	c->row.cols = cols;
	return &c->row;
}

void copy_fill_text(struct copy *c, const struct grid_line *line, int from, int to)
{
	struct copy_line_text *t = &c->text;

	t->len = 0;
	for (int col = max_of(from, 0); col < min_of(to, min_of(line->cols, PANE_COLS_MAX));
		col++) {
		const struct cell *cell = &line->cells[col];
		size_t begin = t->len;

		if (cell->width == 0)
			continue;
		if (!cell->chars[0])
			t->text[t->len++] = ' ';
		for (int i = 0; i < CELL_CHARS && cell->chars[i]; i++)
			t->len += (size_t)utf8_put(t->text + t->len, cell->chars[i]);
		for (size_t i = begin; i < t->len; i++)
			t->column[i] = (uint16_t)col;
	}
	t->column[t->len] = (uint16_t)min_of(line->cols, max_of(to, 0));
	t->text[t->len] = '\0';
}

/* ---- moving ---------------------------------------------------------------------------------- */

void copy_settle(struct copy *c)
{
	uint64_t first = copy_first(c), last = copy_end(c) - 1;
	const struct grid_line *line;

	c->line = max_of(first, min_of(c->line, last));
	c->top = max_of(first, min_of(c->top, last));
	c->mark_line = max_of(first, min_of(c->mark_line, last));
	line = copy_line(c, c->line);
	c->col = max_of(0, min_of(c->col, line->cols - 1));
	if (c->col > 0 && c->col < line->cols && line->cells[c->col].width == 0)
		c->col--;
}

static void move_lines(struct copy *c, int64_t by)
{
	if (by < 0)
		c->line -= min_of((uint64_t)-by, c->line - copy_first(c));
	else
		c->line += (uint64_t)by;
}

static void scroll(struct copy *c, int64_t by)
{
	if (by < 0)
		c->top -= min_of((uint64_t)-by, c->top - min_of(c->top, copy_first(c)));
	else
		c->top = max_of(c->top, min_of(c->top + (uint64_t)by, c->base));
	move_lines(c, by);
}

enum kind { KIND_BLANK, KIND_WORD, KIND_OTHER };

/* Of the cell under the cursor; the place behind a line's end is blank. */
static enum kind kind_here(struct copy *c)
{
	const struct grid_line *line = copy_line(c, c->line);
	uint32_t ch = c->col < line->cols ? line->cells[c->col].chars[0] : 0;

	if (ch == 0 || ch == ' ')
		return KIND_BLANK;
	return ch > 127 || ch == '_' || (ch >= '0' && ch <= '9') ||
			       ((ch | 32) >= 'a' && (ch | 32) <= 'z')
		       ? KIND_WORD
		       : KIND_OTHER;
}

/* One cell on, into the next or previous line; false at the end of all. */
static bool step(struct copy *c, int by)
{
	const struct grid_line *line = copy_line(c, c->line);
	int col = c->col + by;

	while (col > 0 && col < line->cols && line->cells[col].width == 0)
		col += by;
	if (col >= 0 && col < line->cols) {
		c->col = col;
		return true;
	}
	if (by > 0 ? c->line + 1 >= copy_end(c) : c->line <= copy_first(c))
		return false;
	c->line = by > 0 ? c->line + 1 : c->line - 1;
	c->col = by > 0 ? 0 : max_of(copy_line(c, c->line)->cols - 1, 0);
	return true;
}

static void move_word(struct copy *c)
{
	enum kind kind = kind_here(c);
	uint64_t line = c->line;

	while (kind != KIND_BLANK && kind_here(c) == kind && c->line == line)
		if (!step(c, 1))
			return;
	while (kind_here(c) == KIND_BLANK && step(c, 1))
		;
}

static void move_word_back(struct copy *c)
{
	enum kind kind;
	uint64_t line;
	int col;

	while (step(c, -1) && kind_here(c) == KIND_BLANK)
		;
	kind = kind_here(c);
	do {
		line = c->line;
		col = c->col;
	} while (kind != KIND_BLANK && col > 0 && step(c, -1) && kind_here(c) == kind);
	c->line = line;
	c->col = kind_here(c) == kind && c->col == col ? c->col : col;
}

void copy_move(struct copy *c, enum copy_move move, int rows)
{
	switch (move) {
	case COPY_LEFT:
	case COPY_RIGHT: {
		int col = c->col;
		uint64_t line = c->line;

		if (!step(c, move == COPY_RIGHT ? 1 : -1) || c->line != line) {
			c->line = line;
			c->col = col;
		}
		break;
	}
	case COPY_UP:
	case COPY_DOWN:
		move_lines(c, move == COPY_DOWN ? 1 : -1);
		break;
	case COPY_WORD:
		move_word(c);
		break;
	case COPY_WORD_BACK:
		move_word_back(c);
		break;
	case COPY_LINE_BEGIN:
		c->col = 0;
		break;
	case COPY_LINE_END:
		c->col = PANE_COLS_MAX;
		break;
	case COPY_TOP:
		c->line = copy_first(c);
		c->col = 0;
		break;
	case COPY_BOTTOM:
		c->line = copy_end(c) - 1;
		c->top = c->base;
		break;
	case COPY_PAGE_UP:
	case COPY_PAGE_DOWN:
		scroll(c, (move == COPY_PAGE_DOWN ? 1 : -1) * max_of(rows - 1, 1));
		break;
	case COPY_HALF_UP:
	case COPY_HALF_DOWN:
		scroll(c, (move == COPY_HALF_DOWN ? 1 : -1) * max_of(rows / 2, 1));
		break;
	}
	copy_settle(c);
}

void copy_goto(struct copy *c, uint64_t line)
{
	c->line = copy_first(c) + max_of(line, (uint64_t)1) - 1;
	c->col = 0;
	copy_settle(c);
}

struct copy_status copy_status(const struct copy *c)
{
	uint64_t first = copy_first(c);

	return (struct copy_status){
		.line = c->line - min_of(first, c->line) + 1,
		.lines = copy_end(c) - first,
		.below = scroll_store_next(c->pane->term.grid.back) - c->base,
		.dropped = scroll_store_first(c->pane->term.grid.back),
		.select = c->select,
	};
}
