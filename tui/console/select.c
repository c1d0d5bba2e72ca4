/* The view on the screen, its rows and the selected one, and which streams that needs. */
#include <string.h>

#include "tui/console/app.h"

#define SETTLE_DELAY   0.06 /* s the selection rests before streams are opened for it */
#define ROWS_FOR_LISTS 40   /* below, a view whose detail is the point lists few rows */
#define FEW_ROWS       4

const struct view *const views[] = {
	[VIEW_VMS] = &view_vms,
	[VIEW_SNAPSHOTS] = &view_snapshots,
	[VIEW_RESTORES] = &view_restores,
	[VIEW_IMAGES] = &view_images,
	[VIEW_EVENTS] = &view_events,
};
_Static_assert(countof(views) == VIEW__COUNT, "a view for each number");

struct table *app_table(struct app *a)
{
	return &a->table[a->at];
}

/* ---- what is selected ------------------------------------------------------------------------ */

static const char *selected_id(const struct app *a)
{
	return a->table[VIEW_VMS].selected;
}

struct deck_vm *app_selected(struct app *a)
{
	return a->at == VIEW_VMS && *selected_id(a) ? model_find(&a->model, selected_id(a)) : NULL;
}

struct deck_snapshot *app_snapshot(struct app *a)
{
	return a->at == VIEW_SNAPSHOTS ? table_selected(app_table(a)) : NULL;
}

struct deck_image *app_image(struct app *a)
{
	return a->at == VIEW_IMAGES ? table_selected(app_table(a)) : NULL;
}

struct action_on app_on(struct app *a)
{
	return (struct action_on){
		.context = views[a->at]->context | (a->keys.deck ? CONTEXT_GUEST : 0u) |
			   (a->replay ? CONTEXT_REPLAY : 0u),
		.row = app_table(a)->count > 0,
		.vm = app_selected(a),
		.snapshot = app_snapshot(a),
	};
}

struct deck *app_deck(struct app *a)
{
	if (a->keys.deck)
		return a->keys.deck;
	return a->at == VIEW_VMS && *selected_id(a) ? decks_find(&a->decks, selected_id(a)) : NULL;
}

const char *app_timing(struct app *a)
{
	const struct deck *d = app_deck(a);
	const struct deck_timing *t = a->at == VIEW_RESTORES ? table_selected(app_table(a)) : NULL;

	if (t)
		return t->id;
	return d && d->shown == TAB_TIMELINE ? d->vm.id : NULL;
}

/* ---- layout and streams ---------------------------------------------------------------------- */

void app_layout(struct app *a)
{
	struct table *t = app_table(a);
	int wanted = t->count;

	if (a->at == VIEW_RESTORES && a->rows < ROWS_FOR_LISTS)
		wanted = min_of(wanted, FEW_ROWS);
	if (a->at == VIEW_VMS)
		layout_compute(&a->layout, a->rows, a->cols, wanted, a->zoom);
	else
		layout_stacked(&a->layout, a->rows, a->cols, wanted, a->zoom);
	if (t->view->pane_rows && !a->zoom)
		layout_give(&a->layout, t->count, t->view->pane_rows);
	list_resize(&t->list, t->count, a->layout.list.h);
	/* The panes of the VMs keep their size while another view is on the screen. */
	if (a->at == VIEW_VMS &&
		(a->layout.pane.h != a->decks.rows || a->layout.pane.w != a->decks.cols))
		decks_resize(&a->decks, max_of(a->layout.pane.h, PANE_ROWS_MIN),
			max_of(a->layout.pane.w, PANE_COLS_MIN));
	app_dirty(a);
}

/* Streams of the deck that is seen; the others' are closed (what they have stays). */
void app_sync_deck(struct app *a)
{
	struct deck_vm *vm = app_selected(a);
	struct deck *seen = a->keys.deck;

	if (!seen && vm)
		seen = decks_see(&a->decks, vm);

	for (struct deck *d = a->decks.first; d; d = d->next) {
		bool visible = d == seen;

		if (visible || d->visible) {
			d->visible = visible;
			deck_sync(d, model_find(&a->model, d->vm.id));
		}
	}
	app_ask_timing(a);
	app_dirty(a);
}

