/* One connection: who it joins, how far each side has got, and the credit both ways. Pure state;
 * mux.c moves it. */
#ifndef VMDECK_VSOCK_CONN_H
#define VMDECK_VSOCK_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/vsock/list.h"
#include "backend/vsock/obuf.h"
#include "backend/vsock/packet.h"

/* What the guest knows of the connection. The host side ends on its own: c->host is NULL then. */
enum conn_state {
	CONN_REQUESTED, /* the host dialled: REQUEST waits to be sent or for its RESPONSE */
	CONN_OPEN,
	CONN_DRAINING,  /* the guest shut both directions: RST once the host peer has all bytes */
	CONN_CLOSING,   /* the host is done: SHUTDOWN of both directions, RST awaited */
	CONN_RESETTING, /* an RST waits to be sent, nothing else */
	CONN_GONE,      /* the guest has forgotten it; last bytes may still go to the host peer */
	CONN__COUNT
};

/* Packets that wait to be sent. */
enum conn_pending {
	CONN_SEND_REQUEST = 1,
	CONN_SEND_RESPONSE = 2,
	CONN_SEND_RST = 4,
	CONN_SEND_SHUTDOWN = 8,
	CONN_SEND_CREDIT = 16,
	CONN_ASK_CREDIT = 32,
};

struct conn {
	struct conn *hash_next;
	struct list node;  /* all connections, or the dead ones */
	struct list ready; /* has something to send to the guest */
	struct list dirty; /* has bytes for the host to be written at the end of the pass */
	struct list timer; /* the one wait it is in */
	uint64_t deadline;

	enum conn_state state;
	uint32_t host_port, guest_port;
	void *host; /* the host stream, owned by the side that gave it; NULL: gone */
	unsigned pending;
	bool hashed;

	/* Guest to host. */
	struct obuf out;
	uint32_t buf_alloc; /* announced */
	uint32_t rx_cnt;    /* bytes that came */
	uint32_t fwd_cnt;   /* bytes the host peer took */
	uint32_t fwd_told;  /* fwd_cnt in the last packet to the guest */
	bool blocked;       /* the host stream is full: it will say when it is writable */
	bool host_deaf;     /* the host peer reads no more: bytes are dropped */
	bool wrote_eof;     /* the host peer was told that no more comes */

	/* Host to guest. */
	uint32_t tx_cnt, peer_alloc, peer_fwd;
	bool readable; /* the host stream may have bytes (or its end) */
	bool eof_near; /* its end follows the bytes that are there: no further event comes */
	bool host_eof; /* its end was read */
	bool hung_up;  /* the host peer has closed */
	bool bulk;     /* the last read filled all buffers offered */
	bool asked;    /* credit was asked for since it ran out */

	unsigned guest_shut; /* SHUTDOWN flags that came */
	unsigned told_shut;  /* SHUTDOWN flags that were sent */
};

/* In place, in no list, with nothing pending. */
void conn_init(struct conn *c, uint32_t host_port, uint32_t guest_port, uint32_t buf_alloc);
void conn_fini(struct conn *c);

/* Takes the credit of a packet that came. Values that no honest guest sends (a buf_alloc that
 * shrinks below what is under way, a fwd_cnt ahead of what was sent or going back) give no credit,
 * never more. */
void conn_learn(struct conn *c, const struct packet *p);

/* Bytes that may be sent to the guest now. */
uint32_t conn_credit(const struct conn *c);

/* Bytes that the guest may still send: more is an overrun. */
uint32_t conn_room(const struct conn *c);

/* The guest should be told of the room that got free. */
bool conn_owes_credit(const struct conn *c);

/* Host bytes may go to the guest as soon as there is credit. */
bool conn_wants_data(const struct conn *c);

/* SHUTDOWN flags that the guest should know. */
unsigned conn_shut_flags(const struct conn *c);

const char *conn_state_name(enum conn_state s);

#endif
