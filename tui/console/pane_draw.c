/* Emulator cells to the screen. */
#include <string.h>

#include "tui/console/pane_impl.h"

static int cell_colour(const VTermColor *c, bool is_default)
{
	if (is_default)
		return COLOUR_DEFAULT;
	if (VTERM_COLOR_IS_INDEXED(c))
		return c->indexed.idx;
	return PAINT_RGB | c->rgb.red << 16 | c->rgb.green << 8 | c->rgb.blue;
}

static enum role cell_role(const VTermScreenCell *c)
{
	return c->attrs.font == PANE_FONT_RULE	   ? ROLE_PANE_RULE
	       : c->attrs.font == PANE_FONT_STDERR ? ROLE_PANE_STDERR
						   : ROLE_PANE_TEXT;
}

static void draw_cell(const struct paint *paint, int y, int x, const VTermScreenCell *c)
{
	struct paint_cell out = {
		.chars = c->chars,
		.count = VTERM_MAX_CHARS_PER_CELL,
		.width = c->width,
		.fg = cell_colour(&c->fg, VTERM_COLOR_IS_DEFAULT_FG(&c->fg)),
		.bg = cell_colour(&c->bg, VTERM_COLOR_IS_DEFAULT_BG(&c->bg)),
		.attrs = (uint8_t)((c->attrs.bold ? STYLE_BOLD : 0) |
				   (c->attrs.italic ? STYLE_ITALIC : 0) |
				   (c->attrs.underline ? STYLE_UNDERLINE : 0) |
				   (c->attrs.reverse ? STYLE_REVERSE : 0)),
	};

	paint_cell(paint, y, x, &out, cell_role(c));
}

/* A ruled line fills its row with the rule's glyph, at any width. */
static void draw_rule_row(const struct paint *paint, struct rect row, const VTermScreenCell *cells, int cols)
{
	struct pen pen = pen_at(paint, row);
	int end = PANE_RULE_INDENT;

	for (int x = PANE_RULE_INDENT; x < cols && cells[x].attrs.font == PANE_FONT_RULE; x++)
		if (cells[x].chars[0])
			end = x + 1;
	pen_line(&pen, ROLE_PANE_RULE, GLYPH_HLINE, row.x + PANE_RULE_INDENT - 1);
	pen_put(&pen, ROLE_PANE_RULE, " ");
	for (int x = PANE_RULE_INDENT; x < end && x < row.w; x++)
		draw_cell(paint, row.y, row.x + x, &cells[x]);
	pen.x = min_of(row.x + end, pen.end);
	pen_put(&pen, ROLE_PANE_RULE, " ");
	pen_line(&pen, ROLE_PANE_RULE, GLYPH_HLINE, pen.end);
}

static bool row_is_rule(const VTermScreenCell *cells, int cols)
{
	return cols > PANE_RULE_INDENT && cells[0].chars[0] == 0 &&
	       cells[PANE_RULE_INDENT].attrs.font == PANE_FONT_RULE && cells[PANE_RULE_INDENT].chars[0];
}

static void draw_row(const struct paint *paint, struct rect row, const VTermScreenCell *cells, int cols)
{
	static const VTermScreenCell blank = {
		.width = 1,
		.fg = {.type = VTERM_COLOR_DEFAULT_FG},
		.bg = {.type = VTERM_COLOR_DEFAULT_BG},
	};
	int x = 0;

	if (row_is_rule(cells, cols)) {
		draw_rule_row(paint, row, cells, cols);
		return;
	}
	while (x < row.w) {
		const VTermScreenCell *c = x < cols ? &cells[x] : &blank;
		int width = c->width == 2 ? 2 : 1;

		/* Half of a wide character at the edge: nothing. */
		draw_cell(paint, row.y, row.x + x, x + width > row.w ? &blank : c);
		x += width;
	}
}

static int screen_row(const struct pane *p, int row, VTermScreenCell *cells, int cols)
{
	for (int x = 0; x < cols; x++) {
		VTermPos pos = {row, x};

		memset(&cells[x], 0, sizeof(cells[x]));
		vterm_screen_get_cell(p->screen, pos, &cells[x]);
		if (cells[x].width < 1)
			cells[x].width = 1;
	}
	return cols;
}

void pane_draw(const struct pane *p, const struct paint *paint, struct rect r, int *cy, int *cx)
{
	VTermScreenCell cells[PANE_COLS_MAX];
	int rows, cols;

	vterm_get_size(p->vt, &rows, &cols);
	for (int y = 0; y < r.h; y++) {
		struct rect row = {r.y + y, r.x, 1, r.w};
		int at = y - p->scrolled;
		const struct sb_line *line = at < 0 ? scrollback_line(&p->sb, -at - 1) : NULL;

		if (line)
			draw_row(paint, row, line->cells, line->cols);
		else if (at >= 0 && at < rows)
			draw_row(paint, row, cells, screen_row(p, at, cells, cols));
		else
			paint_fill(paint, row, ROLE_PANE_TEXT);
	}
	*cy = *cx = -1;
	if (p->cursor_visible && !p->scrolled && p->cursor.row < r.h && p->cursor.col < r.w) {
		*cy = r.y + p->cursor.row;
		*cx = r.x + p->cursor.col;
	}
}
