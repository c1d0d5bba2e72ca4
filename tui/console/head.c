/* Top line: the views with their counts, the states of the VMs, what is wrong. */
#include <string.h>

#include "tui/console/app.h"

static void tab_text(const struct app *a, int i, bool whole, char *out, size_t n)
{
	const struct view *v = views[i];
	bool shown = (int)a->at == i;
	int count = v->count(&a->model);

	if (!whole && !shown)
		snprintf(out, n, " %d", i + 1);
	else if (i == VIEW_EVENTS || !a->model.loaded)
		snprintf(out, n, shown ? " [%d %s]" : "  %d %s ", i + 1, v->title);
	else
		snprintf(out, n, shown ? " [%d %s %d]" : "  %d %s %d ", i + 1, v->title, count);
}

static int tabs_columns(const struct app *a, bool whole)
{
	char text[64];
	int columns = 0;

	for (int i = 0; i < VIEW__COUNT; i++) {
		tab_text(a, i, whole, text, sizeof(text));
		columns += text_columns(text);
	}
	return columns;
}

static void put_tabs(const struct app *a, struct pen *pen)
{
	bool whole = tabs_columns(a, true) <= pen->end - pen->x;
	char text[64];

	for (int i = 0; i < VIEW__COUNT; i++) {
		tab_text(a, i, whole, text, sizeof(text));
		pen_put(pen, (int)a->at == i ? ROLE_HEAD_STRONG : ROLE_HEAD, text);
	}
}

/* How many VMs are in which state, as many as there is room for. */
static void put_states(const struct app *a, struct pen *pen)
{
	static const enum deck_state shown[] = {
		DECK_FAILED, DECK_STARTING, DECK_RUNNING, DECK_PAUSED, DECK_STOPPING};
	char text[64];

	for (size_t i = 0; i < countof(shown); i++) {
		int n = model_count(&a->model, shown[i]);

		snprintf(text, sizeof(text), "  %s %d %s",
			paint_glyph(&a->paint, state_glyph(shown[i])), n,
			deck_state_names[shown[i]]);
		if (n && pen->x + text_columns(text) <= pen->end)
			pen_put(pen, ROLE_HEAD, text);
	}
}

static void put_filter(struct app *a, struct pen *pen)
{
	const struct table *t = app_table(a);
	int all = t->view->count(&a->model);

	if (t->filter[0])
		pen_printf(pen, ROLE_HEAD_STRONG, "  /%s: %d of %d %s%s", t->filter, t->count, all,
			t->view->one, all == 1 ? "" : "s");
}

void draw_head(struct app *a)
{
	struct pen pen = pen_at(&a->paint, a->layout.head), right;
	const struct deck_image *mini = model_image(&a->model, "mini");
	const char *text = "";
	char said[64];
	enum role role = a->replay || a->recorder ? ROLE_HEAD_RECORDING : ROLE_HEAD_STRONG;

	if (a->layout.head.h == 0)
		return;
	/* Only what is out of order; it has its place before the rest. */
	if (!a->link.client && a->model.loaded)
		text = " daemon lost, reconnecting ";
	else if (a->replay)
		text = replay_text(a, said, sizeof(said));
	else if (a->recorder)
		text = record_text(a, said, sizeof(said));
	else if (mini && mini->stale)
		text = " image mini: out of date ";
	right = pen;
	right.x = max_of(pen.x, pen.end - text_columns(text));
	pen_put(&right, role, text);
	pen.end = max_of(pen.x, pen.end - text_columns(text));
	pen_put(&pen, ROLE_HEAD_STRONG, " vmdeck ");
	put_tabs(a, &pen);
	put_filter(a, &pen);
	put_states(a, &pen);
	pen_rest(&pen, ROLE_HEAD);
}
