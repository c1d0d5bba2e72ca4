#include "agent/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "agent/dead_tcp.h"
#include "agent/netlink.h"
#include "agent/pid1.h"
#include "agent/resolv.h"
#include "agent/util.h"

#define DEVICES    "/sys/bus/virtio/devices"
#define DEVICE_NET 1    /* virtio: network card */
#define LIMIT_MS   2000 /* of everything here: the host waits 5 s for HELLO_ACK */
#define TCP_DIAG   "/sys/module/tcp_diag"
#define NEIGH_MAX  256 /* forgotten at a time */

struct iface {
	int index; /* 0: none */
	bool hardware, up;
	uint32_t mtu;
	char name[IF_NAMESIZE];
	int others; /* made by programs, as bridges and tunnels are */
};

struct step {
	struct network *net;
	const struct wire_network *want;
	struct netlink nl;
	struct iface iface;
	struct addresses own;
};

bool network_device(void)
{
	DIR *dir = opendir(DEVICES);
	bool found = false;
	struct dirent *de;

	while (dir && !found && (de = readdir(dir))) {
		char path[512], text[32];

		snprintf(path, sizeof(path), DEVICES "/%s/device", de->d_name);
		found = de->d_name[0] != '.' && file_slurp(path, text, sizeof(text)) > 0 &&
			strtoul(text, NULL, 16) == DEVICE_NET;
	}
	if (dir)
		closedir(dir);
	return found;
}

void network_prepare(struct network *n)
{
	if (n->loaded || getpid() != 1)
		return;
	n->loaded = true;
	if (network_device() && !access(PID1_MODULES_NET, R_OK))
		modules_load(PID1_MODULES_NET);
}

/* The first failure is the one that is told to the host; all are on the console. */
printf_like(2, 3) static void failed(struct network *n, const char *fmt, ...)
{
	char text[WIRE_WHY_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say_error("%s", text);
	if (!*n->why)
		memcpy(n->why, text, sizeof(text));
}

static void check(struct step *s, int r, const char *what)
{
	if (r < 0)
		failed(s->net, "%s: cannot %s: %s", s->iface.name, what, strerror(-r));
}

/* ---- what is there ---- */

static void on_link(void *user, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	bool hardware = !netlink_find(h, sizeof(*m), IFLA_LINKINFO, 0);
	const char *name = netlink_find(h, sizeof(*m), IFLA_IFNAME, 1);
	const uint32_t *mtu = netlink_find(h, sizeof(*m), IFLA_MTU, sizeof(*mtu));
	struct iface *best = user;

	if (m->ifi_type != ARPHRD_ETHER || (m->ifi_flags & IFF_LOOPBACK) || !name || !mtu)
		return;
	if (!hardware)
		best->others++;
	/* The first one that a driver made; else the only one. */
	if (best->index && (best->hardware || !hardware))
		return;
	best->index = m->ifi_index;
	best->hardware = hardware;
	best->up = m->ifi_flags & IFF_UP;
	best->mtu = *mtu;
	snprintf(best->name, sizeof(best->name), "%s", name);
}

static bool find_iface(struct step *s)
{
	const struct ifinfomsg any = {.ifi_family = AF_UNSPEC};
	struct netlink_msg m;
	int r;

	netlink_begin(&m, RTM_GETLINK, 0, &any, sizeof(any));
	r = netlink_dump(&s->nl, &m, RTM_NEWLINK, sizeof(any), on_link, &s->iface);
	if (r < 0)
		failed(s->net, "cannot list the network interfaces: %s", strerror(-r));
	else if (!s->iface.index)
		failed(s->net, "the guest has no ethernet interface: no device, or no driver "
			       "for it in the image");
	else if (!s->iface.hardware && s->iface.others > 1)
		failed(s->net, "none of the guest's %d ethernet interfaces is hardware",
			s->iface.others);
	else
		return true;
	return false;
}

static void on_address(void *user, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	bool v4 = m->ifa_family == AF_INET;
	size_t len = v4 ? 4 : 16;
	const void *ip = netlink_find(h, sizeof(*m), IFA_LOCAL, len);
	struct step *s = user;
	struct address *a;

	if (!ip)
		ip = netlink_find(h, sizeof(*m), IFA_ADDRESS, len);
	if (!ip || s->own.n == ADDRESSES_MAX)
		return;
	a = &s->own.v[s->own.n++];
	*a = (struct address){
		.bits = m->ifa_prefixlen, .v4 = v4, .out = (int)m->ifa_index == s->iface.index};
	if (v4)
		memset(a->ip + 10, 0xff, 2);
	memcpy(a->ip + 16 - len, ip, len);
}

static int read_addresses(struct step *s)
{
	const struct ifaddrmsg any = {.ifa_family = AF_UNSPEC};
	struct netlink_msg m;

	netlink_begin(&m, RTM_GETADDR, 0, &any, sizeof(any));
	return netlink_dump(&s->nl, &m, RTM_NEWADDR, sizeof(any), on_address, s);
}

/* ---- what shall be there ---- */

static int set_mtu(struct step *s)
{
	const struct ifinfomsg i = {.ifi_index = s->iface.index};
	const uint32_t mtu = s->want->mtu;
	struct netlink_msg m;

	if (!mtu || mtu == s->iface.mtu)
		return 0;
	netlink_begin(&m, RTM_NEWLINK, 0, &i, sizeof(i));
	netlink_attr(&m, IFLA_MTU, &mtu, sizeof(mtu));
	return netlink_do(&s->nl, &m);
}

static int set_up(struct step *s)
{
	const struct ifinfomsg i = {
		.ifi_index = s->iface.index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	struct netlink_msg m;

	if (s->iface.up)
		return 0;
	netlink_begin(&m, RTM_NEWLINK, 0, &i, sizeof(i));
	return netlink_do(&s->nl, &m);
}

static int address_do(
	struct step *s, uint16_t type, uint16_t flags, const uint8_t ip[4], uint8_t bits)
{
	const struct ifaddrmsg a = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = bits,
		.ifa_index = (uint32_t)s->iface.index,
	};
	struct netlink_msg m;

	netlink_begin(&m, type, flags, &a, sizeof(a));
	netlink_attr(&m, IFA_LOCAL, ip, 4);
	netlink_attr(&m, IFA_ADDRESS, ip, 4);
	return netlink_do(&s->nl, &m);
}

/* The others go first: an older one of the same network would take a younger one with it. */
static int set_address(struct step *s)
{
	const struct wire_network *w = s->want;
	size_t others = 0;
	bool there = false;

	for (size_t i = 0; i < s->own.n; i++) {
		const struct address *a = &s->own.v[i];
		int r;

		if (!a->v4 || !a->out)
			continue;
		if (a->bits == w->bits && !memcmp(a->ip + 12, w->address, 4)) {
			there = true;
			continue;
		}
		others++;
		r = address_do(s, RTM_DELADDR, 0, a->ip + 12, a->bits);
		if (r < 0 && r != -EADDRNOTAVAIL)
			return r;
	}
	if (there && !others)
		return 0;
	return address_do(s, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, w->address, w->bits);
}

static int set_route(struct step *s)
{
	static const uint8_t none[4];
	const struct rtmsg r = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct netlink_msg m;

	if (!memcmp(s->want->gateway, none, sizeof(none)))
		return 0;
	netlink_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &r, sizeof(r));
	netlink_attr(&m, RTA_GATEWAY, s->want->gateway, 4);
	netlink_attr(&m, RTA_OIF, &s->iface.index, sizeof(s->iface.index));
	return netlink_do(&s->nl, &m);
}

