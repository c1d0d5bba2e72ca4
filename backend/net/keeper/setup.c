/* The steps that make a VM's network, and what undoes them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>

#include "backend/net/keeper/keeper.h"
#include "backend/net/keeper/link.h"
#include "backend/net/keeper/nat.h"

#define BRIDGE "br0"
#define TAP    "tap0"
#define UPLINK "up0"
#define BRIDGE_MAC                                                                                 \
	"02:fc:00:00:02:01" /* the same for all: a clone's neighbour entry stays true              \
			     */
#define HOST_LOCK    "/run/vmdeck-net.lock"
#define SYS          "/proc/sys/net/"
#define FORWARD_FILE SYS "ipv4/ip_forward"

static int write_sys(const char *path, const char *value, struct err *e)
{
	autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return err_errno(e, "cannot write '%s'", path);
	return 0;
}

/* Of the calling thread's namespace. */
static bool forwards(void)
{
	autofd int fd = open(FORWARD_FILE, O_RDONLY | O_CLOEXEC);
	char c = '1';

	return fd < 0 || read(fd, &c, 1) != 1 || c != '0';
}

static uint32_t ip_of(const char *text)
{
	struct in_addr a = {0};

	inet_pton(AF_INET, text, &a);
	return ntohl(a.s_addr);
}

/* ---- on the host ----------------------------------------------------------------------------- */

static int look_at_host(struct keeper *k, struct err *e)
{
	int r = link_socket(&k->host_links, e);

	if (r < 0)
		return r;
	k->host_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (k->host_ns < 0)
		return err_errno(e, "cannot open the host's namespace");
	if (link_default_route(k->host_links, e) < 0 && k->spec.mode == NET_ROOTLESS)
		return err_wrap(e, -ENETUNREACH,
			"rootless networking copies the host's way out, and this host has none");
	return 0;
}

static int leave_host(struct keeper *k, struct err *e)
{
	(void)k;
	if (unshare(CLONE_NEWNET) < 0)
		return err_errno(e, "cannot make a network namespace%s",
			errno == EPERM ? " (bridged networking is root's: try --net rootless)"
				       : "");
	return 0;
}

static int map_ids(uid_t uid, gid_t gid, struct err *e)
{
	char text[32];
	int r = write_sys("/proc/self/setgroups", "deny", e);

	snprintf(text, sizeof(text), "0 %u 1", uid);
	if (r == 0)
		r = write_sys("/proc/self/uid_map", text, e);
	snprintf(text, sizeof(text), "0 %u 1", gid);
	return r < 0 ? r : write_sys("/proc/self/gid_map", text, e);
}

static int leave_host_as_user(struct keeper *k, struct err *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return err_errno(e,
			"cannot make a user namespace (sysctl kernel.unprivileged_userns_clone and "
			"user.max_user_namespaces)");
	k->userns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (k->userns < 0)
		return err_errno(e, "cannot open the user namespace");
	return map_ids(uid, gid, e);
}

/* ---- inside ---------------------------------------------------------------------------------- */

/* Before a link is there: those to come take what default says. */
static int set_kernel(struct keeper *k, struct err *e)
{
	int r = write_sys(FORWARD_FILE, "1", e);

	(void)k;
	(void)write_sys(SYS "ipv6/conf/all/disable_ipv6", "1", NULL); /* may be without IPv6 */
	(void)write_sys(SYS "ipv6/conf/default/disable_ipv6", "1", NULL);
	return r;
}

static int make_inside(struct keeper *k, struct err *e)
{
	int r = set_kernel(k, e);

	k->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (r == 0 && k->netns < 0)
		r = err_errno(e, "cannot open the namespace");
	if (r == 0)
		r = link_socket(&k->links, e);
	if (r == 0)
		r = link_monitor(&k->monitor, e);
	if (r == 0)
		r = link_set_up(k->links, "lo", NULL, e);
	if (r == 0)
		r = link_add_bridge(k->links, BRIDGE, BRIDGE_MAC, e);
	if (r == 0)
		r = link_open_tap(TAP, &k->tap, e);
	if (r == 0)
		r = link_set_up(k->links, TAP, BRIDGE, e);
	if (r == 0)
		r = link_add_address(k->links, BRIDGE, ip_of(NET_GATEWAY), NET_GUEST_BITS, e);
	if (r == 0)
		r = link_set_up(k->links, BRIDGE, NULL, e);
	if (r == 0)
		r = link_add_neighbour(k->links, BRIDGE, ip_of(NET_GUEST_IP), NET_MAC, e);
	/* What pasta brings from the host's loopback comes from 127.0.0.1. */
	return r < 0 ? r : write_sys(SYS "ipv4/conf/" BRIDGE "/route_localnet", "1", e);
}

static int translate(struct keeper *k, struct err *e)
{
	return nat_inside(k->spec.publish, k->spec.publish_count, e);
}

/* ---- veth ------------------------------------------------------------------------------------ */

