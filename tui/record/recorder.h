/* Records what the daemon tells into a file (backend/record/record.h), over a connection of its
 * own: all events, the VMs, images, snapshots and timings as they change, and what VMs write. */
#ifndef VMDECK_TUI_RECORD_RECORDER_H
#define VMDECK_TUI_RECORD_RECORDER_H

#include <ev.h>
#include <stdbool.h>

#include "backend/base/err.h"

struct recorder;

struct recorder_opts {
	const char *path;
	uint64_t max;           /* bytes; 0: as many as a replay reads */
	const char *const *vms; /* names or ids whose output is wanted; none: all */
	int vm_count;
	bool from_console; /* the daemon is there and known: it is not started, nor waited for long
			    */
};

/* Makes the file (-EEXIST: it is there) and begins. ended: once, from the loop, when the recording
 * cannot go on (daemon gone, limit reached, disk full); the caller then stops it. */
int recorder_start(struct recorder **ret, struct ev_loop *loop, const struct recorder_opts *o,
	void (*ended)(void *user, const struct err *why), void *user, struct err *e);
/* Writes why it ends and closes the file. NULL is fine. */
void recorder_stop(struct recorder *r, const char *why);
int recorder_mark(struct recorder *r, const char *text, struct err *e);
uint64_t recorder_bytes(const struct recorder *r);
int64_t recorder_ms(const struct recorder *r);
const char *recorder_path(const struct recorder *r);

#endif
