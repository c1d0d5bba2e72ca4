/* The bytes of a packed line: UTF-8 text, with controls between that no cell can contain. */
#include "tui/console/scroll_pack.h"

#include <string.h>

#include "backend/base/util.h"
#include "tui/console/keys.h"
#include "tui/console/paint.h"

/* STYLE: fg and bg as 4 bytes each, attributes, font. WIDE: the next cell has two columns. JOIN:
 * the next character combines with the cell before. BLANKS: a count follows (1 to 255). */
enum { PACK_BLANK = 0, PACK_STYLE = 1, PACK_WIDE = 2, PACK_JOIN = 3, PACK_BLANKS = 4 };

static const struct cell plain = {.fg = COLOUR_DEFAULT, .bg = COLOUR_DEFAULT, .width = 1};

bool cell_is_blank(const struct cell *c)
{
	return (c->chars[0] == 0 || c->chars[0] == ' ') && c->bg == COLOUR_DEFAULT &&
	       !(c->attrs & (STYLE_REVERSE | STYLE_UNDERLINE)) && c->width == 1;
}

static bool same_style(const struct cell *a, const struct cell *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->attrs == b->attrs && a->font == b->font;
}

static uint8_t *pack_style(uint8_t *out, const struct cell *c)
{
	*out++ = PACK_STYLE;
	memcpy(out, &c->fg, 4);
	memcpy(out + 4, &c->bg, 4);
	out[8] = c->attrs;
	out[9] = c->font;
	return out + 10;
}

static uint8_t *pack_chars(uint8_t *out, const struct cell *c)
{
	if (c->width == 2)
		*out++ = PACK_WIDE;
	for (int i = 0; i < CELL_CHARS && c->chars[i]; i++) {
		uint32_t cp = c->chars[i] < 0x20 || c->chars[i] > 0x10ffff ? '?' : c->chars[i];

		if (i > 0)
			*out++ = PACK_JOIN;
		if (cp < 0x80)
			*out++ = (uint8_t)cp;
		else
			out += utf8_put((char *)out, cp);
	}
	return out;
}

size_t scroll_pack(uint8_t *out, const struct cell *cells, int cols)
{
	const uint8_t *begin = out;
	const struct cell *pen = &plain;

	for (int i = 0; i < cols; i++) {
		const struct cell *c = &cells[i];

		/* A right half says nothing of its own. */
		if (c->width == 0 && i > 0 && cells[i - 1].width == 2)
			continue;
		if (!same_style(c, pen)) {
			out = pack_style(out, c);
			pen = c;
		}
		if (c->chars[0] == 0) {
			int n = 1;

			while (n < 255 && i + n < cols && cells[i + n].chars[0] == 0 &&
				cells[i + n].width == 1 && same_style(&cells[i + n], pen))
				n++;
			*out++ = n > 1 ? PACK_BLANKS : PACK_BLANK;
			if (n > 1)
				*out++ = (uint8_t)n;
			i += n - 1;
			continue;
		}
		out = pack_chars(out, c);
	}
	return (size_t)(out - begin);
}

/* What has been read so far. */
struct unpack {
	struct cell *cells, pen;
	int count, max;
	struct cell *last; /* the cell that joins are for */
	bool wide;
};

static void unpack_blanks(struct unpack *u, int n)
{
	for (; n > 0 && u->count < u->max; n--)
		u->cells[u->count++] = u->pen;
	u->last = NULL;
}

static void unpack_char(struct unpack *u, uint32_t cp)
{
	int width = u->wide ? 2 : 1;

	u->wide = false;
	if (u->count + width > u->max)
		return;
	u->last = &u->cells[u->count++];
	*u->last = u->pen;
	u->last->chars[0] = cp;
	u->last->width = (uint8_t)width;
	if (width == 2) {
		u->cells[u->count] = u->pen;
		u->cells[u->count++].width = 0;
	}
}

static void unpack_join(struct unpack *u, uint32_t cp)
{
	for (int i = 1; u->last && i < CELL_CHARS; i++)
		if (u->last->chars[i] == 0) {
			u->last->chars[i] = cp;
			return;
		}
}

static size_t unpack_control(struct unpack *u, const uint8_t *in, size_t n)
{
	uint32_t cp;
	int used;

	switch (in[0]) {
	case PACK_STYLE:
		if (n < 11)
			return n;
		memcpy(&u->pen.fg, in + 1, 4);
		memcpy(&u->pen.bg, in + 5, 4);
		u->pen.attrs = in[9];
		u->pen.font = in[10];
		return 11;
	case PACK_WIDE:
		u->wide = true;
		return 1;
	case PACK_JOIN:
		used = utf8_get((const char *)in + 1, n - 1, &cp);
		if (used > 0)
			unpack_join(u, cp);
		return 1 + (size_t)used;
	case PACK_BLANKS:
		unpack_blanks(u, n > 1 ? in[1] : 0);
		return n > 1 ? 2 : 1;
	default:
		unpack_blanks(u, 1);
		return 1;
	}
}

int scroll_unpack(const uint8_t *in, size_t n, struct cell *cells, int max)
{
	struct unpack u = {.cells = cells, .pen = plain, .max = max};

	for (size_t at = 0; at < n && u.count < max;) {
		uint32_t cp;

		if (in[at] < 0x20) {
			at += unpack_control(&u, in + at, n - at);
			continue;
		}
		at += (size_t)utf8_get((const char *)in + at, n - at, &cp);
		unpack_char(&u, cp);
	}
	return u.count;
}
