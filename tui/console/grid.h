/* The cells of a pane: two screens (normal and alternate), a pen, the lines that scrolled off. It
 * is libvterm's state layer that says what happens to them; every access checks its bounds, because
 * libvterm's own screen layer (0.1.4) can be made to write through NULL by what a guest sends. */
#ifndef VMDECK_TUI_CONSOLE_GRID_H
#define VMDECK_TUI_CONSOLE_GRID_H

#include <stdbool.h>
#include <stdint.h>

#include "tui/console/cell.h"
#include "tui/console/scroll_store.h"

struct grid {
	int rows, cols;
	struct cell **screen[2];   /* owned rows; [1]: alternate */
	int alternate;             /* which one is seen: 0 or 1 */
	struct cell pen;           /* colours and attributes of what is written next */
	struct scroll_store *back; /* owned; made with the first line that scrolls off */
	uint64_t lines_max;        /* that it keeps; 0: its own limit */
	int view;                  /* lines above the screen in view; stays on its text */
	bool frozen;               /* lines that scrolled off stay off when the screen grows */
};

struct grid_rect {
	int top, bottom, left, right; /* bottom and right are outside */
};

void grid_init(struct grid *g, int rows, int cols);
void grid_fini(struct grid *g);
/* Empties screens and scrollback. */
void grid_reset(struct grid *g);
/* The cell of the seen screen, or NULL outside. */
struct cell *grid_cell(const struct grid *g, int row, int col);
void grid_put(struct grid *g, int row, int col, const uint32_t *chars, int width, bool protect);
/* selective: protected cells stay. */
void grid_erase(struct grid *g, struct grid_rect r, bool selective);
void grid_copy(struct grid *g, struct grid_rect to, struct grid_rect from);
/* Moves whole rows from `top` on up by `lines` (down when negative), up to `bottom`; what leaves at
 * the top of the normal screen is kept. Rows are moved, not cells. */
void grid_scroll(struct grid *g, int top, int bottom, int lines);
/* Changes the size, keeping the rows around the cursor's; returns by how much the cursor's row
 * moves. */
int grid_resize(struct grid *g, int rows, int cols, int cursor_row);
/* Lines that scrolled off and are kept. */
int grid_kept(const struct grid *g);
/* Line `back` of them (0: the newest), or NULL. Valid until the next call. */
const struct grid_line *grid_back(const struct grid *g, int back);

#endif
