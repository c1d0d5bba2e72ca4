/* The network of one VM: a namespace of its own with the same inside for every VM, so that a clone
 * needs no new address and never meets its siblings (DESIGN 7):
 *
 *	br0 10.0.2.1/24 -- tap0 -- guest 10.0.2.100, gateway 10.0.2.1 (bridged) or 10.0.2.2
 *(rootless) bridged (root): veth to the host, masquerade inside and outside, DNAT for what is
 *published rootless: user and network namespace, pasta as the way out and in
 *
 * The daemon itself never enters a namespace: a child does it and hands descriptors back. The
 * VMM's process runs inside, so that the namespace, its links and pasta go with it. */
#ifndef VMDECK_NET_NET_H
#define VMDECK_NET_NET_H

#include <ev.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/base/err.h"

#define NET_PUBLISH_MAX 64
#define NET_GUEST_IP    "10.0.2.100"
#define NET_GUEST_BITS  24
#define NET_TAP         "tap0"
#define NET_MAC         "02:fc:00:00:02:64" /* of every guest: see above */
#define NET_DNS_MAX     8
#define NET_MTU         1500

enum net_mode { NET_NONE, NET_BRIDGED, NET_ROOTLESS, NET__COUNT };
extern const char *const net_mode_names[NET__COUNT];

/* [IP:]HOST:GUEST[/tcp|udp] */
struct net_publish {
	uint32_t ip; /* host byte order; 0: not said (all of the host's bridged, the VM's own
			loopback address rootless) */
	uint16_t host, guest;
	bool udp;
};
/* -EINVAL names the text and what is wrong with it. */
int net_publish_parse(const char *text, struct net_publish *ret, struct err *e);
/* "127.0.0.2:8080:80/tcp" into out[48]. */
void net_publish_text(const struct net_publish *p, char *out);

struct net_spec {
	enum net_mode mode;
	struct net_publish publish[NET_PUBLISH_MAX];
	int publish_count;
};

/* What the host's resolver files say, loopback servers dropped. */
struct net_dns {
	char servers[NET_DNS_MAX][46];
	int count;
	char search[256]; /* names with blanks between, or "" */
};
/* Reads root ("" or a test's folder) + /run/systemd/resolve/resolv.conf, else /etc/resolv.conf.
 * -ENOENT with the next step when no server is left. */
int net_dns_read(const char *root, struct net_dns *ret, struct err *e);

struct net;

/* r 0: *_fd below may be asked. Else e says which step failed and why; nothing is left; n is still
 * to be closed. Called once, never before net_open returned. */
typedef void net_done(void *user, int r, const struct err *e);

/* Starts to make it (a child; limit 10 s). id: 8 hex digits of the VM, part of all names on the
 * host. -EADDRINUSE when a published address is taken (by whom), -EPERM, -ENOENT with the next step
 * when the mode can't work here. spec is copied. mode NET_NONE is the caller's to leave out. */
int net_open(struct net **ret, struct ev_loop *loop, const char *home, const char *id,
	const struct net_spec *spec, net_done *done, void *user, struct err *e);
/* A network that an earlier daemon made, from net_json; pid: the VMM that lives in it. */
int net_adopt(struct net **ret, struct ev_loop *loop, const char *home, const char *id,
	struct json_object *saved, int pid, struct err *e);
/* Undoes all of it (VMM gone or not yet there) and frees. NULL is fine. */
void net_close(struct net *n);

/* For the VMM, owned by n: -1 when not (any more) there. net_given closes them here once the VMM
 * has them. userns_fd is -1 when bridged. The tap is IFF_TAP|IFF_NO_PI|IFF_VNET_HDR. */
int net_tap_fd(const struct net *n);
int net_netns_fd(const struct net *n);
int net_userns_fd(const struct net *n);
void net_given(struct net *n, int pid);

/* A new non-blocking close-on-exec socket made inside the namespace; the caller's. */
int net_socket(struct net *n, int family, int type, struct err *e);

/* Gateway and resolvers for the guest; DNS is read anew at each call. */
int net_guest_config(struct net *n, char gateway[16], struct net_dns *ret, struct err *e);
/* Real addresses: mode, host address, gateway, published with their addresses, MTU, names of links.
 * A new reference; also what net_adopt takes. */
struct json_object *net_json(const struct net *n);

struct net_counters {
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets, rx_drops,
		tx_drops; /* as the guest sees */
	bool up;          /* the guest's link and the way out are both there */
	char why[128];
};
/* Of now; -ENOENT when the namespace is gone. */
int net_counters(struct net *n, struct net_counters *ret, struct err *e);
/* fn is called (loop thread) when a link of it goes or comes. */
void net_watch(struct net *n, void (*fn)(void *user), void *user);

/* After a restore: neighbour entries for the guest forgotten. */
int net_refresh(struct net *n, struct err *e);

/* Things on this host whose names say vmdeck made them for home, and that no id in use (asked by
 * in_use) owns. remove: taken away. Each is told by fn(user, what, name). Returns how many. */
int net_orphans(const char *home, bool (*in_use)(void *user, const char *id), bool remove,
	void (*fn)(void *user, const char *what, const char *name), void *user, struct err *e);

#endif
