/* Lookups in the table of actions. */
#include "tui/console/actions.h"

#include <stdio.h>
#include <string.h>

#include "backend/base/util.h"

const struct action_info action_table[ACT__COUNT] = {
#define DECK      CONTEXT_DECK
#define LIST      CONTEXT_LIST
#define PANE      CONTEXT_PANE
#define GUEST     CONTEXT_GUEST
#define SNAPSHOTS CONTEXT_SNAPSHOTS
#define RESTORES  CONTEXT_RESTORES
#define IMAGES    CONTEXT_IMAGES
#define EVENTS    CONTEXT_EVENTS
#define WINDOW    CONTEXT_WINDOW
#define COPY      CONTEXT_COPY
#define HOST      CONTEXT_HOST
#define REPLAY    CONTEXT_REPLAY
#define ALL       CONTEXT_ALL
#define NONE      NEED_NONE
#define ROW       NEED_ROW
#define VM        NEED_VM
#define ALIVE     NEED_ALIVE
#define BOOTED    NEED_BOOTED
#define RUNNING   NEED_RUNNING
#define SNAPSHOT  NEED_SNAPSHOT
#define SOURCE    NEED_SOURCE
#define ENDED     NEED_ENDED
#define HINT      ACTION_HINT
#define DESTROYS  ACTION_DESTROYS
#define ARG       ACTION_ARG
#define NAMED     ACTION_NAMED
#define ACTION(id, name, contexts, keys, needs, flags, label, help)                                \
	[ACT_##id] = {name, contexts, keys, needs, flags, label, help},
#include "tui/console/actions.def"
#undef ACTION
#undef DECK
#undef LIST
#undef PANE
#undef GUEST
#undef SNAPSHOTS
#undef RESTORES
#undef IMAGES
#undef EVENTS
#undef WINDOW
#undef COPY
#undef HOST
#undef REPLAY
#undef ALL
#undef ROW
#undef SNAPSHOT
#undef SOURCE
#undef NAMED
#undef NONE
#undef VM
#undef ALIVE
#undef BOOTED
#undef RUNNING
#undef ENDED
#undef HINT
#undef DESTROYS
#undef ARG
};

/* Names behind the prefix key are no commands: there is no command line there. */
static bool is_command(enum action a)
{
	return action_table[a].contexts & CONTEXT_COMMANDS;
}

enum action action_by_name(const char *name, size_t n)
{
	enum action found = ACT_NONE;
	int count = 0;

	for (int i = 0; i < ACT__COUNT && n > 0; i++) {
		if (!is_command((enum action)i) || strncmp(action_table[i].name, name, n) != 0)
			continue;
		if (action_table[i].name[n] == '\0')
			return (enum action)i;
		found = (enum action)i;
		count++;
	}
	return count == 1 ? found : ACT_NONE;
}

static bool vm_allows(
	enum action_need need, const char *name, const struct deck_vm *vm, char *why, size_t n)
{
	if (need == NEED_VM || need == NEED_ROW)
		return true;
	if (need == NEED_ENDED) {
		snprintf(why, n, "%s: %s is %s: stop it first (x)", name, vm->name,
			deck_state_names[vm->state]);
		return !deck_vm_alive(vm);
	}
	if (!deck_vm_alive(vm))
		snprintf(why, n, "%s: %s has ended already", name, vm->name);
	else if (need >= NEED_BOOTED && vm->state == DECK_STARTING)
		snprintf(why, n, "%s: %s is still booting (X ends it)", name, vm->name);
	else if (need == NEED_RUNNING && vm->state == DECK_PAUSED)
		snprintf(why, n, "%s: %s is paused (p resumes it)", name, vm->name);
	else if (need == NEED_RUNNING && vm->state != DECK_RUNNING)
		snprintf(why, n, "%s: %s is %s", name, vm->name, deck_state_names[vm->state]);
	else
		return true;
	return false;
}

static bool snapshot_allows(
	enum action_need need, const char *name, const struct deck_snapshot *s, char *why, size_t n)
{
	if (need == NEED_ENDED || need == NEED_ROW) {
		snprintf(why, n, "%s: %s is still being made", name, s->name);
		return need == NEED_ROW || s->state != SNAPSHOT_CREATING;
	}
	if (need != NEED_SNAPSHOT && need != NEED_SOURCE)
		snprintf(why, n, "%s: %s is a snapshot, no VM", name, s->name);
	else if (s->state == SNAPSHOT_CREATING)
		snprintf(why, n, "%s: %s is still being made", name, s->name);
	else if (s->state == SNAPSHOT_DAMAGED)
		snprintf(why, n, "%s: %s is damaged: %.120s", name, s->name, s->why);
	else
		return true;
	return false;
}

bool action_allowed(enum action a, const struct action_on *on, char *why, size_t n)
{
	const struct action_info *info = &action_table[a];
	enum action_need need = info->need;

	if (info->contexts == CONTEXT_REPLAY && !(on->context & CONTEXT_REPLAY)) {
		snprintf(why, n, "%s: only in a replay (vmdeck replay FILE)", info->name);
		return false;
	}
	if (!(info->contexts & on->context)) {
		snprintf(why, n, "%s: not in this view (1 VMs, 2 snapshots, 4 images)", info->name);
		return false;
	}
	if (!action_may_write(a, on->read_only, why, n))
		return false;
	if (need == NEED_NONE)
		return true;
	if (on->vm)
		return vm_allows(need, info->name, on->vm, why, n);
	if (on->snapshot)
		return snapshot_allows(need, info->name, on->snapshot, why, n);
	if (on->context & CONTEXT_DECK)
		snprintf(why, n, "%s: no VM is selected (b boots one)", info->name);
	else
		snprintf(why, n, "%s: nothing is selected", info->name);
	return on->row;
}

int action_complete(const char *prefix, char *out, size_t n)
{
	size_t len = strlen(prefix), common = 0;
	const char *first = NULL;
	int count = 0;

	for (int i = 0; i < ACT__COUNT; i++) {
		const char *name = action_table[i].name;

		if (!is_command((enum action)i) || strncmp(name, prefix, len) != 0)
			continue;
		if (count++ == 0) {
			first = name;
			common = strlen(name);
		}
		while (strncmp(name, first, common) != 0)
			common--;
	}
	snprintf(out, n, "%.*s", (int)common, first ? first : "");
	return count;
}
