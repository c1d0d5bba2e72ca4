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

void draw_screen(struct app *a)
{
	int cy = -1, cx = -1;

	app_settle_rows(a);
	paint_clear(&a->paint);
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
