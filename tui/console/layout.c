/* Where things are on the screen. */
#include "tui/console/layout.h"

#include <string.h>

#include "backend/base/util.h"

#define SIDE_COLS       132 /* from here on the list stands beside a pane of 80 columns */
#define LIST_COLS_MAX   72
#define LIST_COLS_MIN   51
#define ROWS_FOR_HEAD   8  /* below: every row for list and pane */
#define ROWS_FOR_STATUS 12 /* below: notices replace the hints */

static struct rect rect(int y, int x, int h, int w)
{
	return (struct rect){y, x, max_of(h, 0), max_of(w, 0)};
}

static void layout_side(struct layout *l, struct rect body)
{
	int w = min_of(max_of(body.w - 1 - 100, LIST_COLS_MIN), LIST_COLS_MAX);
	int x = body.x + w + 1;

	l->list_head = rect(body.y, body.x, 1, w);
	l->list = rect(body.y + 1, body.x, body.h - 1, w);
	l->divider = rect(body.y, body.x + w, body.h, 1);
	l->title = rect(body.y, x, 1, body.w - w - 1);
	l->pane = rect(body.y + 1, x, body.h - 1, body.w - w - 1);
}

static void layout_stack(struct layout *l, struct rect body, int vms)
{
	int rows = min_of(max_of(vms, 3), max_of(body.h / 3, 2));

	if (body.h < 5)
		rows = max_of(body.h - 2, 0);
	l->list_head = rect(body.y, body.x, min_of(1, body.h), body.w);
	l->list = rect(body.y + 1, body.x, min_of(rows, body.h - 1), body.w);
	l->title = rect(body.y + 1 + rows, body.x, min_of(1, body.h - 1 - rows), body.w);
	l->pane = rect(body.y + 2 + rows, body.x, body.h - 2 - rows, body.w);
}

static void layout_parts(struct layout *l, int rows, int cols, int vms, bool zoom, bool side)
{
	int head = rows >= ROWS_FOR_HEAD && !zoom;
	int hints = rows >= 4;
	int status = rows >= ROWS_FOR_STATUS;
	struct rect body = rect(head, 0, rows - head - hints - status, cols);

	memset(l, 0, sizeof(*l));
	l->head = rect(0, 0, head, cols);
	l->shared = !status;
	l->hints = rect(rows - 1, 0, hints, cols);
	l->status = status ? rect(rows - 2, 0, 1, cols) : l->hints;
	if (zoom) {
		l->title = rect(body.y, 0, min_of(1, body.h), cols);
		l->pane = rect(body.y + 1, 0, body.h - 1, cols);
	} else if (side) {
		layout_side(l, body);
	} else {
		layout_stack(l, body, vms);
	}
}

void layout_compute(struct layout *l, int rows, int cols, int vms, bool zoom)
{
	layout_parts(l, rows, cols, vms, zoom, cols >= SIDE_COLS);
}

void layout_stacked(struct layout *l, int rows, int cols, int wanted, bool zoom)
{
	layout_parts(l, rows, cols, wanted, zoom, false);
}

void layout_give(struct layout *l, int wanted, int pane_rows)
{
	int rows = min_of(wanted - l->list.h, l->pane.h - pane_rows);

	if (l->divider.w || rows <= 0)
		return;
	l->list.h += rows;
	l->title.y += rows;
	l->pane.y += rows;
	l->pane.h -= rows;
}

struct rect layout_center(int rows, int cols, int h, int w)
{
	h = min_of(h, rows);
	w = min_of(w, cols);
	return rect((rows - h) / 2, (cols - w) / 2, h, w);
}
