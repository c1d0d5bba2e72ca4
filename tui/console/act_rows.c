/* Actions on the rows of a list: marks, order, freeze, and steps back. */
#include <string.h>
#include <strings.h>

#include "tui/console/act.h"

/* ---- marks ----------------------------------------------------------------------------------- */

static void key_of(const struct table *t, int row, char *out, size_t n)
{
	t->view->key(t->row[row], out, n);
}

static void tell_marks(struct app *a)
{
	int n = marks_count(&app_table(a)->marks);

	if (n)
		app_notice(a, NOTICE_INFO, "%d marked: actions are for all of them; U unmarks", n);
	else
		app_notice(a, NOTICE_INFO, "nothing is marked");
}

void act_MARK(struct app *a, const char *arg)
{
	struct table *t = app_table(a);
	char key[sizeof(t->selected)];

	(void)arg;
	if (t->count == 0)
		return;
	undo_push(&a->undo, t, a->at, "marks");
	key_of(t, t->list.sel, key, sizeof(key));
	marks_set(&t->marks, key, !marks_has(&t->marks, key));
	app_select_row(a, min_of(t->list.sel + 1, t->count - 1));
	tell_marks(a);
}

void act_MARK_RANGE(struct app *a, const char *arg)
{
	struct table *t = app_table(a);
	int from = t->marks.last[0] ? table_find(t, t->marks.last) : -1;
	int to = t->list.sel;
	char key[sizeof(t->selected)];

	(void)arg;
	if (t->count == 0)
		return;
	undo_push(&a->undo, t, a->at, "marks");
	from = from < 0 ? to : from;
	for (int i = min_of(from, to); i <= max_of(from, to); i++) {
		key_of(t, i, key, sizeof(key));
		marks_set(&t->marks, key, true);
	}
	key_of(t, to, t->marks.last, sizeof(t->marks.last));
	tell_marks(a);
}

void act_MARK_INVERT(struct app *a, const char *arg)
{
	struct table *t = app_table(a);
	char key[sizeof(t->selected)];

	(void)arg;
	undo_push(&a->undo, t, a->at, "marks");
	for (int i = 0; i < t->count; i++) {
		key_of(t, i, key, sizeof(key));
		marks_set(&t->marks, key, !marks_has(&t->marks, key));
	}
	tell_marks(a);
}

void act_UNMARK(struct app *a, const char *arg)
{
	struct table *t = app_table(a);

	(void)arg;
	if (marks_count(&t->marks))
		undo_push(&a->undo, t, a->at, "marks");
	marks_clear(&t->marks);
	tell_marks(a);
}

void act_RESULTS(struct app *a, const char *arg)
{
	(void)arg;
	if (a->gather)
		gather_view_open(a);
	else
		app_notice(a, NOTICE_INFO,
			"no command was run in marked VMs yet (Space marks, e runs)");
}

/* ---- order, freeze, undo --------------------------------------------------------------------- */

void act_SORT(struct app *a, const char *arg)
{
	struct table *t = app_table(a);
	bool turned = *arg == '-';

	if (!*arg) {
		sort_menu_open(a);
		return;
	}
	for (int i = 0; i < t->view->column_count; i++) {
		if (!t->view->columns[i].title[0] ||
			strcasecmp(t->view->columns[i].title, arg + turned) != 0)
			continue;
		undo_push(&a->undo, t, a->at, "order");
		t->sort = i;
		t->reverse = turned;
		app_refill(a);
		return;
	}
	app_notice(a, NOTICE_ERROR, "sort: there is no column '%s' in this view (o lists them)",
		arg + turned);
}

void act_FREEZE(struct app *a, const char *arg)
{
	struct table *t = app_table(a);

	(void)arg;
	if (t->frozen.rows)
		table_thaw(t);
	else
		table_freeze(t, &a->model, mono_ns());
	app_refill(a);
	app_notice(a, NOTICE_INFO,
		t->frozen.rows ? "the list stays as it is; Z goes on" : "the list is live again");
}

void act_UNDO(struct app *a, const char *arg)
{
	enum view_id view = a->at;
	const char *what = undo_pop(&a->undo, a->table, &view);

	(void)arg;
	if (!what) {
		app_notice(a, NOTICE_INFO, "nothing to undo");
		return;
	}
	if (view != a->at)
		app_show(a, view);
	else
		app_refill(a);
	app_notice(a, NOTICE_INFO, "%s of the %s as before", what, views[view]->title);
}
