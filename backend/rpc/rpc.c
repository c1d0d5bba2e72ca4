/* The server: its socket, who may connect, how many, and the end of connections. */
#include "backend/rpc/rpc_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "backend/base/jsonx.h"
#include "backend/base/path.h"

#define BACKLOG 256

/* ---- lifetime -------------------------------------------------------------------------------- */

static void server_free(struct rpc_server *s)
{
	struct conn *next;

	for (struct conn *c = s->conns; c; c = next) {
		next = c->next;
		conn_free(c);
	}
	free(s->path);
	free(s);
}

static void reap(struct rpc_server *s)
{
	for (struct conn **at = &s->conns; *at;) {
		struct conn *c = *at;

		if (c->state != CONN_DEAD) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		conn_free(c);
	}
	watch_tell(s);
	if (s->told == s->count)
		return;
	s->told = s->count;
	if (s->config.on_idle_change)
		s->config.on_idle_change(s->config.user, s->count); /* may close the server */
}

void server_enter(struct rpc_server *s)
{
	s->depth++;
}

void server_leave(struct rpc_server *s)
{
	if (--s->depth)
		return;
	if (s->closed)
		server_free(s);
	else
		reap(s);
}

void server_reap_soon(struct rpc_server *s)
{
	if (!s->depth && !s->closed)
		ev_timer_start(s->loop, &s->reaper);
}

static void on_reaper(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct rpc_server *s = container_of(w, struct rpc_server, reaper);

	(void)loop;
	(void)revents;
	server_enter(s);
	server_leave(s);
}

/* ---- accepting ------------------------------------------------------------------------------- */

/* One line and good bye. What does not fit a new socket's buffer at once is not worth waiting. */
static void turn_away(int fd, int code, const char *why)
{
	autojson struct json_object *o = json_object_new_object();
	struct json_object *error = json_object_new_object();
	const char *line;

	jsonx_add_int(error, "code", RPC_ERRNO_BASE - code);
	jsonx_add_str(error, "message", why);
	jsonx_add_str(o, "jsonrpc", "2.0");
	jsonx_add_str(o, "id", NULL);
	json_object_object_add(o, "error", error);
	line = jsonx_line(o);
	(void)!send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)!send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void welcome(struct rpc_server *s, int new_fd)
{
	autofd int fd = new_fd;
	struct ucred cred;
	socklen_t n = sizeof(cred);
	char why[120];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return;
	if (cred.uid != 0 && cred.uid != geteuid()) {
		snprintf(why, sizeof(why),
			"this vmdeckd belongs to user %u: only that user and "
			"root may use it",
			(unsigned)geteuid());
		turn_away(fd, EPERM, why);
	} else if (s->count >= RPC_CONNS_MAX) {
		snprintf(why, sizeof(why),
			"vmdeckd has %d connections, no more are allowed: close some and try again",
			s->count);
		turn_away(fd, EAGAIN, why);
	} else {
		conn_open(s, steal_fd(&fd), cred.uid);
	}
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct rpc_server *s = container_of(w, struct rpc_server, accept);

	(void)revents;
	server_enter(s);
	for (int i = 0; i < RPC_ACCEPTS_TURN && !s->drained; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(s, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			/* Out of fds or memory: the connection waits in the backlog, and asking
			 * again at once would only burn the processor. */
			ev_io_stop(loop, &s->accept);
			ev_timer_stop(loop, &s->pause);
			ev_timer_set(&s->pause, RPC_ACCEPT_PAUSE, 0);
			ev_timer_start(loop, &s->pause);
		}
		break;
	}
	server_leave(s);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct rpc_server *s = container_of(w, struct rpc_server, pause);

	(void)revents;
	ev_io_start(loop, &s->accept);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static int socket_address(const char *path, struct sockaddr_un *sa, struct err *e)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa->sun_path))
		return err_set(e, ENAMETOOLONG,
			"socket path '%s' is over %d bytes: set VMDECK_RUNTIME to a shorter folder",
			path, SOCKET_PATH_MAX);
	strcpy(sa->sun_path, path);
	return 0;
}

