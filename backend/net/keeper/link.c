#include "backend/net/keeper/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <string.h>
#include <sys/ioctl.h>

#define ANSWER_LIMIT_S 5 /* normal: 0.001 */

#define autolink __attribute__((cleanup(cleanup_link)))
static void cleanup_link(struct rtnl_link **l)
{
	if (*l)
		rtnl_link_put(*l);
}

#define autonladdr __attribute__((cleanup(cleanup_nladdr)))
static void cleanup_nladdr(struct nl_addr **a)
{
	if (*a)
		nl_addr_put(*a);
}

/* libnl's own codes, as those of the system. */
static int failed(int r, struct err *e, const char *what, const char *name)
{
	int code = r == -NLE_EXIST          ? EEXIST
		   : r == -NLE_PERM         ? EPERM
		   : r == -NLE_NODEV        ? ENODEV
		   : r == -NLE_OPNOTSUPP    ? EOPNOTSUPP
		   : r == -NLE_OBJ_NOTFOUND ? ENODEV
					    : EIO;

	return err_set(e, code, "cannot %s '%s': %s", what, name, nl_geterror(r));
}

static int open_socket(struct nl_sock **ret, struct err *e)
{
	struct timeval limit = {.tv_sec = ANSWER_LIMIT_S};
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	if (!sk)
		return err_set(e, ENOMEM, "no memory for a netlink socket");
	r = nl_connect(sk, NETLINK_ROUTE);
	if (r < 0) {
		nl_socket_free(sk);
		return failed(r, e, "open", "netlink");
	}
	(void)setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)fcntl(nl_socket_get_fd(sk), F_SETFD, FD_CLOEXEC);
	*ret = sk;
	return 0;
}

int link_socket(struct nl_sock **ret, struct err *e)
{
	return open_socket(ret, e);
}

int link_monitor(struct nl_sock **ret, struct err *e)
{
	int r = open_socket(ret, e);

	if (r < 0)
		return r;
	nl_socket_disable_seq_check(*ret);
	r = nl_socket_add_memberships(*ret, RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, 0);
	if (r < 0)
		return failed(r, e, "follow", "links");
	nl_socket_set_nonblocking(*ret);
	return 0;
}

/* ---- make ------------------------------------------------------------------------------------ */

int link_add_bridge(struct nl_sock *sk, const char *name, const char *mac, struct err *e)
{
	autolink struct rtnl_link *l = rtnl_link_bridge_alloc();
	autonladdr struct nl_addr *a = NULL;
	int r;

	if (!l || (mac && nl_addr_parse(mac, AF_LLC, &a) < 0))
		return err_set(e, ENOMEM, "no memory for link '%s'", name);
	rtnl_link_set_name(l, name);
	if (a)
		rtnl_link_set_addr(l, a);
	r = rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL);
	return r < 0 ? failed(r, e, "make bridge", name) : 0;
}

int link_add_veth(struct nl_sock *sk, const char *name, const char *peer, int ns_fd, struct err *e)
{
	autolink struct rtnl_link *l = rtnl_link_veth_alloc();
	struct rtnl_link *p;
	int r;

	if (!l)
		return err_set(e, ENOMEM, "no memory for link '%s'", name);
	p = rtnl_link_veth_get_peer(l);
	rtnl_link_set_name(l, name);
	rtnl_link_set_name(p, peer);
	rtnl_link_set_ns_fd(p, ns_fd);
	rtnl_link_put(p);
	r = rtnl_link_add(sk, l, NLM_F_CREATE | NLM_F_EXCL);
	return r < 0 ? failed(r, e, "make veth", name) : 0;
}

int link_open_tap(const char *name, int *ret_fd, struct err *e)
{
	autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq rq = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (fd < 0 && errno == EACCES)
		return err_set(e, EACCES,
			"/dev/net/tun may not be opened by this account: 'chmod 666 /dev/net/tun' "
			"as "
			"root (Debian's default)");
	if (fd < 0)
		return err_errno(e, "cannot open '/dev/net/tun' (module tun)");
	snprintf(rq.ifr_name, sizeof(rq.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &rq) < 0)
		return err_errno(e, "cannot make tap '%s'", name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* ---- change ---------------------------------------------------------------------------------- */

static int get(struct nl_sock *sk, const char *name, struct rtnl_link **ret, struct err *e)
{
	int r = rtnl_link_get_kernel(sk, 0, name, ret);

	return r < 0 ? failed(r, e, "find link", name) : 0;
}

int link_set_up(struct nl_sock *sk, const char *name, const char *master, struct err *e)
{
	autolink struct rtnl_link *l = NULL, *m = NULL, *to = rtnl_link_alloc();
	int r = get(sk, name, &l, e);

	if (r == 0 && master)
		r = get(sk, master, &m, e);
	if (r < 0)
		return r;
	rtnl_link_set_flags(to, IFF_UP);
	if (m)
		rtnl_link_set_master(to, rtnl_link_get_ifindex(m));
	r = rtnl_link_change(sk, l, to, 0);
	return r < 0 ? failed(r, e, "set up link", name) : 0;
}

int link_set_alias(struct nl_sock *sk, const char *name, const char *alias, struct err *e)
{
	autolink struct rtnl_link *l = NULL, *to = rtnl_link_alloc();
	int r = get(sk, name, &l, e);

	if (r < 0)
		return r;
	rtnl_link_set_ifalias(to, alias);
	r = rtnl_link_change(sk, l, to, 0);
	return r < 0 ? failed(r, e, "name link", name) : 0;
}

int link_delete(struct nl_sock *sk, const char *name, struct err *e)
{
	autolink struct rtnl_link *l = rtnl_link_alloc();
	int r;

	rtnl_link_set_name(l, name);
	r = rtnl_link_delete(sk, l);
	if (r == -NLE_NODEV || r == -NLE_OBJ_NOTFOUND)
		return 0;
	return r < 0 ? failed(r, e, "remove link", name) : 0;
}

/* ---- look ------------------------------------------------------------------------------------ */

bool link_is_up(struct nl_sock *sk, const char *name)
{
	autolink struct rtnl_link *l = NULL;
	unsigned need = IFF_UP | IFF_RUNNING;

	return get(sk, name, &l, NULL) == 0 && (rtnl_link_get_flags(l) & need) == need;
}

int link_foreach(struct nl_sock *sk, const char *prefix,
	void (*fn)(void *user, const char *name, const char *alias), void *user, struct err *e)
{
	struct nl_cache *cache = NULL;
	int r = rtnl_link_alloc_cache(sk, AF_UNSPEC, &cache);

	if (r < 0)
		return failed(r, e, "list", "links");
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *l = (struct rtnl_link *)o;
		const char *name = rtnl_link_get_name(l), *alias = rtnl_link_get_ifalias(l);

		if (name && strncmp(name, prefix, strlen(prefix)) == 0)
			fn(user, name, alias ? alias : "");
	}
	nl_cache_free(cache);
	return 0;
}
