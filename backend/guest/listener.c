#include "backend/guest/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ACCEPTS_PER_WAKEUP 4
#define NO_FD_PAUSE_S      1.0

void listener_init(struct listener *l)
{
	memset(l, 0, sizeof(*l));
	l->fd = -1;
}

static void pause_accepts(struct listener *l, double s)
{
	ev_io_stop(l->loop, &l->io);
	ev_timer_stop(l->loop, &l->pause);
	ev_timer_set(&l->pause, s, 0.);
	ev_timer_start(l->loop, &l->pause);
}

static void on_pause_end(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct listener *l = w->data;

	(void)revents;
	ev_io_start(loop, &l->io);
}

static void refill(struct listener *l)
{
	ev_tstamp now = ev_now(l->loop);

	l->tokens = min_of(l->tokens + (now - l->counted) * LISTENER_RATE, LISTENER_BURST);
	l->counted = now;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct listener *l = w->data;

	(void)loop;
	(void)revents;
	refill(l);
	for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
		int fd;

		if (l->tokens < 1) {
			pause_accepts(l, (1 - l->tokens) / LISTENER_RATE);
			return;
		}
		fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				pause_accepts(l, NO_FD_PAUSE_S);
			return;
		}
		l->tokens -= 1;
		l->on_accept(l, fd);
		if (l->fd < 0)
			return;
	}
}

static int remove_stale(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(e, "cannot look at '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "'%s' is in the way and is not a socket: move it", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, "cannot replace the old socket '%s'", path);
	return 0;
}

int listener_open(struct listener *l, struct ev_loop *loop, const char *path,
	listener_accept *on_accept, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int r;

	listener_init(l);
	if (len > SOCKET_PATH_MAX)
		return err_set(e, ENAMETOOLONG, "socket path '%s' has %zu bytes: at most %d fit",
			path, len, SOCKET_PATH_MAX);
	r = remove_stale(path, e);
	if (r < 0)
		return r;
	memcpy(a.sun_path, path, len);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_errno(e, "cannot make a socket for '%s'", path);
	if (bind(l->fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		r = err_errno(e, "cannot bind the socket '%s'", path);
		close_fd(&l->fd);
		return r;
	}
	strcpy(l->path, path);
	if (chmod(path, 0600) < 0 || listen(l->fd, LISTENER_BACKLOG) < 0) {
		r = err_errno(e, "cannot listen on '%s'", path);
		close_fd(&l->fd);
		unlink(path);
		return r;
	}
	l->loop = loop;
	l->on_accept = on_accept;
	l->tokens = LISTENER_BURST;
	l->counted = ev_now(loop);
	ev_io_init(&l->io, on_readable, l->fd, EV_READ);
	ev_timer_init(&l->pause, on_pause_end, 0., 0.);
	l->io.data = l->pause.data = l;
	ev_io_start(loop, &l->io);
	return 0;
}

void listener_close(struct listener *l)
{
	if (l->fd < 0)
		return;
	ev_io_stop(l->loop, &l->io);
	ev_timer_stop(l->loop, &l->pause);
	close_fd(&l->fd);
	unlink(l->path);
}
