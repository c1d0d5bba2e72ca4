#include "agent/netlink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/util.h"

/* The kernel makes no bigger parts of a dump. */
#define ANSWER_MAX 32768

static union {
	struct nlmsghdr h;
	uint8_t bytes[ANSWER_MAX];
} answer;

int netlink_open(struct netlink *n, int protocol, uint64_t until)
{
	const int flags = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;

	*n = (struct netlink){.fd = socket(AF_NETLINK, flags, protocol), .until = until};
	return n->fd < 0 ? -errno : 0;
}

void netlink_close(struct netlink *n)
{
	close_fd(&n->fd);
}

void netlink_begin(
	struct netlink_msg *m, uint16_t type, uint16_t flags, const void *fixed, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->full = NLMSG_SPACE(len) > sizeof(m->bytes);
	if (m->full)
		return;
	m->h.nlmsg_type = type;
	m->h.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->h.nlmsg_len = (uint32_t)NLMSG_SPACE(len);
	memcpy(m->bytes + NLMSG_HDRLEN, fixed, len);
}

void netlink_attr(struct netlink_msg *m, uint16_t type, const void *data, size_t len)
{
	const struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	size_t at = m->h.nlmsg_len;

	if (m->full || NLA_HDRLEN + NLA_ALIGN(len) > sizeof(m->bytes) - at) {
		m->full = true;
		return;
	}
	memcpy(m->bytes + at, &a, sizeof(a));
	memcpy(m->bytes + at + NLA_HDRLEN, data, len);
	m->h.nlmsg_len = (uint32_t)(at + NLA_HDRLEN + NLA_ALIGN(len));
}

/* Waits for something to read: 0 or -ETIMEDOUT. */
static int wait_readable(const struct netlink *n)
{
	struct pollfd p = {.fd = n->fd, .events = POLLIN};
	uint64_t now = mono_ns();

	if (now >= n->until)
		return -ETIMEDOUT;
	poll(&p, 1, (int)((n->until - now) / 1000000 + 1));
	return 0;
}

/* The next datagram of the kernel into answer: its length or -errno. */
static ssize_t receive(const struct netlink *n)
{
	int r;

	do {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = answer.bytes, .iov_len = sizeof(answer.bytes)};
		struct msghdr m = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
		ssize_t got = recvmsg(n->fd, &m, 0);

		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		/* Another process may write to us too. */
		if (got >= 0 && !from.nl_pid)
			return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : got;
		r = wait_readable(n);
	} while (!r);
	return r;
}

struct listener {
	uint16_t type;
	size_t len;
	netlink_fn *fn;
	void *user;
};

/* The messages of one datagram: 1 more will come, 0 it was the end, or -errno. */
static int take(const struct netlink *n, size_t left, const struct listener *l)
{
	const struct nlmsghdr *h = &answer.h;

	while (left >= NLMSG_HDRLEN && h->nlmsg_len >= NLMSG_HDRLEN && h->nlmsg_len <= left) {
		size_t len = h->nlmsg_len - NLMSG_HDRLEN;
		int error = 0;

		/* Older ones are answers that came too late. */
		if (h->nlmsg_seq != n->seq) {
			;
		} else if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
			if (len >= sizeof(error))
				memcpy(&error, NLMSG_DATA(h), sizeof(error));
			return error < 0 ? error : 0;
		} else if (l && h->nlmsg_type == l->type && len >= l->len) {
			l->fn(l->user, h);
		}
		len = min_of((size_t)NLMSG_ALIGN(h->nlmsg_len), left);
		left -= len;
		h = (const void *)((const uint8_t *)h + len);
	}
	return 1;
}

static int ask(struct netlink *n, struct netlink_msg *m, const struct listener *l)
{
	int r;

	if (m->full)
		return -EMSGSIZE;
	/* The kernel answers at once, so that this is what ends a long row of them. */
	if (mono_ns() >= n->until)
		return -ETIMEDOUT;
	m->h.nlmsg_seq = ++n->seq;
	if (send(n->fd, m->bytes, m->h.nlmsg_len, 0) < 0)
		return -errno;
	do {
		ssize_t got = receive(n);

		r = got < 0 ? (int)got : take(n, (size_t)got, l);
	} while (r == 1);
	return r;
}

int netlink_do(struct netlink *n, struct netlink_msg *m)
{
	m->h.nlmsg_flags |= NLM_F_ACK;
	return ask(n, m, NULL);
}

int netlink_dump(struct netlink *n, struct netlink_msg *m, uint16_t type, size_t len,
	netlink_fn *fn, void *user)
{
	const struct listener l = {.type = type, .len = len, .fn = fn, .user = user};

	m->h.nlmsg_flags |= NLM_F_DUMP;
	return ask(n, m, &l);
}

const void *netlink_find(const struct nlmsghdr *h, size_t fixed, uint16_t type, size_t min)
{
	size_t at = NLMSG_SPACE(fixed);

	while (at + NLA_HDRLEN <= h->nlmsg_len) {
		const uint8_t *p = (const uint8_t *)h + at;
		struct nlattr a;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > h->nlmsg_len - at)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type)
			return a.nla_len - NLA_HDRLEN >= (int)min ? p + NLA_HDRLEN : NULL;
		at += NLA_ALIGN(a.nla_len);
	}
	return NULL;
}
