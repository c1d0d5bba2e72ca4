/* Doctor's look at networks: each mode is tried, what VMs have left is named. */
#include <dirent.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/daemon/doctor_list.h"
#include "backend/daemon/sweep.h"
#include "backend/net/net.h"

static void check_bridged(struct doctor *d)
{
	struct err e = {0};

	if (geteuid() != 0)
		doctor_add(d, "network bridged", DOCTOR_FOUND, NULL,
			"root's only: others use --net rootless");
	else if (net_check(NET_BRIDGED, d->paths, &e) < 0)
		doctor_add(d, "network bridged", DOCTOR_WARN,
			"needs the kernel's veth, bridge, tun and nf_tables (nft_nat, nft_masq, "
			"nft_fib_ipv4)",
			"%s", e.msg);
	else
		doctor_add(d, "network bridged", DOCTOR_FOUND, NULL,
			"one was made and undone (namespace, bridge, tap, veth, nftables)");
}

static void check_rootless(struct doctor *d)
{
	struct err e = {0};

	if (net_check(NET_ROOTLESS, d->paths, &e) < 0)
		doctor_add(d, "network rootless", DOCTOR_WARN,
			"needs pasta (apt install passt), user namespaces and /dev/net/tun for "
			"all",
			"%s", e.msg);
	else
		doctor_add(d, "network rootless", DOCTOR_FOUND, NULL,
			"one was made and undone (user namespace, bridge, tap, pasta)");
}

static void check_dns(struct doctor *d)
{
	struct net_dns dns;
	struct err e = {0};
	char text[NET_DNS_MAX * 48] = "";
	size_t at = 0;

	if (net_dns_read("", &dns, &e) < 0) {
		doctor_add(d, "DNS for guests", DOCTOR_WARN,
			"name a server that guests can reach in /etc/resolv.conf", "%s", e.msg);
		return;
	}
	for (int i = 0; i < dns.count; i++)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "%s%s", at ? ", " : "", dns.servers[i]);
	doctor_add(d, "DNS for guests", DOCTOR_FOUND, NULL, "%s", text);
}

static void check_left(struct doctor *d)
{
	autojson struct json_object *list = NULL;
	struct err e = {0};
	char text[900] = "";
	size_t at = 0, n;

	if (sweep_network(d->paths, false, &list, &e) < 0) {
		doctor_add(d, "network leftovers", DOCTOR_WARN, NULL, "%s", e.msg);
		return;
	}
	n = json_object_array_length(list);
	for (size_t i = 0; i < n && at < sizeof(text) - 200; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.40s %.100s",
			at ? "; " : "", jsonx_str(o, "what"), jsonx_str(o, "name"));
	}
	if (n)
		doctor_add(d, "network leftovers", DOCTOR_WARN, "vmdeck doctor --fix", "%zu: %s", n,
			text);
	else
		doctor_add(d, "network leftovers", DOCTOR_FOUND, NULL, "none");
}

void doctor_network(struct doctor *d)
{
	check_bridged(d);
	check_rootless(d);
	check_dns(d);
	check_left(d);
}
