/* The menu of columns to sort by. */
#include <string.h>

#include "tui/console/app.h"

struct sort_menu {
	struct layer layer;
	int column[COLUMNS_MAX + 1]; /* SORT_NATURAL first */
	int count, at;
};

static void choose(struct app *a, struct sort_menu *m)
{
	struct table *t = app_table(a);
	int column = m->column[m->at];

	app_pop(a);
	undo_push(&a->undo, t, a->at, "order");
	/* The column that it is sorted by: the other way round. */
	t->reverse = t->sort == column && !t->reverse;
	t->sort = column;
	app_refill(a);
}

static void menu_key(struct app *a, struct layer *l, console_key k)
{
	struct sort_menu *m = (struct sort_menu *)l;

	switch (action_by_key(CONTEXT_LIST, k)) {
	case ACT_DOWN:
		m->at = (m->at + 1) % m->count;
		return;
	case ACT_UP:
		m->at = (m->at + m->count - 1) % m->count;
		return;
	case ACT_TOP:
		m->at = 0;
		return;
	case ACT_BOTTOM:
		m->at = m->count - 1;
		return;
	default:
		break;
	}
	if (k == K_ENTER || k == ' ')
		choose(a, m);
	else
		app_pop(a);
}

static void menu_draw(struct app *a, struct layer *l)
{
	const struct sort_menu *m = (const struct sort_menu *)l;
	const struct table *t = app_table(a);
	struct rect r = layout_center(a->rows, a->cols, m->count + 4, 40);
	struct rect in = {r.y, r.x + 2, 1, max_of(r.w - 4, 0)};
	struct pen pen = pen_at(&a->paint, in);
	/* Too low for all: the part around the one that is chosen. */
	int room = max_of(r.h - 3, 1), top = max_of(0, m->at - room + 1);

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	pen_put(&pen, ROLE_DIALOG_TITLE, " sort by ");
	for (int i = 0; i < room && top + i < m->count; i++) {
		int column = m->column[top + i];
		bool focus = top + i == m->at, now = column == t->sort;
		enum role role = focus ? ROLE_BUTTON_FOCUS : ROLE_DIALOG;

		in.y = r.y + 1 + i;
		pen = pen_at(&a->paint, in);
		if (focus)
			app_cursor(a, in.y, in.x);
		pen_put(&pen, role, focus ? paint_glyph(&a->paint, GLYPH_POINTER) : " ");
		pen_column(&pen, role, 20,
			column == SORT_NATURAL ? "the usual order"
					       : t->view->columns[column].title);
		if (now)
			pen_printf(&pen, ROLE_DIALOG_HINT, " %s now",
				paint_glyph(
					&a->paint, t->reverse ? GLYPH_MORE_DOWN : GLYPH_MORE_UP));
	}
	in.y = r.y + r.h - 2;
	pen = pen_at(&a->paint, in);
	pen_put(&pen, ROLE_DIALOG_HINT, "Enter sorts, again turns it round");
}

static void menu_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops menu_layer = {menu_key, menu_draw, menu_free};

void sort_menu_open(struct app *a)
{
	const struct table *t = app_table(a);
	struct sort_menu *m = xcalloc(1, sizeof(*m));

	m->layer.ops = &menu_layer;
	for (int i = SORT_NATURAL; i < t->view->column_count; i++) {
		if (i != SORT_NATURAL && !t->view->columns[i].title[0])
			continue;
		if (i == t->sort)
			m->at = m->count;
		m->column[m->count++] = i;
	}
	app_push(a, &m->layer);
}