/* ---- what was before ---- */

struct neighbour {
	uint8_t family, len, ip[16];
};

struct neighbours {
	int index;
	size_t n;
	struct neighbour v[NEIGH_MAX];
};

static void on_neighbour(void *user, const struct nlmsghdr *h)
{
	const struct ndmsg *m = NLMSG_DATA(h);
	size_t len = m->ndm_family == AF_INET ? 4 : 16;
	const void *ip = netlink_find(h, sizeof(*m), NDA_DST, len);
	struct neighbours *all = user;
	struct neighbour *nb;

	if (!ip || m->ndm_ifindex != all->index || all->n == NEIGH_MAX ||
		(m->ndm_family != AF_INET && m->ndm_family != AF_INET6) ||
		(m->ndm_state & (NUD_PERMANENT | NUD_NOARP | NUD_FAILED)))
		return;
	nb = &all->v[all->n++];
	*nb = (struct neighbour){.family = m->ndm_family, .len = (uint8_t)len};
	memcpy(nb->ip, ip, len);
}

static int forget_neighbours(struct step *s)
{
	struct neighbours all = {.index = s->iface.index};
	const struct ndmsg any = {.ndm_family = AF_UNSPEC};
	struct netlink_msg m;
	int r;

	netlink_begin(&m, RTM_GETNEIGH, 0, &any, sizeof(any));
	r = netlink_dump(&s->nl, &m, RTM_NEWNEIGH, sizeof(any), on_neighbour, &all);
	for (size_t i = 0; !r && i < all.n; i++) {
		const struct ndmsg one = {
			.ndm_family = all.v[i].family,
			.ndm_ifindex = s->iface.index,
		};

		netlink_begin(&m, RTM_DELNEIGH, 0, &one, sizeof(one));
		netlink_attr(&m, NDA_DST, all.v[i].ip, all.v[i].len);
		r = netlink_do(&s->nl, &m);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

static void forget(struct step *s)
{
	int r;

	/* A snapshot may be older than the modules that nothing waits for. */
	if (getpid() == 1 && access(TCP_DIAG, F_OK) < 0 && !access(PID1_MODULES_NET_LATE, R_OK))
		modules_load(PID1_MODULES_NET_LATE);
	r = dead_tcp_close(&s->own, s->nl.until);
	check(s, r, "end the connections of before");
	if (r > 0)
		say_step("%d connections of before ended", r);
	check(s, forget_neighbours(s), "forget the neighbours of before");
}

static void set_link(struct step *s, bool restored)
{
	int r = netlink_open(&s->nl, NETLINK_ROUTE, mono_ns() + LIMIT_MS * 1000000ull);

	if (r < 0) {
		failed(s->net, "cannot ask the kernel for its network: %s", strerror(-r));
		return;
	}
	if (find_iface(s)) {
		check(s, read_addresses(s), "list the addresses");
		if (restored)
			forget(s);
		check(s, set_mtu(s), "set the MTU");
		check(s, set_up(s), "bring it up");
		check(s, set_address(s), "set the address");
		check(s, set_route(s), "set the default route");
	}
	netlink_close(&s->nl);
}

void network_apply(
	struct network *n, const struct wire_network *w, bool restored, struct wire_hello_ack *ack)
{
	struct step s = {.net = n, .want = w};
	char why[WIRE_WHY_MAX + 1];

	*n->why = 0;
	if (!w->present)
		return;
	if (n->etc) {
		set_link(&s, restored);
		if (resolv_write(n->etc, w, why, sizeof(why)) < 0)
			failed(n, "%s", why);
	} else {
		failed(n,
			"the agent does not run in a guest of its own: its network is left alone");
	}
	ack->network = *n->why ? WIRE_NETWORK_FAILED : WIRE_NETWORK_DONE;
	ack->network_why = (struct wire_str){.s = n->why, .len = (uint16_t)strlen(n->why)};
}
