/* A connection to a QEMU monitor socket on the event loop: the I/O around qmp.h. */
#ifndef VMDECK_VMM_QMP_IO_H
#define VMDECK_VMM_QMP_IO_H

#include <ev.h>

#include "backend/vmm/qmp.h"

struct qmp_io;

struct qmp_io_handler {
	struct qmp_handler qmp; /* user is the qmp_io's user */
	/* The connection is closed already. r: -ECONNRESET when QEMU ended it, else what broke it.
	 * Pending commands are not answered. */
	void (*on_lost)(void *user, int r, const struct err *e);
};

struct qmp_io {
	struct ev_loop *loop;
	int fd; /* -1: closed */
	ev_io readable, writable;
	struct qmp qmp;
	int pass_fd;    /* travels with the byte at pass_at of the output; -1: none */
	size_t pass_at; /* bytes of output before it */
	const struct qmp_io_handler *handler;
	void *user;
};

/* Makes a listening UNIX socket for a monitor at path (a stale one is replaced), to be handed to
 * QEMU. 0 and *ret_fd (close-on-exec), or -errno; -ENAMETOOLONG names the limit. */
int qmp_listen(const char *path, int *ret_fd, struct err *e);

/* Marks it closed; needed before the first qmp_io_close. */
void qmp_io_init(struct qmp_io *io);
/* Connects to the socket (never blocks); on_ready follows when the handshake is done. */
int qmp_io_open(struct qmp_io *io, struct ev_loop *loop, const char *path,
	const struct qmp_io_handler *handler, void *user, struct err *e);
/* Closes; allowed inside callbacks; closed is fine. */
void qmp_io_close(struct qmp_io *io);
/* Takes what QEMU sent before it ended, then closes. Calls the handler, but not on_lost. */
void qmp_io_finish(struct qmp_io *io);
bool qmp_io_ready(const struct qmp_io *io);

/* As qmp_command. pass_fd >= 0: a copy of it travels with the command (for getfd); one such
 * command at a time may be unsent, else -EBUSY. */
int qmp_io_call(struct qmp_io *io, const char *command, struct json_object *args, int pass_fd,
	qmp_reply *fn, struct err *e);

#endif
