/* Roles to curses attributes, and guarded output of characters. */
#include "tui/console/paint.h"

#include <curses.h>
#include <stdarg.h>
#include <string.h>
#include <wctype.h>

#include "tui/console/keys.h"
#include "tui/console/plane.h"

static unsigned attr_of(uint8_t style)
{
	return (style & STYLE_BOLD ? A_BOLD : 0) | (style & STYLE_DIM ? A_DIM : 0) |
	       (style & STYLE_ITALIC ? A_ITALIC : 0) | (style & STYLE_UNDERLINE ? A_UNDERLINE : 0) |
	       (style & STYLE_REVERSE ? A_REVERSE : 0);
}

/* Curses colour number at this depth; *attr may get bold for a bright one of eight. */
static int colour_at(enum depth depth, struct colour c, unsigned *attr)
{
	int v = depth == DEPTH_256 ? c.col256 : c.col16;

	if (v < 0 || depth == DEPTH_MONO)
		return -1;
	if (depth == DEPTH_8 && v >= 8) {
		*attr |= A_BOLD;
		v -= 8;
	}
	return v;
}

/* A colour of a role: unset ones are those of role text, at 16 colours those of the built-in theme.
 */
static struct colour colour_pick(
	struct colour own, struct colour text, struct colour builtin, struct colour builtin_text)
{
	struct colour c = own.col256 == COLOUR_UNSET && own.col16 == COLOUR_UNSET ? text : own;

	if (c.col16 == COLOUR_UNSET)
		c.col16 = builtin.col16 != COLOUR_UNSET ? builtin.col16 : builtin_text.col16;
	if (c.col256 == COLOUR_UNSET)
		c.col256 = c.col16;
	return c;
}

/* The role whose background a role stands on: its group's, when that is a role. */
static enum role ground_of(int role)
{
	const char *name = role_table[role].name, *dot = strrchr(name, '.');

	for (int i = 0; dot && i < ROLE__COUNT; i++)
		if (strlen(role_table[i].name) == (size_t)(dot - name) &&
			strncmp(role_table[i].name, name, (size_t)(dot - name)) == 0)
			return (enum role)i;
	return ROLE_TEXT;
}

void paint_init(struct paint *p, const struct theme *t, enum depth depth, bool ascii)
{
	struct theme base;
	const struct style *text = &t->role[ROLE_TEXT];

	theme_builtin(&base);
	memset(p, 0, sizeof(*p));
	p->theme = t;
	p->depth = depth;
	p->ascii = ascii;
	for (int i = 0; i < ROLE__COUNT; i++) {
		const struct style *s = &t->role[i], *b = &base.role[i];
		enum role under = ground_of(i);
		struct colour ground = colour_pick(
			t->role[under].bg, text->bg, base.role[under].bg, base.role[ROLE_TEXT].bg);
		unsigned attr = attr_of(depth == DEPTH_MONO ? s->mono : s->attrs), none = 0;

		p->role[i].fg = colour_at(
			depth, colour_pick(s->fg, text->fg, b->fg, base.role[ROLE_TEXT].fg), &attr);
		/* A bright background would need blink where there are eight colours. */
		p->role[i].bg = colour_at(
			depth, colour_pick(s->bg, ground, b->bg, base.role[under].bg), &none);
		p->role[i].attr = attr;
	}
}

/* Characters that must not reach the terminal as they are: controls, and those that only change
 * the direction or the joining of their neighbours. */
static bool char_is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || c >= 0xe0000;
}

static void put_wide(
	const struct paint *p, int y, int x, const wchar_t *w, unsigned attr, int fg, int bg)
{
	int pair = p->depth == DEPTH_MONO || (fg == -1 && bg == -1) ? 0 : alloc_pair(fg, bg);
	cchar_t cc;

	pair = max_of(pair, 0);
	if (setcchar(&cc, w, attr, (short)min_of(pair, 32767), &pair) == OK)
		mvadd_wch(y, x, &cc);
}

