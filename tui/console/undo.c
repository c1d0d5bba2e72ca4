/* Steps back. */
#include "tui/console/undo.h"

#include <string.h>

#include "backend/base/util.h"

struct undo_step {
	struct undo_step *below;
	enum view_id view;
	const char *what;
	char filter[FILTER_MAX];
	int sort;
	bool reverse;
	struct marks marks;
};

static void drop_top(struct undo *u)
{
	struct undo_step *s = u->top;

	u->top = s->below;
	u->count--;
	marks_fini(&s->marks);
	free(s);
}

void undo_fini(struct undo *u)
{
	while (u->top)
		drop_top(u);
}

static void forget_oldest(struct undo *u)
{
	struct undo oldest = {.count = 1};
	struct undo_step **at = &u->top;

	while ((*at)->below)
		at = &(*at)->below;
	oldest.top = *at;
	*at = NULL;
	u->count--;
	drop_top(&oldest);
}

void undo_push(struct undo *u, const struct table *t, enum view_id view, const char *what)
{
	struct undo_step *s = xcalloc(1, sizeof(*s));

	s->below = u->top;
	s->view = view;
	s->what = what;
	memcpy(s->filter, t->filter, sizeof(s->filter));
	s->sort = t->sort;
	s->reverse = t->reverse;
	marks_copy(&s->marks, &t->marks);
	u->top = s;
	if (++u->count > UNDO_MAX)
		forget_oldest(u);
}

void undo_settle(struct undo *u, const struct table tables[VIEW__COUNT])
{
	const struct undo_step *s = u->top;
	const struct table *t = s ? &tables[s->view] : NULL;

	if (s && strcmp(s->filter, t->filter) == 0 && s->sort == t->sort &&
		s->reverse == t->reverse && marks_same(&s->marks, &t->marks))
		drop_top(u);
}

const char *undo_pop(struct undo *u, struct table tables[VIEW__COUNT], enum view_id *ret_view)
{
	struct undo_step *s = u->top;
	const char *what;
	struct table *t;
	struct err e;

	if (!s)
		return NULL;
	t = &tables[s->view];
	/* It was taken once: it has no error now. */
	(void)table_set_filter(t, s->filter, &e);
	t->sort = s->sort;
	t->reverse = s->reverse;
	marks_copy(&t->marks, &s->marks);
	*ret_view = s->view;
	what = s->what;
	drop_top(u);
	return what;
}
