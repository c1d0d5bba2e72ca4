/* What a console that may only read refuses by itself. The daemon refuses it too: this is for the
 * sentence, and so that no dialog opens for nothing. */
#include <stdio.h>

#include "tui/console/actions.h"

static const bool writes[ACT__COUNT] = {
	[ACT_BOOT] = true,
	[ACT_ATTACH] = true,
	[ACT_EXEC] = true,
	[ACT_SHELL] = true,
	[ACT_SNAPSHOT] = true,
	[ACT_RESTORE] = true,
	[ACT_CLONE] = true,
	[ACT_POOL] = true,
	[ACT_PAUSE] = true,
	[ACT_STOP] = true,
	[ACT_KILL] = true,
	[ACT_DELETE] = true,
	[ACT_BUILD] = true,
};

bool action_writes(enum action a)
{
	return writes[a];
}

bool action_may_write(enum action a, bool read_only, char *why, size_t n)
{
	if (!read_only || !writes[a])
		return true;
	snprintf(why, n, "%s: this console is read-only; start one without --read-only for it",
		action_table[a].name);
	return false;
}
