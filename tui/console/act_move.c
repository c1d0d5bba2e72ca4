/* Actions that move: rows, lines, tabs, levels. */
#include "tui/console/act.h"

/* Whether moving keys scroll the pane. */
static bool moves_pane(const struct app *a)
{
	return a->focus == FOCUS_PANE || a->zoom || a->keys.deck;
}

static void move(struct app *a, int lines)
{
	struct deck *d = app_deck(a);

	if (!moves_pane(a)) {
		const struct table *t = app_table(a);

		app_select_row(a, max_of(0, min_of(t->list.sel + lines, t->count - 1)));
	} else if (d && d->tab[d->shown].pane) {
		pane_scroll(d->tab[d->shown].pane, lines);
	} else {
		/* Drawing takes it back to what there is. */
		a->page_top = max_of(0, a->page_top + lines);
	}
	app_dirty(a);
}

static int page(const struct app *a)
{
	struct rect pane =
		a->at == VIEW_VMS ? window_inside(a, windows_current(a)) : a->layout.pane;

	return max_of((moves_pane(a) ? pane.h : a->layout.list.h) - 1, 1);
}

#define FAR 1000000

void act_DOWN(struct app *a, const char *arg)
{
	(void)arg;
	move(a, 1);
}

void act_UP(struct app *a, const char *arg)
{
	(void)arg;
	move(a, -1);
}

void act_TOP(struct app *a, const char *arg)
{
	(void)arg;
	move(a, -FAR);
}

void act_BOTTOM(struct app *a, const char *arg)
{
	(void)arg;
	move(a, FAR);
}

void act_PAGE_DOWN(struct app *a, const char *arg)
{
	(void)arg;
	move(a, page(a));
}

void act_PAGE_UP(struct app *a, const char *arg)
{
	(void)arg;
	move(a, -page(a));
}

void act_HALF_DOWN(struct app *a, const char *arg)
{
	(void)arg;
	move(a, max_of(page(a) / 2, 1));
}

void act_HALF_UP(struct app *a, const char *arg)
{
	(void)arg;
	move(a, -max_of(page(a) / 2, 1));
}

static void set_zoom(struct app *a, bool zoom)
{
	if (zoom && a->focus == FOCUS_LIST)
		windows_focus_follower(a);
	a->zoom = zoom;
	app_layout(a);
	app_sync_deck(a);
}

void act_ZOOM(struct app *a, const char *arg)
{
	(void)arg;
	set_zoom(a, !a->zoom);
}

void act_OPEN(struct app *a, const char *arg)
{
	(void)arg;
	app_sync_deck(a);
	set_zoom(a, true);
}

/* True when there was a level to leave. */
static bool go_back(struct app *a)
{
	struct deck *d = app_deck(a);
	struct pane *p = d ? d->tab[d->shown].pane : NULL;

	if (p && pane_scrolled(p)) {
		pane_scroll_end(p);
	} else if (a->zoom) {
		set_zoom(a, false);
		a->focus = FOCUS_LIST;
	} else if (a->focus == FOCUS_PANE) {
		a->focus = FOCUS_LIST;
	} else if (app_table(a)->filter[0]) {
		app_filter(a, "");
	} else if (a->at != VIEW_VMS) {
		app_show(a, VIEW_VMS);
	} else {
		return false;
	}
	app_dirty(a);
	return true;
}

void act_BACK(struct app *a, const char *arg)
{
	(void)arg;
	(void)go_back(a);
}

void act_CLOSE(struct app *a, const char *arg)
{
	(void)arg;
	if (!go_back(a))
		app_quit(a, 0);
}

void act_FOCUS(struct app *a, const char *arg)
{
	(void)arg;
	windows_focus_step(a, 1);
}

void act_FOCUS_BACK(struct app *a, const char *arg)
{
	(void)arg;
	windows_focus_step(a, -1);
}

static void show_tab(struct app *a, enum tab tab)
{
	struct deck *d = app_deck(a);

	if (!d)
		return;
	deck_show(d, tab);
	a->page_top = 0;
	app_sync_deck(a);
}

static void turn_tab(struct app *a, int step)
{
	struct deck *d;
	int tab;

	app_sync_deck(a);
	d = app_deck(a);
	tab = d ? (int)d->shown : 0;
	if (!d)
		return;
	do
		tab = (tab + step + TAB__COUNT) % TAB__COUNT;
	while (tab > TAB_PAGES_END && !d->tab[tab].pane);
	show_tab(a, (enum tab)tab);
}

void act_TAB_NEXT(struct app *a, const char *arg)
{
	(void)arg;
	turn_tab(a, 1);
}

void act_TAB_PREVIOUS(struct app *a, const char *arg)
{
	(void)arg;
	turn_tab(a, -1);
}

/* The tab, or back from it to the output. */
static void turn_to(struct app *a, enum tab tab)
{
	struct deck *d;

	app_sync_deck(a);
	d = app_deck(a);
	if (d)
		show_tab(a, d->shown == tab ? TAB_OUTPUT : tab);
}

void act_TIMELINE(struct app *a, const char *arg)
{
	(void)arg;
	turn_to(a, TAB_TIMELINE);
}

void act_DESCRIBE(struct app *a, const char *arg)
{
	(void)arg;
	turn_to(a, TAB_DESCRIBE);
}

void act_HEALTH(struct app *a, const char *arg)
{
	(void)arg;
	turn_to(a, TAB_HEALTH);
}

void act_VITALS(struct app *a, const char *arg)
{
	(void)arg;
	turn_to(a, TAB_VITALS);
}

void act_LOGS(struct app *a, const char *arg)
{
	(void)arg;
	turn_to(a, TAB_SERIAL);
}
