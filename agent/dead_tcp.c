#include "agent/dead_tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "agent/netlink.h"
#include "agent/util.h"

/* Ended between two readings of the kernel's table. */
#define BATCH 1024
/* A connection that is not accepted yet; no header names it. */
#define STATE_NEW_SYN_RECV 12
/* idiag_timer of what is left of a connection after its end, whatever state it shows. */
#define TIMER_TIME_WAIT 3
/* Those that still wait for something; what is in TIME_WAIT ends by itself. */
#define STATES                                                                                     \
	(1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 |   \
		1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK |                  \
		1u << TCP_CLOSING | 1u << STATE_NEW_SYN_RECV)

static struct {
	const struct addresses *own;
	size_t n;
	struct inet_diag_sockid v[BATCH];
} found;

static void as_v6(uint8_t out[16], const void *ip, bool v4)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!v4) {
		memcpy(out, ip, 16);
		return;
	}
	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + sizeof(mapped), ip, 4);
}

static const struct address *own(const uint8_t ip[16])
{
	for (size_t i = 0; i < found.own->n; i++)
		if (!memcmp(found.own->v[i].ip, ip, 16))
			return &found.own->v[i];
	return NULL;
}

static void on_socket(void *user, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	bool v4 = m->idiag_family == AF_INET;
	const struct address *a;
	uint8_t from[16], to[16];

	(void)user;
	as_v6(from, m->id.idiag_src, v4);
	as_v6(to, m->id.idiag_dst, v4);
	a = own(from);
	if (found.n < BATCH && m->idiag_timer != TIMER_TIME_WAIT && a && a->out && !own(to))
		found.v[found.n++] = m->id;
}

static int end_one(struct netlink *n, uint8_t family, const struct inet_diag_sockid *id)
{
	const struct inet_diag_req_v2 req = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.id = *id,
	};
	struct netlink_msg m;

	netlink_begin(&m, SOCK_DESTROY, 0, &req, sizeof(req));
	return netlink_do(n, &m);
}

/* One reading and the end of what it found: how many, or -errno. */
static int turn(struct netlink *n, uint8_t family)
{
	const struct inet_diag_req_v2 req = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = STATES,
	};
	struct netlink_msg m;
	int r, ended = 0, refused = 0;

	found.n = 0;
	netlink_begin(&m, SOCK_DIAG_BY_FAMILY, 0, &req, sizeof(req));
	r = netlink_dump(n, &m, SOCK_DIAG_BY_FAMILY, sizeof(struct inet_diag_msg), on_socket, NULL);
	for (size_t i = 0; !r && i < found.n; i++) {
		r = end_one(n, family, &found.v[i]);
		if (!r)
			ended++;
		else if (r == -EOPNOTSUPP)
			refused++;
		/* It may have ended by itself meanwhile. */
		if (r == -ENOENT || r == -EOPNOTSUPP)
			r = 0;
	}
	if (!r && refused && !ended)
		r = -EOPNOTSUPP;
	return r < 0 ? r : ended;
}

int dead_tcp_close(const struct addresses *all, uint64_t until)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct netlink n;
	int r = netlink_open(&n, NETLINK_SOCK_DIAG, until), ended = 0;

	found.own = all;
	for (size_t i = 0; r >= 0 && i < countof(families); i++)
		/* Again while there are: the table moves below a reading. */
		do {
			r = turn(&n, families[i]);
			ended += r > 0 ? r : 0;
		} while (r > 0);
	netlink_close(&n);
	return r < 0 ? r : ended;
}
