/* Relay of one command: dials the guest's exec port by the hybrid socket, does the two-phase start,
 * then copies frames both ways between the guest and the client's connection with bounded buffers
 * (64 KiB and a frame each way): a slow client or guest stops its own stream only.
 *
 * The handshake is the relay's own: the client sees STARTED, CREDIT, STDOUT, STDERR, EXIT, or one
 * REFUSED; it may send STDIN (within credit), STDIN_EOF, RESIZE, SIGNAL at any time, and its end of
 * file is a hangup: the guest connection is closed, the agent ends the command's process group. */
#ifndef VMDECK_GUEST_EXEC_H
#define VMDECK_GUEST_EXEC_H

#include <ev.h>

#include "agent/wire.h"
#include "backend/base/err.h"

#define EXEC_ACK_S 3.0 /* silence after the request, before it is sent on a new connection */

struct exec_relay;

struct exec_times {
	uint64_t start, connected, acked, go, first, exit; /* monotonic ns, 0 = not reached */
};

struct exec_callbacks {
	/* exec.connect, exec.ok, exec.req, exec.ack, exec.go, exec.first, exec.exit, exec.abort,
	 * exec.resend; fields carry ms since the start and the request id. */
	void (*on_log)(struct exec_relay *x, const char *name, const char *fields_json);
	/* Last call; the relay frees itself after it. how/value as WIRE_EXIT; r < 0: failed with e
	 * (the client was told by a REFUSED frame, or by EOF after GO). */
	void (*on_done)(struct exec_relay *x, int r, const struct err *e, uint8_t how,
		int32_t value, const struct exec_times *t);
};

/* Takes over client_fd (also on failure: the client is told). req is encoded at once and not kept.
 * Dial and request are retried (guest not listening yet, vsock reset) until connect_timeout s have
 * passed without ACK. *ret is valid until on_done, which is never called before this returns;
 * on_log is (exec.connect). */
int exec_relay_start(struct exec_relay **ret, struct ev_loop *loop, const char *vsock_path,
	const struct wire_exec_req *req, int client_fd, double connect_timeout,
	const struct exec_callbacks *cb, void *user, struct err *e);
void *exec_relay_user(const struct exec_relay *x);
/* Ends it now (VM removed): the client gets REFUSED 125 with why, or EOF after GO. on_done is
 * called
 * (-ECANCELED) before it returns. Not from inside on_log or on_done. */
void exec_relay_abort(struct exec_relay *x, const char *why);

#endif
