/* Where things are on the screen. Pure. */
#ifndef VMDECK_TUI_CONSOLE_LAYOUT_H
#define VMDECK_TUI_CONSOLE_LAYOUT_H

#include <stdbool.h>

struct rect {
	int y, x, h, w;
};

struct layout {
	struct rect head;      /* program, host, totals */
	struct rect list_head; /* column titles */
	struct rect list;      /* rows of VMs */
	struct rect divider;   /* one column between list and pane when they stand side by side */
	struct rect title;     /* rule over the pane: VM, tabs, who has the keys */
	struct rect pane;
	struct rect status; /* waits and notices; the same row as hints on a low screen */
	struct rect hints;
	bool shared; /* status and hints are one row */
};

/* Fits everything into rows x cols. vms: rows the list would like. zoom: the pane alone. A part for
 * which there is no room has h or w 0. */
void layout_compute(struct layout *l, int rows, int cols, int vms, bool zoom);

/* The same with the list above the pane at any width: for rows that need the columns. */
void layout_stacked(struct layout *l, int rows, int cols, int wanted, bool zoom);
/* Gives the list, where it stands over the pane, rows that it wants and the pane does not need. */
void layout_give(struct layout *l, int wanted, int pane_rows);

/* A box of h x w in the middle of rows x cols, cut to what fits. */
struct rect layout_center(int rows, int cols, int h, int w);

#endif
