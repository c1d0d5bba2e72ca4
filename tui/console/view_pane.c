/* Windows: each a pane under its rule, which says whose it is, tabs, who has the keys. */
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/guest_signs.h"

enum role frame_role(const struct app *a)
{
	return a->keys.deck             ? ROLE_BORDER_ATTACHED
	       : a->focus == FOCUS_PANE ? ROLE_BORDER_FOCUS
					: ROLE_BORDER;
}

#define TITLE_FROM    20 /* columns that the title of a guest leaves to the rest */
#define ALL_TABS_FROM 60 /* columns of a window; below only the shown one is named */

/* Whether the keys go to this window's guest. */
static bool has_keys(const struct app *a, int leaf)
{
	return a->keys.deck && leaf == windows_current(a);
}

static enum role window_role(const struct app *a, int leaf)
{
	return has_keys(a, leaf)                                      ? ROLE_BORDER_ATTACHED
	       : a->focus == FOCUS_PANE && leaf == windows_current(a) ? ROLE_BORDER_FOCUS
								      : ROLE_BORDER;
}

static void draw_tabs(
	struct app *a, struct pen *pen, int leaf, const struct deck *d, enum role frame)
{
	bool all = window_title(a, leaf).w >= ALL_TABS_FROM;

	for (int i = 0; i < TAB__COUNT; i++) {
		const struct deck_tab *t = &d->tab[i];
		bool shown = (int)window_tab(a, leaf) == i, runs = t->started_ns != 0;
		enum role role = has_keys(a, leaf) ? frame : shown ? ROLE_TITLE : ROLE_TITLE_TAB;

		int x;

		if (!shown && (!all || (i > TAB_PAGES_END && !t->pane)))
			continue;
		pen_put(pen, frame, " ");
		x = pen->x;
		pen_printf(pen, role, shown ? "[%s%s]" : "%s%s", tab_names[i], runs ? "*" : "");
		pen_spot(pen, x, SPOT_TAB, i);
	}
}

/* What is still on its way into the pane; nothing while that is one frame's worth. */
static void draw_behind(struct pen *pen, const struct deck *d, enum tab tab)
{
	uint64_t behind = deck_behind(d, tab);
	char size[32];

	if (behind > FEED_TURN)
		pen_printf(pen, ROLE_NOTICE_WARN, " behind %s ",
			str_bytes(size, sizeof(size), behind));
}

/* Where there is no room for all of a text at the right end, its beginning stands in front of
 * everything else. */
static void put_right(
	struct pen *pen, struct rect title, enum role frame, enum role role, const char *text)
{
	int x = pen->end - text_columns(text) - 2;

	if (x < pen->x)
		x = max_of(pen->end - text_columns(text), title.x);
	pen_line(pen, frame, GLYPH_HLINE, x);
	pen->x = min_of(pen->x, x);
	pen_put(pen, role, text);
}

static void draw_right(
	struct app *a, struct pen *pen, int leaf, const struct pane *p, enum role frame)
{
	bool keys = has_keys(a, leaf);
	char text[80] = "";
	int scrolled = p ? pane_scrolled(p) : 0;

	if (keys)
		snprintf(text, sizeof(text), " %s ", attach_text(a));
	else if (scrolled)
		snprintf(text, sizeof(text), " %d lines back, G to the end ", scrolled);
	if (text[0])
		put_right(pen, window_title(a, leaf), frame, keys ? frame : ROLE_NOTICE_WARN, text);
}

/* Name, state, tabs. With several windows the one that follows the list has its pointer. */
static void draw_whose(
	struct app *a, struct pen *pen, int leaf, const struct deck *d, enum role frame)
{
	bool several = windows_count(&a->windows) > 1 && !a->zoom;
	enum role role = has_keys(a, leaf) ? frame : ROLE_TITLE;
	const char *title;

	pen_put(pen, frame, " ");
	if (several && window_follows(&a->windows, leaf))
		pen_put(pen, role, paint_glyph(&a->paint, GLYPH_POINTER));
	pen_put(pen, role, d->vm.name);
	pen_put(pen, frame, " ");
	title = guest_title(a, &d->tab[window_tab(a, leaf)]);
	if (*title && pen->end - pen->x > text_columns(title) + TITLE_FROM)
		pen_printf(pen, has_keys(a, leaf) ? frame : ROLE_TITLE_TAB, "\"%s\" ", title);
	if (several) {
		pen_printf(pen, has_keys(a, leaf) ? frame : state_role(d->vm.state), "%s %s",
			paint_glyph(&a->paint, state_glyph(d->vm.state)),
			deck_state_names[d->vm.state]);
		pen_put(pen, frame, " ");
	} else if (d->vm.snapshot[0] && pen->end - pen->x > 60) {
		pen_printf(pen, has_keys(a, leaf) ? frame : ROLE_TITLE_TAB, "clone of %.20s ",
			d->vm.source[0] ? d->vm.source : d->vm.snapshot);
	}
	draw_tabs(a, pen, leaf, d, frame);
	pen_put(pen, frame, " ");
}

