/* Top line: the views with their counts, the states of the VMs, what is wrong. */
#include <string.h>
#include <time.h>

#include "tui/console/app.h"

enum tabs { TABS_NUMBERS, TABS_NAMES, TABS_COUNTS }; /* as much as there is room for */

static void tab_text(const struct app *a, int i, enum tabs form, char *out, size_t n)
{
	const struct view *v = views[i];
	bool shown = (int)a->at == i;
	int count = v->count(&a->model);

	if (form == TABS_NUMBERS && !shown)
		snprintf(out, n, " %d", i + 1);
	else if (i == VIEW_EVENTS || i == VIEW_HOST || !a->model.loaded ||
		 (form == TABS_NAMES && !shown))
		snprintf(out, n, shown ? " [%d %s]" : "  %d %s ", i + 1, v->title);
	else
		snprintf(out, n, shown ? " [%d %s %d]" : "  %d %s %d ", i + 1, v->title, count);
}

static int tabs_columns(const struct app *a, enum tabs form)
{
	char text[64];
	int columns = 0;

	for (int i = 0; i < VIEW__COUNT; i++) {
		tab_text(a, i, form, text, sizeof(text));
		columns += text_columns(text);
	}
	return columns;
}

/* The others give up their words where there is no room behind them. */
static void put_tabs(const struct app *a, struct pen *pen, int behind)
{
	enum tabs form = TABS_COUNTS;
	char text[64];

	while (form > TABS_NUMBERS && tabs_columns(a, form) + behind > pen->end - pen->x)
		form--;
	for (int i = 0; i < VIEW__COUNT; i++) {
		int x = pen->x;

		tab_text(a, i, form, text, sizeof(text));
		pen_put(pen, (int)a->at == i ? ROLE_HEAD_STRONG : ROLE_HEAD, text);
		pen_spot(pen, x, SPOT_VIEW, i);
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

/* What makes the list another than all rows as they are now: frozen, marked, filtered. */
static void rows_text(struct app *a, char *out, size_t n)
{
	const struct table *t = app_table(a);
	int all = table_all(t, &a->model), marked = marks_count(&t->marks);
	char frozen[64] = "", marks[32] = "", filter[FILTER_MAX + 64] = "";

	if (t->frozen.rows)
		snprintf(frozen, sizeof(frozen), "  FROZEN %d s, %u change%s",
			(int)((mono_ns() - t->frozen.since_ns) / 1000000000), t->frozen.changes,
			t->frozen.changes == 1 ? "" : "s");
	if (marked)
		snprintf(marks, sizeof(marks), "  %d marked", marked);
	if (t->filter[0])
		snprintf(filter, sizeof(filter), "  /%s: %d of %d %s%s",
			t->filter + (t->filter[0] == '/'), t->count, all, t->view->one,
			all == 1 ? "" : "s");
	snprintf(out, n, "%s%s%s", frozen, marks, filter);
}

/* At the right end, which the rest then leaves free. */
static void put_right(struct pen *pen, enum role role, const char *text)
{
	struct pen right = *pen;

	right.x = pen->end = max_of(pen->x, pen->end - text_columns(text));
	right.end = right.x + text_columns(text);
	pen_put(&right, role, text);
}

static const char *clock_text(char *out, size_t n)
{
	time_t now = (time_t)(clock_wall_ns() / 1000000000);
	struct tm tm;

	out[0] = '\0';
	if (localtime_r(&now, &tm))
		strftime(out, n, " %H:%M ", &tm);
	return out;
}

void draw_head(struct app *a)
{
	struct pen pen = pen_at(&a->paint, a->layout.head);
	const struct deck_image *mini = model_image(&a->model, "mini");
	const char *text = "";
	char rows[FILTER_MAX + 160], said[64];

	if (a->layout.head.h == 0)
		return;
	/* Only what is out of order; it has its place before the rest. */
	if (!a->link.client && a->model.loaded)
		text = a->link.stopped ? " daemon stopped, R starts it "
				       : " daemon lost, reconnecting ";
	else if (!a->replay && !a->recorder && mini && mini->stale)
		text = " image mini: out of date ";
	if (option_on(&a->options, OPTION_CLOCK))
		put_right(&pen, ROLE_HEAD, clock_text(said, sizeof(said)));
	if (a->opts->read_only)
		put_right(&pen, ROLE_READ_ONLY, " READ-ONLY ");
	if (a->replay)
		put_right(&pen, ROLE_HEAD_RECORDING, replay_text(a, said, sizeof(said)));
	else if (a->recorder)
		put_right(&pen, ROLE_HEAD_RECORDING, record_text(a, said, sizeof(said)));
	put_right(&pen, ROLE_HEAD_STRONG, text);
	pen_put(&pen, ROLE_HEAD_STRONG, " vmdeck ");
	rows_text(a, rows, sizeof(rows));
	put_tabs(a, &pen, text_columns(rows));
	pen_put(&pen, ROLE_HEAD_STRONG, rows);
	put_states(a, &pen);
	pen_rest(&pen, ROLE_HEAD);
}