/* A socket file that nobody answers on is what a killed daemon left behind. */
static int remove_stale(const char *path, const struct sockaddr_un *sa, struct err *e)
{
	autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0)
		return err_errno(e, "cannot make a socket");
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(e, "cannot look at '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(
			e, EEXIST, "'%s' is in the way and is not a socket: remove it", path);
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN)
		return err_set(e, EADDRINUSE, "a vmdeckd answers on '%s' already", path);
	if (errno != ECONNREFUSED)
		return err_errno(e, "cannot tell who listens on '%s'", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, "cannot remove the stale socket '%s'", path);
	return 0;
}

static int listen_on_path(struct rpc_server *s, const char *path, struct err *e)
{
	autofd int fd = -1;
	struct sockaddr_un sa;
	struct stat st;
	int r = socket_address(path, &sa, e);

	if (!r)
		r = remove_stale(path, &sa, e);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The file gets the mode that the socket has when it is bound: never open to others. */
	if (fd < 0 || fchmod(fd, 0600) < 0)
		return err_errno(e, "cannot make a socket");
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_errno(e, "cannot bind socket '%s'", path);
	if (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0) {
		r = err_errno(e, "cannot listen on '%s'", path);
		unlink(path);
		return r;
	}
	s->path = xstrdup(path);
	s->made_path = true;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->fd = steal_fd(&fd);
	return 0;
}

/* Only our own: a later daemon may have put its socket there. */
static void unlink_own(const struct rpc_server *s)
{
	struct stat st;

	if (s->made_path && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
}

/* ---- public ---------------------------------------------------------------------------------- */

int rpc_open(struct rpc_server **ret, struct ev_loop *loop, const struct rpc_config *config,
	struct err *e)
{
	struct rpc_server *s = xcalloc(1, sizeof(*s));
	int r = 0;

	s->loop = loop;
	s->config = *config;
	s->fd = config->listen_fd;
	if (config->events)
		s->seq = events_seq(config->events);
	if (s->fd >= 0) {
		fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
		fcntl(s->fd, F_SETFD, FD_CLOEXEC);
	} else {
		r = listen_on_path(s, config->path, e);
	}
	if (r < 0) {
		server_free(s);
		return r;
	}
	s->config.path = s->path;
	ev_io_init(&s->accept, on_accept, s->fd, EV_READ);
	ev_timer_init(&s->pause, on_pause_over, RPC_ACCEPT_PAUSE, 0);
	ev_timer_init(&s->reaper, on_reaper, 0, 0);
	ev_io_start(loop, &s->accept);
	*ret = s;
	return 0;
}

void rpc_drain(struct rpc_server *s)
{
	if (!s || s->drained)
		return;
	s->drained = true;
	ev_io_stop(s->loop, &s->accept);
	ev_timer_stop(s->loop, &s->pause);
	server_enter(s);
	for (struct conn *c = s->conns; c; c = c->next)
		conn_die(c);
	server_leave(s);
}

void rpc_close(struct rpc_server *s)
{
	if (!s || s->closed)
		return;
	server_enter(s);
	s->closed = true;
	rpc_drain(s);  /* server_enter above keeps s: drain's own leave can't free it */
	unlink_own(s); /* NOLINT(clang-analyzer-unix.Malloc) */
	ev_timer_stop(s->loop, &s->reaper);
	close_fd(&s->fd);
	server_leave(s);
}

void rpc_publish(struct rpc_server *s, const struct event *ev)
{
	autojson struct json_object *o = NULL;
	const char *line = NULL;

	if (!s || s->closed)
		return;
	s->seq = ev->seq;
	for (struct conn *c = s->conns; c; c = c->next) {
		if (c->state != CONN_OPEN || c->sub != SUB_LIVE)
			continue;
		if (!line) {
			o = json_object_new_object();
			jsonx_add_str(o, "jsonrpc", "2.0");
			jsonx_add_str(o, "method", "event");
			json_object_object_add(o, "params", event_to_json(ev));
			line = jsonx_line(o);
		}
		sub_publish(c, ev->seq, line, strlen(line));
	}
}