static void draw_title(struct app *a, int leaf, const struct deck *d)
{
	struct pen pen = pen_at(&a->paint, window_title(a, leaf));
	const struct window *w = &a->windows.window[leaf];
	enum role frame = window_role(a, leaf);

	pen_line(&pen, frame, GLYPH_HLINE, pen.x + 2);
	if (d) {
		draw_whose(a, &pen, leaf, d, frame);
		draw_behind(&pen, d, window_tab(a, leaf));
		draw_right(a, &pen, leaf, d->tab[window_tab(a, leaf)].pane, frame);
	} else if (!window_follows(&a->windows, leaf)) {
		pen_put(&pen, frame, " ");
		pen_put(&pen, ROLE_TITLE, w->name[0] ? w->name : w->vm);
		pen_put(&pen, frame, " ");
	}
	pen_line(&pen, frame, GLYPH_HLINE, pen.end);
}

static void say(struct app *a, int leaf, int row, enum role role, const char *text)
{
	struct rect r = window_inside(a, leaf);
	struct pen pen = pen_at(&a->paint, (struct rect){r.y + row, r.x, 1, r.w});

	if (row >= r.h)
		return;
	pen_put(&pen, role, "  ");
	pen_put(&pen, role, text);
}

/* No VM: what this place is for, or whom it waits for. */
static void draw_nothing(struct app *a, int leaf, const struct deck *d)
{
	const struct window *w = &a->windows.window[leaf];
	char text[120];

	if (!a->model.loaded || d)
		return;
	if (!window_follows(&a->windows, leaf)) {
		snprintf(text, sizeof(text), "no VM %s", w->name[0] ? w->name : w->vm);
		say(a, leaf, 1, ROLE_TEXT_DIM, text);
	} else if (!app_table(a)->count) {
		say(a, leaf, 1, ROLE_TEXT_DIM,
			"Here the output of the selected VM appears: its boot, then what it "
			"writes.");
		say(a, leaf, 2, ROLE_TEXT_DIM,
			"With a your keys go to it, C-] d brings them back.");
	}
}

static void draw_window(struct app *a, int leaf, int *cy, int *cx)
{
	struct deck *d = window_deck(a, leaf);
	enum tab tab = window_tab(a, leaf);
	struct pane *p = d ? d->tab[tab].pane : NULL;
	struct rect r = window_inside(a, leaf);
	int y, x;

	draw_title(a, leaf, d);
	if (r.h < 1 || r.w < 1)
		return;
	if (d && tab_is_page(tab)) {
		int *top = leaf == windows_current(a) ? &a->page_top : &a->windows.window[leaf].top;

		if (tab == TAB_TIMELINE)
			draw_timeline(a, d->vm.id, r, top);
		else
			draw_vm_page(a, d->vm.id, tab, r, top);
		return;
	}
	if (!p) {
		paint_fill(&a->paint, r, ROLE_PANE_TEXT);
		draw_nothing(a, leaf, d);
		return;
	}
	pane_draw(p, &a->paint, r, &y, &x);
	if (has_keys(a, leaf)) {
		*cy = y;
		*cx = x;
	}
}

/* The lines between windows; the part along the current one in its colour. */
static void draw_dividers(struct app *a)
{
	int current = windows_current(a);
	struct rect near = window_rect(a, current), r;

	for (int i = 0; i < SPLIT_NODES_MAX && !a->zoom; i++) {
		if (!splits_divider(&a->windows.splits, i, &r))
			continue;
		paint_vline(&a->paint, r, ROLE_BORDER);
		if (r.x != near.x - 1 && r.x != near.x + near.w)
			continue;
		r.h = min_of(r.y + r.h, near.y + near.h) - max_of(r.y, near.y);
		r.y = max_of(r.y, near.y);
		if (r.h > 0)
			paint_vline(&a->paint, r, window_role(a, current));
	}
}

void draw_windows(struct app *a, int *cy, int *cx)
{
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(&a->windows.splits, leaf);

	windows_settle(a);
	for (int i = 0; i < count; i++)
		if (window_rect(a, leaf[i]).h > 0)
			draw_window(a, leaf[i], cy, cx);
	draw_dividers(a);
}

void draw_pane(struct app *a, int *cy, int *cx)
{
	*cy = *cx = -1;
	if (a->at != VIEW_VMS) {
		draw_detail(a);
		return;
	}
	paint_vline(&a->paint, a->layout.divider, frame_role(a));
	draw_windows(a, cy, cx);
}
