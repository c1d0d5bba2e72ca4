/* The end of the guest, in order: output stored (when the main process ended), BYE, SIGTERM,
 * SIGKILL, output stored, sync, reset. Each wait is bounded, and the loop goes on serving
 * meanwhile.
 *
 * state | waits for                          | at most
 * ------+------------------------------------+--------------------------------
 * UP    |                                    |
 * STORE | host has the main process' output  | POWER_STORE_MS without progress
 * TERM  | all processes are gone             | the grace asked for
 * KILL  | all processes are gone             | POWER_KILL_MS
 * LAST  | host has all output and each EXIT  | POWER_STORE_MS without progress
 * DONE  |                                    |
 */
#ifndef VMDECK_AGENT_POWER_H
#define VMDECK_AGENT_POWER_H

#include "agent/loop.h"

#define POWER_STORE_MS 5000
#define POWER_KILL_MS  1000
/* Grace when nobody named one. */
#define POWER_GRACE_MS 2000

/* As BYE's reason. */
enum power_reason { POWER_ASKED = 0, POWER_MAIN_ENDED = 1, POWER_GUEST = 2 };
enum power_state { POWER_UP, POWER_STORE, POWER_TERM, POWER_KILL, POWER_LAST, POWER_DONE };

struct agent;

struct power {
	struct agent *agent;
	enum power_state state; /* written by power_enter only */
	enum power_reason reason;
	int32_t status; /* main process' */
	uint32_t grace_ms;
	uint64_t main_end; /* offset behind the main process' output */
	bool gave_up;      /* the host took nothing for a whole limit, and nothing since */
	struct timer timer;
};

void power_init(struct power *p, struct agent *a);
/* Starts the end; a later call only cuts the wait for the main process' output short. */
void power_begin(struct power *p, enum power_reason reason, int32_t status, uint32_t grace_ms);
bool power_going(const struct power *p);
/* The host stored or took something more, or a process' output has come to its end. */
void power_on_progress(struct power *p);
/* A child was reaped. */
void power_on_reaped(struct power *p);
/* The agent has no children any more. */
void power_on_no_children(struct power *p);
/* Ends the guest at once, without any of that. */
_Noreturn void power_now(void);

#endif
