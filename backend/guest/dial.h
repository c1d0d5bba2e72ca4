/* Dials a port of a guest through its hybrid vsock socket, asynchronously and with retries.
 *
 * The convention (Firecracker; vmm-facts A7): connect to the UNIX socket, write "CONNECT <port>\n"
 * in one write, read "OK <n>\n"; bytes written behind the CONNECT line reach the guest. A refusal
 * (no listener in the guest, reset) is a silent end of file; a guest that is not up, paused or hung
 * is silence, so each try has a limit of its own. */
#ifndef VMDECK_GUEST_DIAL_H
#define VMDECK_GUEST_DIAL_H

#include <ev.h>
#include <stdbool.h>

#include "backend/base/err.h"
#include "backend/base/path.h"

#define DIAL_TRY_S         2.0   /* for the OK of one try; silence then begins the next */
#define DIAL_BACKOFF_S     0.005 /* before the second try, doubled for each further one */
#define DIAL_BACKOFF_MAX_S 0.25

struct dial;

/* Called once, from the loop. r 0: fd (non-blocking) is the caller's, the guest accepted; nothing
 * behind the OK line was read. -ECONNREFUSED: no VMM there, or no listener in the guest;
 * -ETIMEDOUT: the VMM took the connection and said nothing; -EPROTO: something else answered.
 * e tells these apart. */
typedef void dial_done(struct dial *d, int r, int fd, const struct err *e);

struct dial_spec {
	const char *path;
	uint32_t port;
	double timeout; /* s, for all tries */
	/* Bytes sent along in the same write as the CONNECT line of each try: saves a round trip.
	 * What did not fit begins at dial.rode. Borrowed until done. */
	const void *ride;
	size_t ride_len;
};

/* What the last try that ended had come to. */
enum dial_end { DIAL_NO_SOCKET, DIAL_NO_OK, DIAL_CLOSED, DIAL_NOT_HYBRID };

struct dial {
	struct ev_loop *loop;
	char path[SOCKET_PATH_MAX + 1];
	struct dial_spec spec;
	dial_done *done;
	void *user;
	int fd;
	ev_io io;
	ev_timer timer;    /* limit of this try, or the back-off before the next */
	ev_timer deadline; /* of all */
	bool running;
	bool waiting; /* between tries */
	int tries;
	double backoff;
	size_t rode;
	char line[33]; /* the answer so far */
	size_t line_len;
	enum dial_end stop;
	int code; /* errno of the last failed connect */
};

/* Starts the first try. 0, or -ENAMETOOLONG (done is not called then). */
int dial_start(struct dial *d, struct ev_loop *loop, const struct dial_spec *spec, dial_done *done,
	void *user, struct err *e);
/* Gives up silently: done is not called. Fine when not running (zeroed). */
void dial_stop(struct dial *d);

#endif
