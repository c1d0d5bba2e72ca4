/* Private to the stream files of backend/api. */
#ifndef VMDECK_API_STREAM_IMPL_H
#define VMDECK_API_STREAM_IMPL_H

#include "agent/wire.h"
#include "backend/api/client_impl.h"

#define STREAM_QUEUE_MAX     (256u * 1024) /* bytes of unsent input frames */
#define STREAM_QUEUE_CONTROL 1024u         /* more for frames that are not input */
#define STREAM_CODE_OURS     125           /* exit code when the command is not to blame */

enum stream_state { STREAM_CALLING, STREAM_OPEN, STREAM_CHECKING, STREAM_ENDED };
enum stream_kind { STREAM_EXEC, STREAM_ATTACH, STREAM_LOGS };

struct api_stream {
	enum stream_state state;
	enum stream_kind kind;
	struct api_client *client; /* NULL once it was closed */
	struct api_stream *next;   /* of the client's */
	struct ev_loop *loop;
	const struct api_stream_handler *h;
	void *user;
	int fd;
	ev_io rd, wr;
	ev_timer timer; /* answer and check */
	struct buf line;
	bool hello_due; /* the answer to hello comes before that to the call */
	struct wire_reader reader;
	uint8_t reader_buf[WIRE_HEADER + WIRE_PAYLOAD_MAX];
	struct buf out;
	uint64_t credit; /* input bytes that may still be sent */
	bool out_broken; /* the peer takes no more */
	bool eof_due;    /* asked for, not queued yet */
	bool eof;        /* asked for */
	bool resize_due;
	uint16_t rows, cols;
	bool starved; /* a write was cut short: on_room is due */
	bool held;
	int depth;   /* callbacks of ours on the stack */
	bool closed; /* by the owner, while depth > 0 */
};

/* The one end of a stream: calls on_end. */
void stream_end(struct api_stream *s, int r, int code, const struct err *e);
void stream_fail(struct api_stream *s, const struct err *e);
/* Handles the frames that are there, until a hold, the end or a half frame. */
void stream_decode(struct api_stream *s);
/* Sends what is due; watches for room when not all could be sent. */
void stream_flush(struct api_stream *s);
/* on_room, when a write was cut short and the next one would not be. */
void stream_tell_room(struct api_stream *s);

#endif
