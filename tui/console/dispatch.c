/* Actions to their functions, behind the checks of the table. */
#include "tui/console/act.h"
#include "tui/console/bulk.h"

static void (*const action_fn[ACT__COUNT])(struct app *a, const char *arg) = {
#define ACTION(id, name, contexts, keys, needs, flags, label, help) [ACT_##id] = act_##id,
#include "tui/console/actions.def"
#undef ACTION
};

void action_run(struct app *a, enum action act, const char *arg)
{
	bool named = *arg && (action_table[act].flags & ACTION_NAMED);
	struct action_on on = app_on(a);
	char why[300];

	if (!action_may_write(act, on.read_only, why, sizeof(why))) {
		app_notice(a, NOTICE_WARN, "%s", why);
		return;
	}
	if (bulk_run(a, act, arg))
		return;
	if (!named && !action_allowed(act, &on, why, sizeof(why))) {
		app_notice(a, NOTICE_WARN, "%s", why);
		return;
	}
	action_fn[act](a, arg);
	app_dirty(a);
}
