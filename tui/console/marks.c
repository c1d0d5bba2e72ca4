/* Marks: a hash of keys. */
#include "tui/console/marks.h"

#include <json-c/linkhash.h>
#include <stdlib.h>
#include <string.h>

#include "backend/base/util.h"

#define FIRST_SIZE 64

static void entry_free(struct lh_entry *e)
{
	free(lh_entry_k(e));
}

void marks_fini(struct marks *m)
{
	if (m->set)
		lh_table_free(m->set);
	*m = (struct marks){0};
}

int marks_count(const struct marks *m)
{
	return m->set ? lh_table_length(m->set) : 0;
}

bool marks_has(const struct marks *m, const char *key)
{
	return m->set && lh_table_lookup_entry(m->set, key) != NULL;
}

void marks_set(struct marks *m, const char *key, bool on)
{
	if (!*key)
		return;
	if (on)
		snprintf(m->last, sizeof(m->last), "%s", key);
	if (marks_has(m, key) == on)
		return;
	if (!m->set)
		m->set = lh_kchar_table_new(FIRST_SIZE, entry_free);
	if (!m->set)
		abort();
	if (on && lh_table_insert(m->set, xstrdup(key), NULL) < 0)
		abort();
	if (!on)
		lh_table_delete(m->set, key);
}

void marks_clear(struct marks *m)
{
	marks_fini(m);
}

void marks_each(const struct marks *m, void (*fn)(void *user, const char *key), void *user)
{
	struct lh_entry *e, *next;

	for (e = m->set ? m->set->head : NULL; e; e = next) {
		next = e->next;
		fn(user, lh_entry_k(e));
	}
}

static void add(void *user, const char *key)
{
	marks_set(user, key, true);
}

void marks_copy(struct marks *to, const struct marks *from)
{
	marks_clear(to);
	marks_each(from, add, to);
	snprintf(to->last, sizeof(to->last), "%s", from->last);
}

bool marks_same(const struct marks *a, const struct marks *b)
{
	struct lh_entry *e = a->set ? a->set->head : NULL;

	while (e && marks_has(b, lh_entry_k(e)))
		e = e->next;
	return !e && marks_count(a) == marks_count(b);
}
