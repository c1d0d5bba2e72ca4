/* Inside of a pane, for pane*.c only. */
#ifndef VMDECK_TUI_CONSOLE_PANE_IMPL_H
#define VMDECK_TUI_CONSOLE_PANE_IMPL_H

#include <vterm.h>

#include "backend/base/util.h"
#include "tui/console/pane.h"
#include "tui/console/scrollback.h"

struct pane {
	VTerm *vt;	     /* owned */
	VTermScreen *screen; /* of vt */
	struct scrollback sb;
	pane_to_guest *to_guest;
	void *user;
	VTermPos cursor;
	bool cursor_visible;
	bool altscreen;
	bool keys;
	bool changed;
	int scrolled; /* lines of scrollback in view */
};

/* Our own lines are marked inside the emulator by fonts that no program uses (SGR 18, 19), so that
 * drawing finds their role whatever the theme is. */
#define PANE_FONT_STDERR 8
#define PANE_FONT_RULE 9
#define PANE_SGR_RULE "\x1b[0;19m"
#define PANE_RULE_INDENT 3
/* Ends an escape sequence that the guest left half written. */
#define PANE_CANCEL "\x18"

#endif
