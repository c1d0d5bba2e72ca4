/* The pane of the selected VM under its rule: whose it is, tabs, who has the keys. */
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/app.h"

enum role frame_role(const struct app *a)
{
	return a->keys.deck             ? ROLE_BORDER_ATTACHED
	       : a->focus == FOCUS_PANE ? ROLE_BORDER_FOCUS
					: ROLE_BORDER;
}

static void draw_tabs(struct app *a, struct pen *pen, const struct deck *d, enum role frame)
{
	for (int i = 0; i < TAB__COUNT; i++) {
		const struct deck_tab *t = &d->tab[i];
		bool shown = (int)d->shown == i, runs = t->started_ns != 0;
		enum role role = a->keys.deck ? frame : shown ? ROLE_TITLE : ROLE_TITLE_TAB;

		int x;

		if (i > TAB_TIMELINE && !t->pane)
			continue;
		pen_put(pen, frame, " ");
		x = pen->x;
		pen_printf(pen, role, shown ? "[%s%s]" : "%s%s", tab_names[i], runs ? "*" : "");
		pen_spot(pen, x, SPOT_TAB, i);
	}
}

static void draw_right(struct app *a, struct pen *pen, const struct pane *p, enum role frame)
{
	char text[80] = "";
	int scrolled = p ? pane_scrolled(p) : 0, x;

	if (a->keys.deck && a->keys.scrolling)
		snprintf(text, sizeof(text), " SCROLLING: %d lines back ", scrolled);
	else if (a->keys.deck)
		snprintf(text, sizeof(text), " %s ", attach_text(a));
	else if (scrolled)
		snprintf(text, sizeof(text), " %d lines back, G to the end ", scrolled);
	if (!text[0])
		return;
	x = pen->end - text_columns(text) - 2;
	if (x < pen->x)
		x = max_of(pen->end - text_columns(text), 0);
	pen_line(pen, frame, GLYPH_HLINE, x);
	pen->x = min_of(pen->x, max_of(x, 0));
	pen_put(pen, a->keys.deck ? frame : ROLE_NOTICE_WARN, text);
}

static void draw_title(struct app *a, const struct deck *d)
{
	struct pen pen = pen_at(&a->paint, a->layout.title);
	enum role frame = frame_role(a);

	pen_line(&pen, frame, GLYPH_HLINE, pen.x + 2);
	if (d) {
		pen_put(&pen, frame, " ");
		pen_put(&pen, a->keys.deck ? frame : ROLE_TITLE, d->vm.name);
		pen_put(&pen, frame, " ");
		if (d->vm.snapshot[0] && pen.end - pen.x > 60)
			pen_printf(&pen, a->keys.deck ? frame : ROLE_TITLE_TAB, "clone of %.20s ",
				d->vm.source[0] ? d->vm.source : d->vm.snapshot);
		draw_tabs(a, &pen, d, frame);
		pen_put(&pen, frame, " ");
		draw_right(a, &pen, d->tab[d->shown].pane, frame);
	}
	pen_line(&pen, frame, GLYPH_HLINE, pen.end);
}

static void say(struct app *a, int row, enum role role, const char *text)
{
	struct rect r = a->layout.pane;
	struct pen pen = pen_at(&a->paint, (struct rect){r.y + row, r.x, 1, r.w});

	if (row >= r.h)
		return;
	pen_put(&pen, role, "  ");
	pen_put(&pen, role, text);
}

/* No VM: what this place is for. */
static void draw_nothing(struct app *a)
{
	if (!a->model.loaded || app_table(a)->count)
		return;
	say(a, 1, ROLE_TEXT_DIM,
		"Here the output of the selected VM appears: its boot, then what it writes.");
	say(a, 2, ROLE_TEXT_DIM, "With a your keys go to it, C-] d brings them back.");
}

void draw_pane(struct app *a, int *cy, int *cx)
{
	struct deck *d = app_deck(a);
	struct pane *p = d ? d->tab[d->shown].pane : NULL;

	*cy = *cx = -1;
	if (a->at != VIEW_VMS) {
		draw_detail(a);
		return;
	}
	draw_title(a, d);
	paint_vline(&a->paint, a->layout.divider, frame_role(a));
	if (d && d->shown == TAB_TIMELINE) {
		draw_timeline(a, d->vm.id);
		return;
	}
	if (!p) {
		paint_fill(&a->paint, a->layout.pane, ROLE_PANE_TEXT);
		draw_nothing(a);
		return;
	}
	pane_draw(p, &a->paint, a->layout.pane, cy, cx);
	(void)pane_take_changed(p);
	if (!a->keys.deck)
		*cy = *cx = -1;
}
