/* Actions to their functions, behind the checks of the table. */
#include "tui/console/act.h"

static void (*const action_fn[ACT__COUNT])(struct app *a, const char *arg) = {
#define ACTION(id, name, contexts, keys, needs, flags, label, help) [ACT_##id] = act_##id,
#include "tui/console/actions.def"
#undef ACTION
};

void action_run(struct app *a, enum action act, const char *arg)
{
	char why[200];

	if (!action_allowed(act, app_selected(a), why, sizeof(why))) {
		app_notice(a, NOTICE_WARN, "%s", why);
		return;
	}
	action_fn[act](a, arg);
	app_dirty(a);
}