static void put_role(const struct paint *p, int y, int x, const wchar_t *w, enum role role)
{
	plane_put(p->plane, y, x, role);
	put_wide(p, y, x, w, p->role[role].attr, p->role[role].fg, p->role[role].bg);
}

void paint_fill(const struct paint *p, struct rect r, enum role role)
{
	for (int y = 0; y < r.h; y++)
		for (int x = 0; x < r.w; x++)
			put_role(p, r.y + y, r.x + x, L" ", role);
}

void paint_clear(const struct paint *p)
{
	erase();
	if (p->role[ROLE_TEXT].bg != -1 || p->role[ROLE_TEXT].attr)
		paint_fill(p, (struct rect){0, 0, LINES, COLS}, ROLE_TEXT);
}

/* Guest colour to a curses one at this depth. */
static int cell_colour(const struct paint *p, int c, int role_colour, unsigned *attr)
{
	int index = c;

	if (p->depth == DEPTH_MONO)
		return -1;
	if (c == COLOUR_DEFAULT)
		return role_colour;
	if (c & PAINT_RGB) {
		if (p->depth == DEPTH_256)
			return colour_nearest_256(c & 0xffffff);
		index = colour_nearest_16(c & 0xffffff);
	} else if (c < 16 && p->theme->ansi[c].col256 != COLOUR_UNSET) {
		int v = p->depth == DEPTH_256 ? p->theme->ansi[c].col256 : p->theme->ansi[c].col16;

		index = v >= 0 ? v : c;
	}
	if (p->depth != DEPTH_256 && index >= 16)
		index = colour_nearest_16(colour_rgb_of(index));
	if (p->depth == DEPTH_8 && index >= 8) {
		*attr |= A_BOLD;
		index -= 8;
	}
	return index;
}

void paint_cell(const struct paint *p, int y, int x, const struct paint_cell *c, enum role role)
{
	unsigned attr = attr_of(c->attrs) | p->role[role].attr, none = 0;
	int fg = cell_colour(p, c->fg, p->role[role].fg, &attr);
	int bg = cell_colour(p, c->bg, p->role[role].bg, &none);
	wchar_t w[6] = L" ";
	int n = 1;

	if (c->count > 0 && c->chars[0] && !char_is_unsafe(c->chars[0])) {
		w[0] = (wchar_t)c->chars[0];
		/* The emulator's idea of the width holds: a character that the terminal would
		 * draw otherwise is shown as '?'. */
		if (wcwidth(w[0]) != c->width)
			w[0] = L'?';
	}
	for (int i = 1; i < c->count && c->chars[i] && n < 5; i++)
		if (!char_is_unsafe(c->chars[i]) && wcwidth((wchar_t)c->chars[i]) == 0)
			w[n++] = (wchar_t)c->chars[i];
	w[n] = L'\0';
	plane_put(p->plane, y, x, role);
	put_wide(p, y, x, w, attr, fg, bg);
	if (c->width == 2)
		plane_put(p->plane, y, x + 1, role);
	if (c->width == 2 && wcwidth(w[0]) == 1)
		put_wide(p, y, x + 1, L" ", attr, fg, bg);
}

/* The next character of text for the screen: *ret and its columns; bytes used, 0 at the end.
 * Combining characters are left out of our own texts. */
static int text_next(const char *s, size_t n, wchar_t *ret, int *ret_columns)
{
	uint32_t cp;
	int used = utf8_get(s, n, &cp);

	if (used > 0 && (char_is_unsafe(cp) || wcwidth((wchar_t)cp) < 0))
		cp = '?';
	*ret = (wchar_t)cp;
	*ret_columns = used > 0 ? wcwidth((wchar_t)cp) : 0;
	return used;
}

