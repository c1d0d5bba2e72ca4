/* Signs of our own: one column each, and what stands for them with --ascii. */
#include "tui/console/paint.h"

static const struct {
	const char *utf8, *ascii;
} glyphs[] = {
	[GLYPH_STARTING] = {"\u25d0", "~"},
	[GLYPH_RUNNING] = {"\u25cf", "*"},
	[GLYPH_PAUSED] = {"\u2016", "="},
	[GLYPH_STOPPING] = {"\u25d1", "-"},
	[GLYPH_STOPPED] = {"\u25cb", "o"},
	[GLYPH_FAILED] = {"\u2717", "!"},
	[GLYPH_UNKNOWN] = {"?", "?"},
	[GLYPH_HLINE] = {"\u2500", "-"},
	[GLYPH_VLINE] = {"\u2502", "|"},
	[GLYPH_CORNER_UL] = {"\u250c", "+"},
	[GLYPH_CORNER_UR] = {"\u2510", "+"},
	[GLYPH_CORNER_LL] = {"\u2514", "+"},
	[GLYPH_CORNER_LR] = {"\u2518", "+"},
	[GLYPH_FILL] = {"\u2588", "#"},
	[GLYPH_OVER] = {"\u2593", "+"},
	[GLYPH_TRACK] = {"\u2591", "."},
	[GLYPH_MORE_UP] = {"\u2191", "^"},
	[GLYPH_MORE_DOWN] = {"\u2193", "v"},
	[GLYPH_POINTER] = {"\u203a", ">"},
	[GLYPH_MARK] = {"\u25b8", "+"},
	[GLYPH_DOT] = {"\u00b7", "."},
	[GLYPH_ELLIPSIS] = {"\u2026", "~"},
};
_Static_assert(countof(glyphs) == GLYPH__COUNT, "a glyph without signs");

const char *paint_glyph(const struct paint *p, enum glyph g)
{
	return p->ascii ? glyphs[g].ascii : glyphs[g].utf8;
}
