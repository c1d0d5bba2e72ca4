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

enum action_context { CONTEXT_LIST = 1, CONTEXT_PANE = 2, CONTEXT_GUEST = 4, CONTEXT_DECK = 3 };
enum action_need { NEED_NONE, NEED_VM, NEED_ALIVE, NEED_BOOTED, NEED_RUNNING, NEED_ENDED };
enum action_flag { ACTION_HINT = 1, ACTION_DESTROYS = 2, ACTION_ARG = 4 };

struct action_info {
	const char *name;
	unsigned contexts;
	const char *keys; /* names with spaces between */
	enum action_need need;
	unsigned flags;
	const char *label, *help;
};
extern const struct action_info action_table[ACT__COUNT];

/* What a key does in a context. */
enum action action_by_key(unsigned context, console_key k);
/* By name or unique prefix; ACT_NONE when there is none or several. */
enum action action_by_name(const char *name, size_t n);
/* The first key of an action, as text. */
char *action_key_text(enum action a, char *out, size_t n);
/* Whether the selected VM (may be NULL) allows the action; else why not, a sentence in why. */
bool action_allowed(enum action a, const struct deck_vm *vm, char *why, size_t n);
/* The longest text that all action names beginning with prefix share, into out; the number of them.
 */
int action_complete(const char *prefix, char *out, size_t n);

#endif
