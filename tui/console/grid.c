/* Cells: writing, erasing, moving, resizing. */
#include "tui/console/grid.h"

#include <string.h>

#include "backend/base/util.h"
#include "tui/console/paint.h"

static const struct cell cell_blank = {.fg = COLOUR_DEFAULT, .bg = COLOUR_DEFAULT, .width = 1};

/* What erasing leaves: blank, on the pen's background. */
static struct cell blank_of(const struct grid *g)
{
	struct cell c = cell_blank;

	c.bg = g->pen.bg;
	return c;
}

static void clear_row(struct cell *row, int cols, struct cell with)
{
	row[0] = with;
	/* What is filled already, again and again: a third of the time of plain text was here. */
	for (int n = 1; n < cols; n *= 2)
		memcpy(row + n, row, (size_t)min_of(n, cols - n) * sizeof(*row));
}

static struct cell **screen_new(int rows, int cols)
{
	struct cell **s = xcalloc((size_t)rows, sizeof(struct cell *));

	for (int i = 0; i < rows; i++) {
		s[i] = xcalloc((size_t)cols, sizeof(struct cell));
		clear_row(s[i], cols, cell_blank);
	}
	return s;
}

static void screen_free(struct cell **s, int rows)
{
	for (int i = 0; s && i < rows; i++)
		free(s[i]);
	free(s);
}

void grid_init(struct grid *g, int rows, int cols)
{
	*g = (struct grid){.rows = rows, .cols = cols, .pen = cell_blank};
	g->screen[0] = screen_new(rows, cols);
	g->screen[1] = screen_new(rows, cols);
}

void grid_fini(struct grid *g)
{
	scroll_store_free(g->back);
	screen_free(g->screen[0], g->rows);
	screen_free(g->screen[1], g->rows);
}

void grid_reset(struct grid *g)
{
	int rows = g->rows, cols = g->cols;
	uint64_t lines_max = g->lines_max;

	grid_fini(g);
	grid_init(g, rows, cols);
	g->lines_max = lines_max;
}

struct cell *grid_cell(const struct grid *g, int row, int col)
{
	if (row < 0 || row >= g->rows || col < 0 || col >= g->cols)
		return NULL;
	return &g->screen[g->alternate][row][col];
}

/* Writing over one half of a wide character leaves no other half. */
static void split_wide(struct grid *g, int row, int col)
{
	struct cell *c = grid_cell(g, row, col), *other;

	if (!c || c->width == 1)
		return;
	other = grid_cell(g, row, c->width == 2 ? col + 1 : col - 1);
	if (other && other->width != 1) {
		other->chars[0] = 0;
		other->width = 1;
	}
	c->chars[0] = 0;
	c->width = 1;
}

void grid_put(struct grid *g, int row, int col, const uint32_t *chars, int width, bool protect)
{
	struct cell *c = grid_cell(g, row, col), *right;

	if (!c)
		return;
	right = width == 2 ? grid_cell(g, row, col + 1) : NULL;
	if (c->width != 1)
		split_wide(g, row, col);
	if (right)
		split_wide(g, row, col + 1);
	*c = g->pen;
	c->protect = protect;
	c->width = right ? 2 : 1;
	/* Half of a wide character does not fit at the edge. */
	for (int i = 0; i < CELL_CHARS && chars[i] && (width == 1 || right); i++)
		c->chars[i] = chars[i];
	if (right) {
		*right = g->pen;
		right->width = 0;
		right->protect = protect;
	}
}

static struct grid_rect clip(const struct grid *g, struct grid_rect r)
{
	return (struct grid_rect){max_of(r.top, 0), min_of(r.bottom, g->rows), max_of(r.left, 0),
		min_of(r.right, g->cols)};
}

void grid_erase(struct grid *g, struct grid_rect r, bool selective)
{
	struct cell blank = blank_of(g);

	r = clip(g, r);
	for (int row = r.top; row < r.bottom && r.left < r.right; row++) {
		split_wide(g, row, r.left);
		split_wide(g, row, r.right - 1);
		for (int col = r.left; col < r.right; col++) {
			struct cell *c = grid_cell(g, row, col);

			if (!selective || !c->protect)
				*c = blank;
		}
	}
}

void grid_copy(struct grid *g, struct grid_rect to, struct grid_rect from)
{
	int rows, cols, down;

	if (from.top < 0 || from.left < 0 || to.top < 0 || to.left < 0)
		return;
	to = clip(g, to);
	from = clip(g, from);
	rows = min_of(to.bottom - to.top, from.bottom - from.top);
	cols = min_of(to.right - to.left, from.right - from.left);
	if (rows <= 0 || cols <= 0)
		return;
	/* Away from where it goes, so that nothing is overwritten before it was moved. */
	down = to.top > from.top;
	for (int i = 0; i < rows; i++) {
		int row = down ? rows - 1 - i : i;

		memmove(grid_cell(g, to.top + row, to.left),
			grid_cell(g, from.top + row, from.left),
			(size_t)cols * sizeof(struct cell));
	}
	for (int row = 0; row < rows; row++) {
		struct cell *first = grid_cell(g, to.top + row, to.left);
		struct cell *last = grid_cell(g, to.top + row, to.left + cols - 1);

		/* A wide character cut in two by the edge of the rectangle. */
		if (first->width == 0 && to.left > 0)
			*first = cell_blank;
		if (last->width == 2)
			*last = cell_blank;
	}
}