int text_columns(const char *text)
{
	size_t n = strlen(text);
	int columns = 0, used, w;
	wchar_t c;

	for (; (used = text_next(text, n, &c, &w)) > 0; text += used, n -= (size_t)used)
		columns += w;
	return columns;
}

struct pen pen_at(const struct paint *p, struct rect row)
{
	return (struct pen){p, row.y, row.x, row.h > 0 ? row.x + row.w : row.x};
}

void pen_put(struct pen *pen, enum role role, const char *text)
{
	size_t n = strlen(text);
	wchar_t w[2] = L" ";
	int used, columns;

	for (; (used = text_next(text, n, &w[0], &columns)) > 0; text += used, n -= (size_t)used) {
		if (columns == 0)
			continue;
		if (pen->x + columns > pen->end)
			break;
		put_role(pen->paint, pen->y, pen->x, w, role);
		pen->x += columns;
	}
}

void pen_printf(struct pen *pen, enum role role, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pen_put(pen, role, text);
}

void pen_column(struct pen *pen, enum role role, int w, const char *text)
{
	struct pen part = *pen;
	bool cut = text_columns(text) > w;

	part.end = min_of(pen->x + w, pen->end);
	if (cut && w > 1) {
		struct pen last = {pen->paint, pen->y, part.end - 1, part.end};

		part.end--;
		pen_put(&part, role, text);
		pen_rest(&part, role);
		pen_put(&last, role, paint_glyph(pen->paint, GLYPH_ELLIPSIS));
	} else {
		pen_put(&part, role, text);
		pen_rest(&part, role);
	}
	pen->x = min_of(pen->x + w, pen->end);
}

void pen_line(struct pen *pen, enum role role, enum glyph g, int x)
{
	const char *s = paint_glyph(pen->paint, g);
	int end = min_of(x, pen->end);

	while (pen->x < end) {
		int at = pen->x;

		pen_put(pen, role, s);
		if (pen->x == at)
			break;
	}
}

void pen_spot(const struct pen *pen, int x, enum spot_kind kind, int value)
{
	spots_add(pen->paint->spots, kind, value, pen->y, x, pen->x);
}

void pen_rest(struct pen *pen, enum role role)
{
	while (pen->x < pen->end)
		put_role(pen->paint, pen->y, pen->x++, L" ", role);
}

void pen_meter(struct pen *pen, int w, uint64_t done, uint64_t total)
{
	int from = pen->x;
	int fill = total ? (int)((double)min_of(done, total) / (double)total * w + 0.5) : 0;

	pen_line(pen, ROLE_METER_FILL, GLYPH_FILL, from + fill);
	pen_line(pen, ROLE_METER_BG, GLYPH_TRACK, from + w);
}

void paint_vline(const struct paint *p, struct rect r, enum role role)
{
	for (int y = 0; y < r.h; y++) {
		struct pen pen = pen_at(p, (struct rect){r.y + y, r.x, 1, 1});

		pen_put(&pen, role, paint_glyph(p, GLYPH_VLINE));
	}
}

void paint_box(const struct paint *p, struct rect r, enum role frame, enum role in)
{
	for (int y = 0; y < r.h; y++) {
		struct pen pen = pen_at(p, (struct rect){r.y + y, r.x, 1, r.w});
		bool first = y == 0, last = y == r.h - 1;

		if (first || last) {
			pen_put(&pen, frame,
				paint_glyph(p, first ? GLYPH_CORNER_UL : GLYPH_CORNER_LL));
			pen_line(&pen, frame, GLYPH_HLINE, r.x + r.w - 1);
			pen_put(&pen, frame,
				paint_glyph(p, first ? GLYPH_CORNER_UR : GLYPH_CORNER_LR));
			continue;
		}
		pen_put(&pen, frame, paint_glyph(p, GLYPH_VLINE));
		while (pen.x < r.x + r.w - 1)
			pen_put(&pen, in, " ");
		pen_put(&pen, frame, paint_glyph(p, GLYPH_VLINE));
	}
}
