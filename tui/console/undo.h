/* What the lists looked like before the last changes of filter, order or marks. Pure. */
#ifndef VMDECK_TUI_CONSOLE_UNDO_H
#define VMDECK_TUI_CONSOLE_UNDO_H

#include "tui/console/table.h"

#define UNDO_MAX 50 /* older ones are forgotten */

struct undo_step;

struct undo {
	struct undo_step *top; /* owned; the newest */
	int count;
};

void undo_fini(struct undo *u);
/* Keeps what t, of this view, is now; what: what is about to change ("filter"), a constant. */
void undo_push(struct undo *u, const struct table *t, enum view_id view, const char *what);
/* Forgets the newest step when its table still is as it was. */
void undo_settle(struct undo *u, const struct table tables[VIEW__COUNT]);
/* Takes back the newest step: its view is in *ret_view. NULL: there is none. Returns what. */
const char *undo_pop(struct undo *u, struct table tables[VIEW__COUNT], enum view_id *ret_view);

#endif
