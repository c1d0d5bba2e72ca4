/* Rows of a view: filter, order, widths, and how numbers are written in them. */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/table_impl.h"
#include "tui/console/clock.h"

#define TODAY_S (20 * 3600)

void table_init(struct table *t, const struct view *v)
{
	*t = (struct table){.view = v, .sort = SORT_NATURAL};
}

void table_fini(struct table *t)
{
	free(t->row);
	filter_free(t->terms);
	marks_fini(&t->marks);
	table_thaw(t);
	*t = (struct table){.view = t->view, .sort = SORT_NATURAL};
}

/* ---- order ----------------------------------------------------------------------------------- */

/* What a row is sorted by, made once a row: not once a comparison. */
struct sort_key {
	double number;
	char text[48]; /* in lower case */
	void *row;
	int at; /* in the order of the model */
};

static int compare(const void *a, const void *b, void *user)
{
	const struct sort_key *x = a, *y = b;
	const struct table *t = user;
	int r = strcmp(x->text, y->text);

	if (x->number < y->number || x->number > y->number)
		r = x->number < y->number ? -1 : 1;
	if (r == 0)
		return x->at - y->at;
	return t->reverse ? -r : r;
}

/* The fuzzy hits of a list in its natural order: the best first. */
static bool by_score(const struct table *t)
{
	return t->sort == SORT_NATURAL && !t->reverse && filter_is_fuzzy(t->terms);
}

static void make_key(const struct table *t, void *row, struct sort_key *k)
{
	const struct column *col = t->sort == SORT_NATURAL ? NULL : &t->view->columns[t->sort];
	struct cell c;

	k->row = row;
	k->number = 0;
	k->text[0] = '\0';
	if (!col) {
		k->number = -table_score(t, row);
		return;
	}
	if (col->number) {
		k->number = col->number(row);
		return;
	}
	c.text[0] = '\0';
	col->cell(row, &c);
	for (size_t i = 0; i < sizeof(k->text); i++) {
		k->text[i] = (char)tolower((unsigned char)c.text[i]);
		if (!c.text[i])
			break;
	}
	k->text[sizeof(k->text) - 1] = '\0';
}

static void sort_rows(struct table *t)
{
	struct sort_key *keys = xcalloc((size_t)t->count, sizeof(*keys));
	bool sorted = true;

	for (int i = 0; i < t->count; i++) {
		make_key(t, t->row[i], &keys[i]);
		keys[i].at = i;
		sorted = sorted && (i == 0 || compare(&keys[i - 1], &keys[i], t) <= 0);
	}
	if (!sorted)
		qsort_r(keys, (size_t)t->count, sizeof(*keys), compare, t);
	for (int i = 0; i < t->count; i++)
		t->row[i] = keys[i].row;
	free(keys);
}

static int row_index(const struct table *t, const void *row)
{
	int i = 0;

	while (i < t->count && t->row[i] != row)
		i++;
	return i < t->count ? i : -1;
}

bool table_moved(const struct table *t, const void *row)
{
	bool sorted = t->sort != SORT_NATURAL;
	struct sort_key keys[2];
	int at;

	if (t->frozen.rows || (!t->terms && !sorted))
		return false;
	at = row_index(t, row);
	if ((table_score(t, row) >= 0) != (at >= 0))
		return true;
	if (at < 0 || !sorted)
		return at >= 0 && by_score(t);
	/* It has its place still while its neighbours are on their sides of it. */
	for (int i = max_of(at - 1, 0); i < min_of(at + 1, t->count - 1); i++) {
		make_key(t, t->row[i], &keys[0]);
		make_key(t, t->row[i + 1], &keys[1]);
		keys[0].at = keys[1].at = 0;
		if (compare(&keys[0], &keys[1], (void *)(uintptr_t)t) > 0)
			return true;
	}
	return false;
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

/* Marks of rows that are no more. */
static void prune_marks(struct table *t, const struct model *m)
{
	int end = table_source_end(t, m), marked = 0;
	struct marks kept = {0};
	char key[sizeof(t->selected)];

	for (int i = 0; i < end; i++) {
		const void *row = table_source_row(t, m, i);

		if (!row)
			continue;
		t->view->key(row, key, sizeof(key));
		if (!marks_has(&t->marks, key))
			continue;
		marks_set(&kept, key, true);
		marked++;
	}
	snprintf(kept.last, sizeof(kept.last), "%s", t->marks.last);
	if (marked == marks_count(&t->marks)) {
		marks_fini(&kept);
		return;
	}
	marks_fini(&t->marks);
	t->marks = kept;
}

void table_fill(struct table *t, const struct model *m)
{
	int end = table_source_end(t, m);

	if (t->cap < end) {
		free(t->row);
		t->cap = end + end / 4;
		t->row = xcalloc((size_t)t->cap, sizeof(void *));
	}
	t->count = 0;
	for (int i = 0; i < end; i++) {
		void *row = table_source_row(t, m, i);

		if (row && table_score(t, row) >= 0)
			t->row[t->count++] = row;
	}
	if (t->sort == SORT_NATURAL && t->reverse)
		turn_round(t);
	else if ((t->sort != SORT_NATURAL || by_score(t)) && t->count > 1)
		sort_rows(t);
	if (marks_count(&t->marks) && !t->frozen.rows)
		prune_marks(t, m);
}

static bool row_is(const struct table *t, int i, const char *key)
{
	char text[sizeof(t->selected)];

	t->view->key(t->row[i], text, sizeof(text));
	return strcmp(text, key) == 0;
}

int table_find(const struct table *t, const char *key)
{
	/* Mostly it is where it was. */
	if (t->list.sel < t->count && row_is(t, t->list.sel, key))
		return t->list.sel;
	for (int i = 0; i < t->count; i++)
		if (row_is(t, i, key))
			return i;
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
