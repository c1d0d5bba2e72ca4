/* The table of actions: what there is to do, with which keys, when. Pure. */
#ifndef VMDECK_TUI_CONSOLE_ACTIONS_H
#define VMDECK_TUI_CONSOLE_ACTIONS_H

#include <stdbool.h>

#include "tui/console/keys.h"
#include "tui/console/model.h"

enum action {
#define ACTION(id, name, contexts, keys, needs, flags, label, help) ACT_##id,
#include "tui/console/actions.def"
#undef ACTION
	ACT__COUNT,
	ACT_NONE = -1
};

enum action_context {
	CONTEXT_LIST = 1,
	CONTEXT_PANE = 2,
	CONTEXT_GUEST = 4,
	CONTEXT_SNAPSHOTS = 8,
	CONTEXT_RESTORES = 16,
	CONTEXT_IMAGES = 32,
	CONTEXT_EVENTS = 64,
	CONTEXT_HOST = 128,
	CONTEXT_WINDOW = 4096, /* behind C-w */
	CONTEXT_COPY = 8192,
	CONTEXT_REPLAY = 16384, /* everywhere in a replay; its keys go before the others */
	CONTEXT__LAST = CONTEXT_REPLAY,
	CONTEXT_DECK = CONTEXT_LIST | CONTEXT_PANE,
	CONTEXT_ALL = CONTEXT_DECK | CONTEXT_SNAPSHOTS | CONTEXT_RESTORES | CONTEXT_IMAGES |
		      CONTEXT_EVENTS | CONTEXT_HOST,
	CONTEXT_COMMANDS = CONTEXT_ALL | CONTEXT_WINDOW | CONTEXT_REPLAY, /* have a `:` command */
};
enum action_need {
	NEED_NONE,
	NEED_ROW,
	NEED_VM,
	NEED_ALIVE,
	NEED_BOOTED,
	NEED_RUNNING,
	NEED_SNAPSHOT,
	NEED_SOURCE,
	NEED_ENDED,
};
enum action_flag { ACTION_HINT = 1, ACTION_DESTROYS = 2, ACTION_ARG = 4, ACTION_NAMED = 8 };

/* What an action would be done to: where the operator is, and what is selected there. */
struct action_on {
	unsigned context;
	bool read_only; /* the console must change nothing */
	bool row;       /* anything is selected */
	const struct deck_vm *vm;
	const struct deck_snapshot *snapshot;
};

struct action_info {
	const char *name;
	unsigned contexts;
	const char *keys; /* names with spaces between */
	enum action_need need;
	unsigned flags;
	const char *label, *help;
};
extern const struct action_info action_table[ACT__COUNT];

/* What a key does in a context (keymap.c: the keys in force). */
enum action action_by_key(unsigned context, console_key k);
/* By name or unique prefix; ACT_NONE when there is none or several. */
enum action action_by_name(const char *name, size_t n);
/* The first key of an action, as text; "" when it has none (keymap.c). */
char *action_key_text(enum action a, char *out, size_t n);
/* Whether it can be done; else why not, a sentence in why. */
bool action_allowed(enum action a, const struct action_on *on, char *why, size_t n);
/* Whether it changes anything but the console: refused where that may only read. */
bool action_writes(enum action a);
/* False, with a sentence in why, when the console may only read and the action writes. */
bool action_may_write(enum action a, bool read_only, char *why, size_t n);
/* The longest text that all action names beginning with prefix share, into out; the number of them.
 */
int action_complete(const char *prefix, char *out, size_t n);

#endif
