/* Rows of a view: filter, order, widths, and how numbers are written in them. */
#include "tui/console/table.h"
#include "tui/console/clock.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "backend/base/str.h"
#include "backend/base/util.h"

#define TODAY_S (20 * 3600)

void table_init(struct table *t, const struct view *v)
{
	*t = (struct table){.view = v, .sort = SORT_NATURAL};
}

void table_fini(struct table *t)
{
	free(t->row);
	*t = (struct table){.view = t->view, .sort = SORT_NATURAL};
}

/* ---- order ----------------------------------------------------------------------------------- */

/* What a row is sorted by, made once a row: not once a comparison. */
struct sort_key {
	double number;
	char text[48];
	void *row;
	int at; /* in the order of the model */
};

static int compare(const void *a, const void *b, void *user)
{
	const struct sort_key *x = a, *y = b;
	const struct table *t = user;
	int r = strcasecmp(x->text, y->text);

	if (x->number < y->number || x->number > y->number)
		r = x->number < y->number ? -1 : 1;
	if (r == 0)
		return x->at - y->at;
	return t->reverse ? -r : r;
}

static void sort_rows(struct table *t)
{
	const struct column *col = &t->view->columns[t->sort];
	struct sort_key *keys = xcalloc((size_t)t->count, sizeof(*keys));

	for (int i = 0; i < t->count; i++) {
		struct cell c = {.glyph = -1};

		keys[i].row = t->row[i];
		keys[i].at = i;
		if (col->number) {
			keys[i].number = col->number(t->row[i]);
			continue;
		}
		col->cell(t->row[i], &c);
		snprintf(keys[i].text, sizeof(keys[i].text), "%.47s", c.text);
	}
	qsort_r(keys, (size_t)t->count, sizeof(*keys), compare, t);
	for (int i = 0; i < t->count; i++)
		t->row[i] = keys[i].row;
	free(keys);
}

static void turn_round(struct table *t)
{
	for (int i = 0, j = t->count - 1; i < j; i++, j--) {
		void *row = t->row[i];

		t->row[i] = t->row[j];
		t->row[j] = row;
	}
}

/* ---- rows ------------------------------------------------------------------------------------ */

void table_fill(struct table *t, const struct model *m)
{
	int end = t->view->end(m);

	if (t->cap < end) {
		free(t->row);
		t->cap = end + end / 4;
		t->row = xcalloc((size_t)t->cap, sizeof(void *));
	}
	t->count = 0;
	for (int i = 0; i < end; i++) {
		void *row = t->view->row(m, i);

		if (row && (!t->filter[0] || t->view->matches(row, t->filter)))
			t->row[t->count++] = row;
	}
	if (t->sort != SORT_NATURAL && t->count > 1)
		sort_rows(t);
	else if (t->sort == SORT_NATURAL && t->reverse)
		turn_round(t);
}

int table_find(const struct table *t, const char *key)
{
	char text[sizeof(t->selected)];

	for (int i = 0; i < t->count; i++) {
		t->view->key(t->row[i], text, sizeof(text));
		if (strcmp(text, key) == 0)
			return i;
	}
	return -1;
}

void *table_selected(const struct table *t)
{
	return t->list.sel < t->count ? t->row[t->list.sel] : NULL;
}

void table_widths(const struct view *v, int cols, int widths[COLUMNS_MAX])
{
	int rest = cols, last = -1;

	for (int i = 0; i < v->column_count; i++) {
		widths[i] = cols >= v->columns[i].from ? v->columns[i].width : 0;
		rest -= widths[i];
	}
	for (int i = 0; i < v->column_count && rest > 0; i++) {
		int more = min_of(rest, v->columns[i].max - widths[i]);

		if (!widths[i] || more <= 0)
			continue;
		widths[i] += more;
		rest -= more;
		last = i;
	}
	/* Too narrow for all: what stretches gives way first. */
	for (int i = v->column_count - 1; i >= 0 && rest < 0 && last < 0; i--) {
		int less = v->columns[i].max ? min_of(-rest, widths[i] - 1) : 0;

		if (less > 0) {
			widths[i] -= less;
			rest += less;
		}
	}
}

/* ---- text ------------------------------------------------------------------------------------ */

void cell_printf(struct cell *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, ap);
	va_end(ap);
}

char *ms_text(char *out, size_t n, double ms)
{
	if (ms < 9.995)
		snprintf(out, n, "%.2f ms", max_of(ms, 0.));
	else
		str_duration(out, n, (uint64_t)(min_of(ms, 1e12) * 1e6));
	return out;
}

void cell_ms(struct cell *c, double ms)
{
	if (ms > 0)
		ms_text(c->text, sizeof(c->text), ms);
	else
		cell_printf(c, "-");
}

char *time_text(char *out, size_t n, uint64_t wall)
{
	time_t when = (time_t)(wall / 1000000000), now = (time_t)(clock_wall_ns() / 1000000000);
	struct tm tm;

	out[0] = '\0';
	if (when > 0 && localtime_r(&when, &tm))
		strftime(out, n, now - when < TODAY_S ? "%H:%M:%S" : "%b %d", &tm);
	return out;
}

void cell_time(struct cell *c, uint64_t wall)
{
	time_text(c->text, sizeof(c->text), wall);
}

void cell_bytes(struct cell *c, uint64_t bytes)
{
	str_bytes(c->text, sizeof(c->text), bytes);
}
