/* What is typed at the bottom: `:` commands, the filter, the command of an exec. */
#include <string.h>

#include "backend/base/word.h"
#include "tui/console/app.h"
#include "tui/console/complete.h"

/* ---- : ----------------------------------------------------------------------------------------
 */

static enum action nearest(const char *typed)
{
	enum action best = ACT_NONE;
	int least = WORD_MAX;

	for (int i = 0; i < ACT__COUNT; i++) {
		const char *name = action_table[i].name;
		int distance = word_distance(typed, name);

		if (!(action_table[i].contexts & CONTEXT_COMMANDS) || distance >= least ||
			!word_near_enough(typed, name))
			continue;
		best = (enum action)i;
		least = distance;
	}
	return best;
}

static void command_done(struct app *a, const char *text, bool accepted)
{
	const char *name = text + strspn(text, " ");
	size_t n = strcspn(name, " ");
	const char *arg = name + n + strspn(name + n, " ");
	enum action act = action_by_name(name, n);
	char all[128], typed[128];

	if (!accepted || n == 0)
		return;
	/* q is what fingers type. */
	if (n == 1 && *name == 'q')
		act = ACT_QUIT;
	if (act != ACT_NONE) {
		if (*arg && !(action_table[act].flags & ACTION_ARG))
			app_notice(a, NOTICE_ERROR, ":%s takes nothing behind it",
				action_table[act].name);
		else
			action_run(a, act, arg);
		return;
	}
	snprintf(typed, sizeof(typed), "%.*s", (int)min_of(n, sizeof(typed) - 1), name);
	if (action_complete(typed, all, sizeof(all)) > 1)
		app_notice(a, NOTICE_ERROR, ":%.*s could be several commands; Tab shows them",
			(int)n, name);
	else if (nearest(typed) != ACT_NONE)
		app_notice(a, NOTICE_ERROR, "there is no command :%.*s: did you mean :%s?", (int)n,
			name, action_table[nearest(typed)].name);
	else
		app_notice(
			a, NOTICE_ERROR, "there is no command :%.*s (? lists them)", (int)n, name);
}

/* Tab: as far as it is clear; what is possible, with help once it is one. */
static void command_complete(struct app *a, struct edit *ed, char *out, size_t n)
{
	char full[64];
	int count;
	size_t len = 0;

	if (strchr(ed->text, ' ')) {
		argument_complete(a, ed, out, n);
		return;
	}
	count = action_complete(ed->text, full, sizeof(full));
	if (count == 0) {
		snprintf(out, n, "no command begins with that");
		return;
	}
	edit_set(ed, full);
	if (count == 1) {
		enum action act = action_by_name(full, strlen(full));

		snprintf(out, n, "%s", action_table[act].help);
		if (action_table[act].flags & ACTION_ARG)
			edit_key(ed, ' ');
		return;
	}
	out[0] = '\0';
	for (int i = 0; i < ACT__COUNT && len < n; i++)
		if ((action_table[i].contexts & CONTEXT_COMMANDS) &&
			strncmp(action_table[i].name, full, strlen(full)) == 0)
			len += (size_t)snprintf(out + len, n - len, "%s ", action_table[i].name);
}

void command_open_with(struct app *a, const char *text)
{
	static const struct prompt_ops ops = {NULL, command_done, command_complete};

	prompt_open(a, ":", text, &ops, &a->commands);
}

void command_open(struct app *a)
{
	command_open_with(a, "");
}

/* ---- filter -----------------------------------------------------------------------------------
 */

static void filter_done(struct app *a, const char *text, bool accepted)
{
	app_set_filter(a, accepted ? text : "");
	undo_settle(&a->undo, a->table);
}

void filter_open(struct app *a)
{
	static const struct prompt_ops ops = {app_set_filter, filter_done, NULL};

	undo_push(&a->undo, app_table(a), a->at, "filter");
	prompt_open(a, "filter: ", app_table(a)->filter, &ops, NULL);
}

/* ---- exec -------------------------------------------------------------------------------------
 */

static void exec_done(struct app *a, const char *text, bool accepted)
{
	if (accepted && *text)
		action_run(a, ACT_EXEC, text);
}

void exec_open(struct app *a)
{
	static const struct prompt_ops ops = {NULL, exec_done, NULL};
	const struct deck_vm *vm = app_selected(a);
	char label[96];

	snprintf(label, sizeof(label), "exec in %s: ", vm->name);
	prompt_open(a, label, "", &ops, &a->execs);
}
