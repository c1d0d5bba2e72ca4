/* The question before something is done to many: y, or a word that nobody types by reflex. */
#include <string.h>
#include <strings.h>

#include "tui/console/bulk.h"

struct ask {
	struct layer layer;
	struct bulk *bulk; /* owned until it is started */
	struct edit edit;
	bool wrong;
	char question[120], detail[200], names[600];
};

static void start(struct app *a, struct ask *k)
{
	struct bulk *b = k->bulk;

	k->bulk = NULL;
	app_pop(a);
	bulk_start(b);
}

/* The count, the word, or of a single one its name. */
static bool is_word(const struct ask *k)
{
	char count[16];

	snprintf(count, sizeof(count), "%d", k->bulk->count);
	return strcmp(k->edit.text, count) == 0 ||
	       strcasecmp(k->edit.text, action_table[k->bulk->verb->action].name) == 0 ||
	       (k->bulk->count == 1 && strcmp(k->edit.text, k->bulk->item[0].name) == 0);
}

static void ask_key(struct app *a, struct layer *l, console_key key)
{
	struct ask *k = (struct ask *)l;

	if (!k->bulk->verb->word) {
		if (key == 'y' || key == 'Y')
			start(a, k);
		else
			app_pop(a);
		return;
	}
	k->wrong = false;
	switch (key) {
	case K_ESC:
	case KEY_MOD_CTRL | 'c':
		app_pop(a);
		return;
	case K_ENTER:
		if (is_word(k))
			start(a, k);
		else
			k->wrong = true;
		return;
	default:
		(void)edit_key(&k->edit, key);
	}
}

static void draw_line(struct app *a, struct ask *k)
{
	struct pen pen = pen_at(&a->paint, a->layout.hints);

	pen_printf(&pen, ROLE_PROMPT, " %s ", k->question);
	pen_put(&pen, ROLE_MENU_KEY, " y");
	pen_put(&pen, ROLE_TEXT, " yes   any other key: no ");
	app_cursor(a, pen.y, min_of(pen.x, pen.end - 1));
	pen_rest(&pen, ROLE_TEXT);
}

static void draw_box(struct app *a, struct ask *k)
{
	int w = min_of(a->cols, 72), lines;
	struct rect r, in;
	struct pen pen;

	lines = paint_wrapped(
		&a->paint, (struct rect){0, 0, 4, w - 6}, ROLE_DIALOG_HINT, k->names, false);
	r = layout_center(a->rows, a->cols, min_of(lines, 4) + 8, w);
	paint_box(&a->paint, r, ROLE_DIALOG_DANGER, ROLE_DIALOG);
	in = (struct rect){r.y + 1, r.x + 3, 1, max_of(r.w - 6, 0)};
	pen = pen_at(&a->paint, in);
	pen_put(&pen, ROLE_DIALOG_TITLE, k->question);
	in.y++;
	in.h = min_of(lines, 4);
	paint_wrapped(&a->paint, in, ROLE_DIALOG, k->names, true);
	in.y += in.h;
	in.h = 1;
	pen = pen_at(&a->paint, in);
	pen_put(&pen, ROLE_DIALOG_HINT, k->detail);
	in.y += 2;
	pen = pen_at(&a->paint, in);
	pen_printf(&pen, ROLE_DIALOG, "Type %d or '%s': ", k->bulk->count,
		action_table[k->bulk->verb->action].name);
	app_cursor(a, in.y, min_of(pen.x + text_columns(k->edit.text), pen.end - 1));
	pen_column(&pen, ROLE_FIELD_FOCUS, min_of(12, pen.end - pen.x), k->edit.text);
	in.y += 2;
	pen = pen_at(&a->paint, in);
	if (k->wrong)
		pen_put(&pen, ROLE_DIALOG_ERROR,
			"nothing is done before that is typed; Esc leaves");
	else
		pen_put(&pen, ROLE_DIALOG_HINT, "Enter does it   Esc leaves everything as it is");
}

static void ask_draw(struct app *a, struct layer *l)
{
	struct ask *k = (struct ask *)l;

	if (k->bulk->verb->word)
		draw_box(a, k);
	else
		draw_line(a, k);
}

static void ask_free(struct layer *l)
{
	struct ask *k = (struct ask *)l;

	if (k->bulk)
		bulk_free(k->bulk);
	free(k);
}

static const struct layer_ops ask_layer = {ask_key, ask_draw, ask_free};

static void list_names(struct ask *k)
{
	const struct bulk *b = k->bulk;
	size_t len = 0;

	for (int i = 0; i < b->count; i++) {
		if (len + 100 > sizeof(k->names)) {
			snprintf(k->names + len, sizeof(k->names) - len, " and %d more",
				b->count - i);
			return;
		}
		len += (size_t)snprintf(k->names + len, sizeof(k->names) - len, "%s%s",
			i ? ", " : "", b->item[i].name);
	}
	if (b->skips)
		snprintf(k->names + len, sizeof(k->names) - len, " (%d left out: %.60s)", b->skips,
			b->skipped);
}

void bulk_ask(struct bulk *b)
{
	struct ask *k = xcalloc(1, sizeof(*k));

	k->layer.ops = &ask_layer;
	k->bulk = b;
	snprintf(k->question, sizeof(k->question), "%s %d %s%s%s", b->verb->before, b->count,
		b->one, b->count == 1 ? "" : "s", b->verb->behind);
	list_names(k);
	if (b->verb->detail)
		b->verb->detail(b, k->detail, sizeof(k->detail));
	app_push(b->app, &k->layer);
}
