/* Dialogs of a few fields. */
#include "tui/console/form.h"

#include <string.h>

#define FORM_COLS 62

struct form {
	struct layer layer;
	const struct form_spec *spec;
	char title[128], subject[80], error[260];
	int at;
	struct edit edit[FORM_FIELDS_MAX];
	bool on[FORM_FIELDS_MAX];
};

const char *form_subject(const struct form *f)
{
	return f->subject;
}

const char *form_text(const struct form *f, int field)
{
	return f->edit[field].text;
}

bool form_on(const struct form *f, int field)
{
	return f->on[field];
}

int form_at(struct form *f, int field, int r)
{
	if (r < 0)
		f->at = field;
	return r;
}

void form_set(struct form *f, int field, const char *text)
{
	edit_set(&f->edit[field], text);
}

static bool is_switch(const struct form *f, int field)
{
	return !f->spec->fields[field].start;
}

static void form_accept(struct app *a, struct form *f)
{
	struct err e = {0};

	if (f->spec->accept(a, f, &e) < 0)
		snprintf(f->error, sizeof(f->error), "%.250s", e.msg);
	else
		app_pop(a);
}

static void field_key(struct form *f, console_key k)
{
	if (!is_switch(f, f->at))
		edit_key(&f->edit[f->at], k);
	else if (k == ' ' || k == K_LEFT || k == K_RIGHT || k == 'x')
		f->on[f->at] = !f->on[f->at];
	else if (k == 'y' || k == 'n')
		f->on[f->at] = k == 'y';
}

static void form_key(struct app *a, struct layer *l, console_key k)
{
	struct form *f = (struct form *)l;

	f->error[0] = '\0';
	switch (k) {
	case K_ENTER:
		form_accept(a, f);
		break;
	case K_ESC:
	case KEY_MOD_CTRL | 'c':
		app_pop(a);
		break;
	case K_TAB:
	case K_DOWN:
		f->at = (f->at + 1) % f->spec->count;
		break;
	case K_BACKTAB:
	case K_UP:
		f->at = (f->at + f->spec->count - 1) % f->spec->count;
		break;
	default:
		field_key(f, k);
	}
}

static void draw_field(struct app *a, const struct form *f, int i, struct rect row)
{
	const struct form_field *field = &f->spec->fields[i];
	const struct edit *ed = &f->edit[i];
	struct pen pen = pen_at(&a->paint, row), in;
	bool focus = f->at == i;
	enum role role = focus ? ROLE_FIELD_FOCUS : ROLE_FIELD;
	char before[EDIT_MAX];

	pen_put(&pen, focus ? ROLE_BUTTON_FOCUS : ROLE_DIALOG,
		focus ? paint_glyph(&a->paint, GLYPH_POINTER) : " ");
	pen_put(&pen, ROLE_DIALOG, " ");
	pen_column(&pen, ROLE_DIALOG, 8, field->title);
	in = pen;
	if (is_switch(f, i))
		pen_printf(&pen, role, "[%s] %s", f->on[i] ? "x" : " ", field->empty);
	else if (ed->len)
		pen_put(&pen, role, ed->text);
	else
		pen_printf(&pen, role, "(%s)", field->empty);
	pen_rest(&pen, role);
	snprintf(before, sizeof(before), "%.*s", (int)ed->at, ed->text);
	if (focus)
		app_cursor(a, row.y,
			min_of(in.x + (is_switch(f, i) ? 1 : text_columns(before)),
				max_of(in.end - 1, 0)));
}

static void draw_remark(struct app *a, const struct form *f, struct rect r)
{
	char text[200] = "";

	if (f->error[0]) {
		paint_wrapped(&a->paint, r, ROLE_DIALOG_ERROR, f->error, true);
		return;
	}
	if (f->spec->remark)
		f->spec->remark(a, f, text, sizeof(text));
	paint_wrapped(&a->paint, r, ROLE_DIALOG_KEY, text, true);
}

static void draw_keys(struct app *a, const struct form *f, struct rect row)
{
	struct pen pen = pen_at(&a->paint, row);

	pen_put(&pen, ROLE_DIALOG_KEY, "Enter");
	pen_printf(&pen, ROLE_DIALOG, " %s   ", f->spec->verb);
	if (f->spec->count > 1) {
		pen_put(&pen, ROLE_DIALOG_KEY, "Tab");
		pen_put(&pen, ROLE_DIALOG, " next field   ");
	}
	if (is_switch(f, f->at)) {
		pen_put(&pen, ROLE_DIALOG_KEY, "Space");
		pen_put(&pen, ROLE_DIALOG, " turns   ");
	}
	pen_put(&pen, ROLE_DIALOG_KEY, "Esc");
	pen_put(&pen, ROLE_DIALOG, " not now");
}

static void form_draw(struct app *a, struct layer *l)
{
	struct form *f = (struct form *)l;
	struct rect r = layout_center(a->rows, a->cols, f->spec->count + 7, FORM_COLS);
	struct rect row = {r.y, r.x + 2, 1, max_of(r.w - 4, 0)};
	struct pen pen;

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	pen = pen_at(&a->paint, row);
	pen_printf(&pen, ROLE_DIALOG_TITLE, " %s ", f->title);
	for (int i = 0; i < f->spec->count; i++) {
		row.y = r.y + 2 + i;
		if (row.y < r.y + r.h - 1)
			draw_field(a, f, i, row);
	}
	row.y = max_of(r.y + r.h - 5, 0);
	row.h = 3;
	draw_remark(a, f, row);
	row.y = max_of(r.y + r.h - 2, 0);
	row.h = 1;
	draw_keys(a, f, row);
}

static void form_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops form_layer = {form_key, form_draw, form_free};

struct form *form_open(
	struct app *a, const struct form_spec *spec, const char *title, const char *subject, int at)
{
	struct form *f = xcalloc(1, sizeof(*f));

	f->layer.ops = &form_layer;
	f->spec = spec;
	f->at = at;
	snprintf(f->title, sizeof(f->title), "%s", title);
	snprintf(f->subject, sizeof(f->subject), "%s", subject);
	for (int i = 0; i < spec->count; i++)
		edit_set(&f->edit[i], spec->fields[i].start);
	app_push(a, &f->layer);
	return f;
}
