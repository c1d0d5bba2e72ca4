/* Actions on windows, and the prefix C-w before their keys. */
#include <string.h>

#include "tui/console/act.h"

#define HINTS_AFTER 0.4 /* s */
#define WIDER_BY    4

/* ---- the prefix -------------------------------------------------------------------------------
 */

static void prefix_begin(struct app *a, bool hints)
{
	a->keys.window = true;
	a->keys.hints = hints;
	if (hints)
		return;
	ev_timer_set(&a->w.prefix, HINTS_AFTER, 0);
	ev_now_update(a->loop);
	ev_timer_start(a->loop, &a->w.prefix);
}

void act_WINDOW(struct app *a, const char *arg)
{
	(void)arg;
	prefix_begin(a, false);
}

void act_GUEST_WINDOW(struct app *a, const char *arg)
{
	(void)arg;
	prefix_begin(a, false);
}

void act_WINDOW_HINTS(struct app *a, const char *arg)
{
	(void)arg;
	prefix_begin(a, true);
}

bool window_key(struct app *a, console_key k)
{
	enum action act = action_by_key(CONTEXT_WINDOW, k);
	char name[24], prefix[24], hints[24];

	if (!a->keys.window)
		return false;
	a->keys.window = a->keys.hints = false;
	ev_timer_stop(a->loop, &a->w.prefix);
	if (act != ACT_NONE)
		action_run(a, act, "");
	else if (k != K_ESC && k != (KEY_MOD_CTRL | 'c'))
		app_notice(a, NOTICE_WARN, "%s %s means nothing; %s %s tells what there is",
			action_key_text(ACT_WINDOW, prefix, sizeof(prefix)),
			key_text(name, sizeof(name), k), prefix,
			action_key_text(ACT_WINDOW_HINTS, hints, sizeof(hints)));
	return true;
}

/* ---- focus ------------------------------------------------------------------------------------
 */

/* Windows are those of the VMs; what is done to them is done where they are seen. */
static void enter(struct app *a)
{
	if (a->at != VIEW_VMS)
		app_show(a, VIEW_VMS);
	a->zoom = false;
}

static void settle(struct app *a)
{
	app_layout(a);
	app_sync_deck(a);
}

/* Whether what the current window shows takes keys. */
static bool takes_keys(struct app *a)
{
	int leaf = windows_current(a);
	const struct deck *d = window_deck(a, leaf);
	enum tab tab = window_tab(a, leaf);

	return d && ((tab == TAB_OUTPUT && deck_vm_alive(&d->vm)) ||
			    (tab == TAB_SHELL && d->tab[TAB_SHELL].started_ns));
}

/* Where a guest has the keys, the guest of the window with the focus has them, or none. */
static void hand_over(struct app *a)
{
	int leaf = windows_current(a);

	if (a->keys.deck == window_deck(a, leaf) && a->keys.tab == window_tab(a, leaf))
		return;
	attach_end(a);
	if (takes_keys(a))
		attach_begin(a, window_tab(a, leaf));
	else
		app_notice(a, NOTICE_INFO,
			"nothing in this window takes keys: they are the console's again");
}

/* leaf -1: the list. */
static void focus_to(struct app *a, int leaf)
{
	bool attached = a->keys.deck != NULL;

	if (attached && leaf < 0)
		attach_end(a);
	a->zoom = false;
	a->focus = leaf < 0 ? FOCUS_LIST : FOCUS_PANE;
	if (leaf >= 0)
		a->windows.at = leaf;
	settle(a);
	if (attached && leaf >= 0)
		hand_over(a);
}

void windows_focus(struct app *a, int leaf)
{
	/* The one over the whole screen stays there. */
	if (leaf != windows_current(a))
		focus_to(a, leaf);
	a->windows.at = leaf;
	a->focus = FOCUS_PANE;
}

void windows_focus_follower(struct app *a)
{
	a->windows.at = windows_current(a);
	a->focus = FOCUS_PANE;
}

void windows_focus_step(struct app *a, int step)
{
	int leaf[SPLIT_LEAVES_MAX + 1], count, at = 0;

	if (a->at != VIEW_VMS) {
		a->zoom = false;
		a->focus = a->focus == FOCUS_LIST ? FOCUS_PANE : FOCUS_LIST;
		app_layout(a);
		return;
	}
	leaf[0] = -1;
	count = splits_leaves(&a->windows.splits, leaf + 1) + 1;
	for (int i = 1; i < count && a->focus == FOCUS_PANE; i++)
		if (leaf[i] == a->windows.at)
			at = i;
	focus_to(a, leaf[(at + step + count) % count]);
}

/* Beyond the last window there may be the list. */
static void move(struct app *a, int dy, int dx)
{
	bool side = a->layout.divider.w > 0;
	int leaf;

	enter(a);
	app_layout(a);
	if (a->focus == FOCUS_LIST && !a->keys.deck) {
		if (side ? dx > 0 : dy > 0)
			focus_to(a, a->windows.at);
		return;
	}
	leaf = splits_toward(&a->windows.splits, windows_current(a), dy, dx);
	if (leaf >= 0 || (side ? dx < 0 : dy < 0))
		focus_to(a, leaf);
}

void act_WINDOW_LEFT(struct app *a, const char *arg)
{
	(void)arg;
	move(a, 0, -1);
}

void act_WINDOW_DOWN(struct app *a, const char *arg)
{
	(void)arg;
	move(a, 1, 0);
}

void act_WINDOW_UP(struct app *a, const char *arg)
{
	(void)arg;
	move(a, -1, 0);
}

