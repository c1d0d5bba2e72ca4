/* The view on the screen, its rows and the selected one, and which streams that needs. */
#include <string.h>

#include "tui/console/app.h"

#define SETTLE_DELAY   0.06 /* s the selection rests before streams are opened for it */
#define ROWS_FOR_LISTS 40   /* below, a view whose detail is the point lists few rows */
#define FEW_ROWS       4
#define LONG_LIST      200 /* rows */

const struct view *const views[] = {
	[VIEW_VMS] = &view_vms,
	[VIEW_SNAPSHOTS] = &view_snapshots,
	[VIEW_RESTORES] = &view_restores,
	[VIEW_IMAGES] = &view_images,
	[VIEW_EVENTS] = &view_events,
	[VIEW_HOST] = &view_host,
};
_Static_assert(countof(views) == VIEW__COUNT, "a view for each number");

struct table *app_table(struct app *a)
{
	return &a->table[a->at];
}

/* ---- what is selected ------------------------------------------------------------------------ */

struct deck_vm *app_selected(struct app *a)
{
	return a->at == VIEW_VMS ? window_vm(a, windows_current(a)) : NULL;
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
		.context = views[a->at]->context | CONTEXT_WINDOW |
			   (a->keys.deck ? CONTEXT_GUEST : 0u) | (a->copy ? CONTEXT_COPY : 0u) |
			   (a->replay ? CONTEXT_REPLAY : 0u),
		.read_only = a->opts->read_only,
		/* In a frozen list there are VMs that the model has no more. */
		.row = a->at == VIEW_VMS ? app_selected(a) != NULL : app_table(a)->count > 0,
		.vm = app_selected(a),
		.snapshot = app_snapshot(a),
	};
}

struct deck *app_deck(struct app *a)
{
	if (a->keys.deck)
		return a->keys.deck;
	windows_settle(a);
	return a->at == VIEW_VMS ? window_deck(a, windows_current(a)) : NULL;
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
	if (a->at == VIEW_VMS) {
		windows_place(a);
		windows_fit(a);
	}
	app_dirty(a);
}

/* Streams of the decks that are seen; the others' are closed (what they have stays). */
void app_sync_deck(struct app *a)
{
	windows_sync(a);
	app_ask_timing(a);
	app_ask_facts(a);
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

	t->late = false;
	table_fill(t, &a->model);
	row = newest ? 0 : table_find(t, t->selected);
	if (t == app_table(a))
		app_layout(a);
	else
		list_resize(&t->list, t->count, t->list.height);
	/* The selected row went: its place takes the next one. */
	select_row(a, t, row >= 0 ? row : t->list.sel);
}

/* Whether the rows are to be made anew; vm: all that has changed of the VMs, NULL: any. */
static bool must_fill(struct table *t, unsigned changed, const struct deck_vm *vm)
{
	if (!(changed & t->view->changes))
		return false;
	if (t->frozen.rows) {
		t->frozen.changes++;
		return false;
	}
	return !vm || t->view != &view_vms || (changed & MODEL_VMS) || table_moved(t, vm);
}

/* A burst of events that brings many rows into a long list makes it anew once a frame, not once an
 * event. vm is in the model still, so no row has gone. */
static bool may_wait(const struct app *a, const struct table *t, const struct deck_vm *vm)
{
	return vm && t->count > LONG_LIST && !a->expect[0];
}

void app_settle_rows(struct app *a)
{
	if (a->table[VIEW_VMS].late)
		refill(a, &a->table[VIEW_VMS]);
}

static void refresh(struct app *a, unsigned changed, const struct deck_vm *vm)
{
	struct table *vms = &a->table[VIEW_VMS];

	if (changed & view_vms.changes) {
		if (vms->late || must_fill(vms, changed, vm)) {
			vms->late = true;
			if (!may_wait(a, vms, vm))
				refill(a, vms);
		}
		windows_select(a);
		if (take_expected(a) || !app_deck(a) || !ev_is_active(&a->w.settle)) {
			ev_timer_stop(a->loop, &a->w.settle);
			app_sync_deck(a);
		}
	} else if ((changed & MODEL_FIGURES) && a->at == VIEW_VMS &&
		   a->table[VIEW_VMS].sort != SORT_NATURAL)
		refill(a, &a->table[VIEW_VMS]); /* the order may go by a figure */
	/* Rows of a view that is not shown are made when it is. */
	if (a->at != VIEW_VMS && must_fill(app_table(a), changed, NULL))
		refill(a, app_table(a));
	if ((changed & MODEL_TIMINGS) && !ev_is_active(&a->w.settle))
		app_ask_timing(a);
	if (changed)
		app_dirty(a);
}

void app_refresh(struct app *a, unsigned changed)
{
	refresh(a, changed, NULL);
}

void app_refresh_vm(struct app *a, unsigned changed, const char *id)
{
	refresh(a, changed, id ? model_find(&a->model, id) : NULL);
}

void app_refill(struct app *a)
{
	refill(a, app_table(a));
	if (!app_deck(a) || !ev_is_active(&a->w.settle)) {
		ev_timer_stop(a->loop, &a->w.settle);
		app_sync_deck(a);
	}
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
	struct err e;

	if (table_set_filter(app_table(a), text, &e) == 0)
		app_refill(a);
	else if (!prompt_hint(a, e.msg))
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
}

void app_filter(struct app *a, const char *text)
{
	undo_push(&a->undo, app_table(a), a->at, "filter");
	app_set_filter(a, text);
	undo_settle(&a->undo, a->table);
}
