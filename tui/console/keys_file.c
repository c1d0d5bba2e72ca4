/* keys.conf: `[section]`, then `action = keys`; no key behind the = takes all the action has. */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "tui/console/keymap.h"

#define KEYS_BYTES_MAX (256 * 1024)

/* The file while it is read. */
struct reader {
	const char *file, *at; /* at: the next line */
	int line;
	keys_complain *fn;
	void *user;
	int complaints;
	struct {
		unsigned contexts; /* that a line has spoken of */
		int line;          /* the last such */
	} bound[ACT__COUNT];
	int took[ACT__COUNT]; /* line that took a key from it */
};

static void complain(struct reader *r, int line, const char *fmt, ...) printf_like(3, 4);
static void complain(struct reader *r, int line, const char *fmt, ...)
{
	char what[300], text[800], safe[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%.400s:%d: %s", r->file, line, what);
	r->complaints++;
	if (r->fn)
		r->fn(r->user, str_safe(safe, sizeof(safe), text));
}

/* The library does not tell lines by itself: it asks for them here, one at a time. */
static char *next_line(char *out, int n, void *stream)
{
	struct reader *r = stream;
	size_t len = strcspn(r->at, "\n");

	if (!*r->at)
		return NULL;
	r->line++;
	if (len >= (size_t)n - 1)
		complain(r, r->line, "line longer than %d bytes", n - 2);
	snprintf(out, (size_t)n, "%.*s\n", len >= (size_t)n - 1 ? 0 : (int)len, r->at);
	r->at += len + (r->at[len] == '\n');
	return out;
}

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
			complain(r, r->line, "%s is bound to %s in line %d already",
				key_text(name, sizeof(name), k), action_table[other].name,
				r->bound[other].line);
			return;
		}
		r->took[other] = r->line;
	}
	if (keymap_bind(act, contexts, k, &e) < 0)
		complain(r, r->line, "%s", e.msg);
}

static void bind_line(struct reader *r, enum action act, unsigned contexts, const char *keys)
{
	console_key k;

	contexts &= action_table[act].contexts;
	keymap_clear(act, contexts);
	while ((k = key_list_next(&keys)) != K_NONE)
		bind_key(r, act, contexts, k);
	if (*keys)
		complain(r, r->line, "'%.*s' is no key (x, C-x, M-x, F5, PgUp, Space, Enter, ...)",
			(int)min_of(strcspn(keys, " "), (size_t)40), keys);
	r->bound[act].contexts |= contexts;
	r->bound[act].line = r->line;
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
			complain(r, r->line, "%s", e.msg);
	} else if (!contexts) {
		complain(r, r->line, "there is no section [%.40s] (console %s)", section,
			keymap_sections);
	} else if (act == ACT_NONE) {
		complain(r, r->line, "there is no action '%.40s' (vmdeck keys lists them)", name);
	} else if (!(action_table[act].contexts & contexts)) {
		complain(r, r->line, "%s is not done in [%s]", name, section);
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
			complain(r, r->took[i],
				"this was the only key of %s: bind another to it, or "
				"unbind it with '%s ='",
				action_table[i].name, action_table[i].name);
}

void keys_path(char *out, size_t n)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config)
		snprintf(out, n, "%s/vmdeck/keys.conf", config);
	else
		snprintf(out, n, "%s/.config/vmdeck/keys.conf", home ? home : "");
}

int keys_load(const char *path, keys_complain *fn, void *user)
{
	struct reader r = {.file = path, .fn = fn, .user = user};
	autofree char *text = NULL;
	struct err e = {0};
	int bad;

	keymap_reset();
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (file_read(path, KEYS_BYTES_MAX, &text, NULL, &e) < 0) {
		complain(&r, 0, "%s", e.msg);
		return r.complaints;
	}
	r.at = text;
	bad = ini_parse_stream(next_line, &r, on_pair, &r);
	if (bad > 0)
		complain(&r, bad, "expected '[section]' or 'action = keys'");
	complain_of_bare(&r);
	return r.complaints;
}
