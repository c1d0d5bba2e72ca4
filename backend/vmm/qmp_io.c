#include "backend/vmm/qmp_io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define READ_MAX (64u * 1024) /* bytes a wakeup: a chatty monitor does not hold the loop */

static int socket_address(struct sockaddr_un *sa, const char *path, struct err *e)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa->sun_path))
		return err_set(e, ENAMETOOLONG,
			"the socket path '%.120s' has %zu bytes: at most %zu are allowed; set "
			"VMDECK_RUNTIME to a shorter folder",
			path, strlen(path), sizeof(sa->sun_path) - 1);
	memcpy(sa->sun_path, path, strlen(path) + 1);
	return 0;
}

int qmp_listen(const char *path, int *ret_fd, struct err *e)
{
	autofd int fd = -1;
	struct sockaddr_un sa;
	int r = socket_address(&sa, path, e);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, "cannot make a socket");
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, "cannot replace the socket '%s'", path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4) < 0)
		return err_errno(e, "cannot listen on '%s'", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

void qmp_io_init(struct qmp_io *io)
{
	*io = (struct qmp_io){.fd = -1, .pass_fd = -1};
}

void qmp_io_close(struct qmp_io *io)
{
	if (io->fd < 0)
		return;
	ev_io_stop(io->loop, &io->readable);
	ev_io_stop(io->loop, &io->writable);
	close_fd(&io->fd);
	close_fd(&io->pass_fd);
	qmp_fini(&io->qmp);
}

bool qmp_io_ready(const struct qmp_io *io)
{
	return io->fd >= 0 && io->qmp.state == QMP_READY;
}

void qmp_io_finish(struct qmp_io *io)
{
	char data[READ_MAX];
	ssize_t n;

	/* The sender is gone, so what there is is bounded by the socket's buffer. */
	while (io->fd >= 0 && (n = read(io->fd, data, sizeof(data))) > 0)
		if (qmp_feed(&io->qmp, data, (size_t)n, NULL) < 0)
			break;
	qmp_io_close(io);
}

static void lose(struct qmp_io *io, int r, const struct err *e)
{
	qmp_io_close(io);
	io->handler->on_lost(io->user, r, e);
}

/* One send from the front of the output; the passed fd goes with the first byte of its command. */
static ssize_t send_some(struct qmp_io *io)
{
	struct buf *out = &io->qmp.out;
	struct iovec iov = {(void *)(uintptr_t)buf_peek(out), out->len};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	bool with_fd = io->pass_fd >= 0 && io->pass_at == 0;
	ssize_t n;

	if (with_fd) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.header), &io->pass_fd, sizeof(int));
	} else if (io->pass_fd >= 0) {
		iov.iov_len = io->pass_at;
	}
	do
		n = sendmsg(io->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buf_consume(out, (size_t)n);
	if (with_fd)
		close_fd(&io->pass_fd);
	else if (io->pass_fd >= 0)
		io->pass_at -= (size_t)n;
	return n;
}

/* 0, or -errno when the connection broke. */
static int flush(struct qmp_io *io)
{
	ssize_t n = 0;

	while (io->qmp.out.len && n >= 0)
		n = send_some(io);
	if (n == -EPIPE || n == -ECONNRESET) {
		/* Closed: what it said last is still to be read, and the end with it. */
		buf_consume(&io->qmp.out, io->qmp.out.len);
		n = 0;
	}
	if (n < 0 && n != -EAGAIN)
		return (int)n;
	if (io->qmp.out.len)
		ev_io_start(io->loop, &io->writable);
	else
		ev_io_stop(io->loop, &io->writable);
	return 0;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct qmp_io *io = container_of(w, struct qmp_io, writable);
	struct err e;
	int r = flush(io);

	(void)loop;
	(void)revents;
	if (r < 0)
		lose(io, r, (err_set(&e, -r, "QEMU's monitor: %s", strerror(-r)), &e));
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct qmp_io *io = container_of(w, struct qmp_io, readable);
	char data[READ_MAX];
	struct err e;
	ssize_t n;
	int r;

	(void)loop;
	(void)revents;
	n = read(io->fd, data, sizeof(data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		r = err_set(&e, ECONNRESET, "QEMU closed its monitor");
	} else {
		r = qmp_feed(&io->qmp, data, (size_t)n, &e);
		if (r == -ECANCELED)
			return; /* a callback closed us: io may be gone */
		if (r == 0) {
			r = flush(io);
			if (r < 0)
				err_set(&e, -r, "QEMU's monitor: %s", strerror(-r));
		}
	}
	if (r < 0)
		lose(io, r, &e);
}

int qmp_io_open(struct qmp_io *io, struct ev_loop *loop, const char *path,
	const struct qmp_io_handler *handler, void *user, struct err *e)
{
	autofd int fd = -1;
	struct sockaddr_un sa;
	int r = socket_address(&sa, path, e);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(e, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_errno(e, "cannot connect to QEMU's monitor '%s'", path);
	*io = (struct qmp_io){
		.loop = loop, .fd = steal_fd(&fd), .pass_fd = -1, .handler = handler, .user = user};
	qmp_init(&io->qmp, &handler->qmp, user);
	ev_io_init(&io->readable, on_readable, io->fd, EV_READ);
	ev_io_init(&io->writable, on_writable, io->fd, EV_WRITE);
	ev_io_start(loop, &io->readable);
	return 0;
}

int qmp_io_call(struct qmp_io *io, const char *command, struct json_object *args, int pass_fd,
	qmp_reply *fn, struct err *e)
{
	size_t at = io->fd >= 0 ? io->qmp.out.len : 0;
	int copy = -1, r;

	if (pass_fd >= 0 && io->pass_fd >= 0) {
		json_object_put(args);
		return err_set(e, EBUSY, "%s: another command's file waits to be sent", command);
	}
	if (pass_fd >= 0) {
		copy = fcntl(pass_fd, F_DUPFD_CLOEXEC, 3);
		if (copy < 0) {
			json_object_put(args);
			return err_errno(e, "%s: cannot pass the file", command);
		}
	}
	r = qmp_command(&io->qmp, command, args, fn, io->user, e);
	if (r < 0) {
		close_fd(&copy);
		return r;
	}
	if (copy >= 0) {
		io->pass_fd = copy;
		io->pass_at = at;
	}
	ev_io_start(io->loop, &io->writable);
	return 0;
}
