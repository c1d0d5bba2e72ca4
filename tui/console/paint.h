/* Drawing by role: text, rules, boxes and bars on the curses screen, clipped, with hostile bytes
 * made harmless. Colours exist only in here and in themes. */
#ifndef VMDECK_TUI_CONSOLE_PAINT_H
#define VMDECK_TUI_CONSOLE_PAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

#include "tui/console/layout.h"
#include "tui/console/spots.h"
#include "tui/console/theme.h"

enum depth { DEPTH_MONO, DEPTH_8, DEPTH_16, DEPTH_256 };

enum glyph {
	GLYPH_STARTING,
	GLYPH_RUNNING,
	GLYPH_PAUSED,
	GLYPH_STOPPING,
	GLYPH_STOPPED,
	GLYPH_FAILED,
	GLYPH_UNKNOWN,
	GLYPH_HLINE,
	GLYPH_VLINE,
	GLYPH_CORNER_UL,
	GLYPH_CORNER_UR,
	GLYPH_CORNER_LL,
	GLYPH_CORNER_LR,
	GLYPH_FILL,
	GLYPH_OVER,
	GLYPH_TRACK,
	GLYPH_MORE_UP,
	GLYPH_MORE_DOWN,
	GLYPH_POINTER,
	GLYPH_MARK,
	GLYPH_DOT,
	GLYPH_ELLIPSIS,
	GLYPH__COUNT
};

struct paint {
	const struct theme *theme; /* borrowed */
	enum depth depth;
	bool ascii;
	struct spots *spots; /* borrowed; NULL: nobody wants to know what can be clicked */
	struct plane *plane; /* NULL: who painted what is not noted */
	struct {
		unsigned attr; /* curses attributes */
		int fg, bg;    /* curses colours */
	} role[ROLE__COUNT];
};

/* What a guest cell asks for. Colours: 0..255, COLOUR_DEFAULT, or PAINT_RGB | 0xrrggbb. */
#define PAINT_RGB 0x1000000
struct paint_cell {
	const uint32_t *chars; /* first the base, then combining ones; ended by 0 or count */
	int count;
	int width; /* columns the emulator gave it */
	int fg, bg;
	uint8_t attrs; /* enum style_attr */
};

/* Call after curses was started. */
void paint_init(struct paint *p, const struct theme *t, enum depth depth, bool ascii);
/* Empties the screen (in memory) in the style of role text. */
void paint_clear(const struct paint *p);
void paint_fill(const struct paint *p, struct rect r, enum role role);
const char *paint_glyph(const struct paint *p, enum glyph g);
/* A box with an empty inside of role `in`. */
void paint_box(const struct paint *p, struct rect r, enum role frame, enum role in);
void paint_vline(const struct paint *p, struct rect r, enum role role);
/* One cell of a guest screen; `role` stands behind what the guest left at its defaults. */
void paint_cell(const struct paint *p, int y, int x, const struct paint_cell *c, enum role role);

/* A pen writes along one row, never past its end. */
struct pen {
	const struct paint *paint;
	int y, x, end;
};

struct pen pen_at(const struct paint *p, struct rect row);
void pen_put(struct pen *pen, enum role role, const char *text);
void pen_printf(struct pen *pen, enum role role, const char *fmt, ...) printf_like(3, 4);
/* Writes text, cut or filled up to exactly w columns. */
void pen_column(struct pen *pen, enum role role, int w, const char *text);
/* Fills with a glyph up to column x (or to the end when x is beyond it). */
void pen_line(struct pen *pen, enum role role, enum glyph g, int x);
/* What was written from column x on can be clicked. */
void pen_spot(const struct pen *pen, int x, enum spot_kind kind, int value);
/* Fills the rest with spaces. */
void pen_rest(struct pen *pen, enum role role);
/* A bar of w columns, done of total (0: nothing known, only the track). */
void pen_meter(struct pen *pen, int w, uint64_t done, uint64_t total);

/* Text in rows of a rectangle, broken at spaces; rows used. draw false: only counts them. */
int paint_wrapped(
	const struct paint *p, struct rect r, enum role role, const char *text, bool draw);
/* Columns of UTF-8 text as pen_put would write it. */
int text_columns(const char *text);

/* Bytes of text that fit into w columns, up to a space where there is one; a word that is longer
 * counts whole (the pen cuts it). */
size_t text_fitting(const char *text, int w);

#endif
