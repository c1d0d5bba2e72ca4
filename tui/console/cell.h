/* One cell of a pane, and a line of them. */
#ifndef VMDECK_TUI_CONSOLE_CELL_H
#define VMDECK_TUI_CONSOLE_CELL_H

#include <stdbool.h>
#include <stdint.h>

#define CELL_CHARS 4 /* a base character and what combines with it */

struct cell {
	uint32_t chars[CELL_CHARS]; /* 0: ends them; chars[0] 0: blank */
	int32_t fg, bg;             /* 0..255, COLOUR_DEFAULT or PAINT_RGB | 0xrrggbb */
	uint8_t attrs;              /* enum style_attr */
	uint8_t width;              /* 2: the next cell is its right half; 0: such a half */
	uint8_t font;               /* SGR 10 to 19, less 10 */
	bool protect : 1;
	bool wraps : 1; /* last cell of a row: the text goes on in the next one */
};

struct grid_line {
	int cols;
	bool wraps;
	struct cell *cells; /* blanks at the end are cut */
};

/* Nothing on it that could be seen. */
bool cell_is_blank(const struct cell *c);

#endif
