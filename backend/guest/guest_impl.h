/* Private to guest.c, control.c, hello.c, quiesce.c, output.c and input.c: one guest and its parts.
 *
 * guest.c owns the whole; each part has its own file, struct and prefix, and talks to the others by
 * the functions below only. A guest that is closed in a callback is freed when the wakeup under way
 * ends (guest_enter/guest_leave count them). */
#ifndef VMDECK_GUEST_GUEST_IMPL_H
#define VMDECK_GUEST_GUEST_IMPL_H

#include "backend/guest/framed.h"
#include "backend/guest/guest.h"
#include "backend/guest/listener.h"

#define GUEST_STEP_S        5.0 /* READY, HELLO_ACK, SERVING, OUT_OPEN: each within this */
#define GUEST_ANSWER_S      1.0 /* for the way of QUIESCED, above the limit that the agent has */
#define GUEST_STORE_RETRY_S 1.0 /* after the disk refused output */
#define GUEST_INPUT_MAX     65536

enum control_state {
	CONTROL_NONE,       /* no connection */
	CONTROL_WAIT_READY, /* accepted */
	CONTROL_WAIT_ACK,   /* HELLO sent */
	CONTROL_SERVING,
};

#define GUEST_PINGS 4 /* under way at once */

struct ping {
	struct guest *guest;
	bool pending;
	uint64_t nonce, sent_ns;
	ev_timer timer;
	guest_pong *done;
	void *user;
};

/* A question on the control connection whose answers come in the order of the questions. */
struct ask {
	bool pending;
	unsigned stale; /* answers still to come that nobody waits for any more */
	uint64_t sent_ns;
	ev_timer timer;
	void *user;
};

struct quiesce {
	struct ask ask;
	guest_quiesced *done;
};

struct thaw {
	struct ask ask;
	guest_thawed *done;
};

struct control {
	struct listener listener;
	struct framed conn;
	enum control_state state;
	ev_timer limit;    /* of the step under way */
	unsigned dials;    /* connections so far */
	uint64_t hello_ns; /* monotonic, when HELLO was sent */
	uint64_t vitals_ns;
	bool bye;
	bool rebound; /* SERVING came */
	struct ping pings[GUEST_PINGS];
	struct quiesce quiesce;
	struct thaw thaw;
	uint64_t last_nonce;
};

struct output {
	struct listener listener;
	struct framed conn;
	struct outlog *log;
	ev_timer limit;  /* OUT_OPEN; then: the next try to store */
	bool open;       /* OUT_OPEN came: data follows */
	bool had_data;   /* a gap can only be before the first OUT_DATA */
	bool refused;    /* the disk refused the frame that is held */
	bool grew;       /* stored since the last on_output */
	bool main_ended; /* on_main_exit was called for the main process under way */
	bool main_known; /* this connection's OUT_OPEN said that it has ended */
	unsigned dials;
};

struct input_waiter {
	guest_input_room *fn;
	void *user;
};

struct input {
	struct buf queue; /* for the main process, not sent yet; outlives a connection */
	uint32_t credit;
	struct input_waiter *waiters; /* one an attached client */
	size_t waiter_count, waiter_cap;
};

/* Limits the events that a redialling guest can cause. */
struct log_gate {
	double tokens;
	ev_tstamp counted;
	unsigned hidden;
};

struct guest {
	struct ev_loop *loop;
	struct guest_identity id;
	struct guest_callbacks cb;
	void *user;
	int busy;  /* wakeups under way */
	bool dead; /* closed; freed when busy is 0 */
	struct log_gate gate;
	struct control control;
	struct output output;
	struct input input;
};

void guest_enter(struct guest *g);
void guest_leave(struct guest *g);
/* An event; fields: JSON object text. */
void guest_log(struct guest *g, const char *name, const char *fields);
/* The same for events a guest can cause as often as it likes; some are dropped and counted. */
void guest_log_limited(struct guest *g, const char *name, const char *fields);
/* guest_log_limited with fields {"conn", "why"}: one broken or ended connection. */
void guest_log_why(struct guest *g, const char *name, const char *conn, const char *why);

int control_open(struct guest *g, const char *vsock_path, struct err *e);
void control_close(struct guest *g);
/* The limit of the step under way; 0: none. */
void control_limit(struct guest *g, double s);
/* Sends n bytes, whole frames: -ENOTCONN while no agent serves, -EAGAIN when it reads nothing. */
int control_send(struct guest *g, const uint8_t *b, int n, struct err *e);
int hello_on_ready(struct guest *g, const struct wire_frame *f, struct err *e);
int hello_on_ack(struct guest *g, const struct wire_frame *f, struct err *e);
int hello_on_serving(struct guest *g, const struct wire_frame *f, struct err *e);
/* Writes HELLO with fresh time and entropy to out; -errno with e when the identity doesn't fit. */
int control_make_hello(const struct guest *g, uint8_t *out, size_t cap, struct err *e);

void quiesce_init(struct guest *g);
int quiesce_on_quiesced(struct guest *g, const struct wire_frame *f, struct err *e);
int quiesce_on_thawed(struct guest *g, const struct wire_frame *f, struct err *e);
/* The connection is gone: tells who waits. */
void quiesce_lost(struct guest *g);

int output_open(struct guest *g, const char *vsock_path, struct outlog *log, struct err *e);
void output_close(struct guest *g);

void input_init(struct guest *g);
void input_fini(struct guest *g);
/* The guest takes n further bytes. */
void input_credit(struct guest *g, uint32_t n);
/* A new connection: no credit yet. drop: it is another agent, and what was typed for the old one
 * is not for it. */
void input_reset(struct guest *g, bool drop);
/* Sends what credit and the connection allow, then wakes those who wait for room. */
void input_pump(struct guest *g);

#endif
