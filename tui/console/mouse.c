/* What the mouse does: rows, tabs, titles, hints, wheel; or what the guest that asked for it is
 * told. */
#include "tui/console/mouse.h"

#include "tui/console/act.h"
#include "tui/console/term.h"

#define WHEEL_LINES     3
#define DOUBLE_CLICK_NS 400000000u

static bool inside(struct rect r, int y, int x)
{
	return y >= r.y && y < r.y + r.h && x >= r.x && x < r.x + r.w;
}

/* ---- the guest ------------------------------------------------------------------------------- */

/* The attached pane, when its guest wants to know of the mouse. */
static struct pane *guest_pane(struct app *a)
{
	struct deck *d = a->keys.deck;
	struct pane *p = d && !a->top ? d->tab[a->keys.tab].pane : NULL;

	return p && d->shown == a->keys.tab && pane_wants_mouse(p) && !pane_scrolled(p) ? p : NULL;
}

/* A button that went down in the pane comes up there too, wherever the mouse is by then. */
static bool tell_guest(struct app *a, const struct mouse_event *ev)
{
	struct pane *p = guest_pane(a);
	struct rect r = window_inside(a, windows_current(a));
	bool held = a->mouse.in_guest && (ev->moved || !ev->pressed);

	if (!p || (!held && !inside(r, ev->y, ev->x)) || r.h < 1 || r.w < 1)
		return false;
	if (ev->button < MOUSE_UP && !ev->moved)
		a->mouse.in_guest = ev->pressed;
	pane_mouse(p, max_of(0, min_of(ev->y - r.y, r.h - 1)),
		max_of(0, min_of(ev->x - r.x, r.w - 1)), ev);
	return true;
}

/* ---- the wheel ------------------------------------------------------------------------------- */

/* The window that a place is in, -1: none. */
static int window_at(const struct app *a, int y, int x)
{
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(&a->windows.splits, leaf);

	for (int i = 0; i < count && a->at == VIEW_VMS; i++)
		if (inside(window_rect(a, leaf[i]), y, x))
			return leaf[i];
	return -1;
}

static void wheel(struct app *a, const struct mouse_event *ev)
{
	int lines = ev->button == MOUSE_UP ? -WHEEL_LINES : WHEEL_LINES;
	const struct table *t = app_table(a);
	int leaf = window_at(a, ev->y, ev->x);
	struct deck *d = leaf >= 0 ? window_deck(a, leaf) : NULL;
	struct pane *p = d ? d->tab[window_tab(a, leaf)].pane : NULL;

	if (a->top) {
		help_wheel(a->top, lines);
	} else if (inside(a->layout.list, ev->y, ev->x)) {
		app_select_row(a, max_of(0, min_of(t->list.sel + lines, t->count - 1)));
	} else if (p) {
		pane_scroll(p, lines);
	} else if (inside(a->layout.pane, ev->y, ev->x) &&
		   (leaf < 0 || leaf == windows_current(a))) {
		a->page_top = max_of(0, a->page_top + lines);
	}
}

/* ---- clicks ---------------------------------------------------------------------------------- */

static void sort_by(struct app *a, int column)
{
	struct table *t = app_table(a);

	t->reverse = t->sort == column && !t->reverse;
	t->sort = column;
	app_refresh(a, t->view->changes);
}

static void show_tab(struct app *a, enum tab tab)
{
	struct deck *d;

	app_sync_deck(a);
	d = app_deck(a);
	if (!d)
		return;
	deck_show(d, tab);
	a->page_top = 0;
	app_sync_deck(a);
}

/* The second click on a row within a moment is Enter. */
static void click_row(struct app *a, int row)
{
	uint64_t now = mono_ns();
	bool twice = a->mouse.row == row && now - a->mouse.clicked_ns < DOUBLE_CLICK_NS;
	enum action act = action_by_key(views[a->at]->context, K_ENTER);

	if (row >= app_table(a)->count)
		return;
	a->focus = FOCUS_LIST;
	app_select_row(a, row);
	a->mouse.row = row;
	a->mouse.clicked_ns = twice ? 0 : now;
	if (twice && act != ACT_NONE)
		action_run(a, act, "");
}

static void click(struct app *a, const struct mouse_event *ev)
{
	struct spot s = spots_at(&a->mouse.spots, ev->y, ev->x);
	int leaf = window_at(a, ev->y, ev->x);

	/* While the guest has the keys the rest of the screen stays as it is. */
	if (a->keys.deck && s.kind != SPOT_ACTION)
		return;
	switch (s.kind) {
	case SPOT_ACTION:
		action_run(a, (enum action)s.value, "");
		break;
	case SPOT_VIEW:
		app_show(a, (enum view_id)s.value);
		break;
	case SPOT_TAB:
		if (leaf >= 0)
			windows_focus(a, leaf);
		show_tab(a, (enum tab)s.value);
		break;
	case SPOT_COLUMN:
		sort_by(a, s.value);
		break;
	case SPOT_NONE:
	default:
		if (inside(a->layout.list, ev->y, ev->x))
			click_row(a, app_table(a)->list.top + ev->y - a->layout.list.y);
		else if (leaf >= 0)
			windows_focus(a, leaf);
		else if (inside(a->layout.pane, ev->y, ev->x))
			a->focus = FOCUS_PANE;
	}
}

void mouse_act(struct app *a, const struct mouse_event *ev)
{
	a->urgent = true;
	app_dirty(a);
	if (a->pasting || app_too_small(a) || tell_guest(a, ev))
		return;
	a->mouse.in_guest = false;
	if (ev->button == MOUSE_UP || ev->button == MOUSE_DOWN) {
		wheel(a, ev);
	} else if (ev->button == MOUSE_LEFT && ev->pressed && !ev->moved && !a->top) {
		a->notice.text[0] = '\0';
		click(a, ev);
	}
}

void act_MOUSE(struct app *a, const char *arg)
{
	struct err e = {0};
	bool on = !a->mouse.on;

	(void)arg;
	if (term_mouse(on, &e) < 0) {
		app_notice(a, NOTICE_WARN, "mouse: %s", e.msg);
		return;
	}
	a->mouse.on = on;
	(void)option_set(&a->options, OPTION_MOUSE, on ? "on" : "off", OPTION_SET, NULL);
	app_notice(a, NOTICE_INFO,
		on ? "mouse on: click, double click, wheel; Shift-drag selects text; M turns it off"
		   : "mouse off: the terminal selects text again");
}
