/* Windows: whose tab is where, in which size, and which streams that needs. */
#include "tui/console/windows.h"

#include <string.h>

#include "tui/console/app.h"

void windows_init(struct windows *ws)
{
	memset(ws, 0, sizeof(*ws));
	splits_init(&ws->splits);
	ws->lent = -1;
}

bool window_follows(const struct windows *ws, int leaf)
{
	return !ws->window[leaf].vm[0] && !ws->window[leaf].name[0];
}

int windows_count(const struct windows *ws)
{
	int leaf[SPLIT_LEAVES_MAX];

	return splits_leaves(&ws->splits, leaf);
}

int windows_current(const struct app *a)
{
	const struct windows *ws = &a->windows;
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(&ws->splits, leaf);

	for (int i = 0; i < count && a->focus == FOCUS_LIST; i++)
		if (window_follows(ws, leaf[i]))
			return leaf[i];
	return ws->at;
}

/* ---- what a window shows --------------------------------------------------------------------- */

static struct deck_vm *by_name(const struct model *m, const char *name)
{
	for (int i = 0; i < m->count; i++)
		if (!m->vm[i]->gone && strcmp(m->vm[i]->name, name) == 0)
			return m->vm[i];
	return NULL;
}

void windows_give_back(struct app *a)
{
	struct windows *ws = &a->windows;
	struct window *w = ws->lent >= 0 ? &ws->window[ws->lent] : NULL;
	struct deck *d = w ? decks_find(&a->decks, w->vm) : NULL;

	if (d) {
		w->tab = d->shown;
		d->shown = ws->before;
	}
	ws->lent = -1;
}

struct deck_vm *window_vm(struct app *a, int leaf)
{
	struct window *w = &a->windows.window[leaf];
	const char *selected = a->table[VIEW_VMS].selected;
	struct deck_vm *vm, *other;

	if (window_follows(&a->windows, leaf))
		return *selected ? model_find(&a->model, selected) : NULL;
	vm = model_find(&a->model, w->vm);
	if (vm && !vm->gone)
		return vm;
	/* Removed and made anew, or from a layout of another day: the name counts. */
	other = by_name(&a->model, w->name);
	if (!other)
		return vm;
	if (a->windows.lent == leaf)
		windows_give_back(a);
	snprintf(w->vm, sizeof(w->vm), "%s", other->id);
	return other;
}

struct deck *window_deck(struct app *a, int leaf)
{
	const struct deck_vm *vm = window_vm(a, leaf);

	return vm ? decks_find(&a->decks, vm->id) : NULL;
}

enum tab window_tab(struct app *a, int leaf)
{
	const struct windows *ws = &a->windows;
	const struct deck *d = window_deck(a, leaf);

	if (!window_follows(ws, leaf))
		return ws->lent == leaf && d ? d->shown : ws->window[leaf].tab;
	if (!d)
		return TAB_OUTPUT;
	return ws->lent >= 0 && strcmp(ws->window[ws->lent].vm, d->vm.id) == 0 ? ws->before
									       : d->shown;
}

void windows_settle(struct app *a)
{
	struct windows *ws = &a->windows;
	int now = windows_current(a);
	struct deck *d = window_deck(a, now);

	if (ws->current != now) {
		ws->window[ws->current].top = a->page_top;
		a->page_top = ws->window[now].top;
		ws->current = now;
	}
	if (ws->lent == now)
		return;
	windows_give_back(a);
	if (window_follows(ws, now) || !d)
		return;
	ws->before = d->shown;
	d->shown = ws->window[now].tab;
	ws->lent = now;
}

/* ---- where ------------------------------------------------------------------------------------
 */

static struct rect area(const struct app *a)
{
	struct rect r = a->layout.title;

	r.h += a->layout.pane.h;
	return r;
}

void windows_place(struct app *a)
{
	if (!a->zoom)
		splits_place(&a->windows.splits, area(a));
}

struct rect window_rect(const struct app *a, int leaf)
{
	if (!a->zoom)
		return a->windows.splits.node[leaf].r;
	return leaf == windows_current(a) ? area(a) : (struct rect){0};
}

struct rect window_title(const struct app *a, int leaf)
{
	struct rect r = window_rect(a, leaf);

	r.h = min_of(r.h, 1);
	return r;
}

struct rect window_inside(const struct app *a, int leaf)
{
	struct rect r = window_rect(a, leaf);

	r.y++;
	r.h = max_of(r.h - 1, 0);
	return r;
}

/* ---- streams and sizes ------------------------------------------------------------------------
 */

/* Leaves on the screen, the current one last: its deck counts as the most recently seen. */
static int on_screen(const struct app *a, int leaf[SPLIT_LEAVES_MAX])
{
	int all[SPLIT_LEAVES_MAX], count = splits_leaves(&a->windows.splits, all), n = 0;
	int current = windows_current(a);

	if (a->at != VIEW_VMS)
		return 0;
	for (int i = 0; i < count && !a->zoom; i++)
		if (all[i] != current)
			leaf[n++] = all[i];
	leaf[n++] = current;
	return n;
}

/* The pane of a tab takes the size of the smallest window that shows it. One of which there is only
 * the title has no say. */
