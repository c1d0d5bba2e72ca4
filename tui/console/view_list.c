/* The list of the view on the screen: only rows that are seen are made into text. */
#include <string.h>

#include "tui/console/app.h"

#define SAY_COLUMN 2 /* from here on a row may say something instead of its columns */
#define BAR_COLS   24

/* The whole row is of one role where the row itself says something. */
static enum role row_role(const struct app *a, const struct table *t, int i)
{
	const void *row = t->row[i];

	if (i == t->list.sel)
		return a->focus == FOCUS_LIST && !a->keys.deck ? ROLE_ROW_SELECTED
							       : ROLE_ROW_UNFOCUSED;
	if (a->model.stale || (t->view->stale && t->view->stale(row)))
		return ROLE_ROW_STALE;
	return ROLE_TEXT;
}

static void put_cell(const struct app *a, struct pen *pen, enum role role, int w, struct cell *c)
{
	enum role own = role == ROLE_TEXT ? c->role : role;
	int columns = w - 1;

	if (c->glyph >= 0 && columns > 2) {
		pen_put(pen, own, paint_glyph(&a->paint, (enum glyph)c->glyph));
		pen_put(pen, role, " ");
		columns -= 2;
	}
	if (c->spark && columns > c->text_columns) {
		char line[4 * RING_SIZE + 1];
		int cols = min_of(columns - c->text_columns, RING_SIZE);

		pen_column(pen, own, c->text_columns, c->text);
		ring_spark(c->spark, cols, c->top, a->paint.ascii, line, sizeof(line));
		pen_put(pen, role == ROLE_TEXT ? ROLE_SPARK : role, line);
		columns -= c->text_columns + cols;
		pen_column(pen, role, columns, "");
	} else {
		pen_column(pen, own, columns, c->text);
	}
	pen_put(pen, role, " ");
}

static void put_say(struct pen *pen, enum role role, const struct cell *c)
{
	pen_put(pen, role == ROLE_TEXT ? c->role : role, c->text);
	pen_put(pen, role, " ");
	if (c->total && pen->end - pen->x > 8)
		pen_meter(pen, min_of(BAR_COLS, pen->end - pen->x - 1), c->done, c->total);
}

static bool is_marked(const struct table *t, int i)
{
	char key[sizeof(t->selected)];

	if (marks_count(&t->marks) == 0)
		return false;
	t->view->key(t->row[i], key, sizeof(key));
	return marks_has(&t->marks, key);
}

static void draw_row(struct app *a, struct rect r, const struct table *t, int i, const int *widths)
{
	const struct view *v = t->view;
	struct pen pen = pen_at(&a->paint, r);
	enum role role = row_role(a, t, i);
	struct cell say = {.glyph = -1};
	bool says = v->say && v->say(t->row[i], &say), marked = is_marked(t, i);
	enum role name = marked && role == ROLE_TEXT ? ROLE_ROW_MARKED : role;

	pen_put(&pen, name,
		marked             ? paint_glyph(&a->paint, GLYPH_MARK)
		: i == t->list.sel ? paint_glyph(&a->paint, GLYPH_POINTER)
				   : " ");
	for (int k = 0; k < v->column_count; k++) {
		struct cell c = {.glyph = -1};

		if (!widths[k])
			continue;
		if (says && k >= SAY_COLUMN) {
			put_say(&pen, role, &say);
			break;
		}
		v->columns[k].cell(t->row[i], &c);
		put_cell(a, &pen, k == 0 ? name : role, widths[k] - (k == 0), &c);
	}
	pen_rest(&pen, role);
}

static void draw_header(struct app *a, const int *widths)
{
	const struct table *t = app_table(a);
	struct pen pen = pen_at(&a->paint, a->layout.list_head);
	char text[48];

	pen_put(&pen, ROLE_HEADER, " ");
	for (int k = 0; k < t->view->column_count; k++) {
		int x = pen.x;

		if (!widths[k])
			continue;
		snprintf(text, sizeof(text), "%s%s", t->view->columns[k].title,
			k != t->sort ? ""
				     : paint_glyph(&a->paint,
					       t->reverse ? GLYPH_MORE_DOWN : GLYPH_MORE_UP));
		pen_column(&pen, ROLE_HEADER, widths[k] - (k == 0), text);
		if (t->view->columns[k].title[0])
			pen_spot(&pen, x, SPOT_COLUMN, k);
	}
	if (t->count > t->list.height || t->filter[0]) {
		snprintf(text, sizeof(text), "%d of %d%s", t->count ? t->list.sel + 1 : 0, t->count,
			t->filter[0] ? " (filter)" : "");
		pen.x = max_of(a->layout.list_head.x, pen.end - (int)strlen(text));
		pen_put(&pen, ROLE_TEXT_DIM, text);
	}
	pen_rest(&pen, ROLE_HEADER);
}

/* One line of an empty list. */
static void say(struct app *a, int line, enum role role, const char *text)
{
	struct rect r = a->layout.list;
	struct pen pen = pen_at(&a->paint, (struct rect){r.y + line, r.x, 1, r.w});

	if (line >= r.h)
		return;
	pen_put(&pen, role, "  ");
	pen_put(&pen, role, text);
}

/* No VM: what to press. */
static void draw_no_vm(struct app *a)
{
	const struct deck_image *mini = model_image(&a->model, "mini");

	if (mini && strcmp(mini->state, "missing") == 0)
		say(a, 0, ROLE_TEXT,
			"No VM and no image yet. Press i: it builds the image 'mini'.");
	else if (mini && strcmp(mini->state, "building") == 0)
		say(a, 0, ROLE_TEXT, "The image is being built; then press b to boot a VM.");
	else
		say(a, 0, ROLE_TEXT, "No VM yet. Press b to boot one.");
	say(a, 1, ROLE_TEXT_DIM, "? shows all keys.");
}

static void draw_empty(struct app *a)
{
	const struct table *t = app_table(a);
	char text[200];

	if (!a->model.loaded) {
		say(a, 0, ROLE_TEXT_DIM,
			a->link.client ? "asking the daemon" : "starting the daemon");
	} else if (t->filter[0]) {
		snprintf(text, sizeof(text), "No %s matches '%.120s'. Esc shows all.", t->view->one,
			t->filter);
		say(a, 0, ROLE_TEXT, text);
	} else if (a->at == VIEW_VMS) {
		draw_no_vm(a);
	} else {
		say(a, 0, ROLE_TEXT, t->view->empty);
		say(a, 1, ROLE_TEXT_DIM, t->view->more);
	}
}

void draw_list(struct app *a)
{
	const struct table *t = app_table(a);
	struct rect r = a->layout.list;
	int widths[COLUMNS_MAX];

	table_widths(t->view, r.w, widths);
	draw_header(a, widths);
	if (t->count == 0) {
		draw_empty(a);
		return;
	}
	for (int i = 0; i < r.h && t->list.top + i < t->count; i++)
		draw_row(a, (struct rect){r.y + i, r.x, 1, r.w}, t, t->list.top + i, widths);
}
