/* `T`: all themes there are, each shown on the whole screen while it is selected. */
#include <string.h>

#include "tui/console/app.h"

#define PICKER_WIDTH 44

struct picker {
	struct layer layer;
	char **names; /* owned, NULL at the end */
	char (*variants)[16];
	struct theme before; /* what Esc returns to */
	struct list list;
};

/* Selects a row and shows its theme; what is wrong with it is told when it is taken. */
static void preview(struct app *a, struct picker *p, int row)
{
	struct theme_log log = {0};
	struct theme t;

	list_select(&p->list, row);
	theme_load(&t, p->names[p->list.sel], &log);
	app_paint_theme(a, &t);
}

static void picker_key(struct app *a, struct layer *l, console_key k)
{
	struct picker *p = (struct picker *)l;
	int page = max_of(p->list.height - 1, 1);

	switch (action_by_key(CONTEXT_LIST, k)) {
	case ACT_DOWN:
		preview(a, p, p->list.sel + 1);
		return;
	case ACT_UP:
		preview(a, p, p->list.sel - 1);
		return;
	case ACT_PAGE_DOWN:
	case ACT_HALF_DOWN:
		preview(a, p, p->list.sel + page);
		return;
	case ACT_PAGE_UP:
	case ACT_HALF_UP:
		preview(a, p, p->list.sel - page);
		return;
	case ACT_TOP:
		preview(a, p, 0);
		return;
	case ACT_BOTTOM:
		preview(a, p, p->list.n - 1);
		return;
	default:
		break;
	}
	if (k == K_ENTER) {
		app_take_theme(a, p->names[p->list.sel]);
		if (!a->notice.text[0])
			app_notice(a, NOTICE_OK, "theme %s; --theme %s or VMDECK_THEME keeps it",
				a->theme.name, a->theme.name);
		app_pop(a);
	} else if (k == K_ESC || key_is_char(k) || k == (KEY_MOD_CTRL | 'c')) {
		app_paint_theme(a, &p->before);
		app_pop(a);
	}
}

static void picker_draw(struct app *a, struct layer *l)
{
	struct picker *p = (struct picker *)l;
	struct rect r = layout_center(
		a->rows, a->cols, min_of(p->list.n + 4, a->rows), min_of(PICKER_WIDTH, a->cols));
	struct pen pen;

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	list_resize(&p->list, p->list.n, max_of(r.h - 4, 1));
	pen = pen_at(&a->paint, (struct rect){r.y, r.x + 2, 1, max_of(r.w - 4, 0)});
	pen_put(&pen, ROLE_DIALOG_TITLE, " theme ");
	for (int y = 0; y < p->list.height && p->list.top + y < p->list.n; y++) {
		int row = p->list.top + y;
		enum role role = row == p->list.sel ? ROLE_FIELD_FOCUS : ROLE_DIALOG;

		pen = pen_at(&a->paint, (struct rect){r.y + 1 + y, r.x + 2, 1, max_of(r.w - 4, 0)});
		pen_put(&pen, role,
			row == p->list.sel ? paint_glyph(&a->paint, GLYPH_POINTER) : " ");
		pen_put(&pen, role, " ");
		pen_column(&pen, role, 24, p->names[row]);
		pen_put(&pen, row == p->list.sel ? role : ROLE_DIALOG_HINT, p->variants[row]);
	}
	pen = pen_at(&a->paint, (struct rect){r.y + r.h - 2, r.x + 2, 1, max_of(r.w - 4, 0)});
	pen_put(&pen, ROLE_DIALOG_HINT, "j k looks  Enter takes  Esc goes back");
}

static void picker_free(struct layer *l)
{
	struct picker *p = (struct picker *)l;

	themes_free(p->names);
	free(p->variants);
	free(p);
}

static const struct layer_ops picker_layer = {picker_key, picker_draw, picker_free};

void theme_picker_open(struct app *a)
{
	struct picker *p = xcalloc(1, sizeof(*p));
	int n = 0, at = 0;

	p->layer.ops = &picker_layer;
	p->before = a->theme;
	p->names = themes_list();
	while (p->names[n])
		n++;
	p->variants = xcalloc((size_t)n, sizeof(*p->variants));
	for (int i = 0; i < n; i++) {
		struct theme_log log = {0};
		struct theme t;

		theme_load(&t, p->names[i], &log);
		snprintf(p->variants[i], sizeof(*p->variants), "%s", t.variant);
		if (strcmp(p->names[i], a->theme.name) == 0)
			at = i;
	}
	list_resize(&p->list, n, n);
	list_select(&p->list, at);
	app_push(a, &p->layer);
}
