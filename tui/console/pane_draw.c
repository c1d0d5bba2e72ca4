/* Cells of the emulator to the screen. */
#include "tui/console/pane_impl.h"

static enum role cell_role(const struct cell *c)
{
	return c->font == PANE_FONT_RULE     ? ROLE_PANE_RULE
	       : c->font == PANE_FONT_STDERR ? ROLE_PANE_STDERR
					     : ROLE_PANE_TEXT;
}

static void draw_cell(const struct paint *paint, int y, int x, const struct cell *c)
{
	struct paint_cell out = {
		.chars = c->chars,
		.count = CELL_CHARS,
		.width = c->width,
		.fg = c->fg,
		.bg = c->bg,
		.attrs = c->attrs,
	};

	paint_cell(paint, y, x, &out, cell_role(c));
}

/* A ruled line fills its row with the rule's glyph, at any width. */
static void draw_rule_row(
	const struct paint *paint, struct rect row, const struct cell *cells, int cols)
{
	struct pen pen = pen_at(paint, row);
	int end = PANE_RULE_INDENT;

	for (int x = PANE_RULE_INDENT; x < cols && cells[x].font == PANE_FONT_RULE; x++)
		if (cells[x].chars[0])
			end = x + 1;
	pen_line(&pen, ROLE_PANE_RULE, GLYPH_HLINE, row.x + PANE_RULE_INDENT - 1);
	pen_put(&pen, ROLE_PANE_RULE, " ");
	for (int x = PANE_RULE_INDENT; x < end && x < row.w; x++)
		if (cells[x].width)
			draw_cell(paint, row.y, row.x + x, &cells[x]);
	pen.x = min_of(row.x + end, pen.end);
	pen_put(&pen, ROLE_PANE_RULE, " ");
	pen_line(&pen, ROLE_PANE_RULE, GLYPH_HLINE, pen.end);
}

static bool row_is_rule(const struct cell *cells, int cols)
{
	return cols > PANE_RULE_INDENT && cells[0].chars[0] == 0 &&
	       cells[PANE_RULE_INDENT].font == PANE_FONT_RULE && cells[PANE_RULE_INDENT].chars[0];
}

void pane_draw_row(const struct paint *paint, struct rect row, const struct cell *cells, int cols)
{
	static const struct cell blank = {.width = 1, .fg = COLOUR_DEFAULT, .bg = COLOUR_DEFAULT};
	int x = 0;

	if (row_is_rule(cells, cols)) {
		draw_rule_row(paint, row, cells, cols);
		return;
	}
	while (x < row.w) {
		const struct cell *c = x < cols ? &cells[x] : &blank;
		int width = max_of(c->width, 1);

		/* Half of a wide character at the edge: nothing. */
		draw_cell(paint, row.y, row.x + x, c->width == 0 || x + width > row.w ? &blank : c);
		x += width;
	}
}

void pane_draw(const struct pane *p, const struct paint *paint, struct rect r, int *cy, int *cx)
{
	const struct grid *g = &p->term.grid;

	for (int y = 0; y < r.h; y++) {
		struct rect row = {r.y + y, r.x, 1, r.w};
		int at = y - g->view;
		const struct grid_line *line = at < 0 ? grid_back(g, -at - 1) : NULL;

		if (line)
			pane_draw_row(paint, row, line->cells, line->cols);
		else if (at >= 0 && at < g->rows)
			pane_draw_row(paint, row, grid_cell(g, at, 0), g->cols);
		else
			paint_fill(paint, row, ROLE_PANE_TEXT);
	}
	*cy = *cx = -1;
	if (p->term.cursor_visible && !g->view && p->term.cursor.row < r.h &&
		p->term.cursor.col < r.w) {
		*cy = r.y + p->term.cursor.row;
		*cx = r.x + p->term.cursor.col;
	}
}
