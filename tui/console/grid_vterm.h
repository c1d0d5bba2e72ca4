/* libvterm's state layer to the cells of a grid. */
#ifndef VMDECK_TUI_CONSOLE_GRID_VTERM_H
#define VMDECK_TUI_CONSOLE_GRID_VTERM_H

#include <vterm.h>

#include "tui/console/grid.h"

/* What the callbacks work on; embed it and pass it as their user pointer. */
struct grid_term {
	struct grid grid;
	VTermPos cursor;
	int full_row; /* what comes next at the first column goes on with this row; -1: none */
	bool cursor_visible;
	int mouse;    /* what of it the guest wants to know, VTERM_PROP_MOUSE_* */
	bool changed; /* something that is drawn */
};

extern const VTermStateCallbacks grid_callbacks;

#endif
