/* Takes what a process writes into a pipe to a new file. The end of the stream is the sign that the
 * process has let go of it, which a file passed to it directly would not give; and a daemon that
 * dies breaks the pipe, so that the process gives up instead of writing on. */
#ifndef VMDECK_VMM_STATE_PIPE_H
#define VMDECK_VMM_STATE_PIPE_H

#include <ev.h>

#include "backend/base/err.h"

#define STATE_MAX (64u << 20) /* bytes; normal: 0.2 MB, 0.3 with disks */

/* Once: 0 when all was written and the writer closed its end, else -errno with e. */
typedef void state_pipe_done(void *user, int r, const struct err *e);

struct state_pipe {
	struct ev_loop *loop; /* NULL: closed */
	const char *path;     /* borrowed */
	int read_fd, file_fd;
	ev_io readable;
	uint64_t bytes; /* written */
	state_pipe_done *done;
	void *user;
};

/* Makes the file (0600, must not exist) and the pipe; *ret_fd is the end for the writer, the
 * caller's to close: before the writer can end the stream. */
int state_pipe_open(
	struct state_pipe *p, struct ev_loop *loop, const char *path, int *ret_fd, struct err *e);
void state_pipe_watch(struct state_pipe *p, state_pipe_done *done, void *user);
/* Closes both, leaves the file. Zeroed and closed are fine. */
void state_pipe_close(struct state_pipe *p);

#endif
