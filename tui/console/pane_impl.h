/* Inside of a pane, for pane*.c only. */
#ifndef VMDECK_TUI_CONSOLE_PANE_IMPL_H
#define VMDECK_TUI_CONSOLE_PANE_IMPL_H

#include <vterm.h>

#include "backend/base/util.h"
#include "tui/console/grid_vterm.h"
#include "tui/console/guard.h"
#include "tui/console/pane.h"
#include "tui/console/pane_signs.h"

struct pane {
	VTerm *vt; /* owned */
	struct guard guard;
	struct grid_term term;
	pane_to_guest *to_guest;
	void *user;
	struct signs signs;
	bool keys;
	bool lines; /* no terminal at the guest's end */
};

/* Of a key or a mouse event. */
VTermModifier pane_modifiers(console_key k);

/* Our own lines are marked inside the emulator by fonts that no program uses (SGR 18, 19), so that
 * drawing finds their role whatever the theme is. */
#define PANE_FONT_STDERR 8
#define PANE_FONT_RULE   9
#define PANE_SGR_RULE    "\x1b[0;19m"
#define PANE_RULE_INDENT 3

/* One row of cells, blank behind them. */
void pane_draw_row(const struct paint *paint, struct rect row, const struct cell *cells, int cols);

#endif
