#include "backend/net/scm.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/util.h"

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(SCM_FDS_MAX * sizeof(int))];
};

int scm_send(int fd, const char *text, const int *fds, int count)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control c = {0};

	if (count > SCM_FDS_MAX || iov.iov_len >= SCM_TEXT_MAX)
		return -EMSGSIZE;
	if (count > 0) {
		size_t len = (size_t)count * sizeof(int);

		m.msg_control = c.room;
		m.msg_controllen = CMSG_SPACE(len);
		c.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(len)};
		memcpy(CMSG_DATA(&c.align), fds, len);
	}
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int take_fds(struct msghdr *m, int *fds)
{
	int count = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds + count, CMSG_DATA(h), n * sizeof(int));
		count += (int)n;
	}
	return count;
}

ssize_t scm_recv(int fd, char *buf, int *fds, int *ret_count)
{
	struct iovec iov = {.iov_base = buf, .iov_len = SCM_TEXT_MAX - 1};
	union control c = {0};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = c.room,
		.msg_controllen = sizeof(c.room)};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_count = 0;
	if (n < 0)
		return -errno;
	*ret_count = take_fds(&m, fds);
	buf[n] = '\0';
	if (!(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	for (int i = 0; i < *ret_count; i++)
		close(fds[i]);
	*ret_count = 0;
	return -EMSGSIZE;
}
