/* For tests only, in the place of backend/base/flow_probe.c: the daemon ends itself as by kill -9
 * at the step that DECK_DIE_AT names, "FLOW:STEP:enter" (before the step does anything) or
 * "FLOW:STEP:wait" (while it waits). So that each step of a flow can be the last one of a daemon.
 */
#include <signal.h>
#include <string.h>

#include "backend/base/flow.h"

void flow_probe(const struct flow *f, bool waits)
{
	const char *where = getenv("DECK_DIE_AT");
	char here[128];

	if (!where)
		return;
	snprintf(here, sizeof(here), "%s:%s:%s", f->name, f->steps[f->at].name,
		waits ? "wait" : "enter");
	if (strcmp(where, here) == 0)
		kill(getpid(), SIGKILL);
}
