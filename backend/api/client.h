/* Client library of vmdeckd: the only part of backend/ (besides base/) that tui/ may include. */
#ifndef VMDECK_API_CLIENT_H
#define VMDECK_API_CLIENT_H

#include <ev.h>
#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/err.h"

struct api_client;
struct api_stream;

struct api_opts {
	const char *client; /* "vmdeck 0.1.0" */
	bool no_start;      /* don't start a daemon: -ECONNREFUSED when none runs */
	bool any_version;   /* take a daemon of another protocol version: only for daemon.stop */
	bool read_only;     /* the daemon refuses what writes or destroys, on streams too: -EPERM */
	double timeout;     /* s for connecting (and starting) at all; 0: 10 */
};

/* Connects; starts vmdeckd when none runs and checks versions by hello. Blocks up to the timeout,
 * without running the loop. opts may be NULL. Starting: a short-lived child takes a flock on
 * <home>/daemon.lock (so two starters make one daemon; vmdeckd itself never waits for that file),
 * runs `vmdeckd --ready-fd N` in a session of its own with its output in <home>/daemon.log, and
 * waits for one line on N: "ready", or a sentence that says why not, which becomes e. */
int api_open(
	struct api_client **ret, struct ev_loop *loop, const struct api_opts *opts, struct err *e);
/* NULL is fine, and so is a call from inside one of the client's callbacks. Pending calls are not
 * answered any more. Streams are ends of their own and go on, but cannot tell the daemon's end from
 * theirs any more: they end as lost. */
void api_close(struct api_client *c);

/* Result of hello: version, pid, home, ... (belongs to the client; NULL when any_version let a
 * daemon in that refused hello). */
struct json_object *api_hello(const struct api_client *c);

/* r: 0 with result (borrowed), or -errno with e (the daemon's sentence). */
typedef void api_reply(void *user, int r, struct json_object *result, const struct err *e);
/* Sends a call; takes params (may be NULL), also on failure. The reply comes from the loop, never
 * from inside this call, exactly once unless the client is closed first. -EPIPE: the daemon has
 * gone; -E2BIG: the call is over PROTO_LINE_MAX; -ENOBUFS: too many calls are unsent. */
int api_call(struct api_client *c, const char *method, struct json_object *params, api_reply *fn,
	void *user, struct err *e);
/* Blocking form for command lines: runs the loop until the answer (other watchers run meanwhile,
 * events are delivered) or timeout s (0: none; -ETIMEDOUT). A watcher of the caller that breaks the
 * loop (Ctrl-C) ends the wait with -EINTR; the call itself goes on in the daemon. *ret_result
 * (may be NULL) is the caller's. */
int api_call_wait(struct api_client *c, const char *method, struct json_object *params,
	double timeout, struct json_object **ret_result, struct err *e);

/* After event.subscribe: each event (borrowed). gap: the sequence numbers jump, so events were lost
 * before this one. */
typedef void api_on_event(void *user, struct json_object *event, bool gap);
void api_set_event_handler(struct api_client *c, api_on_event *fn, void *user);
/* After host.watch: each HOST (borrowed). */
typedef void api_on_stats(void *user, struct json_object *host);
void api_set_stats_handler(struct api_client *c, api_on_stats *fn, void *user);
/* The daemon closed the connection or sent garbage. The client is dead; open a new one. */
typedef void api_on_lost(void *user, const struct err *e);
void api_set_lost_handler(struct api_client *c, api_on_lost *fn, void *user);

/* Byte streams (vm.exec, vm.attach, vm.logs): a connection of its own, upgraded by the call. */
struct api_stream_handler {
	/* The call's result; the stream is open. */
	void (*on_open)(struct api_stream *s, struct json_object *result);
	/* exec: stdout (err false) and stderr; attach/logs: output, at offset. */
	void (*on_data)(
		struct api_stream *s, bool err, uint64_t offset, const void *data, size_t n);
	/* exec: how 0 exited/1 signalled/2 not started; attach: the main process ended. */
	void (*on_exit)(struct api_stream *s, uint8_t how, int value);
	/* Input is taken again after api_stream_write returned less than it was given (also before
	 * the stream was open). */
	void (*on_room)(struct api_stream *s);
	/* End of stream, once, last. r 0: in order (e is NULL, code 0); else r = -errno with e: the
	 * command was refused (code as podman: 125, 126, 127), the call was refused or the
	 * connection broke (125). */
	void (*on_end)(struct api_stream *s, int r, int code, const struct err *e);
};

/* Opens a new connection to the same daemon and sends the call. Takes params, also on failure. Any
 * handler may be NULL; each may close the stream. Nothing is called before this returns. */
int api_stream_open(struct api_stream **ret, struct api_client *c, const char *method,
	struct json_object *params, const struct api_stream_handler *h, void *user, struct err *e);
void api_stream_close(struct api_stream *s); /* NULL is fine */
void *api_stream_user(const struct api_stream *s);
/* stdin or terminal input: bytes taken, 0..n (the guest's credit and an own queue limit it, none
 * before on_open), or -EPIPE after the end or api_stream_eof, -EOPNOTSUPP for vm.logs. */
ssize_t api_stream_write(struct api_stream *s, const void *data, size_t n);
/* End of stdin (vm.exec), after what was written; may be called before on_open. */
int api_stream_eof(struct api_stream *s);
/* Terminal size; may be called before on_open; of several unsent ones the last is sent. */
int api_stream_resize(struct api_stream *s, uint16_t rows, uint16_t cols);
/* Signal to the command's process group (vm.exec). -EAGAIN: not open yet, or the queue is full. */
int api_stream_signal(struct api_stream *s, int sig);
/* Stops and starts reading: the receiver's own back-pressure. While it holds, nothing is called but
 * on_room. */
void api_stream_hold(struct api_stream *s, bool hold);

#endif
