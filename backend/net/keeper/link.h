/* Links, addresses, routes and neighbours by libnl-3; a socket works in the namespace in which it
 * was opened, whichever its user is in later. */
#ifndef VMDECK_NET_KEEPER_LINK_H
#define VMDECK_NET_KEEPER_LINK_H

#include <net/if.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/base/err.h"

/* In the namespace of the calling thread. The caller's, nl_socket_free ends it. */
int link_socket(struct nl_sock **ret, struct err *e);
/* Told of links and IPv4 routes that come, go or change; non-blocking. */
int link_monitor(struct nl_sock **ret, struct err *e);

/* mac: "02:..", NULL: the kernel's choice. */
int link_add_bridge(struct nl_sock *sk, const char *name, const char *mac, struct err *e);
/* name in sk's namespace, peer in that of ns_fd. -EEXIST. */
int link_add_veth(struct nl_sock *sk, const char *name, const char *peer, int ns_fd, struct err *e);
/* A tap in the calling thread's namespace; *ret_fd is for a VMM. */
int link_open_tap(const char *name, int *ret_fd, struct err *e);
/* Of sk's namespace. master: NULL: none. */
int link_set_up(struct nl_sock *sk, const char *name, const char *master, struct err *e);
int link_set_alias(struct nl_sock *sk, const char *name, const char *alias, struct err *e);
/* ip: host byte order, as everywhere below. */
int link_add_address(struct nl_sock *sk, const char *name, uint32_t ip, int prefix, struct err *e);
int link_add_default_route(struct nl_sock *sk, const char *name, uint32_t gateway, struct err *e);
/* A neighbour entry that never grows old. */
int link_add_neighbour(
	struct nl_sock *sk, const char *name, uint32_t ip, const char *mac, struct err *e);
/* A link that is not there is done. */
int link_delete(struct nl_sock *sk, const char *name, struct err *e);

/* name is there and up, with its peer or user up, too. */
bool link_is_up(struct nl_sock *sk, const char *name);

/* Calls fn for each link whose name begins with prefix; alias: "" when it has none. */
int link_foreach(struct nl_sock *sk, const char *prefix,
	void (*fn)(void *user, const char *name, const char *alias), void *user, struct err *e);
/* Whether a route of this host, other than a default one, or an address has to do with ip/prefix;
 * what says which. */
int link_subnet_used(
	struct nl_sock *sk, uint32_t ip, int prefix, char *what, size_t n, struct err *e);
/* -ENETUNREACH when there is no default route. */
int link_default_route(struct nl_sock *sk, struct err *e);

#endif
