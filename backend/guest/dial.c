#include "backend/guest/dial.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void next_try(struct dial *d);

static void set_timer(struct dial *d, double after)
{
	ev_now_update(d->loop);
	ev_timer_stop(d->loop, &d->timer);
	ev_timer_set(&d->timer, after, 0.);
	ev_timer_start(d->loop, &d->timer);
}

static void end_try(struct dial *d)
{
	if (d->fd >= 0)
		ev_io_stop(d->loop, &d->io);
	close_fd(&d->fd);
	ev_timer_stop(d->loop, &d->timer);
}

void dial_stop(struct dial *d)
{
	if (!d->running)
		return;
	end_try(d);
	ev_timer_stop(d->loop, &d->deadline);
	d->running = false;
}

/* This try came to nothing; another follows after a pause. */
static void fail_try(struct dial *d, enum dial_end stop, int code)
{
	end_try(d);
	d->stop = stop;
	d->code = code;
	d->waiting = true;
	set_timer(d, d->backoff);
	d->backoff = min_of(d->backoff * 2, DIAL_BACKOFF_MAX_S);
}

static void succeed(struct dial *d)
{
	struct err none = {0};
	int fd;

	ev_io_stop(d->loop, &d->io);
	fd = steal_fd(&d->fd);
	dial_stop(d);
	d->done(d, 0, fd, &none);
}

/* The answer's line, and not one byte behind it. 1: whole line in d->line; 0: more is to come. */
static int read_line(struct dial *d)
{
	char *at = d->line + d->line_len, *end;
	size_t room = sizeof(d->line) - 1 - d->line_len;
	ssize_t n = recv(d->fd, at, room, MSG_PEEK);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNREFUSED;
	end = memchr(at, '\n', (size_t)n);
	n = recv(d->fd, at, end ? (size_t)(end - at) + 1 : (size_t)n, 0);
	if (n <= 0)
		return -ECONNREFUSED;
	d->line_len += (size_t)n;
	d->line[d->line_len] = '\0';
	if (end)
		return 1;
	return d->line_len < sizeof(d->line) - 1 ? 0 : -EPROTO;
}

static bool line_is_ok(const char *line)
{
	unsigned n;
	char nl;

	return sscanf(line, "OK %u%c", &n, &nl) == 2 && nl == '\n';
}

static void give_up(struct dial *d)
{
	uint32_t port = d->spec.port;
	double limit = d->spec.timeout;
	struct err e = {0};
	int r;

	dial_stop(d);
	switch (d->stop) {
	case DIAL_NO_SOCKET:
		r = err_set(&e, ECONNREFUSED,
			"no VMM answers at '%s' (%s; %d tries in %.3g s): is the VM running?",
			d->path, strerror(d->code), d->tries, limit);
		break;
	case DIAL_NO_OK:
		r = err_set(&e, ETIMEDOUT,
			"the VMM took the connection to guest port %" PRIu32
			" but sent no OK within %.3g s: the guest is not up, paused or hung",
			port, limit);
		break;
	case DIAL_CLOSED:
		r = err_set(&e, ECONNREFUSED,
			"closed by the guest: nothing listens on its port %" PRIu32
			" (%d tries in %.3g s): is the agent running?",
			port, d->tries, limit);
		break;
	default:
		r = err_set(&e, EPROTO,
			"'%s' does not speak the hybrid vsock convention (no \"OK\" line)",
			d->path);
		break;
	}
	d->done(d, r, -1, &e);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct dial *d = w->data;
	int r = read_line(d);

	(void)loop;
	(void)revents;
	if (r == 0)
		return;
	if (r == 1 && line_is_ok(d->line)) {
		succeed(d);
	} else if (r == 1 || r == -EPROTO) {
		d->stop = DIAL_NOT_HYBRID; /* another try would meet the same program */
		give_up(d);
	} else {
		fail_try(d, DIAL_CLOSED, -r);
	}
}

/* CONNECT line and ride in one write. */
static int send_request(struct dial *d)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "CONNECT %" PRIu32 "\n", d->spec.port);
	struct iovec iov[2] = {
		{.iov_base = line, .iov_len = (size_t)n},
		{.iov_base = (void *)(uintptr_t)d->spec.ride, .iov_len = d->spec.ride_len},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = d->spec.ride_len ? 2 : 1};
	ssize_t r = sendmsg(d->fd, &msg, MSG_NOSIGNAL);

	if (r < 0)
		return -errno;
	if (r < n)
		return -EAGAIN; /* a half line would be dropped by the VMM */
	d->rode = (size_t)(r - n);
	return 0;
}

static void next_try(struct dial *d)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int r;

	d->waiting = false;
	d->tries++;
	d->line_len = 0;
	memcpy(a.sun_path, d->path, strlen(d->path));
	d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->fd < 0 || connect(d->fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		r = errno;
		close_fd(&d->fd);
		/* EAGAIN: the VMM's backlog is full; it does not accept. */
		fail_try(d, r == EAGAIN ? DIAL_NO_OK : DIAL_NO_SOCKET, r);
		return;
	}
	ev_io_set(&d->io, d->fd, EV_READ);
	ev_io_start(d->loop, &d->io);
	set_timer(d, DIAL_TRY_S);
	r = send_request(d);
	if (r < 0)
		fail_try(d, DIAL_CLOSED, -r);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct dial *d = w->data;

	(void)loop;
	(void)revents;
	if (d->waiting)
		next_try(d);
	else
		fail_try(d, DIAL_NO_OK, ETIMEDOUT);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct dial *d = w->data;

	(void)loop;
	(void)revents;
	if (!d->waiting)
		d->stop = DIAL_NO_OK; /* a try was under way */
	give_up(d);
}

int dial_start(struct dial *d, struct ev_loop *loop, const struct dial_spec *spec, dial_done *done,
	void *user, struct err *e)
{
	memset(d, 0, sizeof(*d));
	d->fd = -1;
	if (strlen(spec->path) > SOCKET_PATH_MAX)
		return err_set(e, ENAMETOOLONG, "vsock path '%s' has more than %d bytes",
			spec->path, SOCKET_PATH_MAX);
	strcpy(d->path, spec->path);
	d->loop = loop;
	d->spec = *spec;
	d->done = done;
	d->user = user;
	d->backoff = DIAL_BACKOFF_S;
	d->running = true;
	ev_init(&d->io, on_readable);
	ev_init(&d->timer, on_timer);
	ev_timer_init(&d->deadline, on_deadline, max_of(spec->timeout, 0.001), 0.);
	ev_set_priority(&d->io, 1);
	d->io.data = d->timer.data = d->deadline.data = d;
	ev_now_update(loop);
	ev_timer_start(loop, &d->deadline);
	next_try(d);
	return 0;
}
