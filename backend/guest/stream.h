/* Feeds one client connection with stored bytes: the output stream (outlog) or a growing file (the
 * serial console), as OUT_DATA frames with the source's own offsets.
 *
 * Nothing is queued for a client but the frame under way: bytes are read from the source by offset
 * as fast as its socket takes them. A slow client is only a position that falls behind; when that
 * was rotated away meanwhile, it goes on at the first byte kept, and the jump in the offsets shows
 * what it missed. */
#ifndef VMDECK_GUEST_STREAM_H
#define VMDECK_GUEST_STREAM_H

#include <ev.h>
#include <stdbool.h>

#include "backend/base/err.h"
#include "backend/guest/outlog.h"

struct stream_feed;

struct stream_spec {
	int client_fd;
	struct outlog *log; /* borrowed until on_end; or NULL: */
	const char *file;   /* path, opened at the start */
	uint64_t offset;    /* where to begin */
	bool follow;        /* false: sends what there is now, then ends */
};

struct stream_callbacks {
	/* Input from the client (attach). Returns how many bytes were taken; with fewer than n the
	 * rest waits for stream_feed_input_room. NULL: a client that sends anything is cut off. */
	size_t (*on_input)(struct stream_feed *s, const void *data, size_t n);
	void (*on_resize)(struct stream_feed *s, uint16_t rows, uint16_t cols); /* may be NULL */
	/* Last call, from the loop (or stream_feed_abort); the feed frees itself after it. r: 0 all
	 * was sent, -EPIPE the client left, else -errno with e. */
	void (*on_end)(struct stream_feed *s, int r, const struct err *e);
};

/* Takes over client_fd (also on failure: closed). *ret is valid until on_end; no callback comes
 * before this returns. -ENOENT, ...: the file. */
int stream_feed_start(struct stream_feed **ret, struct ev_loop *loop,
	const struct stream_spec *spec, const struct stream_callbacks *cb, void *user,
	struct err *e);
void *stream_feed_user(const struct stream_feed *s);

/* The log has new bytes (guest_callbacks.on_output). A file is watched by the feed itself. Sends at
 * once; on_end is never called from inside. */
void stream_feed_wake(struct stream_feed *s);
/* on_input takes bytes again. */
void stream_feed_input_room(struct stream_feed *s);
/* The source will not grow any more: what is stored is sent, then OUT_MAIN_EXIT{how, value}, then
 * the end of file. stream_feed_stop: the same without OUT_MAIN_EXIT. */
void stream_feed_finish(struct stream_feed *s, uint8_t how, int32_t value);
void stream_feed_stop(struct stream_feed *s);
/* Ends it at once; on_end is called (-ECANCELED) before it returns. Not from inside a callback. */
void stream_feed_abort(struct stream_feed *s);

/* Next byte to be sent: how far behind the client is. */
uint64_t stream_feed_offset(const struct stream_feed *s);

#endif
