/* keys.conf: `[section]`, then `action = keys`; no key behind the = takes all the action has. */
#include <string.h>

#include "tui/console/conf_file.h"
#include "tui/console/keymap.h"

#define KEYS_BYTES_MAX (256 * 1024)

/* The file while it is read. */
struct reader {
	struct conf_file conf;
	struct {
		unsigned contexts; /* that a line has spoken of */
		int line;          /* the last such */
	} bound[ACT__COUNT];
	int took[ACT__COUNT]; /* line that took a key from it */
};

/* One key of a line. A key that two lines want stays with the first of them. */
static void bind_key(struct reader *r, enum action act, unsigned contexts, console_key k)
{
	struct err e = {0};
	char name[24];

	for (unsigned c = 1; c <= CONTEXT__LAST; c <<= 1) {
		enum action other = contexts & c ? action_by_key(c, k) : ACT_NONE;

		if (other == ACT_NONE || other == act)
			continue;
		if (r->bound[other].contexts & c) {
			conf_complain(&r->conf, r->conf.line,
				"%s is bound to %s in line %d already",
				key_text(name, sizeof(name), k), action_table[other].name,
				r->bound[other].line);
			return;
		}
		r->took[other] = r->conf.line;
	}
	if (keymap_bind(act, contexts, k, &e) < 0)
		conf_complain(&r->conf, r->conf.line, "%s", e.msg);
}

static void bind_line(struct reader *r, enum action act, unsigned contexts, const char *keys)
{
	console_key k;

	contexts &= action_table[act].contexts;
	keymap_clear(act, contexts);
	while ((k = key_list_next(&keys)) != K_NONE)
		bind_key(r, act, contexts, k);
	if (*keys)
		conf_complain(&r->conf, r->conf.line,
			"'%.*s' is no key (x, C-x, M-x, F5, PgUp, Space, Enter, ...)",
			(int)min_of(strcspn(keys, " "), (size_t)40), keys);
	r->bound[act].contexts |= contexts;
	r->bound[act].line = r->conf.line;
}

static enum action action_named(const char *name)
{
	for (int i = 0; i < ACT__COUNT; i++)
		if (strcmp(action_table[i].name, name) == 0)
			return (enum action)i;
	return ACT_NONE;
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;
	unsigned contexts = keymap_section(section);
	enum action act = action_named(name);
	struct err e = {0};

	if (strcmp(section, "console") == 0 && strcmp(name, "prefix") == 0) {
		if (keymap_set_prefix(value, &e) < 0)
			conf_complain(&r->conf, r->conf.line, "%s", e.msg);
	} else if (!contexts) {
		conf_complain(&r->conf, r->conf.line, "there is no section [%.40s] (console %s)",
			section, keymap_sections);
	} else if (act == ACT_NONE) {
		conf_complain(&r->conf, r->conf.line,
			"there is no action '%.40s' (vmdeck keys lists them)", name);
	} else if (!(action_table[act].contexts & contexts)) {
		conf_complain(&r->conf, r->conf.line, "%s is not done in [%s]", name, section);
	} else {
		bind_line(r, act, contexts, value);
	}
	return 1;
}

/* An action whose only keys went to others is still a command, but nobody finds it by a key. */
static void complain_of_bare(struct reader *r)
{
	char keys[80];

	for (int i = 0; i < ACT__COUNT; i++)
		if (r->took[i] && !r->bound[i].line &&
			!*keymap_keys((enum action)i, ~0u, keys, sizeof(keys)))
			conf_complain(&r->conf, r->took[i],
				"this was the only key of %s: bind another to it, or "
				"unbind it with '%s ='",
				action_table[i].name, action_table[i].name);
}

void keys_path(char *out, size_t n)
{
	conf_path(out, n, "keys.conf");
}

int keys_load(const char *path, keys_complain *fn, void *user)
{
	struct reader r = {.conf = {.path = path, .fn = fn, .user = user}};

	keymap_reset();
	conf_read(&r.conf, KEYS_BYTES_MAX, on_pair, &r, "'[section]' or 'action = keys'");
	complain_of_bare(&r);
	return r.conf.complaints;
}