/* Of all keepers of this host, for the moments in which they change what they share. */
static int lock_host(int *ret_fd, struct err *e)
{
	autofd int fd = open(HOST_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_errno(e, "cannot lock '%s'", HOST_LOCK);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static struct nat_host nat_of(const struct keeper *k)
{
	return (struct nat_host){.tag = k->tag,
		.address = k->address,
		.inner = k->inner,
		.publish = k->spec.publish,
		.count = k->spec.publish_count};
}

static int open_host(struct keeper *k, struct err *e)
{
	autofree char *local = xasprintf(SYS "ipv4/conf/%s/route_localnet", k->link);
	struct nat_host n = nat_of(k);
	bool forwarded = forwards();
	int r = nat_host_add(&n, e);

	k->on_host = r == 0;
	if (r == 0 && !forwarded)
		r = nat_note_forwarding_off(e);
	if (r == 0 && !forwarded)
		r = write_sys(FORWARD_FILE, "1", e);
	/* For ports published on the host's 127.0.0.1. */
	return r < 0 ? r : write_sys(local, "1", e);
}

static int make_veth(struct keeper *k, struct err *e)
{
	int r = link_add_veth(k->host_links, k->link, UPLINK, k->netns, e);

	if (r == -EEXIST)
		return err_wrap(e, r, "left over from an earlier VM (see 'vmdeck doctor')");
	if (r == 0)
		r = link_set_alias(k->host_links, k->link, k->tag, e);
	if (r == 0)
		r = link_add_address(k->host_links, k->link, k->address, 30, e);
	if (r == 0)
		r = link_set_up(k->host_links, k->link, NULL, e);
	if (r == 0)
		r = link_add_address(k->links, UPLINK, k->inner, 30, e);
	if (r == 0)
		r = link_set_up(k->links, UPLINK, NULL, e);
	return r < 0 ? r : link_add_default_route(k->links, UPLINK, k->address, e);
}

static int go_to(int ns, struct err *e)
{
	return setns(ns, CLONE_NEWNET) < 0 ? err_errno(e, "cannot enter a namespace") : 0;
}

static int bridge_out(struct keeper *k, struct err *e)
{
	autofd int lock = -1;
	int r = lock_host(&lock, e), back;

	if (r == 0)
		r = make_veth(k, e);
	if (r < 0 || (r = go_to(k->host_ns, e)) < 0)
		return r;
	r = open_host(k, e);
	back = go_to(k->netns, r < 0 ? NULL : e);
	return r < 0 ? r : back;
}

static void count_link(void *user, const char *name, const char *alias)
{
	(void)name;
	(void)alias;
	++*(int *)user;
}

static void unbridge(struct keeper *k)
{
	struct nat_host n = nat_of(k);
	autofd int lock = -1;
	int others = 0;

	if (lock_host(&lock, NULL) < 0 || go_to(k->host_ns, NULL) < 0)
		return;
	(void)link_delete(k->host_links, k->link, NULL);
	if (k->on_host)
		(void)nat_host_remove(&n, NULL);
	if (link_foreach(k->host_links, KEEPER_LINK_PREFIX, count_link, &others, NULL) == 0 &&
		others == 0)
		(void)nat_host_end(NULL);
	k->on_host = false;
}

/* ---- the tables ------------------------------------------------------------------------------ */

struct setup_step {
	const char *name;
	int (*run)(struct keeper *k, struct err *e);
};

static const struct setup_step bridged[] = {
	{"host", look_at_host},
	{"address", keeper_take_address},
	{"ports", keeper_take_ports},
	{"namespace", leave_host},
	{"links", make_inside},
	{"translation", translate},
	{"veth", bridge_out},
};

static const struct setup_step rootless[] = {
	{"host", look_at_host},
	{"address", keeper_take_address},
	{"ports", keeper_take_ports},
	{"pasta", pasta_prepare},
	{"namespace", leave_host_as_user},
	{"links", make_inside},
	{"translation", translate},
	{"pasta", pasta_run},
};

int keeper_setup(struct keeper *k, const char **ret_step, struct err *e)
{
	const struct setup_step *s = k->spec.mode == NET_BRIDGED ? bridged : rootless;
	size_t n = k->spec.mode == NET_BRIDGED ? countof(bridged) : countof(rootless);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		*ret_step = s[i].name;
		r = s[i].run(k, e);
	}
	return r;
}

void keeper_undo(struct keeper *k)
{
	pasta_end(k);
	if (k->spec.mode == NET_BRIDGED && k->netns >= 0)
		unbridge(k);
	for (size_t i = 0; i < countof(k->publish_fds); i++)
		close_fd(&k->publish_fds[i]);
	close_fd(&k->tap);
	close_fd(&k->userns);
	close_fd(&k->netns);
	close_fd(&k->host_ns);
	close_fd(&k->address_fd);
	close_fd(&k->id_fd);
	nl_socket_free(k->links);
	nl_socket_free(k->host_links);
	nl_socket_free(k->monitor);
	k->links = k->host_links = k->monitor = NULL;
}
