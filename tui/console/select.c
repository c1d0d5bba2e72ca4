/* The selected VM, the rows on the screen, and which streams that needs. */
#include <string.h>

#include "tui/console/app.h"

#define SETTLE_DELAY 0.06 /* s the selection rests before streams are opened for it */

struct deck_vm *app_selected(struct app *a)
{
	return a->selected[0] ? model_find(&a->model, a->selected) : NULL;
}

struct deck *app_deck(struct app *a)
{
	if (a->keys.deck)
		return a->keys.deck;
	return a->selected[0] ? decks_find(&a->decks, a->selected) : NULL;
}

void app_layout(struct app *a)
{
	layout_compute(&a->layout, a->rows, a->cols, a->view.count, a->zoom);
	list_resize(&a->list, a->view.count, a->layout.list.h);
	if (a->layout.pane.h != a->decks.rows || a->layout.pane.w != a->decks.cols)
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
	app_dirty(a);
}

static void select_settle(struct app *a)
{
	ev_timer_stop(a->loop, &a->w.settle);
	ev_timer_set(&a->w.settle, SETTLE_DELAY, 0);
	ev_now_update(a->loop);
	ev_timer_start(a->loop, &a->w.settle);
}

static void select_vm(struct app *a, const struct deck_vm *vm)
{
	const char *id = vm ? vm->id : "";

	/* Whose pane has the keys stays selected. */
	if (strcmp(a->selected, id) == 0 || a->keys.deck)
		return;
	snprintf(a->selected, sizeof(a->selected), "%s", id);
	app_dirty(a);
	/* The panes of a VM that was seen before are there at once; its streams when the
	 * selection rests, so that a held arrow key opens none. */
	if (vm)
		select_settle(a);
}

void app_select_row(struct app *a, int row)
{
	list_select(&a->list, row);
	select_vm(a, a->view.count ? a->view.row[a->list.sel] : NULL);
}

void app_select_id(struct app *a, const char *id)
{
	for (int i = 0; i < a->view.count; i++)
		if (strcmp(a->view.row[i]->id, id) == 0)
			app_select_row(a, i);
}

/* The VM of a boot we asked for has appeared. */
static bool take_expected(struct app *a)
{
	for (int i = a->model.count - 1; a->expect[0] && i >= 0; i--) {
		const struct deck_vm *vm = a->model.vm[i];

		if (vm->state == DECK_STARTING && !vm->gone &&
			(strcmp(a->expect, "?") == 0 || strcmp(a->expect, vm->name) == 0)) {
			a->expect[0] = '\0';
			app_select_id(a, vm->id);
			return true;
		}
	}
	return false;
}

void app_refresh(struct app *a, unsigned changed)
{
	if (changed & (MODEL_VMS | MODEL_VM)) {
		int row = -1;

		model_view_fill(&a->view, &a->model, a->filter);
		for (int i = 0; i < a->view.count; i++)
			if (strcmp(a->view.row[i]->id, a->selected) == 0)
				row = i;
		app_layout(a);
		/* The selected row went: its place takes the next one. */
		app_select_row(a, row >= 0 ? row : a->list.sel);
		if (take_expected(a) || !app_deck(a) || !ev_is_active(&a->w.settle)) {
			ev_timer_stop(a->loop, &a->w.settle);
			app_sync_deck(a);
		}
	}
	if (changed)
		app_dirty(a);
}

void app_set_filter(struct app *a, const char *text)
{
	snprintf(a->filter, sizeof(a->filter), "%s", text);
	app_refresh(a, MODEL_VMS);
}
