/* JSON-RPC server on the daemon's UNIX socket: connections with limits, peers checked by
 * SO_PEERCRED, calls decoded and checked by the table of backend/api, replies at any later time,
 * event subscriptions, upgrade of a connection to a byte stream. Knows no VM. */
#ifndef VMDECK_RPC_RPC_H
#define VMDECK_RPC_RPC_H

#include <ev.h>
#include <json-c/json.h>
#include <stdbool.h>

#include "backend/api/proto.h"
#include "backend/base/err.h"
#include "backend/events/events.h"

#define RPC_CONNS_MAX 256
#define RPC_CALLS_MAX 64                 /* unanswered ones of a connection */
#define RPC_QUEUE_MAX (4u * 1024 * 1024) /* unsent bytes of a connection */

struct rpc_server;
struct rpc_call; /* one call to be answered exactly once; survives its connection */

/* params: checked object (never NULL), borrowed until the handler returns. The handler answers now
 * or later. */
typedef void rpc_handler(struct rpc_call *call, struct json_object *params);

struct rpc_config {
	const char *path; /* socket; made with mode 0600 */
	int listen_fd;    /* >= 0: already listening (socket activation), else -1 */
	rpc_handler *handlers[PROTO__COUNT]; /* NULL: the server's own (event.subscribe) or "not
						available" */
	struct events *events;               /* for event.subscribe with since; may be NULL */
	void (*on_idle_change)(void *user, int connections);
	/* rpc_watch_interval says something else; may be NULL. Called from the loop. */
	void (*on_watch_change)(void *user, unsigned interval_ms);
	void *user;
};

/* Listens. A socket file nobody answers on is replaced; one where a daemon answers: -EADDRINUSE. */
int rpc_open(struct rpc_server **ret, struct ev_loop *loop, const struct rpc_config *config,
	struct err *e);
/* Closes all connections and takes no new one: those wait, unanswered, until rpc_close, and then
 * try again. A daemon that ends drains first, lets go of all it holds, and closes last, so that a
 * client never starts the next daemon before this one is out of its way. NULL is fine. */
void rpc_drain(struct rpc_server *s);
/* Drains, unlinks the socket (unless it was given). Unanswered calls stay valid
 * until answered; their on_gone is called here. NULL is fine, and so is a call from a handler. */
void rpc_close(struct rpc_server *s);

/* Sends an event to every subscriber; s may be NULL. One that is RPC_QUEUE_MAX behind misses events
 * (the hole in seq shows it) rather than growing; it gets newer ones again once it has read half of
 * its queue. */
void rpc_publish(struct rpc_server *s, const struct event *ev);

/* ---- figures: what only those get that watch, without a number and without a replay */
/* The caller's connection watches every interval_ms from now on; 0: no more. changes_only: it only
 * wants what is pushed as changed. */
void rpc_watch(struct rpc_call *call, unsigned interval_ms, bool changes_only);
/* Shortest interval that a connection watches with, ms; 0: none does. */
unsigned rpc_watch_interval(const struct rpc_server *s);
/* Sends {method, params} to the watchers whose time has come; one that has not read what it has
 * got before goes without. now_ns: monotonic. params: borrowed. */
void rpc_push(struct rpc_server *s, const char *method, struct json_object *params, uint64_t now_ns,
	bool changed);

void *rpc_user(const struct rpc_call *call); /* config.user */
enum proto_id rpc_method(const struct rpc_call *call);
uid_t rpc_uid(const struct rpc_call *call);
/* From now on, and until it ends, the caller's connection may make calls of permission read only:
 * others are refused with -EPERM. There is no way back. */
void rpc_set_read_only(struct rpc_call *call);
/* Answers and frees the call. result: taken (NULL: null). A connection that has gone meanwhile:
 * dropped. An answer over RPC_QUEUE_MAX becomes the error -E2BIG. */
void rpc_reply(struct rpc_call *call, struct json_object *result);
void rpc_fail(struct rpc_call *call, const struct err *e);
/* Whether the caller is still connected; on_gone (may be NULL) is called once, from the loop, when
 * it leaves before the answer. The call must be answered all the same, there or later. */
bool rpc_alive(const struct rpc_call *call);
void rpc_on_gone(struct rpc_call *call, void (*fn)(struct rpc_call *call, void *user), void *user);
/* For methods of kind upgrade: sends the result line, takes the connection off the server and hands
 * its fd (non-blocking, owned by the caller from now on). -EPIPE when it has gone; -EPROTO when the
 * peer sent bytes before the answer, -EBUSY when its socket has no room for the whole line (it was
 * told, and its connection is closed). result is taken and the call freed either way. */
int rpc_upgrade(struct rpc_call *call, struct json_object *result, int *ret_fd, struct err *e);

#endif