static void select_settle(struct app *a)
{
	ev_timer_stop(a->loop, &a->w.settle);
	ev_timer_set(&a->w.settle, SETTLE_DELAY, 0);
	ev_now_update(a->loop);
	ev_timer_start(a->loop, &a->w.settle);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void select_row(struct app *a, struct table *t, int row)
{
	char key[sizeof(t->selected)] = "";

	list_select(&t->list, row);
	if (table_selected(t))
		t->view->key(table_selected(t), key, sizeof(key));
	/* Whose pane has the keys stays selected. */
	if (strcmp(t->selected, key) == 0 || (a->keys.deck && t == &a->table[VIEW_VMS]))
		return;
	snprintf(t->selected, sizeof(t->selected), "%s", key);
	if (t != app_table(a))
		return;
	a->page_top = 0;
	app_dirty(a);
	/* The panes of a VM that was seen before are there at once; its streams when the
	 * selection rests, so that a held arrow key opens none. */
	if (key[0])
		select_settle(a);
}

void app_select_row(struct app *a, int row)
{
	select_row(a, app_table(a), row);
}

/* The VM of a boot we asked for has appeared. */
static bool take_expected(struct app *a)
{
	struct table *t = &a->table[VIEW_VMS];

	for (int i = a->model.count - 1; a->expect[0] && i >= 0; i--) {
		const struct deck_vm *vm = a->model.vm[i];
		int row;

		if (vm->state != DECK_STARTING || vm->gone ||
			(strcmp(a->expect, "?") != 0 && strcmp(a->expect, vm->name) != 0))
			continue;
		a->expect[0] = '\0';
		row = table_find(t, vm->id);
		if (row >= 0)
			select_row(a, t, row);
		return true;
	}
	return false;
}

/* Rows anew; the selection follows its row, or the newest one where that is selected. */
static void refill(struct app *a, struct table *t)
{
	bool newest =
		t->view->newest_first && t->list.sel == 0 && t->sort == SORT_NATURAL && !t->reverse;
	int row;

	table_fill(t, &a->model);
	row = newest ? 0 : table_find(t, t->selected);
	if (t == app_table(a))
		app_layout(a);
	else
		list_resize(&t->list, t->count, t->list.height);
	/* The selected row went: its place takes the next one. */
	select_row(a, t, row >= 0 ? row : t->list.sel);
}

void app_refresh(struct app *a, unsigned changed)
{
	if (changed & view_vms.changes) {
		refill(a, &a->table[VIEW_VMS]);
		if (take_expected(a) || !app_deck(a) || !ev_is_active(&a->w.settle)) {
			ev_timer_stop(a->loop, &a->w.settle);
			app_sync_deck(a);
		}
	}
	/* Rows of a view that is not shown are made when it is. */
	if (a->at != VIEW_VMS && (changed & views[a->at]->changes))
		refill(a, app_table(a));
	if ((changed & MODEL_TIMINGS) && !ev_is_active(&a->w.settle))
		app_ask_timing(a);
	if (changed)
		app_dirty(a);
}

void app_show(struct app *a, enum view_id view)
{
	a->at = view;
	a->focus = FOCUS_LIST;
	a->zoom = false;
	a->page_top = 0;
	refill(a, app_table(a));
	app_sync_deck(a);
	if (view == VIEW_SNAPSHOTS && a->snapshots_old)
		app_list(a, LIST_SNAPSHOTS);
}

void app_set_filter(struct app *a, const char *text)
{
	snprintf(app_table(a)->filter, sizeof(app_table(a)->filter), "%s", text);
	app_refresh(a, views[a->at]->changes);
}
