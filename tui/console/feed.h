/* A feed moves the bytes of one stream into a pane and typed bytes back, within limits: at most
 * FEED_TURN bytes a loop turn over all feeds, and a stream that is ahead of the screen is held. */
#ifndef VMDECK_TUI_CONSOLE_FEED_H
#define VMDECK_TUI_CONSOLE_FEED_H

#include "backend/api/client.h"
#include "backend/base/buf.h"
#include "tui/console/pane.h"

#define FEED_TURN  (64 * 1024)  /* bytes parsed in one loop turn: keys are answered in between */
#define FEED_QUEUE (512 * 1024) /* bytes waiting for their turn, a feed */
#define FEED_INPUT (64 * 1024)  /* typed bytes that the guest has not taken */

struct feed;

struct feed_ops {
	/* The stream is open; result as proto.def says. */
	void (*on_open)(struct feed *f, struct json_object *result);
	void (*on_exit)(struct feed *f, uint8_t how, int value);
	/* The stream ended and is closed: all its bytes are in the pane. */
	void (*on_end)(struct feed *f, int r, const struct err *e);
};

/* All feeds that have bytes waiting. */
struct feed_hub {
	struct ev_loop *loop;
	ev_idle more; /* keeps the loop turning while bytes wait */
	struct feed *busy;
};

struct feed {
	struct feed_hub *hub;
	const struct feed_ops *ops;
	struct pane *pane; /* borrowed */
	void *user;
	struct api_stream *stream; /* NULL: closed */
	bool open;                 /* the daemon has answered */
	bool held, queued;
	struct feed *next_busy;
	struct buf pending, input;
	uint64_t next;       /* offset behind the newest byte taken (attach, logs) */
	size_t skip;         /* > 0: drop up to the next line end, within so many bytes */
	uint16_t rows, cols; /* size to tell the guest once open; 0: none */
};

void feed_hub_init(struct feed_hub *hub, struct ev_loop *loop);
void feed_hub_fini(struct feed_hub *hub);
/* Parses waiting bytes; call once a loop turn, before drawing. */
void feed_hub_turn(struct feed_hub *hub);

void feed_init(struct feed *f, struct feed_hub *hub, const struct feed_ops *ops, struct pane *pane,
	void *user);
/* Closes the stream; nothing is called back. Waiting bytes are put into the pane first. */
void feed_close(struct feed *f);
void feed_fini(struct feed *f);
/* Opens the stream of a call; takes params. A stream that is open is closed first. */
int feed_open(struct feed *f, struct api_client *c, const char *method, struct json_object *params,
	struct err *e);
/* Typed bytes. False: the guest takes nothing and the queue is full; they are dropped. */
bool feed_type(struct feed *f, const void *bytes, size_t n);
void feed_size(struct feed *f, int rows, int cols);
/* Parses all waiting bytes now, so that what comes next stands behind them. */
void feed_settle(struct feed *f);

#endif
