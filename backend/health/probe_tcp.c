/* A TCP connection to a port of the guest, made from inside its network namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/health/probe.h"

struct tcp_check {
	struct probe base;
	struct ev_loop *loop;
	ev_io io;
	char target[64];
};

static void finish(struct tcp_check *c)
{
	ev_io_stop(c->loop, &c->io);
	close(c->io.fd);
	free(c);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct tcp_check *c = w->data;
	struct probe p = c->base;
	socklen_t len = sizeof(int);
	char reason[200];
	int code = 0;

	(void)loop;
	(void)revents;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		code = errno;
	if (code)
		snprintf(reason, sizeof(reason), "cannot connect to %s: %s", c->target,
			strerror(code));
	else
		snprintf(reason, sizeof(reason), "connected to %s", c->target);
	finish(c);
	p.done(p.user, code ? HEALTH_UNHEALTHY : HEALTH_HEALTHY, reason);
}

static struct probe *start(const struct probe_env *env, const struct health_spec *spec,
	probe_done *done, void *user, struct err *e)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(spec->port)};
	const char *host = spec->host ? spec->host : HEALTH_GUEST_ADDRESS;
	struct tcp_check *c;
	autofd int fd = -1;

	if (!env->open_socket) {
		err_set(e, ENETUNREACH, "the VM has no network");
		return NULL;
	}
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1) {
		err_set(e, EINVAL, "'%.60s' is no address", host);
		return NULL;
	}
	fd = env->open_socket(env->net_user, AF_INET, SOCK_STREAM, e);
	if (fd < 0)
		return NULL;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		err_errno(e, "socket of the health check");
		return NULL;
	}
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) {
		err_errno(e, "cannot connect to %.60s:%u", host, spec->port);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->base = (struct probe){&probe_tcp, done, user};
	c->loop = env->loop;
	health_spec_target(spec, c->target, sizeof(c->target));
	ev_io_init(&c->io, on_writable, steal_fd(&fd), EV_WRITE);
	c->io.data = c;
	ev_io_start(env->loop, &c->io);
	return &c->base;
}

static void cancel(struct probe *p, char *doing, size_t n)
{
	struct tcp_check *c = container_of(p, struct tcp_check, base);

	if (doing)
		snprintf(doing, n, "connecting to %s", c->target);
	finish(c);
}

const struct probe_ops probe_tcp = {.name = "tcp", .start = start, .cancel = cancel};
