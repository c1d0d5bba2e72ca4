/* Selection and scrolling of a list. */
#include "tui/console/list.h"

#include "backend/base/util.h"

static void list_settle(struct list *l)
{
	l->sel = max_of(min_of(l->sel, l->n - 1), 0);
	if (l->sel < l->top)
		l->top = l->sel;
	if (l->height > 0 && l->sel >= l->top + l->height)
		l->top = l->sel - l->height + 1;
	/* No empty rows at the end while there are rows above. */
	l->top = max_of(min_of(l->top, l->n - l->height), 0);
}

void list_resize(struct list *l, int n, int height)
{
	l->n = max_of(n, 0);
	l->height = max_of(height, 0);
	list_settle(l);
}

void list_select(struct list *l, int row)
{
	l->sel = row;
	list_settle(l);
}
