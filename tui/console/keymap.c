/* The map of keys: for each action and context, what is bound. */
#include "tui/console/keymap.h"

#include <errno.h>
#include <string.h>

#include "backend/base/util.h"

static const struct {
	const char *name;
	unsigned contexts;
} sections[] = {
	{"all", CONTEXT_ALL},
	{"list", CONTEXT_LIST},
	{"pane", CONTEXT_PANE},
	{"snapshots", CONTEXT_SNAPSHOTS},
	{"restores", CONTEXT_RESTORES},
	{"images", CONTEXT_IMAGES},
	{"events", CONTEXT_EVENTS},
	{"host", CONTEXT_HOST},
	{"window", CONTEXT_WINDOW},
	{"guest", CONTEXT_GUEST},
	{"copy", CONTEXT_COPY},
	{"replay", CONTEXT_REPLAY},
};
const char keymap_sections[] =
	"all list pane snapshots restores images events host window guest copy replay";

#define CONTEXTS     15 /* bits up to CONTEXT__LAST */
#define PREFIXES_MAX 4
_Static_assert(CONTEXT__LAST < 1 << CONTEXTS, "a row for every context");

static struct {
	bool ready;
	console_key key[ACT__COUNT][CONTEXTS][KEYMAP_KEYS]; /* K_NONE behind the last */
	console_key prefix[PREFIXES_MAX];
} map;

static void add(console_key *keys, console_key k)
{
	for (int i = 0; i < KEYMAP_KEYS; i++)
		if (keys[i] == K_NONE || keys[i] == k) {
			keys[i] = k;
			return;
		}
}

static bool drop(console_key *keys, console_key k)
{
	int n = 0;
	bool found = false;

	for (int i = 0; i < KEYMAP_KEYS && keys[i] != K_NONE; i++) {
		found = found || keys[i] == k;
		if (keys[i] != k)
			keys[n++] = keys[i];
	}
	if (found)
		keys[n] = K_NONE;
	return found;
}

void keymap_reset(void)
{
	memset(&map, 0, sizeof(map));
	map.ready = true;
	map.prefix[0] = KEY_MOD_CTRL | ']';
	map.prefix[1] = K_F12;
	for (int a = 0; a < ACT__COUNT; a++) {
		const char *list = action_table[a].keys;
		console_key k;

		while ((k = key_list_next(&list)) != K_NONE)
			for (int c = 0; c < CONTEXTS; c++)
				if (action_table[a].contexts & 1u << c)
					add(map.key[a][c], k);
	}
}

static void need_map(void)
{
	if (!map.ready)
		keymap_reset();
}

unsigned keymap_section(const char *name)
{
	for (size_t i = 0; i < countof(sections); i++)
		if (strcmp(sections[i].name, name) == 0)
			return sections[i].contexts;
	return 0;
}

static bool holds(const console_key *keys, console_key k)
{
	for (int i = 0; i < KEYMAP_KEYS && keys[i] != K_NONE; i++)
		if (keys[i] == k)
			return true;
	return false;
}

enum action action_by_key(unsigned context, console_key k)
{
	need_map();
	for (int a = 0; a < ACT__COUNT; a++)
		for (int c = 0; c < CONTEXTS; c++)
			if ((context & 1u << c) && holds(map.key[a][c], k))
				return (enum action)a;
	return ACT_NONE;
}

char *keymap_keys(enum action a, unsigned contexts, char *out, size_t n)
{
	size_t len = 0;
	int c = 0;
	char text[24];

	need_map();
	contexts &= action_table[a].contexts;
	while (c < CONTEXTS && !(contexts & 1u << c && map.key[a][c][0] != K_NONE))
		c++;
	out[0] = '\0';
	for (int i = 0; c < CONTEXTS && i < KEYMAP_KEYS && map.key[a][c][i] != K_NONE && len < n;
		i++)
		len += (size_t)snprintf(out + len, n - len, "%s%s", i ? " " : "",
			key_text(text, sizeof(text), map.key[a][c][i]));
	return out;
}

char *action_key_text(enum action a, char *out, size_t n)
{
	keymap_keys(a, ~0u, out, n);
	out[strcspn(out, " ")] = '\0';
	return out;
}

int keymap_bind(enum action a, unsigned contexts, console_key k, struct err *e)
{
	const struct action_info *info = &action_table[a];

	need_map();
	contexts &= info->contexts;
	if (!contexts)
		return err_set(e, EINVAL, "%s is not done there", info->name);
	for (int c = 0; c < CONTEXTS; c++)
		if ((contexts & 1u << c) && !holds(map.key[a][c], k) &&
			map.key[a][c][KEYMAP_KEYS - 1] != K_NONE)
			return err_set(
				e, EINVAL, "%s has %d keys already", info->name, KEYMAP_KEYS);
	keymap_unbind(contexts, k);
	for (int c = 0; c < CONTEXTS; c++)
		if (contexts & 1u << c)
			add(map.key[a][c], k);
	return 0;
}

int keymap_unbind(unsigned contexts, console_key k)
{
	int n = 0;

	need_map();
	for (int a = 0; a < ACT__COUNT; a++)
		for (int c = 0; c < CONTEXTS; c++)
			if (contexts & 1u << c)
				n += drop(map.key[a][c], k);
	return n;
}

void keymap_clear(enum action a, unsigned contexts)
{
	need_map();
	for (int c = 0; c < CONTEXTS; c++)
		if (contexts & 1u << c)
			memset(map.key[a][c], 0, sizeof(map.key[a][c]));
}

bool keymap_is_prefix(console_key k)
{
	need_map();
	for (int i = 0; i < PREFIXES_MAX; i++)
		if (map.prefix[i] != K_NONE && map.prefix[i] == k)
			return true;
	return false;
}

char *keymap_prefix_text(char *out, size_t n)
{
	need_map();
	return key_text(out, n, map.prefix[0]);
}

int keymap_set_prefix(const char *keys, struct err *e)
{
	console_key prefix[PREFIXES_MAX] = {0}, k;
	const char *list = keys;
	int n = 0;

	need_map();
	while (n < PREFIXES_MAX && (k = key_list_next(&list)) != K_NONE)
		prefix[n++] = k;
	if (!n || *list)
		return err_set(e, EINVAL,
			"prefix: 1 to %d keys are wanted (C-], F12, M-x), not '%.40s'",
			PREFIXES_MAX, keys);
	memcpy(map.prefix, prefix, sizeof(prefix));
	return 0;
}