void act_WINDOW_RIGHT(struct app *a, const char *arg)
{
	(void)arg;
	move(a, 0, 1);
}

static void step(struct app *a, int by)
{
	bool first = a->focus == FOCUS_LIST && !a->keys.deck;

	enter(a);
	focus_to(
		a, first ? a->windows.at : splits_next(&a->windows.splits, windows_current(a), by));
}

void act_WINDOW_NEXT(struct app *a, const char *arg)
{
	(void)arg;
	step(a, 1);
}

void act_WINDOW_PREVIOUS(struct app *a, const char *arg)
{
	(void)arg;
	step(a, -1);
}

void act_GUEST_NEXT(struct app *a, const char *arg)
{
	(void)arg;
	step(a, 1);
}

/* ---- split, close -----------------------------------------------------------------------------
 */

/* The new window is pinned. With the focus in the list that stays there: the next selection shows
 * in the window that follows, beside what was pinned. */
static void split(struct app *a, enum split_dir dir)
{
	struct windows *ws = &a->windows;
	const struct deck_vm *vm;
	enum tab tab;
	struct err e = {0};
	int leaf;

	enter(a);
	app_layout(a);
	vm = app_selected(a);
	if (!vm) { /* asked for in another view */
		app_notice(a, NOTICE_WARN, "split: no VM is selected (b boots one)");
		return;
	}
	tab = window_tab(a, windows_current(a));
	leaf = splits_split(&ws->splits, windows_current(a), dir, &e);
	if (leaf < 0) {
		app_notice(a, NOTICE_WARN, "%s", e.msg);
		return;
	}
	ws->window[leaf] = (struct window){.tab = tab, .top = a->page_top};
	snprintf(ws->window[leaf].vm, sizeof(ws->window[leaf].vm), "%s", vm->id);
	snprintf(ws->window[leaf].name, sizeof(ws->window[leaf].name), "%s", vm->name);
	ws->at = leaf;
	settle(a);
}

void act_SPLIT(struct app *a, const char *arg)
{
	(void)arg;
	split(a, SPLIT_STACKED);
}

void act_VSPLIT(struct app *a, const char *arg)
{
	(void)arg;
	split(a, SPLIT_SIDE);
}

/* One window follows the list, always: when that is gone, this one does, and its VM becomes the
 * selected one, so that nothing changes under the operator's eyes. */
static void make_follow(struct app *a, int leaf)
{
	struct windows *ws = &a->windows;
	int all[SPLIT_LEAVES_MAX], count = splits_leaves(&ws->splits, all), row;
	const struct deck_vm *vm = window_vm(a, leaf);
	struct deck *d = window_deck(a, leaf);
	enum tab tab = window_tab(a, leaf);

	for (int i = 0; i < count; i++)
		if (window_follows(ws, all[i]))
			return;
	windows_give_back(a);
	ws->window[leaf].vm[0] = ws->window[leaf].name[0] = '\0';
	if (d)
		d->shown = tab;
	row = vm ? table_find(app_table(a), vm->id) : -1;
	if (row >= 0)
		app_select_row(a, row);
}

void act_CLOSE_WINDOW(struct app *a, const char *arg)
{
	struct windows *ws = &a->windows;
	bool attached = a->keys.deck != NULL;
	int leaf = windows_current(a), next;

	(void)arg;
	enter(a);
	if (windows_count(ws) == 1) {
		app_notice(a, NOTICE_INFO, "this is the only window; q leaves the console");
		app_layout(a);
		return;
	}
	attach_end(a);
	windows_give_back(a);
	a->zoom = false;
	app_layout(a);
	next = splits_close(&ws->splits, leaf);
	ws->window[leaf] = (struct window){0};
	ws->at = ws->current = next;
	a->page_top = ws->window[next].top;
	make_follow(a, next);
	settle(a);
	if (attached && takes_keys(a))
		attach_begin(a, window_tab(a, windows_current(a)));
}

void act_ONLY(struct app *a, const char *arg)
{
	struct windows *ws = &a->windows;
	bool attached = a->keys.deck != NULL;
	int leaf = windows_current(a);

	(void)arg;
	enter(a);
	attach_end(a);
	a->zoom = false;
	splits_only(&ws->splits, leaf);
	ws->at = leaf;
	make_follow(a, leaf);
	settle(a);
	if (attached && takes_keys(a))
		attach_begin(a, window_tab(a, leaf));
}

/* ---- sizes ------------------------------------------------------------------------------------
 */

void act_EQUALISE(struct app *a, const char *arg)
{
	(void)arg;
	enter(a);
	splits_equalise(&a->windows.splits);
	settle(a);
}

static void grow(struct app *a, enum split_dir dir, int by)
{
	enter(a);
	app_layout(a);
	if (!splits_grow(&a->windows.splits, windows_current(a), dir, by))
		app_notice(a, NOTICE_INFO, "no window %s this one has %s to give or take",
			dir == SPLIT_SIDE ? "beside" : "above or below",
			dir == SPLIT_SIDE ? "columns" : "rows");
	settle(a);
}

void act_TALLER(struct app *a, const char *arg)
{
	(void)arg;
	grow(a, SPLIT_STACKED, 1);
}

void act_SHORTER(struct app *a, const char *arg)
{
	(void)arg;
	grow(a, SPLIT_STACKED, -1);
}

void act_WIDER(struct app *a, const char *arg)
{
	(void)arg;
	grow(a, SPLIT_SIDE, WIDER_BY);
}

void act_NARROWER(struct app *a, const char *arg)
{
	(void)arg;
	grow(a, SPLIT_SIDE, -WIDER_BY);
}
