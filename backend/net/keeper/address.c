/* The VM's own address on the host, and its ports there. What takes them is a socket: it goes with
 * the keeper, however that ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "backend/net/keeper/keeper.h"
#include "backend/net/keeper/link.h"

#define BRIDGED_NET   0xac1e0000u /* 172.30.0.0/16, in /30s */
#define BRIDGED_COUNT (1u << 14)
#define LOCAL_NET     0x7f400000u /* 127.64.0.0/10 */
#define LOCAL_COUNT   (1u << 22)
#define TRIES         512

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

/* 0: taken, *ret_fd holds it; -EADDRINUSE. Names of this kind are those of a network namespace. */
static int take_name(const char *kind, const char *what, int *ret_fd, struct err *e)
{
	autofd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "vmdeck-net-%s-%s", kind, what);
	size_t len = offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n;

	if (fd < 0)
		return err_errno(e, "cannot make a socket");
	if (bind(fd, (struct sockaddr *)&a, (socklen_t)len) < 0)
		return err_errno(e, "cannot take a name of the network");
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int take(uint32_t ip, int *ret_fd, struct err *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%08x", ip);
	return take_name("address", text, ret_fd, e);
}

int keeper_take_id(const char *id, int *ret_fd, struct err *e)
{
	return take_name("vm", id, ret_fd, e);
}

static int take_subnet(struct keeper *k, struct err *e)
{
	uint32_t at = hash(k->id);
	char used[64] = "";

	for (int i = 0; i < TRIES; i++, at++) {
		uint32_t net = BRIDGED_NET + 4 * (at % BRIDGED_COUNT);
		int r = take(net, &k->address_fd, e);

		if (r == -EADDRINUSE)
			continue;
		if (r < 0)
			return r;
		r = link_subnet_used(k->host_links, net, 30, used, sizeof(used), e);
		if (r == 0) {
			k->address = net + 1;
			k->inner = net + 2;
			return 0;
		}
		close_fd(&k->address_fd);
		if (r < 0)
			return r;
	}
	return err_set(e, EADDRNOTAVAIL, "no free subnet for the VM in 172.30.0.0/16%s%s%s",
		used[0] ? ": this host routes " : "", used, used[0] ? " elsewhere" : "");
}

static int take_loopback(struct keeper *k, struct err *e)
{
	uint32_t at = hash(k->id);

	for (int i = 0; i < TRIES; i++, at++) {
		uint32_t ip = LOCAL_NET + at % LOCAL_COUNT;
		int r;

		if ((ip & 255) == 0 || (ip & 255) == 255)
			continue;
		r = take(ip, &k->address_fd, e);
		if (r == -EADDRINUSE)
			continue;
		k->address = ip;
		return r;
	}
	return err_set(e, EADDRNOTAVAIL, "no free address for the VM in 127.64.0.0/10");
}

int keeper_take_address(struct keeper *k, struct err *e)
{
	int r = keeper_take_id(k->id, &k->id_fd, e);

	if (r < 0)
		return r;
	return k->spec.mode == NET_BRIDGED ? take_subnet(k, e) : take_loopback(k, e);
}

/* ---- ports ----------------------------------------------------------------------------------- */

static int bind_port(const struct net_publish *p, uint32_t ip, int *ret_fd, struct err *e)
{
	autofd int fd = socket(AF_INET, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(p->host)};
	char text[NET_PUBLISH_TEXT];

	a.sin_addr.s_addr = htonl(ip);
	net_publish_text(p, text);
	if (fd < 0)
		return err_errno(e, "cannot make a socket");
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
		*ret_fd = steal_fd(&fd);
		return 0;
	}
	if (errno == EADDRINUSE)
		return err_set(e, EADDRINUSE,
			"cannot publish '%s': something on this host has the port already ('ss "
			"-lnp' "
			"tells what); choose another",
			text);
	if (errno == EADDRNOTAVAIL)
		return err_set(e, EADDRNOTAVAIL,
			"cannot publish '%s': the address is none of this host's", text);
	if (errno == EACCES)
		return err_set(e, EACCES,
			"cannot publish '%s': ports below 1024 are root's (sysctl "
			"net.ipv4.ip_unprivileged_port_start)",
			text);
	return err_errno(e, "cannot publish '%s'", text);
}

int keeper_take_ports(struct keeper *k, struct err *e)
{
	for (int i = 0; i < k->spec.publish_count; i++) {
		const struct net_publish *p = &k->spec.publish[i];
		bool own = !p->ip && !p->any_ip;
		int r;

		if (own && k->spec.mode == NET_BRIDGED)
			continue; /* of an address that is not there yet: nobody's */
		r = bind_port(p, own ? k->address : p->ip, &k->publish_fds[i], e);
		if (r < 0)
			return r;
		if (k->spec.mode == NET_ROOTLESS)
			close_fd(&k->publish_fds[i]); /* pasta is the one to have it */
	}
	return 0;
}
