/* A connection that the agent dials and keeps: control and output. Dials again at once after a
 * loss, then with a growing back-off while the host refuses. */
#ifndef VMDECK_AGENT_LINK_H
#define VMDECK_AGENT_LINK_H

#include "agent/conn.h"
#include "agent/transport.h"

enum link_state {
	LINK_OFF,        /* not wanted */
	LINK_WAITING,    /* for the back-off timer */
	LINK_CONNECTING, /* for the kernel */
	LINK_UP,         /* connected; the timer runs until link_proved */
};

struct link_ops {
	const char *name;
	/* Connected: send the first frame. */
	void (*on_up)(void *user);
	/* A frame of the host; at least reserve bytes of the queue are free. < 0: give it up. */
	int (*on_frame)(void *user, const struct wire_frame *f);
	/* Send what is due, as far as the socket takes it, and watch for room for the rest. < 0:
	 * give it up. */
	int (*send)(void *user);
	/* Lost; it is dialled again by itself. */
	void (*on_lost)(void *user);
	size_t reserve;
};

struct link {
	const struct link_ops *ops;
	void *user;
	struct loop *loop;
	const struct transport *transport;
	uint32_t port;
	enum link_state state;
	uint32_t backoff_ms; /* before the next dial; 0: none */
	struct timer timer;
	struct conn conn;
};

/* The conn must be ready (conn_init). */
void link_init(struct link *k, const struct link_ops *ops, const struct transport *t, uint32_t port,
	void *user);
/* Dials now; a connection there may be is dropped first, without on_lost. */
void link_start(struct link *k);
/* Drops the connection and dials no more. */
void link_stop(struct link *k);
/* link_stop at the end of all: what was sent is with the host when it returns, or ms passed. */
void link_close(struct link *k, uint32_t ms);
/* The host answered as it should: no deadline any more, and the next loss is dialled at once. */
void link_proved(struct link *k);
/* Drops the connection because of r (-errno) and dials again. */
void link_lost(struct link *k, int r);
/* ops->send, if connected; a broken connection is dialled again. */
void link_send(struct link *k);

#endif
