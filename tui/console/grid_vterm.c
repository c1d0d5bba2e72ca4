/* libvterm's state layer to the cells of a grid. */
#include "tui/console/grid_vterm.h"

#include "tui/console/paint.h"

/* The text of the row above goes on here: nothing but its width ended it. */
static void mark_wrapped(struct grid_term *t, int row, int width)
{
	struct cell *last = grid_cell(&t->grid, row - 1, t->grid.cols - 1);

	if (last && (last->chars[0] || last->width == 0 || width == 2))
		last->wraps = true;
}

static int on_putglyph(VTermGlyphInfo *info, VTermPos pos, void *user)
{
	struct grid_term *t = user;
	uint32_t chars[CELL_CHARS] = {0};

	for (int i = 0; i < CELL_CHARS && info->chars[i]; i++)
		chars[i] = info->chars[i];
	if (pos.col == 0 && t->full_row >= 0)
		mark_wrapped(t, pos.row, info->width);
	grid_put(&t->grid, pos.row, pos.col, chars, info->width, info->protected_cell);
	/* A wide character needs two columns: it leaves the last one empty. */
	t->full_row = pos.col + info->width >= t->grid.cols - 1 ? pos.row : -1;
	t->changed = true;
	return 1;
}

static int on_movecursor(VTermPos pos, VTermPos old, int visible, void *user)
{
	struct grid_term *t = user;

	(void)old;
	(void)visible;
	t->cursor = pos;
	/* Between two pieces of text it rests on the last column. */
	if (pos.row != t->full_row || pos.col != t->grid.cols - 1)
		t->full_row = -1;
	t->changed = true;
	return 1;
}

static struct grid_rect rect_of(VTermRect r)
{
	return (struct grid_rect){r.start_row, r.end_row, r.start_col, r.end_col};
}

static int on_moverect(VTermRect dest, VTermRect src, void *user)
{
	struct grid_term *t = user;

	grid_copy(&t->grid, rect_of(dest), rect_of(src));
	t->changed = true;
	return 1;
}

static int on_erase(VTermRect rect, int selective, void *user)
{
	struct grid_term *t = user;

	grid_erase(&t->grid, rect_of(rect), selective);
	t->changed = true;
	return 1;
}

static int on_scrollrect(VTermRect rect, int downward, int rightward, void *user)
{
	struct grid_term *t = user;
	struct grid *g = &t->grid;

	if (rect.start_col <= 0 && rect.end_col >= g->cols && rightward == 0)
		grid_scroll(g, rect.start_row, rect.end_row, downward);
	else
		vterm_scroll_rect(rect, downward, rightward, on_moverect, on_erase, user);
	t->changed = true;
	return 1;
}

static int on_initpen(void *user)
{
	struct grid_term *t = user;

	t->grid.pen = (struct cell){.fg = COLOUR_DEFAULT, .bg = COLOUR_DEFAULT, .width = 1};
	return 1;
}

static int32_t colour_of(const VTermColor *c, int is_default)
{
	if (is_default)
		return COLOUR_DEFAULT;
	if (VTERM_COLOR_IS_INDEXED(c))
		return c->indexed.idx;
	return PAINT_RGB | c->rgb.red << 16 | c->rgb.green << 8 | c->rgb.blue;
}

static void set_attr(struct cell *pen, uint8_t attr, int on)
{
	pen->attrs = (uint8_t)(on ? pen->attrs | attr : pen->attrs & ~attr);
}

static int on_setpenattr(VTermAttr attr, VTermValue *val, void *user)
{
	struct grid_term *t = user;
	struct cell *pen = &t->grid.pen;

	switch (attr) {
	case VTERM_ATTR_BOLD:
		set_attr(pen, STYLE_BOLD, val->boolean);
		return 1;
	case VTERM_ATTR_UNDERLINE:
		set_attr(pen, STYLE_UNDERLINE, val->number);
		return 1;
	case VTERM_ATTR_ITALIC:
		set_attr(pen, STYLE_ITALIC, val->boolean);
		return 1;
	case VTERM_ATTR_REVERSE:
		set_attr(pen, STYLE_REVERSE, val->boolean);
		return 1;
	case VTERM_ATTR_FONT:
		pen->font = (uint8_t)val->number;
		return 1;
	case VTERM_ATTR_FOREGROUND:
		pen->fg = colour_of(&val->color, VTERM_COLOR_IS_DEFAULT_FG(&val->color));
		return 1;
	case VTERM_ATTR_BACKGROUND:
		pen->bg = colour_of(&val->color, VTERM_COLOR_IS_DEFAULT_BG(&val->color));
		return 1;
	case VTERM_ATTR_BLINK:
	case VTERM_ATTR_STRIKE:
	case VTERM_N_ATTRS:
	default:
		return 1;
	}
}

/* Titles, icon names, cursor shapes: the guest's, not this console's. */
static int on_settermprop(VTermProp prop, VTermValue *val, void *user)
{
	struct grid_term *t = user;

	if (prop == VTERM_PROP_CURSORVISIBLE)
		t->cursor_visible = val->boolean;
	else if (prop == VTERM_PROP_ALTSCREEN)
		t->grid.alternate = val->boolean ? 1 : 0;
	else if (prop == VTERM_PROP_MOUSE)
		t->mouse = val->number;
	t->changed = true;
	return 1;
}

static int on_bell(void *user)
{
	(void)user;
	return 1;
}

static int on_resize(int rows, int cols, VTermPos *delta, void *user)
{
	struct grid_term *t = user;

	delta->row = grid_resize(&t->grid, rows, cols, t->cursor.row);
	t->changed = true;
	return 1;
}

/* Lines of double width and height are refused: nothing here could draw them. */
static int on_setlineinfo(
	int row, const VTermLineInfo *now, const VTermLineInfo *before, void *user)
{
	(void)row;
	(void)now;
	(void)before;
	(void)user;
	return 0;
}

const VTermStateCallbacks grid_callbacks = {
	.putglyph = on_putglyph,
	.movecursor = on_movecursor,
	.scrollrect = on_scrollrect,
	.moverect = on_moverect,
	.erase = on_erase,
	.initpen = on_initpen,
	.setpenattr = on_setpenattr,
	.settermprop = on_settermprop,
	.bell = on_bell,
	.resize = on_resize,
	.setlineinfo = on_setlineinfo,
};
