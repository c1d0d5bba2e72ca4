/* Below or beside the list of a view: what there is to know about the selected row. */
#include <string.h>

#include "tui/console/app.h"
#include "tui/console/waterfall.h"

static struct page page_of(const struct app *a)
{
	return (struct page){.paint = &a->paint, .r = a->layout.pane, .now_ns = clock_wall_ns()};
}

/* Counted first, so that it is never scrolled past its end. */
static void settle_top(struct app *a, struct page *pg, int lines)
{
	a->page_top = max_of(0, min_of(a->page_top, lines - pg->r.h));
	pg->top = a->page_top;
	pg->line = 0;
}

static void draw_timing(struct app *a, const struct deck_timing *t)
{
	struct page pg = page_of(a), count = pg;

	count.r.h = 0;
	waterfall_draw(&count, t);
	settle_top(a, &pg, count.line);
	waterfall_draw(&pg, t);
}

void draw_timeline(struct app *a, const char *vm_id)
{
	const struct deck_timing *t = model_timing(&a->model, vm_id);
	struct page pg = page_of(a);

	paint_fill(&a->paint, a->layout.pane, ROLE_TEXT);
	if (t)
		draw_timing(a, t);
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

void draw_detail(struct app *a)
{
	const struct view *v = views[a->at];
	const void *row = table_selected(app_table(a));
	struct page pg = page_of(a), count = pg;

	draw_title(a, row);
	paint_vline(&a->paint, a->layout.divider, frame_role(a));
	paint_fill(&a->paint, a->layout.pane, ROLE_TEXT);
	if (!row)
		return;
	count.r.h = 0;
	v->detail(&count, &a->model, row);
	settle_top(a, &pg, count.line);
	v->detail(&pg, &a->model, row);
}
