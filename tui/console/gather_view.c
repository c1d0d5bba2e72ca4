/* What a command said in many VMs: groups of like answers, the biggest first, while they come in.
 */
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/gather.h"
#include "tui/console/page.h"

#define FOLDED     4   /* lines of an output while its group is closed */
#define LINES_MAX  500 /* of an open one */
#define NAMES_SAID 3   /* in the line of a closed group */

struct gather_view {
	struct layer layer;
	int at;     /* chosen group */
	int top;    /* first line that is shown */
	bool moved; /* the chosen group is to be on the screen */
	int room;   /* lines */
};

/* ---- lines ----------------------------------------------------------------------------------- */

/* One text; how many of its lines were left out. */
static int put_text(struct page *pg, enum role role, const struct gather_text *t, int max)
{
	const char *at = t->bytes, *end = t->bytes ? at + t->kept : NULL;
	int n = 0, left = 0;

	for (; at < end; n++) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((nl ? nl : end) - at);

		if (n < max) {
			struct pen pen = page_line(pg);
			char line[400], safe[400];

			snprintf(
				line, sizeof(line), "%.*s", (int)min_of(len, sizeof(line) - 1), at);
			str_safe(safe, sizeof(safe), line);
			pen_put(&pen, role, "   ");
			pen_put(&pen, role, safe);
		} else {
			left++;
		}
		at += len + (nl != NULL);
	}
	return left;
}

/* "web-1, web-2" of the group: all, or a few and how many more. */
static void names_of(
	const struct gather *g, const struct gather_group *gr, int max, char *out, size_t n)
{
	size_t len = 0;
	int said = 0;

	out[0] = '\0';
	for (int i = 0; i < g->count && said < max && len < n; i++) {
		if (g->item[i].group != gr)
			continue;
		len += (size_t)snprintf(
			out + len, n - len, "%s%s", said ? ", " : "", g->item[i].name);
		said++;
	}
	if (said < gr->count && len < n)
		snprintf(out + len, n - len, " and %d more", gr->count - said);
}

static void put_names(struct page *pg, const struct gather *g, const struct gather_group *gr)
{
	size_t n = (size_t)gr->count * (sizeof(g->item->name) + 2) + 32;
	autofree char *names = xcalloc(1, n);

	names_of(g, gr, gr->count, names, n);
	page_text(pg, ROLE_DIALOG_HINT, names);
}

static void put_group(
	struct app *a, struct page *pg, const struct gather *g, int i, const struct gather_view *v)
{
	const struct gather_group *gr = g->group[i];
	struct pen pen = page_line(pg);
	enum role role = i == v->at ? ROLE_BUTTON_FOCUS : ROLE_DIALOG_TITLE;
	char how[220], names[260];
	uint64_t all = gr->out.total + gr->err.total, kept = gr->out.kept + gr->err.kept;
	int left;

	names_of(g, gr, NAMES_SAID, names, sizeof(names));
	pen_printf(&pen, role, "%s %d %s, %s",
		i == v->at ? paint_glyph(&a->paint, GLYPH_POINTER) : " ", gr->count,
		i == 0           ? gr->count == 1 ? "VM" : "VMs"
		: gr->count == 1 ? "differs"
				 : "differ",
		gather_how_text(gr, how, sizeof(how)));
	pen_printf(&pen, ROLE_DIALOG_HINT, "  %s", gr->open ? "" : names);
	if (gr->open)
		put_names(pg, g, gr);
	left = put_text(pg, ROLE_DIALOG, &gr->out, gr->open ? LINES_MAX : FOLDED);
	left += put_text(pg, ROLE_DIALOG_ERROR, &gr->err, gr->open ? LINES_MAX : FOLDED);
	if (left) {
		pen = page_line(pg);
		pen_printf(&pen, ROLE_DIALOG_HINT, "   %d more line%s%s", left,
			left == 1 ? "" : "s", gr->open ? "" : ": Enter shows them");
	}
	if (all > kept) {
		pen = page_line(pg);
		pen_printf(&pen, ROLE_DIALOG_HINT, "   %llu more bytes were not kept",
			(unsigned long long)(all - kept));
	}
}

