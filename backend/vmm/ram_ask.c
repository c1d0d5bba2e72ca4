#include "backend/vmm/ram_ask.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "backend/base/str.h"

#define QUESTION "MEMORY private\n"
#define ANSWER   "OK private"

static void end(struct ram_ask *a, int r, const struct err *e)
{
	ram_ask_done *done = a->done;
	void *user = a->user;

	ram_ask_stop(a);
	done(user, r, e);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct ram_ask *a = container_of(w, struct ram_ask, limit);
	struct err e;

	(void)loop;
	(void)revents;
	end(a, err_set(&e, ETIMEDOUT, "vmdeck-vsock.so gave no answer in %g s", RAM_ASK_LIMIT), &e);
}

static int judge(struct ram_ask *a, struct err *e)
{
	char safe[300];

	if (strcmp(a->line, ANSWER) == 0)
		return 0;
	return err_set(e, EIO, "vmdeck-vsock.so cannot make the guest's memory private: %s",
		str_safe(safe, sizeof(safe), a->line));
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ram_ask *a = container_of(w, struct ram_ask, readable);
	ssize_t n = read(a->fd, a->line + a->len, sizeof(a->line) - 1 - a->len);
	struct err e = {0};
	char *eol;
	int r;

	(void)loop;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		r = err_set(&e, ECONNRESET, "vmdeck-vsock.so closed the connection");
		end(a, r, &e);
		return;
	}
	a->len += (size_t)n;
	a->line[a->len] = '\0';
	eol = strchr(a->line, '\n');
	if (!eol && a->len < sizeof(a->line) - 1)
		return;
	if (eol)
		*eol = '\0';
	r = judge(a, &e);
	end(a, r, &e);
}

int ram_ask_start(struct ram_ask *a, struct ev_loop *loop, const char *vsock_path,
	ram_ask_done *done, void *user, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(e, "cannot make a socket");
	if (strlen(vsock_path) >= sizeof(sa.sun_path))
		return err_set(e, ENAMETOOLONG, "the socket path '%.120s' is too long", vsock_path);
	memcpy(sa.sun_path, vsock_path, strlen(vsock_path) + 1);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_errno(e, "cannot connect to '%s'", vsock_path);
	/* It fits into the empty socket's buffer. */
	if (send(fd, QUESTION, strlen(QUESTION), MSG_NOSIGNAL) != (ssize_t)strlen(QUESTION))
		return err_errno(e, "cannot write to '%s'", vsock_path);
	*a = (struct ram_ask){.loop = loop, .fd = steal_fd(&fd), .done = done, .user = user};
	ev_io_init(&a->readable, on_readable, a->fd, EV_READ);
	ev_timer_init(&a->limit, on_limit, RAM_ASK_LIMIT, 0.);
	ev_now_update(loop);
	ev_io_start(loop, &a->readable);
	ev_timer_start(loop, &a->limit);
	return 0;
}

void ram_ask_stop(struct ram_ask *a)
{
	if (!a->loop)
		return;
	ev_io_stop(a->loop, &a->readable);
	ev_timer_stop(a->loop, &a->limit);
	close_fd(&a->fd);
	a->loop = NULL;
}
