/* Private to backend/rpc: server, connection and call.
 *
 * Ownership: the server owns its connections, a connection does not own its calls (they belong to
 * whoever must answer them) but knows them. Connections die only in the loop's callbacks; the
 * functions that handlers and others call never do more than queue, send and wake a watcher. A dead
 * connection is freed when no callback of the server is on the stack. */
#ifndef VMDECK_RPC_IMPL_H
#define VMDECK_RPC_IMPL_H

#include "backend/base/buf.h"
#include "backend/rpc/rpc.h"

#define RPC_READ_MAX     65536u         /* bytes read per wakeup of a connection */
#define RPC_LINES_TURN   32             /* lines handled per wakeup */
#define RPC_ID_MAX       128            /* bytes of a call's id */
#define RPC_REPLAY       256            /* events of one step of a replay */
#define RPC_SEND_FIRST   (1024u * 1024) /* unsent bytes above which no more calls are read */
#define RPC_LINE_TIMEOUT 30.0           /* s for the rest of a line that was begun */
#define RPC_LAST_WORDS   5.0            /* s for sending what is queued before a close */
#define RPC_ACCEPT_PAUSE 1.0            /* s without accepting when fds are used up */
#define RPC_ACCEPTS_TURN 16

#define RPC_PARSE_ERROR     (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_NO_METHOD       (-32601)
#define RPC_BAD_PARAMS      (-32602)
#define RPC_ERRNO_BASE      (-32000) /* minus errno */

enum conn_state {
	CONN_OPEN,
	CONN_CLOSING, /* reads no more, sends what is queued, then dies */
	CONN_DEAD,    /* fd closed or handed out; waits for being freed */
};

enum sub_state { SUB_NONE, SUB_REPLAY, SUB_LIVE };

struct conn {
	enum conn_state state;
	struct rpc_server *server;
	struct conn *next;
	int fd;
	uid_t uid;
	ev_io rd, wr;
	ev_timer more;  /* lines are left over from the last turn */
	ev_timer limit; /* of a line under way, of last words */
	struct buf in, out;
	size_t lines;           /* whole ones in `in` */
	struct rpc_call *calls; /* unanswered */
	int call_count;
	bool upgrading; /* a call that upgrades is unanswered: bytes behind it are not ours */
	bool eof;       /* the peer sends no more */
	bool read_only; /* never taken back */
	enum sub_state sub;
	bool behind;           /* live events are passed over until it has read half its queue */
	uint64_t cursor;       /* newest event queued, or passed over, for the subscriber */
	unsigned watch_ms;     /* 0: watches nothing */
	uint64_t watch_due_ns; /* monotonic */
	bool watch_changes, watch_first;
};

struct rpc_server {
	struct ev_loop *loop;
	struct rpc_config config;
	char *path;
	dev_t dev; /* of the socket file we made */
	ino_t ino;
	bool made_path;
	int fd;
	ev_io accept;
	ev_timer pause;
	ev_timer reaper; /* frees the dead and tells the count, from the loop */
	struct conn *conns;
	int count, told;     /* connections that are not dead; as on_idle_change was told */
	unsigned watch_told; /* interval, as on_watch_change was told */
	uint64_t seq;        /* newest event published */
	int depth;           /* callbacks of ours on the stack */
	bool drained, closed;
};

struct rpc_call {
	struct conn *conn; /* NULL: gone */
	struct rpc_call *next;
	void *config_user;
	enum proto_id method;
	uid_t uid;
	struct json_object *id;
	void (*on_gone)(struct rpc_call *call, void *user);
	void *gone_user;
};

/* rpc.c */
void server_enter(struct rpc_server *s);
void server_leave(struct rpc_server *s);
/* Asks for the reaper: a connection died or was handed out. */
void server_reap_soon(struct rpc_server *s);

/* conn.c */
void conn_open(struct rpc_server *s, int fd, uid_t uid);
/* Stops watching and closes; tells the calls that wait. From the loop's callbacks only. */
void conn_die(struct conn *c);
void conn_free(struct conn *c);
/* No more input; what is queued is sent, then it dies. */
void conn_finish(struct conn *c);
/* Queues a line and sends what can be sent now. False: it does not fit. */
bool conn_put(struct conn *c, const char *line, size_t n);
/* The loop looks at the connection again (room was made, a call was answered). */
void conn_wake(struct conn *c);
/* Takes the fd away; the connection is dead then. */
int conn_steal(struct conn *c);

/* call.c */
void call_line(struct conn *c, const char *line, size_t n);
/* Every call of a connection that died is told. */
void calls_gone(struct conn *c);
/* An error object line; id may be NULL. */
void call_error(struct conn *c, struct json_object *id, int code, const char *message);

/* watch.c */
/* Tells on_watch_change, from the loop. */
void watch_tell(struct rpc_server *s);

/* subs.c */
/* event.subscribe: answers the call. */
void sub_start(struct conn *c, struct rpc_call *call, struct json_object *params);
void sub_publish(struct conn *c, uint64_t seq, const char *line, size_t n);
/* One step of a replay, when one is under way and the queue has room. */
void sub_replay(struct conn *c);
bool sub_wants_turn(const struct conn *c);

#endif
