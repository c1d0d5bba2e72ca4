#include "backend/vmm/state_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#define CHUNK     (64u * 1024)
#define ROUNDS    16 /* chunks a wakeup: a flood does not hold the loop */
#define PIPE_SIZE (1 << 20)

static void end(struct state_pipe *p, int r, const struct err *e)
{
	state_pipe_done *done = p->done;
	void *user = p->user;

	state_pipe_close(p);
	done(user, r, e);
}

static int write_all(struct state_pipe *p, const char *data, size_t n, struct err *e)
{
	p->bytes += n;
	if (p->bytes > STATE_MAX)
		return err_set(e, EFBIG, "the device state has more than %u MiB", STATE_MAX >> 20);
	while (n) {
		ssize_t w = write(p->file_fd, data, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_errno(e, "cannot write '%s'", p->path);
		data += w;
		n -= (size_t)w;
	}
	return 0;
}

/* 1: there may be more; 0: nothing more now, or, with *ret_ended, at all; -errno with e. */
static int move_chunk(struct state_pipe *p, bool *ret_ended, struct err *e)
{
	char chunk[CHUNK];
	ssize_t n = read(p->read_fd, chunk, sizeof(chunk));
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_errno(e, "cannot read the device state");
	*ret_ended = n == 0;
	if (n == 0)
		return 0;
	r = write_all(p, chunk, (size_t)n, e);
	return r < 0 ? r : 1;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct state_pipe *p = container_of(w, struct state_pipe, readable);
	bool ended = false;
	struct err e = {0};
	int r = 1;

	(void)loop;
	(void)revents;
	for (int i = 0; i < ROUNDS && r > 0; i++)
		r = move_chunk(p, &ended, &e);
	if (r < 0 || ended)
		end(p, r, &e);
}

int state_pipe_open(
	struct state_pipe *p, struct ev_loop *loop, const char *path, int *ret_fd, struct err *e)
{
	int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int fds[2], r;

	if (file < 0)
		return err_errno(e, "cannot make '%s'", path);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = err_errno(e, "cannot make a pipe for the device state");
		close(file);
		unlink(path);
		return r;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE); /* only saves wakeups */
	*p = (struct state_pipe){.loop = loop, .path = path, .read_fd = fds[0], .file_fd = file};
	ev_io_init(&p->readable, on_readable, p->read_fd, EV_READ);
	*ret_fd = fds[1];
	return 0;
}

void state_pipe_watch(struct state_pipe *p, state_pipe_done *done, void *user)
{
	p->done = done;
	p->user = user;
	ev_io_start(p->loop, &p->readable);
}

void state_pipe_close(struct state_pipe *p)
{
	if (!p->loop)
		return;
	ev_io_stop(p->loop, &p->readable);
	close_fd(&p->read_fd);
	close_fd(&p->file_fd);
	p->loop = NULL;
}
