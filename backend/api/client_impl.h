/* Private to backend/api: what client.c, start.c and stream.c share. */
#ifndef VMDECK_API_CLIENT_IMPL_H
#define VMDECK_API_CLIENT_IMPL_H

#include <ev.h>

#include "backend/api/client.h"
#include "backend/api/proto.h"
#include "backend/base/buf.h"
#include "backend/base/path.h"

#define API_ANSWER_MAX (8u * 1024 * 1024) /* bytes of one line from the daemon */
#define API_READ_MAX   (64u * 1024)       /* bytes read per wakeup */

#define API_CALLS_MAX (4u * 1024 * 1024) /* bytes of calls not sent yet */

struct wait;

struct pending {
	struct pending *next;
	int64_t id;
	api_reply *fn; /* NULL: nobody waits any more */
	void *user;
	bool subscribes;
	int64_t since; /* of event.subscribe, -1: not given */
};

enum client_state { CLIENT_NEW, CLIENT_LIVE, CLIENT_LOST };

struct api_client {
	enum client_state state;
	struct ev_loop *loop;
	struct paths paths;
	char *socket_path;
	int fd;
	ev_io rd, wr;
	struct buf in, out;
	struct pending *first, **last; /* calls in the order they were made */
	int64_t next_id;
	struct wait *waits; /* api_call_wait on the stack, innermost first */
	struct api_stream *streams;
	struct json_object *hello;
	uint64_t seq; /* newest event seen */
	bool has_seq;
	api_on_event *on_event;
	void *event_user;
	api_on_stats *on_stats;
	void *stats_user;
	api_on_lost *on_lost;
	void *lost_user;
	bool read_only;
	int depth;   /* callbacks of ours on the stack */
	bool closed; /* by the caller, while depth > 0: freed when it is 0 again */
};

/* Connects to the daemon's socket, starting the daemon when allowed and none runs. The fd is
 * close-on-exec and blocking. deadline_ns: monotonic. */
int client_connect(
	const struct paths *p, bool no_start, uint64_t deadline_ns, int *ret_fd, struct err *e);
/* One connect(2) to path, bounded by deadline_ns; the peer must be us or root. */
int client_dial(const char *path, uint64_t deadline_ns, int *ret_fd, struct err *e);
/* Milliseconds until deadline_ns for poll(2): 0 when it has passed. */
int client_ms_left(uint64_t deadline_ns);

/* {"jsonrpc", "id", "method", "params"} and a line end, appended to out. Takes params. */
int client_put_call(
	struct buf *out, int64_t id, const char *method, struct json_object *params, struct err *e);
/* The call hello, as every connection of this client makes it first. */
int client_put_hello(
	struct api_client *c, struct buf *out, int64_t id, const char *client, struct err *e);
/* Turns the "error" member of an answer into e; returns -errno. */
int client_take_error(struct json_object *error, struct err *e);
/* Makes a socket non-blocking. */
void client_nonblock(int fd);

struct api_client *client_new(struct ev_loop *loop, const struct paths *p);
/* hello is done: the loop takes over. */
void client_live(struct api_client *c);
/* The client is being closed: every api_call_wait on the stack ends with -ECANCELED. */
void client_end_waits(struct api_client *c);
/* The client is being closed: its streams go on without it. */
void stream_orphan(struct api_client *c);
/* Drops the calls that were made with this user pointer: their replies are not called any more. */
void client_forget(struct api_client *c, const void *user);

#endif
