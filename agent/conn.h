/* A framed stream connection: a wire reader and a bounded queue of unsent bytes over memory of the
 * owner. Sockets only. */
#ifndef VMDECK_AGENT_CONN_H
#define VMDECK_AGENT_CONN_H

#include "agent/loop.h"
#include "agent/wire.h"

/* Room for the reader: any one frame. */
#define CONN_IN_CAP (WIRE_HEADER + WIRE_PAYLOAD_MAX)

struct conn {
	struct loop *loop;
	int fd, slot; /* -1: closed */
	struct wire_reader in;
	uint8_t *out;
	size_t out_cap, out_head, out_len;
};

void conn_init(struct conn *c, struct loop *l, void *in, void *out, size_t out_cap);
/* Takes fd (closes it on failure) and watches it. 0 or -errno. */
int conn_open(struct conn *c, int fd, uint32_t events, loop_fn *fn, void *user);
void conn_close(struct conn *c);

/* Receives once into the reader: 0, -EAGAIN, -ECONNRESET (also at the end of the stream), or
 * -EPROTO when the reader is full: the peer sends what it may not send yet. */
int conn_fill(struct conn *c);
/* Room for n contiguous bytes at the end of the queue, or NULL. */
uint8_t *conn_reserve(struct conn *c, size_t n);
static inline size_t conn_room(const struct conn *c)
{
	return c->out_cap - c->out_len;
}
/* Makes n reserved bytes part of the queue; n is what a wire_put returned: negative is the agent's
 * own mistake and is reported on the console. */
void conn_queue(struct conn *c, int n);
/* Sends what the socket takes and watches for room while something is left. 0, or -errno when the
 * connection is broken. */
int conn_flush(struct conn *c);

#endif
