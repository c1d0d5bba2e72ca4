/* A framed connection (agent/wire.h) on a stream socket: bounded reads per wakeup, a bounded write
 * queue, frames that can be held back. Knows frames, not what they mean.
 *
 * The socket is written at once where it takes bytes; only what it refuses is queued. A peer that
 * stops reading does not end the connection: what it sent before is still delivered, then its end
 * of file. Callbacks come from the loop only, never from inside a call of this header. */
#ifndef VMDECK_GUEST_FRAMED_H
#define VMDECK_GUEST_FRAMED_H

#include <ev.h>
#include <stdbool.h>

#include "agent/wire.h"
#include "backend/base/buf.h"
#include "backend/base/err.h"

#define FRAMED_WAKEUP_BYTES  (128 * 1024) /* read per wakeup, so that others get their turn */
#define FRAMED_WAKEUP_FRAMES 256

#define FRAMED_HOLD 1

struct framed;

struct framed_ops {
	int priority;     /* of the watchers (EV_MINPRI..EV_MAXPRI) */
	size_t queue_max; /* unsent bytes; at least what is sent in one go */
	/* s; after FRAMED_WAKEUP_BYTES in one wakeup nothing is read for so long: the limit of a
	 * flood. 0: none. */
	double rest;
	/* The peer's hangup ends the connection also while frames are held, unread bytes or not:
	 * for clients, who want nothing any more when they are gone. Otherwise what a peer sent
	 * before it closed is delivered first, however long that takes. */
	bool hangup_ends;
	/* One whole frame, valid until it returns or closes c. 0: taken; FRAMED_HOLD: not now: it
	 * is given again after framed_unhold, and nothing behind it before; -errno with e: the peer
	 * broke the protocol, on_end follows. */
	int (*on_frame)(struct framed *c, const struct wire_frame *f, struct err *e);
	/* After the frames of one wakeup. May be NULL. */
	void (*on_batch)(struct framed *c);
	/* The loop has emptied the write queue (framed_flush and framed_send, when they manage it,
	 * don't call it). May be NULL. */
	void (*on_drained)(struct framed *c);
	/* Over; c is closed already. r: 0 the peer closed, else -errno. e: a sentence, always. */
	void (*on_end)(struct framed *c, int r, const struct err *e);
	/* Around every wakeup: the owner may be freed in leave, not between them. */
	void (*enter)(struct framed *c);
	void (*leave)(struct framed *c);
};

/* Embedded by its owner. Closed: fd < 0 (framed_init or framed_close was called). */
struct framed {
	const struct framed_ops *ops;
	struct ev_loop *loop;
	int fd;
	ev_io rd, wr;
	ev_idle again; /* frames left in the buffer, or an end to report */
	ev_timer rest; /* ops->rest */
	ev_io hup;     /* hangup_ends, while held */
	int hup_fd;    /* -1, or an epoll that waits for nothing but the hangup */
	struct wire_reader reader;
	uint8_t *in; /* the reader's memory, owned */
	struct wire_frame frame;
	bool has_frame; /* frame was held back */
	bool held;
	bool fresh; /* frames were taken since the last on_batch */
	int broken; /* -errno of the write that failed: nothing is written any more */
	struct buf out;
	uint64_t received; /* bytes */
};

void framed_init(struct framed *c);
/* Takes fd (made non-blocking). held: nothing is read before framed_unhold. */
void framed_open(
	struct framed *c, struct ev_loop *loop, int fd, const struct framed_ops *ops, bool held);
/* Closes; unsent bytes are dropped. Fine when closed already. */
void framed_close(struct framed *c);

/* The same, but hands the fd on instead of closing it; -1 when closed already. */
int framed_release(struct framed *c);

static inline bool framed_is_open(const struct framed *c)
{
	return c->fd >= 0;
}

/* Unsent bytes. */
static inline size_t framed_queued(const struct framed *c)
{
	return c->out.len;
}

/* Sends n (<= queue_max) bytes, whole frames. -ENOBUFS: the queue is full, nothing was taken;
 * -EPIPE: closed, or the peer does not read any more (on_end follows by itself). */
int framed_send(struct framed *c, const void *p, size_t n);
/* The same without trying the socket: for several frames in a row, framed_flush sends them. */
int framed_queue(struct framed *c, const void *p, size_t n);
void framed_flush(struct framed *c);

/* Reading goes on, first with the frame that was held. */
void framed_unhold(struct framed *c);

/* Ends a connection whose peer may have sent bytes that nobody will read, without turning what it
 * was sent into an error: both directions shut, the rest read away, closed. */
void socket_finish(int fd);

#endif
