/* Between the files of the mux only: mux.c (life of a connection), mux_tx.c, mux_rx.c. */
#ifndef VMDECK_VSOCK_MUX_INTERNAL_H
#define VMDECK_VSOCK_MUX_INTERNAL_H

#include "backend/vsock/mux.h"

/* The only writer of c->state; starts the state's wait. */
void mux_set_state(struct mux *m, struct conn *c, enum conn_state s);

/* c has something for the guest: it gets a turn. */
void mux_ready(struct mux *m, struct conn *c);
void mux_pend(struct mux *m, struct conn *c, unsigned pending);

/* Ends the guest's side by RST. linger: what the guest sent before still goes to the host peer. */
void mux_reset(struct mux *m, struct conn *c, bool linger);
/* The guest has forgotten it (RST came or was sent). */
void mux_gone(struct mux *m, struct conn *c);
/* The host peer is done and everything of it was read: closes the guest's side properly. */
void mux_host_over(struct mux *m, struct conn *c);
/* The host peer takes no bytes any more. */
void mux_host_deaf(struct mux *m, struct conn *c);

/* n bytes went to the host peer. */
void mux_forwarded(struct mux *m, struct conn *c, size_t n);
/* Writes the buffer to the host stream. */
void mux_flush(struct mux *m, struct conn *c);
/* The buffer is empty: what waited for that happens. */
void mux_flushed(struct mux *m, struct conn *c);

/* One pass over the tx ring (returns true when it ended at its limit) and the rx ring. */
bool mux_tx_run(struct mux *m);
bool mux_rx_run(struct mux *m);

#endif
