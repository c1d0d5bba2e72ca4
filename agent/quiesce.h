/* The standstill before a snapshot: nothing half-sent, nothing unstored, nothing begun.
 *
 * state    | from, by          | deadline                 | then
 * ---------+-------------------+--------------------------+--------------------------------------
 * OFF      |                   |                          |
 * DRAINING | QUIESCE           | its limit: HELD          | all is with the host: HELD
 * HELD     | QUIESCED was sent | its limit, anew: OFF     | THAW, HELLO, POWEROFF, loss: OFF
 *
 * The other parts ask quiesce_on (output is not read from its writers, no command begins) and
 * quiesce_held (nothing new is sent unasked). In a restored copy the same state keeps what the
 * former host asked for from being begun, until HELLO says whose guest it is. */
#ifndef VMDECK_AGENT_QUIESCE_H
#define VMDECK_AGENT_QUIESCE_H

#include "agent/loop.h"

struct agent;

enum quiesce_state { QUIESCE_OFF, QUIESCE_DRAINING, QUIESCE_HELD };

struct quiesce {
	struct agent *agent;
	enum quiesce_state state;
	uint32_t limit_ms;
	uint64_t came_ns; /* monotonic, when QUIESCE came */
	struct timer limit, check;
};

void quiesce_init(struct quiesce *q, struct agent *a);
/* QUIESCE, also while quiesced: the limit starts again. */
void quiesce_begin(struct quiesce *q, uint32_t limit_ms, uint64_t came_ns);
/* All goes on. Fine when it is off. A QUIESCE that is not answered yet is answered first
 * (quiesce_thaw), or has nobody left who waits for it (quiesce_end). */
void quiesce_thaw(struct quiesce *q);
void quiesce_end(struct quiesce *q);
/* quiesce_end when the events of this turn are done: first the host is dialled again. */
void quiesce_end_soon(struct quiesce *q);
/* Something was sent or stored. */
void quiesce_on_progress(struct quiesce *q);

static inline bool quiesce_on(const struct quiesce *q)
{
	return q->state != QUIESCE_OFF;
}

static inline bool quiesce_held(const struct quiesce *q)
{
	return q->state == QUIESCE_HELD;
}

#endif
