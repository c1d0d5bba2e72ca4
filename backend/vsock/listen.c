/* The hybrid socket itself: its name, and when to accept. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "backend/base/util.h"
#include "backend/vsock/hybrid_internal.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

static int fail(char *why, size_t n, int code, const char *path, const char *what)
{
	snprintf(why, n, "vsock socket '%s': %s", path, what);
	return -code;
}

static int fail_errno(char *why, size_t n, const char *path, const char *what)
{
	int code = errno;

	snprintf(why, n, "vsock socket '%s': %s: %s", path, what, strerror(code));
	return -code;
}

/* A name that is left over from a process that ended is taken away; one that is served is not. */
static int clear_stale(const struct sockaddr_un *sa, char *why, size_t n)
{
	autofd int fd = -1;
	struct stat st;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : fail_errno(why, n, sa->sun_path, "cannot look at it");
	if (!S_ISSOCK(st.st_mode))
		return fail(why, n, EEXIST, sa->sun_path,
			"a file of this name that is no socket is in the way; remove it");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_errno(why, n, sa->sun_path, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN)
		return fail(why, n, EADDRINUSE, sa->sun_path,
			"another process serves it; use another path");
	if (unlink(sa->sun_path) < 0 && errno != ENOENT)
		return fail_errno(why, n, sa->sun_path, "cannot remove the old socket");
	return 0;
}

static void on_listen(struct hybrid *h, struct source *s, uint32_t events)
{
	(void)s;
	(void)events;
	for (unsigned i = 0; i < VSOCK_ACCEPTS; i++) {
		int fd = accept4(h->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			stream_accepted(h, fd);
			continue;
		}
		if (errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			/* No descriptor or memory left: the waiting peer keeps the socket readable,
			 * so leave it alone for a while instead of spinning. */
			h->accept_at = h->now + VSOCK_ACCEPT_PAUSE_MS;
			listen_update(h);
		}
		return;
	}
}

void listen_update(struct hybrid *h)
{
	bool on = h->accept_at <= h->now;
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = &h->listen_source};

	if (on)
		h->accept_at = 0;
	epoll_ctl(h->epfd, EPOLL_CTL_MOD, h->listen_fd, &ev);
}

int listen_open(struct hybrid *h, const char *path, char *why, size_t why_n)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &h->listen_source};
	autofd int fd = -1;
	int r;

	if (path[0] == '\0' || strlen(path) > HYBRID_PATH_MAX) {
		snprintf(why, why_n,
			"vsock socket '%s': the path has %zu bytes, allowed are 1 to %d; use a "
			"shorter "
			"directory",
			path, strlen(path), HYBRID_PATH_MAX);
		return -ENAMETOOLONG;
	}
	snprintf(h->path, sizeof(h->path), "%s", path);
	memcpy(sa.sun_path, h->path, sizeof(h->path));
	r = clear_stale(&sa, why, why_n);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail_errno(why, why_n, path, "cannot make a socket");
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return fail_errno(why, why_n, path, "cannot bind");
	if (listen(fd, BACKLOG) < 0)
		return fail_errno(why, why_n, path, "cannot listen");
	h->listen_source.fn = on_listen;
	if (epoll_ctl(h->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return fail_errno(why, why_n, path, "cannot watch it");
	h->listen_fd = steal_fd(&fd);
	return 0;
}
