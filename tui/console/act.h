/* What each action does: one function a row of actions.def. Called by action_run only, after the
 * checks of the table. arg: "" or what stood behind the `:` command. */
#ifndef VMDECK_TUI_CONSOLE_ACT_H
#define VMDECK_TUI_CONSOLE_ACT_H

#include "tui/console/app.h"

#define ACTION(id, name, contexts, keys, needs, flags, label, help)                                \
	void act_##id(struct app *a, const char *arg);
#include "tui/console/actions.def"
#undef ACTION

/* ACT_DELETE in the other views (act_snapshot.c). */
void delete_snapshot(struct app *a, const struct deck_snapshot *s);
void delete_image(struct app *a, const struct deck_image *im);

#endif
