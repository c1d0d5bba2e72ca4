/* A listening UNIX socket that a hostile peer cannot turn into a storm: accepts come with a limited
 * rate (the rest waits in the backlog), and out of file descriptors means a pause, not a spin. */
#ifndef VMDECK_GUEST_LISTENER_H
#define VMDECK_GUEST_LISTENER_H

#include <ev.h>

#include "backend/base/err.h"
#include "backend/base/path.h"

#define LISTENER_BACKLOG 256 /* a full one would stall a VMM that connects on its own thread */
#define LISTENER_BURST   16
#define LISTENER_RATE    5.0 /* accepts/s above the burst */

struct listener;
/* fd: non-blocking, the callee's. */
typedef void listener_accept(struct listener *l, int fd);

struct listener {
	struct ev_loop *loop;
	char path[SOCKET_PATH_MAX + 1];
	int fd;
	ev_io io;
	ev_timer pause;
	double tokens;
	ev_tstamp counted; /* tokens are as of then */
	listener_accept *on_accept;
};

void listener_init(struct listener *l);
/* Listens on path; a socket file that is there is replaced, any other file is -EEXIST. */
int listener_open(struct listener *l, struct ev_loop *loop, const char *path,
	listener_accept *on_accept, struct err *e);
/* Closes and unlinks. Fine when not open. */
void listener_close(struct listener *l);

#endif