/* All lines; the line of the chosen group, and the one behind it. */
static void put_all(
	struct app *a, struct page *pg, const struct gather_view *v, int *ret_from, int *ret_to)
{
	for (int i = 0; i < a->gather->groups; i++) {
		if (i == v->at)
			*ret_from = pg->line;
		put_group(a, pg, a->gather, i, v);
		if (i == v->at)
			*ret_to = pg->line;
	}
}

/* ---- layer ----------------------------------------------------------------------------------- */

static void view_draw(struct app *a, struct layer *l)
{
	struct gather_view *v = (struct gather_view *)l;
	const struct gather *g = a->gather;
	/* Notices keep their row. */
	struct rect r = {0, 0, max_of(a->layout.status.y, 1), a->cols};
	struct page pg = {.paint = &a->paint, .r = {1, 1, 0, max_of(r.w - 2, 0)}};
	struct pen pen;
	int from = 0, to = 0;

	v->at = max_of(min_of(v->at, g->groups - 1), 0);
	v->room = max_of(r.h - 2, 1);
	put_all(a, &pg, v, &from, &to);
	if (v->moved && to > v->top + v->room)
		v->top = to - v->room;
	if (v->moved)
		v->top = min_of(v->top, from);
	v->moved = false;
	v->top = max_of(min_of(v->top, pg.line - v->room), 0);

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	pen = pen_at(&a->paint, (struct rect){0, 2, 1, max_of(r.w - 4, 0)});
	pen_printf(
		&pen, ROLE_DIALOG_TITLE, " $ %.120s  %d of %d done", g->command, g->done, g->count);
	if (g->running)
		pen_printf(&pen, ROLE_WAIT, ", %d run", g->running);
	pen_put(&pen, ROLE_DIALOG_TITLE, " ");
	pg.line = 0;
	pg.top = v->top;
	pg.r.h = v->room;
	put_all(a, &pg, v, &from, &to);
	app_cursor(a, 1 + max_of(from - v->top, 0), 2);
	if (a->layout.shared)
		return;
	pen = pen_at(&a->paint, a->layout.hints);
	pen_printf(&pen, ROLE_MENU_TEXT,
		" Enter VMs, all lines   j k group   PgDn lines   Esc closes%s",
		gather_busy(g) ? "   C-c cancels" : "");
	pen_rest(&pen, ROLE_MENU_TEXT);
}

static void view_key(struct app *a, struct layer *l, console_key k)
{
	struct gather_view *v = (struct gather_view *)l;
	struct gather *g = a->gather;

	if (k == K_ENTER && v->at < g->groups) {
		g->group[v->at]->open = !g->group[v->at]->open;
		v->moved = true;
		return;
	}
	if (k == (KEY_MOD_CTRL | 'c')) {
		if (!gather_cancel(g))
			app_notice(a, NOTICE_INFO, "nothing runs any more; Esc closes");
		return;
	}
	switch (action_by_key(CONTEXT_LIST, k)) {
	case ACT_DOWN:
		v->at++;
		v->moved = true;
		break;
	case ACT_UP:
		v->at--;
		v->moved = true;
		break;
	case ACT_PAGE_DOWN:
	case ACT_HALF_DOWN:
		v->top += max_of(v->room - 1, 1);
		break;
	case ACT_PAGE_UP:
	case ACT_HALF_UP:
		v->top = max_of(v->top - v->room + 1, 0);
		break;
	case ACT_TOP:
		v->at = 0;
		v->moved = true;
		break;
	case ACT_BOTTOM:
		v->at = g->groups;
		v->moved = true;
		break;
	case ACT_BACK:
	case ACT_CLOSE:
		app_pop(a);
		break;
	default:
		break;
	}
}

static void view_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops view_layer = {view_key, view_draw, view_free};

void gather_view_open(struct app *a)
{
	struct gather_view *v = xcalloc(1, sizeof(*v));

	v->layer.ops = &view_layer;
	app_push(a, &v->layer);
}
