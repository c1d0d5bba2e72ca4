/* One frame: all parts in order, then the layers, then the cursor. */
#include <curses.h>

#include "tui/console/app.h"

void app_cursor(struct app *a, int y, int x)
{
	a->cursor_y = y;
	a->cursor_x = x;
}

static void draw_layers(struct app *a, struct layer *l)
{
	if (!l)
		return;
	draw_layers(a, l->below);
	l->ops->draw(a, l);
}

static void draw_too_small(struct app *a)
{
	struct rect all = {0, 0, a->rows, a->cols};
	char text[120];

	snprintf(text, sizeof(text), "vmdeck needs 40x10, this is %dx%d. Larger, please; q quits.",
		a->cols, a->rows);
	paint_wrapped(&a->paint, all, ROLE_TEXT, text, true);
	curs_set(0);
	wnoutrefresh(stdscr);
}

void draw_screen(struct app *a)
{
	int cy = -1, cx = -1;

	app_settle_rows(a);
	a->mouse.spots.count = 0;
	a->paint.spots = &a->mouse.spots;
	paint_clear(&a->paint);
	if (app_too_small(a)) {
		draw_too_small(a);
		return;
	}
	if (!a->zoom) {
		draw_head(a);
		draw_list(a);
	}
	draw_pane(a, &cy, &cx);
	draw_hints(a);
	draw_status(a);
	app_cursor(a, cy, cx);
	draw_layers(a, a->top);
	if (a->cursor_y >= 0) {
		curs_set(1);
		move(a->cursor_y, a->cursor_x);
	} else {
		curs_set(0);
		/* Hidden, but where the eye is: screen readers follow it. */
		move(a->layout.list.y + app_table(a)->list.sel - app_table(a)->list.top,
			a->layout.list.x);
	}
	wnoutrefresh(stdscr);
}
