/* The phases of a long operation with their times: what the waterfall draws, while it grows and
 * afterwards. */
#ifndef VMDECK_VM_TRAIL_H
#define VMDECK_VM_TRAIL_H

#include <json-c/json.h>
#include <stdbool.h>

#include "backend/events/timings.h"

struct trail {
	uint64_t begin_ns; /* monotonic; 0: nothing begun */
	uint64_t wall_ns;
	uint64_t end_ns; /* monotonic; 0: under way */
	struct timing_phase phases[TIMING_PHASES];
	int count;
};

/* Begins anew, now. */
void trail_begin(struct trail *t);
/* The phase under way ends and the next one begins. name: static. limit: s, 0: it never waits. */
void trail_step(struct trail *t, const char *name, double limit);
/* The last phase ends. */
void trail_end(struct trail *t);
uint64_t trail_ns(const struct trail *t); /* from begin to end, or to now */
/* Begin of a phase to its end, ns since the request; false when it isn't there. */
bool trail_phase_end(const struct trail *t, const char *name, uint64_t *ret_ns);
/* {started_ns, total_ms, phases [{name, at_ms, ms, limit_s}]}: the caller's. The last phase of a
 * trail under way has run until now. */
struct json_object *trail_json(const struct trail *t);

#endif
