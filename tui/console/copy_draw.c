/* Copy mode on the screen: lines as the pane shows them, with matches and the selection on top. */
#include "tui/console/copy_impl.h"

/* Cursor into view; one that was far away comes to the middle. */
static void follow_cursor(struct copy *c, struct rect r)
{
	uint64_t rows = (uint64_t)max_of(r.h, 1), half = rows / 2;
	bool far = c->line + rows < c->top || c->line >= c->top + 2 * rows;

	if (far)
		c->top = c->line - min_of(half, c->line);
	else if (c->line < c->top)
		c->top = c->line;
	else if (c->line >= c->top + rows)
		c->top = c->line - rows + 1;
	c->top = max_of(c->top, copy_first(c));
	c->left = min_of(c->left, c->col);
	if (c->col >= c->left + r.w)
		c->left = c->col - r.w + 1;
}

static void draw_span(struct copy *c, const struct paint *paint, struct rect row,
	const struct grid_line *line, struct copy_span span, enum role role)
{
	for (int col = max_of(span.from, c->left); col < span.to && col - c->left < row.w; col++) {
		bool have = col < line->cols;
		const struct cell *cell = have ? &line->cells[col] : NULL;
		struct paint_cell out = {
			.chars = have ? cell->chars : NULL,
			.count = have ? CELL_CHARS : 0,
			.width = have ? max_of(cell->width, 1) : 1,
			.fg = COLOUR_DEFAULT,
			.bg = COLOUR_DEFAULT,
		};

		if (have && cell->width == 0)
			continue;
		if (out.width == 2 && col - c->left + 2 > row.w)
			continue;
		paint_cell(paint, row.y, row.x + col - c->left, &out, role);
	}
}

static void draw_matches(
	struct copy *c, const struct paint *paint, struct rect row, uint64_t number)
{
	const struct grid_line *line = copy_line(c, number);
	size_t at = 0, from, to;

	copy_fill_text(c, line, 0, line->cols);
	while (copy_match(c, at, &from, &to)) {
		struct copy_span span = {c->text.column[from], c->text.column[to]};
		bool current = number == c->line && span.from == c->col;

		draw_span(c, paint, row, line, span,
			current ? ROLE_SEARCH_CURRENT : ROLE_SEARCH_MATCH);
		at = to;
	}
}

void copy_draw(struct copy *c, const struct paint *paint, struct rect r, int *cy, int *cx)
{
	copy_settle(c);
	follow_cursor(c, r);
	for (int y = 0; y < r.h; y++) {
		struct rect row = {r.y + y, r.x, 1, r.w};
		uint64_t number = c->top + (uint64_t)y;
		const struct grid_line *line = copy_line(c, number);
		int left = min_of(c->left, line->cols);
		struct copy_span span;

		pane_draw_row(paint, row, line->cells + left, line->cols - left);
		if (number >= copy_end(c))
			continue;
		if (copy_span(c, number, max_of(line->cols, 1), &span))
			draw_span(c, paint, row, line, span, ROLE_SELECTION);
		if (c->search.have)
			draw_matches(c, paint, row, number);
	}
	*cy = r.y + (int)(c->line - c->top);
	*cx = r.x + c->col - c->left;
}
