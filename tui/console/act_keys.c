/* :bind and :unbind, and the keys that the console begins with. */
#include <string.h>

#include "tui/console/act.h"
#include "tui/console/keymap.h"

/* Takes the word that text begins with; n: room in out. */
static const char *take_word(const char *text, char *out, size_t n)
{
	size_t len = strcspn(text, " ");

	snprintf(out, n, "%.*s", (int)min_of(len, n - 1), text);
	return text + len + strspn(text + len, " ");
}

static unsigned contexts_of(const struct app *a)
{
	return a->at != VIEW_VMS ? views[a->at]->context : CONTEXT_DECK;
}

void act_BIND(struct app *a, const char *arg)
{
	char key[24], name[48];
	const char *rest = take_word(take_word(arg, key, sizeof(key)), name, sizeof(name));
	console_key k = key_parse(key, strlen(key));
	enum action act = action_by_name(name, strlen(name));
	struct err e;

	if (!*name || *rest)
		app_notice(a, NOTICE_ERROR, "bind takes a key and an action: :bind F5 stop");
	else if (k == K_NONE)
		app_notice(a, NOTICE_ERROR,
			"'%s' is no key (x, C-x, M-x, F5, PgUp, Space, Enter, ...)", key);
	else if (act == ACT_NONE)
		app_notice(a, NOTICE_ERROR, "there is no action '%s' (? lists them)", name);
	else if (keymap_bind(act, action_table[act].contexts, k, &e) < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else
		app_notice(a, NOTICE_OK, "%s: %s; keys.conf keeps it for the next time", key,
			action_table[act].name);
}

void act_UNBIND(struct app *a, const char *arg)
{
	char key[24];
	const char *rest = take_word(arg, key, sizeof(key));
	console_key k = key_parse(key, strlen(key));

	if (!*key || *rest)
		app_notice(a, NOTICE_ERROR, "unbind takes one key: :unbind x");
	else if (k == K_NONE)
		app_notice(a, NOTICE_ERROR,
			"'%s' is no key (x, C-x, M-x, F5, PgUp, Space, Enter, ...)", key);
	else if (!keymap_unbind(contexts_of(a), k))
		app_notice(a, NOTICE_INFO, "%s does nothing here as it is", key);
	else
		app_notice(a, NOTICE_OK, "%s does nothing in this view any more", key);
}

static void first_complaint(void *user, const char *text)
{
	char *first = user;

	if (!*first)
		snprintf(first, 400, "%s", text);
}

void app_take_keys(struct app *a)
{
	char path[600], first[400] = "";
	int n;

	keys_path(path, sizeof(path));
	n = keys_load(path, first_complaint, first);
	if (n > 1)
		app_notice(a, NOTICE_WARN, "%.300s (and %d more: vmdeck keys)", first, n - 1);
	else if (n)
		app_notice(a, NOTICE_WARN, "%s", first);
}
