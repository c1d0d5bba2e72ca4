/* The event log: one append-only ordered log per host, the source for everything the operator sees
 * (DESIGN 10). SQLite in WAL mode, written by one thread of its own through a bounded queue, so a
 * slow disk never delays the daemon; the newest EVENTS_RING stay in memory for subscribers. */
#ifndef VMDECK_EVENTS_EVENTS_H
#define VMDECK_EVENTS_EVENTS_H

#include <json-c/json.h>

#include "backend/base/err.h"

#define EVENTS_RING 4096
#define EVENTS_KEEP 200000 /* rows kept on disk; the oldest go */

struct event {
	uint64_t seq; /* 1.. without holes, across daemon restarts */
	uint64_t mono_ns, wall_ns;
	const char *vm, *vm_name; /* "" when it is about no VM */
	const char *name;	  /* "vmm.spawn" */
	const char *fields;	  /* JSON object text */
};

struct events;
typedef void events_sink(void *user, const struct event *ev);

/* Opens (makes) the database; sink is called for each event as it is added. A damaged database is
 * set aside as vmdeck.db.broken-<time> and a new one begun; that is the first event. */
int events_open(struct events **ret, const char *db_path, events_sink *sink, void *user,
	struct err *e);
/* Writes what is queued and closes. NULL is fine. */
void events_close(struct events *l);

/* Adds an event now. fields_json: an object's text, or NULL for {}. Never blocks on disk, never
 * fails: when the writer is EVENTS_RING behind, disk rows are dropped and counted in one event
 * "events.dropped" that says how many. */
void events_add(struct events *l, const char *vm, const char *vm_name, const char *name,
	const char *fields_json);
uint64_t events_seq(const struct events *l); /* newest */

/* JSON array of events (caller's) with seq > since, of vm (id or name, NULL: all), the newest `limit`
 * of them, oldest first. Reads memory first, the database where that does not reach. */
int events_list(struct events *l, const char *vm, uint64_t since, int limit,
	struct json_object **ret, struct err *e);
struct json_object *event_to_json(const struct event *ev); /* caller's */

#endif
