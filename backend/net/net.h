/* The network of one VM: a namespace of its own with the same inside for every VM, so that a clone
 * needs no new address and never meets its siblings (DESIGN 7):
 *
 *	guest 10.0.2.100 -- tap0 -- br0 10.0.2.1/24 -- masquerade, DNAT -- up0
 *
 *	bridged (root)   up0 is one end of a veth, 172.30.x.2/30; the other is vmd-<id> on the
 *	                 host, 172.30.x.1, the VM's own address there: masquerade and DNAT by nft
 *	rootless         up0 is pasta's; the VM's own address on the host is one of 127.64.0.0/10
 *
 * The daemon never enters a namespace: a keeper does (vmdeck-net, one process a VM), hands the tap
 * and the namespace over as descriptors and undoes all of it when the VMM is gone, whether a daemon
 * runs then or not. The VMM lives in the namespace. IPv4 only. */
#ifndef VMDECK_NET_NET_H
#define VMDECK_NET_NET_H

#include <ev.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/base/err.h"
#include "backend/base/path.h"

#define NET_PUBLISH_MAX  64
#define NET_PUBLISH_TEXT 48
#define NET_GATEWAY      "10.0.2.1"
#define NET_GUEST_IP     "10.0.2.100"
#define NET_GUEST_BITS   24
#define NET_MAC          "02:fc:00:00:02:64" /* of every guest: see above */
#define NET_DNS_MAX      8
#define NET_MTU          1500

enum net_mode { NET_NONE, NET_BRIDGED, NET_ROOTLESS, NET__COUNT };
extern const char *const net_mode_names[NET__COUNT];
/* "auto" is bridged for root, else rootless. -EINVAL names those there are. */
int net_mode_parse(const char *text, enum net_mode *ret, struct err *e);

/* [IP:]HOST:GUEST[/tcp|udp] */
struct net_publish {
	uint32_t ip; /* host byte order; 0: not said, the VM's own address. 0.0.0.0 is any_ip */
	bool any_ip;
	uint16_t host, guest;
	bool udp;
};
/* -EINVAL names the text and what is wrong with it. */
int net_publish_parse(const char *text, struct net_publish *ret, struct err *e);
/* "127.0.0.2:8080:80/tcp" into out[NET_PUBLISH_TEXT], which is returned. */
char *net_publish_text(const struct net_publish *p, char *out);
/* Whether both want the same port of an address that was said. */
bool net_publish_clash(const struct net_publish *a, const struct net_publish *b);

struct net_spec {
	enum net_mode mode;
	struct net_publish publish[NET_PUBLISH_MAX];
	int publish_count;
};
/* What a caller says of a restored VM's network; the rest is the snapshot's. */
struct net_wish {
	bool mode_said, publish_said;
	struct net_spec spec;
};
/* From a call's "network" and "publish" (both may be missing). -EINVAL. */
int net_wish_read(struct json_object *params, struct net_wish *ret, struct err *e);

/* {"mode", "publish": [...]}; a new reference. */
struct json_object *net_spec_json(const struct net_spec *s);
/* NULL is mode none. -EINVAL names what is wrong. */
int net_spec_read(struct json_object *o, struct net_spec *ret, struct err *e);

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

struct net_callbacks {
	/* r 0: it is made. Else e says which step failed and why, and nothing is left. Called once,
	 * not before net_open or net_adopt returned; not after net_close. */
	void (*on_done)(void *user, int r, const struct err *e);
	/* A link went or came: see net_up. */
	void (*on_link)(void *user);
};

struct net_request {
	const char *home;     /* tag of what is made on the host */
	const char *id;       /* 8 hex digits of the VM, part of all names on the host */
	const char *run_dir;  /* net.sock is made here */
	const char *pid_file; /* of the VMM; need not be there yet */
	const struct net_spec *spec;
};

/* Starts to make it (limit 10 s), once everything that was closed before is undone. Nothing of rq
 * is kept. mode NET_NONE is the caller's to leave out. */
int net_open(struct net **ret, struct ev_loop *loop, const struct net_request *rq,
	const struct net_callbacks *cb, void *user, struct err *e);
/* A network that an earlier daemon had made: its keeper is asked. -ESRCH: it is gone. */
int net_adopt(struct net **ret, struct ev_loop *loop, const struct net_request *rq,
	const struct net_callbacks *cb, void *user, struct err *e);
/* Undoes all of it (VMM gone or not there) and frees. NULL is fine. */
void net_close(struct net *n);
/* Frees, and leaves the network to its keeper: the daemon goes, the VM stays. NULL is fine. */
void net_leave(struct net *n);

/* For the VMM, owned by n: -1 when not (any more) there. userns_fd is -1 when bridged. The tap is
 * IFF_TAP|IFF_NO_PI|IFF_VNET_HDR. */
int net_tap_fd(const struct net *n);
int net_netns_fd(const struct net *n);
int net_userns_fd(const struct net *n);
/* The VMM was started with them and wrote its pid file: closes them here. */
void net_given(struct net *n);

/* A new non-blocking close-on-exec IPv4 TCP socket made inside the namespace; the caller's.
 * -EAGAIN: none at hand just now; -ENOTCONN: the keeper is gone. */
int net_socket(struct net *n, struct err *e);

/* The VM's own address on the host, host byte order; 0: not known (yet). */
uint32_t net_address(const struct net *n);
/* Whether the guest's link and the way out are both up; else why[128] says what is not. */
bool net_up(const struct net *n, const char **ret_why);
/* {"mode", "address" (the VM's own, on the host), "guest", "gateway", "mtu", "link", "publish":
 * [with their addresses], "up", "why"}: a new reference. */
struct json_object *net_json(const struct net *n);

struct net_counters {
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets, rx_drops, tx_drops; /* of the guest */
};
/* Of now, for the VMM of this pid; -ENOENT when there is no tap in its namespace. */
int net_counters_read(int pid, struct net_counters *ret, struct err *e);

/* ---- of the host; both run a process and wait for it (30 ms, at most 5 s) ---- */

/* Makes a network of this kind and undoes it. The error says what is missing and what to do. */
int net_check(enum net_mode mode, const struct paths *paths, struct err *e);
/* What networks of this home's VMs have left on the host: links, entries of nftables, pasta
 * processes, whose VM is none of used (ids, one a line) and has no keeper. remove: taken away.
 * *ret: array of {"what", "name", "id"}, the caller's. Nothing else is touched. */
int net_sweep(const struct paths *paths, const char *used, bool remove, struct json_object **ret,
	struct err *e);

#endif
