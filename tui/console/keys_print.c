/* `vmdeck keys`: the keys in force, with what is wrong in keys.conf. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/console/console.h"
#include "tui/console/keymap.h"

static void on_complaint(void *user, const char *text)
{
	(void)user;
	fprintf(stderr, "vmdeck: %s\n", text);
}

/* The sections an action is done in, as text. */
static void print_text(FILE *f)
{
	char keys[80];

	for (int i = 0; i < ACT__COUNT; i++)
		fprintf(f, "%-18s  %-18s  %s\n", action_table[i].name,
			keymap_keys((enum action)i, ~0u, keys, sizeof(keys)), action_table[i].help);
}

/* One object a section that the action has keys in. */
static void print_json(FILE *f)
{
	struct json_object *all = json_object_new_array();
	char keys[80], section[16];

	for (int i = 0; i < ACT__COUNT; i++) {
		struct json_object *o = json_object_new_object();
		struct json_object *in = json_object_new_object();

		for (const char *s = keymap_sections; sscanf(s, "%15s", section) == 1;) {
			unsigned contexts = keymap_section(section);

			if (contexts != CONTEXT_ALL && (action_table[i].contexts & contexts))
				jsonx_add_str(in, section,
					keymap_keys((enum action)i, contexts, keys, sizeof(keys)));
			s += strlen(section) + (s[strlen(section)] == ' ');
		}
		jsonx_add_str(o, "action", action_table[i].name);
		jsonx_add_str(o, "help", action_table[i].help);
		json_object_object_add(o, "keys", in);
		json_object_array_add(all, o);
	}
	fprintf(f, "%s\n", jsonx_line(all));
	json_object_put(all);
}

int console_keys_print(FILE *f, bool json)
{
	char path[600];
	int n;

	keys_path(path, sizeof(path));
	n = keys_load(path, on_complaint, NULL);
	if (json)
		print_json(f);
	else
		print_text(f);
	return n ? 1 : 0;
}