void windows_fit(struct app *a)
{
	struct rect now = window_inside(a, windows_current(a));
	int leaf[SPLIT_LEAVES_MAX], count = on_screen(a, leaf);
	struct deck *deck[SPLIT_LEAVES_MAX];
	enum tab tab[SPLIT_LEAVES_MAX];

	decks_resize(&a->decks, max_of(now.h, PANE_ROWS_MIN), max_of(now.w, PANE_COLS_MIN));
	for (int i = 0; i < count; i++) {
		deck[i] = window_deck(a, leaf[i]);
		tab[i] = window_tab(a, leaf[i]);
	}
	for (int i = 0; i < count; i++) {
		int rows = PANE_ROWS_MAX, cols = PANE_COLS_MAX;

		for (int k = 0; deck[i] && k < count; k++) {
			struct rect r = window_inside(a, leaf[k]);

			if (deck[k] != deck[i] || tab[k] != tab[i] || r.h < 1 || r.w < 1)
				continue;
			rows = min_of(rows, r.h);
			cols = min_of(cols, r.w);
		}
		if (deck[i] && cols < PANE_COLS_MAX)
			deck_resize_tab(deck[i], tab[i], max_of(rows, PANE_ROWS_MIN),
				max_of(cols, PANE_COLS_MIN));
	}
}

void windows_sync(struct app *a)
{
	int leaf[SPLIT_LEAVES_MAX], count = on_screen(a, leaf);

	for (int i = 0; i < count; i++) {
		struct deck_vm *vm = window_vm(a, leaf[i]);

		if (vm)
			decks_see(&a->decks, vm);
	}
	windows_settle(a);
	for (struct deck *d = a->decks.first; d; d = d->next)
		d->tabs = 0;
	for (int i = 0; i < count; i++) {
		struct deck *d = window_deck(a, leaf[i]);

		if (d)
			d->tabs |= 1u << window_tab(a, leaf[i]);
	}
	windows_fit(a);
	for (struct deck *d = a->decks.first; d; d = d->next) {
		bool visible = d->tabs || d == a->keys.deck;

		if (visible || d->visible) {
			d->visible = visible;
			deck_sync(d, model_find(&a->model, d->vm.id));
		}
	}
}

void windows_ask_timings(struct app *a)
{
	int leaf[SPLIT_LEAVES_MAX], count = on_screen(a, leaf);

	for (int i = 0; i < count - 1; i++) {
		struct window *w = &a->windows.window[leaf[i]];
		const struct deck *d = window_deck(a, leaf[i]);

		if (d && window_tab(a, leaf[i]) == TAB_TIMELINE)
			app_ask_timing_of(a, d->vm.id, w->timing, sizeof(w->timing));
	}
}

void windows_forget_timings(struct app *a)
{
	for (int i = 0; i < SPLIT_NODES_MAX; i++)
		a->windows.window[i].timing[0] = '\0';
}

/* A disk without room for the older lines of panes is told once, not for each of them. */
static void watch_scrollback(struct app *a, struct pane *p)
{
	const char *trouble = pane_trouble(p);

	if (trouble && !a->scroll_trouble)
		app_notice(a, NOTICE_WARN, "%s", trouble);
	a->scroll_trouble = a->scroll_trouble || trouble;
}

bool windows_turn(struct app *a)
{
	bool changed = false;

	for (struct deck *d = a->decks.first; d; d = d->next) {
		if (!d->visible)
			continue;
		deck_turn(d);
		for (int i = 0; i < TAB__COUNT; i++)
			if ((d->tabs & 1u << i) && d->tab[i].pane) {
				watch_scrollback(a, d->tab[i].pane);
				changed |= pane_take_changed(d->tab[i].pane);
			}
	}
	return changed;
}

/* ---- other windows ----------------------------------------------------------------------------
 */

void windows_select(struct app *a)
{
	struct windows *ws = &a->windows;
	const struct deck_vm *vm;
	int row;

	if ((!ws->select_vm[0] && !ws->select_name[0]) || !a->model.loaded || a->at != VIEW_VMS)
		return;
	vm = model_find(&a->model, ws->select_vm);
	if (!vm || vm->gone)
		vm = by_name(&a->model, ws->select_name);
	ws->select_vm[0] = ws->select_name[0] = '\0';
	row = vm ? table_find(app_table(a), vm->id) : -1;
	if (row >= 0)
		app_select_row(a, row);
}

void windows_keep(struct app *a, struct windows *to)
{
	int leaf[SPLIT_LEAVES_MAX], count = splits_leaves(&a->windows.splits, leaf);
	const struct deck_vm *vm;

	*to = a->windows;
	vm = model_find(&a->model, a->table[VIEW_VMS].selected);
	if (vm) {
		snprintf(to->select_vm, sizeof(to->select_vm), "%s", vm->id);
		snprintf(to->select_name, sizeof(to->select_name), "%s", vm->name);
	}
	for (int i = 0; i < count; i++) {
		struct window *w = &to->window[leaf[i]];

		vm = window_vm(a, leaf[i]);
		w->tab = window_tab(a, leaf[i]);
		if (vm && !window_follows(to, leaf[i])) {
			snprintf(w->vm, sizeof(w->vm), "%s", vm->id);
			snprintf(w->name, sizeof(w->name), "%s", vm->name);
		}
	}
}

void windows_take(struct app *a, const struct windows *from)
{
	attach_end(a);
	windows_give_back(a);
	a->windows = *from;
	a->zoom = false;
	a->focus = FOCUS_LIST;
	a->windows.lent = -1;
	a->windows.current = windows_current(a);
	windows_select(a);
	app_layout(a);
	app_sync_deck(a);
}
