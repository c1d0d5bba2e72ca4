#include "agent/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "agent/util.h"
#include "agent/wire.h"

/* The kernel answers with a reset when more connections wait than this. */
#define BACKLOG 4096
/* "CONNECT 4294967295\n" and some room, as Firecracker. */
#define PREFACE_MAX 32

#define SOCK_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int unix_address(struct sockaddr_un *sa, const char *path, uint32_t port)
{
	int n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (port)
		n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s_%u", path, port);
	else
		n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s", path);
	return n >= (int)sizeof(sa->sun_path) ? -ENAMETOOLONG : 0;
}

static int listen_on(int fd, const void *sa, socklen_t len, int *ret_fd)
{
	int r;

	if (fd < 0)
		return -errno;
	if (bind(fd, sa, len) < 0 || listen(fd, BACKLOG) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int transport_listen(struct transport *t)
{
	/* Bound to any CID: a listener on the own one would refuse all after a restore with
	 * another. */
	const struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = WIRE_PORT_EXEC,
	};
	struct sockaddr_un un;
	int r;

	if (!t->unix_path)
		return listen_on(socket(AF_VSOCK, SOCK_FLAGS, 0), &vm, sizeof(vm), &t->listen_fd);
	r = unix_address(&un, t->unix_path, 0);
	if (r < 0)
		return r;
	unlink(t->unix_path);
	return listen_on(socket(AF_UNIX, SOCK_FLAGS, 0), &un, sizeof(un), &t->listen_fd);
}

void transport_fini(struct transport *t)
{
	if (t->listen_fd >= 0 && t->unix_path)
		unlink(t->unix_path);
	close_fd(&t->listen_fd);
}

static int connect_to(int fd, const void *sa, socklen_t len, bool *ret_connecting)
{
	int r;

	if (fd < 0)
		return -errno;
	*ret_connecting = false;
	if (!connect(fd, sa, len))
		return fd;
	if (errno == EINPROGRESS) {
		*ret_connecting = true;
		return fd;
	}
	r = -errno;
	close(fd);
	return r;
}

int transport_dial(const struct transport *t, uint32_t port, bool *ret_connecting)
{
	const struct sockaddr_vm vm = {
		.svm_family = AF_VSOCK,
		.svm_cid = WIRE_CID_HOST,
		.svm_port = port,
	};
	struct sockaddr_un un;
	int r;

	if (!t->unix_path)
		return connect_to(socket(AF_VSOCK, SOCK_FLAGS, 0), &vm, sizeof(vm), ret_connecting);
	r = unix_address(&un, t->unix_path, port);
	if (r < 0)
		return r;
	return connect_to(socket(AF_UNIX, SOCK_FLAGS, 0), &un, sizeof(un), ret_connecting);
}

int transport_accept(const struct transport *t)
{
	int fd = accept4(t->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int transport_preface(int fd)
{
	char line[PREFACE_MAX + 1], *end;
	ssize_t n = recv(fd, line, PREFACE_MAX, MSG_PEEK | MSG_DONTWAIT);
	unsigned long port;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return -EPROTO;
	line[n] = 0;
	end = memchr(line, '\n', (size_t)n);
	if (!end)
		return n < PREFACE_MAX ? -EAGAIN : -EPROTO;
	/* Take the line only: frames may follow in the same write. */
	if (recv(fd, line, (size_t)(end - line) + 1, MSG_DONTWAIT) < 0)
		return -errno;
	*end = 0;
	if (strncasecmp(line, "CONNECT ", 8) != 0)
		return -EPROTO;
	port = strtoul(line + 8, &end, 10);
	if (end == line + 8 || *end || port != WIRE_PORT_EXEC)
		return -EPROTO;
	if (dprintf(fd, "OK %u\n", (unsigned)WIRE_PORT_EXEC) < 0)
		return -errno;
	return 0;
}
