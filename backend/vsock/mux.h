/* The vsock device without I/O: takes the guest's packets from the tx ring, fills the rx ring, and
 * moves bytes between them and host streams through a table of operations. Makes no system call.
 *
 * Theory of operation. A pass (mux_run) takes a bounded number of tx chains, each handled at once:
 * large payloads go straight from guest memory into the host stream, small ones are collected and
 * written at the end of the pass, the rest waits in the connection's buffer, whose size is the
 * credit the guest has. Then the connections that have something for the guest take turns: at most
 * VSOCK_TURN_CHAINS buffers each, host bytes being read straight into guest memory. A chain is
 * never kept from one pass to the next, so a stopped device has everything either in guest memory,
 * in a connection's buffer or in the host stream.
 *
 * A connection ends on each side on its own: the guest's by RST, the host's when the peer has all
 * bytes. It is freed when both have. */
#ifndef VMDECK_VSOCK_MUX_H
#define VMDECK_VSOCK_MUX_H

#include <sys/types.h>

#include "backend/vsock/limits.h"
#include "backend/vsock/ring.h"
#include "backend/vsock/table.h"

struct mux;

/* The host side. None of them blocks, and none calls back into the mux but where it says so. */
struct mux_ops {
	/* The guest connects to host_port of c: sets c->host. -errno: the guest gets an RST. */
	int (*dial)(struct mux *m, struct conn *c);
	/* The guest accepted a connection of mux_dial: tell the host peer. -errno ends it. */
	int (*opened)(struct mux *m, struct conn *c);
	/* Bytes read, 0 at the end, -EAGAIN, or -errno (the peer is gone). After -EAGAIN or less
	 * than was offered, mux_host_readable follows as soon as there is more (unless it said
	 * eof). */
	ssize_t (*read)(struct mux *m, struct conn *c, const struct iovec *iov, unsigned n);
	/* Bytes written, -EAGAIN, or -errno. After -EAGAIN or less than was offered,
	 * mux_host_writable follows as soon as there is room. */
	ssize_t (*write)(struct mux *m, struct conn *c, const struct iovec *iov, unsigned n);
	/* SHUT_RD: the peer's bytes are not wanted; SHUT_WR: it gets no more. */
	void (*shut)(struct mux *m, struct conn *c, int how);
	/* The stream is done with; c->host means nothing afterwards. */
	void (*close)(struct mux *m, struct conn *c);
};

struct mux_reply {
	uint32_t host_port, guest_port;
	uint16_t type;
};

/* Buffers of the guest that are being filled, in order. */
struct mux_batch {
	unsigned n, npay;
	size_t room; /* payload bytes */
	struct ring_chain chains[VSOCK_TURN_CHAINS];
	struct iovec iov[2 * VSOCK_SEGMENTS_MAX];
	struct iovec pay[VSOCK_SEGMENTS_MAX];
};

struct mux {
	const struct mux_ops *ops;
	void *user;
	uint64_t guest_cid;
	uint64_t now;         /* ms, of a clock that stands still while the guest does */
	struct ring *rx, *tx; /* borrowed; NULL: stopped */
	struct table table;
	struct list ready, dirty, dead;
	struct list timers[CONN__COUNT]; /* by state, in order of deadline */
	struct mux_reply replies[VSOCK_REPLIES_MAX];
	unsigned reply_head, reply_count;
	int rx_left;  /* chains that this pass may still fill */
	bool starved; /* something waits for the guest to add rx chains */
	struct mux_batch batch;
};

/* What mux_run wants done. */
enum mux_result {
	MUX_MORE = 1, /* call again soon: the pass ended at its limit */
	MUX_SIGNAL_RX = 2,
	MUX_SIGNAL_TX = 4,
	MUX_BROKEN = 8, /* a ring is broken (ring.broken says why): stop, drop the connections */
};

/* ops and user are borrowed. In place; large, so not for a stack. */
void mux_init(struct mux *m, const struct mux_ops *ops, void *user);
/* Closes all host streams and frees. */
void mux_fini(struct mux *m);

/* From attach to detach the rings are the mux's; otherwise no guest memory is touched. */
void mux_attach(struct mux *m, struct ring *rx, struct ring *tx);
void mux_detach(struct mux *m);

/* The guest was reset and knows of no connection: all end. Bytes that it sent before still go to
 * their host peers. */
void mux_forget_guest(struct mux *m);

/* One pass; returns enum mux_result flags. */
unsigned mux_run(struct mux *m);

/* Time passes: expires waits. The next deadline, or UINT64_MAX. */
void mux_tick(struct mux *m, uint64_t now);
uint64_t mux_deadline(const struct mux *m);

/* A host peer wants guest_port; host becomes c->host. NULL: too many connections. */
struct conn *mux_dial(struct mux *m, uint32_t guest_port, void *host);

/* Events of host streams. eof: the peer sends nothing after what is there. Hangup: it has closed;
 * what it sent before can still be read. c may be freed by the end of the pass, not before. */
void mux_host_readable(struct mux *m, struct conn *c, bool eof);
void mux_host_writable(struct mux *m, struct conn *c);
void mux_host_hangup(struct mux *m, struct conn *c);

/* Frees connections that are over (mux_run does too). */
void mux_reap(struct mux *m);

#endif
