/* Below or beside the list of a view: what there is to know about the selected row. */
#include <string.h>

#include "tui/console/app.h"
#include "tui/console/waterfall.h"

static struct page page_of(const struct app *a, struct rect r)
{
	return (struct page){.paint = &a->paint, .r = r, .now_ns = clock_wall_ns()};
}

/* Counted first, so that it is never scrolled past its end. */
static void settle_top(int *top, struct page *pg, int lines)
{
	*top = max_of(0, min_of(*top, lines - pg->r.h));
	pg->top = *top;
	pg->line = 0;
}

static void draw_timing(struct app *a, const struct deck_timing *t, struct rect r, int *top)
{
	struct page pg = page_of(a, r), count = pg;

	count.r.h = 0;
	waterfall_draw(&count, t);
	settle_top(top, &pg, count.line);
	waterfall_draw(&pg, t);
}

void draw_timeline(struct app *a, const char *vm_id, struct rect r, int *top)
{
	const struct deck_timing *t = model_timing(&a->model, vm_id);
	struct page pg = page_of(a, r);

	paint_fill(&a->paint, r, ROLE_TEXT);
	if (t)
		draw_timing(a, t, r, top);
	else
		page_text(&pg, ROLE_TEXT_DIM, "No timing of this VM is known.");
}

static void draw_title(struct app *a, const void *row)
{
	const struct view *v = views[a->at];
	struct pen pen = pen_at(&a->paint, a->layout.title);
	enum role frame = frame_role(a);
	char name[200];

	pen_line(&pen, frame, GLYPH_HLINE, pen.x + 2);
	if (row) {
		v->name_row(row, name, sizeof(name));
		pen_put(&pen, frame, " ");
		pen_column(&pen, ROLE_TITLE,
			min_of(text_columns(name), max_of(pen.end - pen.x - 1, 0)), name);
		pen_put(&pen, frame, " ");
	}
	pen_line(&pen, frame, GLYPH_HLINE, pen.end);
}

/* It is about no row. */
static void draw_host(struct app *a)
{
	struct pen pen = pen_at(&a->paint, a->layout.title);
	struct page pg = page_of(a, a->layout.pane), count = pg;
	enum role frame = frame_role(a);

	pen_line(&pen, frame, GLYPH_HLINE, pen.x + 2);
	pen_put(&pen, ROLE_TITLE, " host ");
	pen_line(&pen, frame, GLYPH_HLINE, pen.end);
	paint_fill(&a->paint, a->layout.pane, ROLE_TEXT);
	count.r.h = 0;
	host_detail(&count, &a->model, a->doctor);
	settle_top(&a->page_top, &pg, count.line);
	host_detail(&pg, &a->model, a->doctor);
}

void draw_detail(struct app *a)
{
	const struct view *v = views[a->at];
	const void *row = table_selected(app_table(a));
	struct page pg = page_of(a, a->layout.pane), count = pg;

	if (a->at == VIEW_HOST) {
		draw_host(a);
		return;
	}
	draw_title(a, row);
	paint_vline(&a->paint, a->layout.divider, frame_role(a));
	paint_fill(&a->paint, a->layout.pane, ROLE_TEXT);
	if (!row)
		return;
	count.r.h = 0;
	v->detail(&count, &a->model, row);
	settle_top(&a->page_top, &pg, count.line);
	v->detail(&pg, &a->model, row);
}
