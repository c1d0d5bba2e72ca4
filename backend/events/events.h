/* The event log: one append-only ordered log per host, the source for everything the operator sees
 * (DESIGN 10). SQLite in WAL mode, written by one thread of its own through a bounded queue, so a
 * slow disk never delays the daemon; the newest EVENTS_RING stay in memory for subscribers.
 *
 * Sequence numbers only grow and none is ever used twice, also after kill -9: numbers are used out
 * of blocks that were reserved on disk first, and a log that was not closed in order goes on behind
 * its block. Such a hole is told by the event events.hole {stored, next}. A kill -9 may lose the
 * last rows that the writer had not stored; the host's power may take some more, the database stays
 * whole. All functions are for one thread (the loop's). */
#ifndef VMDECK_EVENTS_EVENTS_H
#define VMDECK_EVENTS_EVENTS_H

#include <json-c/json.h>

#include "backend/base/err.h"

#define EVENTS_RING       4096
#define EVENTS_KEEP       200000  /* rows kept on disk; the oldest go */
#define EVENTS_FIELDS_MAX 8192    /* bytes; a larger object becomes {"cut": bytes} */
#define EVENTS_LIST_BYTES 2097152 /* fields in one answer of events_list */

struct event {
	uint64_t seq; /* 1.., growing across daemon restarts */
	uint64_t mono_ns, wall_ns;
	const char *vm, *vm_name; /* "" when it is about no VM */
	const char *name;         /* "vmm.spawn" */
	const char *fields;       /* JSON object text */
};

struct events;
typedef void events_sink(void *user, const struct event *ev);

/* Opens (makes) the database; sink (may be NULL) is called for each event as it is added, also
 * before this returns, but not by events_close; it must not add one. A damaged database is set
 * aside as <db_path>.broken-<time> and a new one begun, now or whenever the damage is met; the
 * event events.broken {file, why} says so, and numbering goes on far above the lost one. -ENOSPC,
 * -EROFS...: the database cannot be written. */
int events_open(
	struct events **ret, const char *db_path, events_sink *sink, void *user, struct err *e);
/* Writes what is queued and closes. NULL is fine. */
void events_close(struct events *l);

/* Adds an event now; NULL strings are empty. fields_json: an object's text, or NULL for {}. Never
 * blocks on disk, never fails: when the writer is EVENTS_RING behind (no space left), disk rows are
 * dropped, and when it has caught up one event events.dropped {rows} says how many. Only when the
 * disk takes nothing for hundreds of thousands of events are events themselves left out (the
 * reserved numbers are used up); they are counted there too. */
void events_add(struct events *l, const char *vm, const char *vm_name, const char *name,
	const char *fields_json);
uint64_t events_seq(const struct events *l); /* newest */

/* JSON array of events (caller's) with seq > since, of vm (id or name, NULL: all), the newest
 * `limit` of them (fewer when they pass EVENTS_LIST_BYTES), oldest first. Reads memory first, the
 * database where that does not reach. */
int events_list(struct events *l, const char *vm, uint64_t since, int limit,
	struct json_object **ret, struct err *e);
/* The same, but the oldest `limit` of them: what a subscriber that knows `since` gets next. Empty
 * only when there is none. */
int events_next(
	struct events *l, uint64_t since, int limit, struct json_object **ret, struct err *e);
struct json_object *event_to_json(const struct event *ev); /* caller's */

#endif
