/* Output to a descriptor that may be slow, without ever blocking the loop and without making the
 * descriptor non-blocking for the other processes that share it. */
#ifndef VMDECK_CLI_SINK_H
#define VMDECK_CLI_SINK_H

#include <ev.h>
#include <stdbool.h>

#include "backend/base/buf.h"
#include "backend/base/err.h"

struct sink;
/* All that was queued is written (r 0), or the descriptor failed (-errno, e.g. -EPIPE). */
typedef void sink_on_drained(struct sink *s, int r);

struct sink {
	struct ev_loop *loop;
	int fd;       /* the caller's */
	int own;      /* our own non-blocking opening of the same pipe or terminal, or -1 */
	size_t chunk; /* a write of so many bytes does not block when the fd is writable; 0: any */
	bool socket;
	int failed; /* -errno once it failed; nothing is written any more */
	struct buf queue;
	ev_io watch;
	sink_on_drained *on_drained;
	void *user;
};

void sink_init(struct sink *s, struct ev_loop *loop, int fd, sink_on_drained *fn, void *user);
/* Stops and frees; what is queued is lost. Accepts a zeroed sink. */
void sink_fini(struct sink *s);

/* Writes what can be written now and queues the rest. 0: all written; 1: some is queued (hold the
 * source until on_drained); -errno: the descriptor failed. */
int sink_write(struct sink *s, const void *data, size_t n);
bool sink_busy(const struct sink *s);

#endif
