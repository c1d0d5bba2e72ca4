/* How long boots, restores and snapshots took, kept in the event log's database with each phase,
 * for percentiles and for the ghost beside a waterfall. Rows are added through the log's writer
 * thread: adding never blocks, and a row may be lost with a kill -9 like an event's. */
#ifndef VMDECK_EVENTS_TIMINGS_H
#define VMDECK_EVENTS_TIMINGS_H

#include "backend/events/events.h"

#define TIMING_PHASES   24
#define TIMINGS_KEEP    20000 /* rows; the oldest go */
#define TIMINGS_SAMPLES 1000  /* the newest so many make a percentile */

struct timing_phase {
	const char *name;  /* "spawn" */
	uint64_t at_ns;    /* since the request */
	uint64_t ns;       /* how long it took */
	uint64_t limit_ns; /* it could have taken; 0: it never waits */
};

/* Strings are copied. */
struct timing {
	const char *kind; /* "boot", "restore", "snapshot" */
	const char *id;   /* of the row: the VM's id (boot, restore), the snapshot's (snapshot) */
	const char *vm, *vm_name; /* id and name */
	const char *subject; /* what it was made from: image (boot), snapshot (restore, snapshot) */
	const char *subject_id; /* its build or generation: rows of another one are no peers */
	const char *vmm;        /* "qemu" */
	const char *result;     /* "ok", "failed", "cancelled" */
	const char *step, *last_event, *why; /* when it failed; else NULL */
	uint64_t started_ns;                 /* wall clock */
	uint64_t total_ns;
	const char *extra; /* JSON object text, or NULL: "pool":true, bytes, ... */
	struct timing_phase phases[TIMING_PHASES];
	int phase_count;
};

void timings_add(struct events *l, const struct timing *t);
/* A later mark of a row added before: the first command after a restore, e.g. Appended as a phase.
 */
void timings_mark(struct events *l, const char *kind, const char *id, const struct timing_phase *p);

/* JSON array (caller's), newest first: {kind, id, vm, vm_name, subject, subject_id, vmm, result,
 * step, last_event, why, started_ns, total_ms, extra{}, phases [{name, at_ms, ms, limit_s}]}.
 * Filters may be NULL. Rows added just now are seen (waits for the writer within 1 s). */
int timings_list(struct events *l, const char *kind, const char *subject, int limit,
	struct json_object **ret, struct err *e);
/* One by id (or VM name: the newest of that name). -ENOENT. */
int timings_get(struct events *l, const char *kind, const char *id, struct json_object **ret,
	struct err *e);
/* Of the successful rows with this subject_id: {count, failed, p50_ms, p90_ms, p99_ms, max_ms,
 * phases [{name, at_ms, ms}] (medians)}; count 0 when there are none. */
int timings_usual(struct events *l, const char *kind, const char *subject_id,
	struct json_object **ret, struct err *e);

#endif
