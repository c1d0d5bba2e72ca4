/* The operator's mouse, off at first. */
#ifndef VMDECK_TUI_CONSOLE_MOUSE_H
#define VMDECK_TUI_CONSOLE_MOUSE_H

#include "tui/console/mouse_report.h"
#include "tui/console/spots.h"

struct app;

struct mouse {
	bool on;            /* the terminal is asked for reports */
	struct spots spots; /* of the frame on the screen */
	bool in_guest;      /* a button is held that went down in the guest's pane */
	int row;            /* clicked last, and when */
	uint64_t clicked_ns;
};

/* Does what a report asks for: here, or in the guest whose pane is attached and that wants it. */
void mouse_act(struct app *a, const struct mouse_event *ev);

#endif
