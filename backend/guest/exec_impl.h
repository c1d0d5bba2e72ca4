/* Private to exec.c (life of a relay: dial, handshake, end) and exec_pipe.c (frames both ways). */
#ifndef VMDECK_GUEST_EXEC_IMPL_H
#define VMDECK_GUEST_EXEC_IMPL_H

#include "backend/guest/framed.h"
#include "backend/guest/dial.h"
#include "backend/guest/exec.h"

#define EXEC_QUEUE_HIGH 65536 /* unsent bytes towards one side at which the other side waits */

enum exec_state {
	EXEC_DIAL,     /* to the guest's port, or in the pause before the next try */
	EXEC_WAIT_ACK, /* REQ sent */
	EXEC_RUN,      /* GO sent: nothing is ever sent again */
	EXEC_FLUSH,    /* it is over; the client still reads */
	EXEC_DONE,     /* on_done is being called, or was */
};

struct exec_relay {
	struct ev_loop *loop;
	struct exec_callbacks cb;
	void *user;
	enum exec_state state;
	int busy; /* wakeups under way; the relay is freed when it is 0 and the state EXEC_DONE */
	char path[SOCKET_PATH_MAX + 1];
	uint64_t deadline_ns; /* for ACK */
	uint8_t *req;         /* encoded, owned */
	size_t req_len;
	char id[2 * WIRE_ID + 1];
	uint8_t flags;
	struct dial dial;
	struct framed guest, client;
	ev_timer timer; /* DIAL: the pause before the next try; WAIT_ACK: its limit */
	double backoff;
	int requests;    /* sent so far */
	uint32_t credit; /* stdin bytes the client may send */
	bool stdin_eof;
	/* How it ended, from EXEC_FLUSH on. */
	int result;
	struct err err;
	uint8_t how;
	int32_t value;
	struct exec_times t;
};

void exec_enter(struct exec_relay *x);
void exec_leave(struct exec_relay *x);

/* Event with the request id, ms since the start and `more` (", ..." JSON members or ""). */
void exec_log(struct exec_relay *x, const char *name, const char *more);

/* What the guest said of the request. */
void exec_acked(struct exec_relay *x);
void exec_refused(struct exec_relay *x, const struct wire_frame *f);
/* The connection to the guest ended, or the agent said nothing, before ACK: once more. */
void exec_again(struct exec_relay *x, const char *why);
/* Queues a guest's frame unchanged for the client, or a client's for the guest. */
int exec_forward(struct framed *to, const struct wire_frame *f);
/* It is over. EXIT came (r 0), or it failed: before GO the client gets REFUSED 125, after it EOF.
 * What is queued for the client is sent first. */
void exec_end(struct exec_relay *x, int r, const struct err *e);
/* Nobody reads any more: done at once. */
void exec_done(struct exec_relay *x);

extern const struct framed_ops exec_guest_ops, exec_client_ops;

#endif
