/* The menu: everything that can be done here, found by typing, with its key; what can't be done at
 * present says why. */
#include <string.h>

#include "tui/console/app.h"
#include "tui/console/keymap.h"

struct action_menu {
	struct layer layer;
	struct edit typed;
	enum action shown[ACT__COUNT]; /* those that match */
	struct list list;
};

static bool wanted(const struct app *a, enum action act, const char *typed)
{
	const struct action_info *info = &action_table[act];
	unsigned here = views[a->at]->context | (a->at == VIEW_VMS ? CONTEXT_DECK : 0u);

	if (!(info->contexts & here) || act == ACT_MENU)
		return false;
	return strcasestr(info->name, typed) || strcasestr(info->help, typed);
}

/* Those that act come before those that move and look, as in the help. */
static void match(struct app *a, struct action_menu *m)
{
	int n = 0;

	for (int acting = 1; acting >= 0; acting--)
		for (int i = 0; i < ACT__COUNT; i++) {
			bool acts = action_table[i].flags &
				    (ACTION_HINT | ACTION_ARG | ACTION_DESTROYS);

			if (acts == acting && wanted(a, (enum action)i, m->typed.text))
				m->shown[n++] = (enum action)i;
		}
	list_resize(&m->list, n, m->list.height);
	list_select(&m->list, 0);
}

static void choose(struct app *a, struct action_menu *m)
{
	enum action act = m->list.n ? m->shown[m->list.sel] : ACT_NONE;

	app_pop(a);
	if (act != ACT_NONE)
		action_run(a, act, "");
}

static void menu_key(struct app *a, struct layer *l, console_key k)
{
	struct action_menu *m = (struct action_menu *)l;
	int page = max_of(m->list.height - 1, 1);

	switch (k) {
	case K_DOWN:
	case K_TAB:
	case KEY_MOD_CTRL | 'n':
		list_select(&m->list, m->list.sel + 1);
		break;
	case K_UP:
	case K_BACKTAB:
	case KEY_MOD_CTRL | 'p':
		list_select(&m->list, m->list.sel - 1);
		break;
	case K_PAGE_DOWN:
		list_select(&m->list, m->list.sel + page);
		break;
	case K_PAGE_UP:
		list_select(&m->list, m->list.sel - page);
		break;
	case K_ENTER:
		choose(a, m);
		break;
	case K_ESC:
	case KEY_MOD_CTRL | 'c':
		app_pop(a);
		break;
	default:
		if (edit_key(&m->typed, k))
			match(a, m);
	}
}

static void draw_row(struct app *a, struct action_menu *m, struct rect row, int i)
{
	enum action act = m->shown[i];
	bool focus = i == m->list.sel;
	struct action_on on = app_on(a);
	char why[300], keys[80];
	bool can = action_allowed(act, &on, why, sizeof(why));
	enum role role = focus ? ROLE_BUTTON_FOCUS : can ? ROLE_DIALOG : ROLE_DIALOG_HINT;
	struct pen pen = pen_at(&a->paint, row);

	pen_put(&pen, role, focus ? paint_glyph(&a->paint, GLYPH_POINTER) : " ");
	pen_column(&pen, role, 17, action_table[act].name);
	pen_column(&pen, focus ? role : ROLE_DIALOG_KEY, 13,
		keymap_keys(act, on.context, keys, sizeof(keys)));
	pen_put(&pen, role, can ? action_table[act].help : why);
	if (focus)
		pen_rest(&pen, role);
}

static void menu_draw(struct app *a, struct layer *l)
{
	struct action_menu *m = (struct action_menu *)l;
	struct rect r = layout_center(a->rows, a->cols, a->rows - 2, a->cols < 112 ? a->cols : 96);
	struct rect in = {r.y, r.x + 2, 1, max_of(r.w - 4, 0)};
	struct pen pen = pen_at(&a->paint, in);

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	list_resize(&m->list, m->list.n, max_of(r.h - 4, 1));
	pen_put(&pen, ROLE_DIALOG_TITLE, " menu ");
	in.y++;
	pen = pen_at(&a->paint, in);
	pen_put(&pen, ROLE_DIALOG_HINT, "find: ");
	pen_put(&pen, ROLE_DIALOG, m->typed.text);
	app_cursor(a, in.y, min_of(pen.x, pen.end));
	for (int y = 0; y < m->list.height && m->list.top + y < m->list.n; y++) {
		in.y++;
		draw_row(a, m, in, m->list.top + y);
	}
	in.y = r.y + r.h - 2;
	pen = pen_at(&a->paint, in);
	pen_printf(&pen, ROLE_DIALOG_HINT, "%d of %d  Enter does it  Esc closes",
		m->list.n ? m->list.sel + 1 : 0, m->list.n);
}

static void menu_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops menu_layer = {menu_key, menu_draw, menu_free};

void action_menu_open(struct app *a)
{
	struct action_menu *m = xcalloc(1, sizeof(*m));

	m->layer.ops = &menu_layer;
	match(a, m);
	app_push(a, &m->layer);
}
