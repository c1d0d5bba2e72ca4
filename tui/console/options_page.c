/* `:set`: all options with their values, where these are from, and what each is for. */
#include "tui/console/app.h"
#include "tui/console/page.h"

struct options_page {
	struct layer layer;
	struct list lines; /* only scrolled */
};

static void put_option(struct app *a, struct page *pg, enum option_id id)
{
	const struct option_info *info = &option_table[id];
	const char *value = option_text(&a->options, id);
	char from[700], takes[80];
	struct pen pen = page_line(pg);

	pen_column(&pen, ROLE_DIALOG_KEY, 16, info->name);
	pen_column(&pen, ROLE_DIALOG, 16, *value ? value : "-");
	pen_put(&pen, ROLE_DIALOG_HINT, option_from(&a->options, id, from, sizeof(from)));
	pen = page_line(pg);
	pen_printf(&pen, ROLE_DIALOG_HINT, "  %s; %s%s", info->help,
		option_takes(id, takes, sizeof(takes)),
		info->flags & OPTION_START ? "; at the start" : "");
}

static void put_all(struct app *a, struct page *pg)
{
	for (int i = 0; i < OPTION__COUNT; i++)
		put_option(a, pg, (enum option_id)i);
}

static void page_key(struct app *a, struct layer *l, console_key k)
{
	struct options_page *p = (struct options_page *)l;
	int step = max_of(p->lines.height - 1, 1);

	switch (action_by_key(CONTEXT_LIST, k)) {
	case ACT_DOWN:
		p->lines.top++;
		break;
	case ACT_UP:
		p->lines.top--;
		break;
	case ACT_PAGE_DOWN:
	case ACT_HALF_DOWN:
		p->lines.top += step;
		break;
	case ACT_PAGE_UP:
	case ACT_HALF_UP:
		p->lines.top -= step;
		break;
	case ACT_TOP:
		p->lines.top = 0;
		break;
	case ACT_BOTTOM:
		p->lines.top = p->lines.n;
		break;
	case ACT_COMMAND:
		app_pop(a);
		command_open_with(a, "set ");
		break;
	default:
		app_pop(a);
	}
}

static void page_draw(struct app *a, struct layer *l)
{
	struct options_page *p = (struct options_page *)l;
	struct rect r = layout_center(a->rows, a->cols, min_of(OPTION__COUNT * 2 + 4, a->rows),
		a->cols < 112 ? a->cols : 96);
	struct page pg = {.paint = &a->paint, .r = {r.y + 1, r.x + 1, 0, max_of(r.w - 2, 0)}};
	struct pen pen;

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	pen = pen_at(&a->paint, (struct rect){r.y, r.x + 2, 1, max_of(r.w - 4, 0)});
	pen_put(&pen, ROLE_DIALOG_TITLE, " options ");
	p->lines.n = OPTION__COUNT * 2;
	p->lines.height = max_of(r.h - 4, 1);
	p->lines.top = max_of(0, min_of(p->lines.top, p->lines.n - p->lines.height));
	pg.top = p->lines.top;
	pg.r.h = p->lines.height;
	put_all(a, &pg);
	pen = pen_at(&a->paint, (struct rect){r.y + r.h - 2, r.x + 2, 1, max_of(r.w - 4, 0)});
	pen_printf(&pen, ROLE_DIALOG_HINT, "%s: sets one (:set NAME=VALUE)   any other key closes",
		p->lines.top + p->lines.height < p->lines.n ? "j k more   " : "");
}

static void page_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops page_layer = {page_key, page_draw, page_free};

void options_page_open(struct app *a)
{
	struct options_page *p = xcalloc(1, sizeof(*p));

	p->layer.ops = &page_layer;
	app_push(a, &p->layer);
}
