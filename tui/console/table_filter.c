/* Which rows of a view there are: its filter, and the copies of a frozen list. */
#include <string.h>
#include <strings.h>

#include "backend/base/util.h"
#include "tui/console/table_impl.h"

/* ---- fields: those of the view, then its columns ----------------------------------------------
 */

/* "READY IN" is typed as ready-in. */
static bool title_is(const char *title, const char *name, size_t n)
{
	if (strlen(title) != n || n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = name[i] == '-' || name[i] == '_' ? ' ' : name[i];

		if (strncasecmp(&title[i], &c, 1) != 0)
			return false;
	}
	return true;
}

static int find_field(const void *user, const char *name, size_t n)
{
	const struct view *v = user;

	for (int i = 0; i < v->field_count; i++)
		if (title_is(v->fields[i].name, name, n))
			return i;
	for (int i = 0; i < v->column_count; i++)
		if (title_is(v->columns[i].title, name, n))
			return v->field_count + i;
	return -1;
}

static const char *field_text(const void *user, const void *row, int field, char *buf, size_t n)
{
	const struct view *v = user;
	struct cell c = {.glyph = -1};

	if (field < v->field_count)
		return v->fields[field].text(row, buf, n);
	v->columns[field - v->field_count].cell(row, &c);
	snprintf(buf, n, "%s", c.text + strspn(c.text, " "));
	return buf;
}

static void field_names(const void *user, char *out, size_t n)
{
	const struct view *v = user;
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < v->field_count && len < n; i++)
		len += (size_t)snprintf(
			out + len, n - len, "%s%s", i ? ", " : "", v->fields[i].name);
}

static struct filter_source source_of(const struct view *v)
{
	return (struct filter_source){v, v->field_count, find_field, field_text, field_names};
}

int table_set_filter(struct table *t, const char *text, struct err *e)
{
	struct filter_source src = source_of(t->view);
	struct filter *terms;
	int r = filter_new(&terms, text, &src, e);

	if (r < 0)
		return r;
	filter_free(t->terms);
	t->terms = terms;
	snprintf(t->filter, sizeof(t->filter), "%s", text);
	return 0;
}

int table_score(const struct table *t, const void *row)
{
	struct filter_source src = source_of(t->view);

	return t->terms ? filter_score(t->terms, &src, row) : 0;
}

/* ---- frozen ---------------------------------------------------------------------------------- */

void table_freeze(struct table *t, const struct model *m, uint64_t now_ns)
{
	size_t size = t->view->row_size;
	int end = t->view->end(m), n = 0;

	table_thaw(t);
	t->frozen.rows = xcalloc((size_t)max_of(end, 1), size);
	for (int i = 0; i < end; i++) {
		const void *row = t->view->row(m, i);

		if (!row)
			continue;
		memcpy(t->frozen.rows + (size_t)n * size, row, size);
		if (t->view->let_go)
			t->view->let_go(t->frozen.rows + (size_t)n * size);
		n++;
	}
	t->frozen.count = n;
	t->frozen.shown = t->view->count(m);
	t->frozen.since_ns = now_ns;
	t->frozen.changes = 0;
}

void table_thaw(struct table *t)
{
	free(t->frozen.rows);
	t->frozen.rows = NULL;
}

int table_source_end(const struct table *t, const struct model *m)
{
	return t->frozen.rows ? t->frozen.count : t->view->end(m);
}

void *table_source_row(const struct table *t, const struct model *m, int i)
{
	return t->frozen.rows ? t->frozen.rows + (size_t)i * t->view->row_size : t->view->row(m, i);
}

int table_all(const struct table *t, const struct model *m)
{
	return t->frozen.rows ? t->frozen.shown : t->view->count(m);
}
