/* Addresses, routes and neighbours: see link.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

#include "backend/net/keeper/link.h"

#define autonladdr __attribute__((cleanup(cleanup_nladdr)))
static void cleanup_nladdr(struct nl_addr **a)
{
	if (*a)
		nl_addr_put(*a);
}

static struct nl_addr *ip_addr(uint32_t ip, int prefix)
{
	uint32_t be = htonl(ip);
	struct nl_addr *a = nl_addr_build(AF_INET, &be, sizeof(be));

	if (!a)
		abort();
	nl_addr_set_prefixlen(a, prefix);
	return a;
}

static int failed(int r, struct err *e, const char *what, const char *name)
{
	return err_set(e, EIO, "cannot %s '%s': %s", what, name, nl_geterror(r));
}

static int index_of(struct nl_sock *sk, const char *name, struct err *e)
{
	struct rtnl_link *l = NULL;
	int r = rtnl_link_get_kernel(sk, 0, name, &l);

	if (r < 0)
		return failed(r, e, "find link", name);
	r = rtnl_link_get_ifindex(l);
	rtnl_link_put(l);
	return r;
}

int link_add_address(struct nl_sock *sk, const char *name, uint32_t ip, int prefix, struct err *e)
{
	autonladdr struct nl_addr *local = ip_addr(ip, prefix);
	struct rtnl_addr *a = rtnl_addr_alloc();
	int r = index_of(sk, name, e);

	if (r >= 0) {
		rtnl_addr_set_ifindex(a, r);
		rtnl_addr_set_local(a, local);
		r = rtnl_addr_add(sk, a, NLM_F_EXCL);
		r = r < 0 ? failed(r, e, "give an address to", name) : 0;
	}
	rtnl_addr_put(a);
	return r;
}

int link_add_default_route(struct nl_sock *sk, const char *name, uint32_t gateway, struct err *e)
{
	autonladdr struct nl_addr *dst = ip_addr(0, 0), *via = ip_addr(gateway, 32);
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop;
	int r = index_of(sk, name, e);

	if (r >= 0) {
		hop = rtnl_route_nh_alloc();
		rtnl_route_nh_set_ifindex(hop, r);
		rtnl_route_nh_set_gateway(hop, via);
		rtnl_route_add_nexthop(route, hop);
		rtnl_route_set_family(route, AF_INET);
		rtnl_route_set_dst(route, dst);
		r = rtnl_route_add(sk, route, NLM_F_EXCL);
		r = r < 0 ? failed(r, e, "route by", name) : 0;
	}
	rtnl_route_put(route);
	return r;
}

int link_add_neighbour(
	struct nl_sock *sk, const char *name, uint32_t ip, const char *mac, struct err *e)
{
	autonladdr struct nl_addr *dst = ip_addr(ip, 32), *ll = NULL;
	struct rtnl_neigh *n = rtnl_neigh_alloc();
	int r = index_of(sk, name, e);

	if (r >= 0 && nl_addr_parse(mac, AF_LLC, &ll) < 0)
		r = err_set(e, EINVAL, "'%s' is no MAC address", mac);
	if (r >= 0) {
		rtnl_neigh_set_ifindex(n, r);
		rtnl_neigh_set_dst(n, dst);
		rtnl_neigh_set_lladdr(n, ll);
		rtnl_neigh_set_state(n, NUD_PERMANENT);
		r = rtnl_neigh_add(sk, n, NLM_F_CREATE | NLM_F_REPLACE);
		r = r < 0 ? failed(r, e, "note the neighbour of", name) : 0;
	}
	rtnl_neigh_put(n);
	return r;
}

/* ---- look ------------------------------------------------------------------------------------ */

static bool overlaps(struct nl_addr *a, uint32_t ip, int prefix)
{
	uint32_t be, mask;
	int len;

	if (!a || nl_addr_get_family(a) != AF_INET || nl_addr_get_len(a) != sizeof(be))
		return false;
	len = nl_addr_get_prefixlen(a);
	if (len == 0)
		return false;
	memcpy(&be, nl_addr_get_binary_addr(a), sizeof(be));
	mask = ~(uint32_t)0 << (32 - min_of(len, prefix));
	return (ntohl(be) & mask) == (ip & mask);
}

int link_subnet_used(
	struct nl_sock *sk, uint32_t ip, int prefix, char *what, size_t n, struct err *e)
{
	struct nl_cache *cache = NULL;
	int r = rtnl_route_alloc_cache(sk, AF_INET, 0, &cache);

	if (r < 0)
		return failed(r, e, "list", "routes");
	for (struct nl_object *o = nl_cache_get_first(cache); o && r == 0;
		o = nl_cache_get_next(o)) {
		struct nl_addr *dst = rtnl_route_get_dst((struct rtnl_route *)o);

		if (overlaps(dst, ip, prefix)) {
			nl_addr2str(dst, what, n);
			r = 1;
		}
	}
	nl_cache_free(cache);
	return r;
}

int link_default_route(struct nl_sock *sk, struct err *e)
{
	struct nl_cache *cache = NULL;
	bool found = false;
	int r = rtnl_route_alloc_cache(sk, AF_INET, 0, &cache);

	if (r < 0)
		return failed(r, e, "list", "routes");
	for (struct nl_object *o = nl_cache_get_first(cache); o && !found;
		o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;

		found = nl_addr_get_prefixlen(rtnl_route_get_dst(route)) == 0 &&
			rtnl_route_get_type(route) == RTN_UNICAST;
	}
	nl_cache_free(cache);
	return found ? 0 : err_set(e, ENETUNREACH, "there is no default route");
}