/* ---- scrollback ---------------------------------------------------------------------------------
 */

static void keep_line(struct grid *g, const struct cell *cells, int cols)
{
	if (!g->back)
		g->back = scroll_store_new(0, g->lines_max);
	scroll_store_add(g->back, cells, cols);
	if (g->view > 0)
		g->view = min_of(g->view + 1, grid_kept(g));
}

int grid_kept(const struct grid *g)
{
	return (int)(scroll_store_next(g->back) - scroll_store_first(g->back));
}

void grid_scroll(struct grid *g, int top, int bottom, int lines)
{
	struct cell **row = g->screen[g->alternate], blank = blank_of(g);
	int n, at;

	top = max_of(top, 0);
	bottom = min_of(bottom, g->rows);
	lines = max_of(min_of(lines, bottom - top), top - bottom);
	for (int i = 0; i < lines && top == 0 && !g->alternate; i++)
		keep_line(g, row[i], g->cols);
	/* One step at a time: it is nearly always one, and each moves pointers only. */
	for (n = abs(lines); n > 0; n--) {
		struct cell *gone = row[lines > 0 ? top : bottom - 1];

		if (lines > 0)
			memmove(&row[top], &row[top + 1],
				(size_t)(bottom - top - 1) * sizeof(struct cell *));
		else
			memmove(&row[top + 1], &row[top],
				(size_t)(bottom - top - 1) * sizeof(struct cell *));
		at = lines > 0 ? bottom - 1 : top;
		row[at] = gone;
		clear_row(gone, g->cols, blank);
	}
}

const struct grid_line *grid_back(const struct grid *g, int back)
{
	if (back < 0 || back >= grid_kept(g))
		return NULL;
	return scroll_store_get(g->back, scroll_store_next(g->back) - 1 - (uint64_t)back);
}

/* ---- resize -------------------------------------------------------------------------------------
 */

static void copy_row(struct cell *to, int to_cols, const struct cell *from, int from_cols)
{
	int n = min_of(to_cols, from_cols);

	if (n > 0)
		memcpy(to, from, (size_t)n * sizeof(*to));
	if (n > 0 && to[n - 1].width == 2)
		to[n - 1] = cell_blank;
}

/* The last row that has anything on it, or the cursor. */
static int last_row(const struct grid *g, int screen, int cursor_row)
{
	for (int row = g->rows - 1; row > cursor_row; row--)
		for (int col = 0; col < g->cols; col++)
			if (!cell_is_blank(&g->screen[screen][row][col]))
				return row;
	return cursor_row;
}

/* Rows that must leave at the top so that the cursor stays on the screen; text below the cursor
 * is given up only when there is no other way. */
static int rows_to_push(const struct grid *g, int rows, int cursor_row)
{
	int used = last_row(g, 0, cursor_row) + 1;

	return max_of(0, min_of(used - rows, cursor_row));
}

/* Lines that come back at the top of a screen that grows; how many. */
static int pull_rows(struct grid *g, struct cell **screen, int cols, int wanted)
{
	int n = g->frozen ? 0 : min_of(wanted, grid_kept(g));

	for (int i = 0; i < n; i++) {
		const struct grid_line *line = grid_back(g, 0);

		if (line)
			copy_row(screen[n - 1 - i], cols, line->cells, line->cols);
		scroll_store_pop(g->back);
	}
	g->view = min_of(g->view, grid_kept(g));
	return n;
}

/* Rows that leave the normal screen at its top while the alternate one is seen: so many that the
 * last line written is still there when the full-screen program ends. */
static int hidden_rows_to_push(const struct grid *g, int rows)
{
	return max_of(0, last_row(g, 0, -1) + 1 - rows);
}

int grid_resize(struct grid *g, int rows, int cols, int cursor_row)
{
	struct cell **old[2] = {g->screen[0], g->screen[1]};
	int old_rows = g->rows, old_cols = g->cols, pulled = 0, cut[2];

	/* Only the normal screen has lines behind it; an alternate one is redrawn by its program.
	 */
	cut[0] = g->alternate ? hidden_rows_to_push(g, rows) : rows_to_push(g, rows, cursor_row);
	cut[1] = g->alternate ? max_of(0, cursor_row + 1 - rows) : 0;
	for (int row = 0; row < cut[0]; row++)
		keep_line(g, old[0][row], old_cols);
	g->screen[0] = screen_new(rows, cols);
	g->screen[1] = screen_new(rows, cols);
	if (rows > old_rows && !g->alternate)
		pulled = pull_rows(g, g->screen[0], cols, rows - old_rows);
	for (int s = 0; s < 2; s++) {
		int shift = s == 0 ? pulled - cut[0] : -cut[1];

		for (int row = max_of(0, -shift); row < old_rows && row + shift < rows; row++)
			copy_row(g->screen[s][row + shift], cols, old[s][row], old_cols);
		screen_free(old[s], old_rows);
	}
	g->rows = rows;
	g->cols = cols;
	return g->alternate ? -cut[1] : pulled - cut[0];
}
