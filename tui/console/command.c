/* What is typed at the bottom: `:` commands, the filter, the command of an exec. */
#include <string.h>

#include "tui/console/app.h"

/* ---- : ----------------------------------------------------------------------------------------
 */

static void command_done(struct app *a, const char *text, bool accepted)
{
	const char *name = text + strspn(text, " ");
	size_t n = strcspn(name, " ");
	const char *arg = name + n + strspn(name + n, " ");
	enum action act = action_by_name(name, n);
	char all[128];

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
	snprintf(all, sizeof(all), "%.*s", (int)min_of(n, sizeof(all) - 1), name);
	if (action_complete(all, all, sizeof(all)) > 1)
		app_notice(a, NOTICE_ERROR, ":%.*s could be several commands; Tab shows them",
			(int)n, name);
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

	(void)a;
	if (strchr(ed->text, ' '))
		return;
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
		if ((action_table[i].contexts & (CONTEXT_ALL | CONTEXT_REPLAY)) &&
			strncmp(action_table[i].name, full, strlen(full)) == 0)
			len += (size_t)snprintf(out + len, n - len, "%s ", action_table[i].name);
}

void command_open(struct app *a)
{
	static const struct prompt_ops ops = {NULL, command_done, command_complete};

	prompt_open(a, ":", "", &ops, &a->commands);
}

/* ---- filter -----------------------------------------------------------------------------------
 */

static void filter_done(struct app *a, const char *text, bool accepted)
{
	app_set_filter(a, accepted ? text : "");
}

void filter_open(struct app *a)
{
	static const struct prompt_ops ops = {app_set_filter, filter_done, NULL};

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
