/* Host streams in memory, for tests of the mux: what a peer would send and get, and how full its
 * socket is. */
#ifndef VMDECK_TESTS_VSOCK_HOST_H
#define VMDECK_TESTS_VSOCK_HOST_H

#include "backend/vsock/mux.h"
#include "tests/support/vsock_guest.h"

#define HOST_STREAMS 1100

struct host_stream {
	struct conn *conn; /* NULL: closed by the mux, or never opened */
	bool used, closed, opened;
	bool peer_eof; /* read returns 0 after the bytes */
	int read_error, write_error;
	uint8_t *in; /* bytes for the guest; owned */
	size_t in_len, in_at;
	uint8_t *out; /* bytes that came from the guest; owned */
	size_t out_len, out_cap;
	size_t room; /* bytes that it takes before it is full */
	bool shut_rd, shut_wr;
	unsigned reads, writes;
};

/* A mux over a guest's rings with this host. */
struct rig {
	struct guest guest;
	struct ring rx, tx;
	struct mux mux;
	struct host_stream streams[HOST_STREAMS];
	unsigned nstreams;
	int dial_error; /* of the next dials; 0: they work */
	unsigned dials, closes;
	unsigned result; /* of the last rig_run */
};

/* On the heap; a guest of 128 descriptors a ring. */
struct rig *rig_new(unsigned flags);
/* Checks the guard bytes, and that no stream is left open after the mux has ended. */
void rig_free(struct rig *r);

/* Passes until the mux rests (or is broken); tx chains are reclaimed. */
void rig_run(struct rig *r);
/* Sends a packet and runs. */
void rig_send(struct rig *r, const struct packet *p, const void *payload);
/* The next packet for the guest, its buffer posted again; fails the test when there is none. */
struct packet rig_recv(struct rig *r);
/* The same, with the op expected. */
struct packet rig_expect(struct rig *r, enum packet_op op);
/* Fails the test when a packet is there. */
void rig_silent(struct rig *r);

/* Uses up the posted receive buffers: the guest has given none. */
void rig_empty_rx(struct rig *r);

/* The device is alive: another connection opens, moves bytes both ways and ends. */
void rig_still_works(struct rig *r);

/* A host peer dials the guest. */
struct host_stream *rig_dial(struct rig *r, uint32_t guest_port);
/* The same without a pass of the mux. */
struct host_stream *rig_dial_quietly(struct rig *r, uint32_t guest_port);
/* Dialled and accepted. */
struct host_stream *rig_open(struct rig *r, uint32_t guest_port);
/* The guest dials host_port and is accepted. */
struct host_stream *rig_guest_open(struct rig *r, uint32_t guest_port, uint32_t host_port);
/* A packet of the guest on the stream's connection; credit fields as an honest guest has them for
 * fwd_cnt bytes consumed. */
struct packet rig_packet(const struct host_stream *s, enum packet_op op);

/* The peer sends bytes, its end, or hangs up. */
void host_put(struct rig *r, struct host_stream *s, const void *data, size_t n);
void host_eof(struct rig *r, struct host_stream *s);
void host_hangup(struct rig *r, struct host_stream *s);
/* The peer takes n more bytes. */
void host_room(struct rig *r, struct host_stream *s, size_t n);

#endif
