#include "backend/net/keeper/nat.h"

#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "backend/base/jsonx.h"

#define FORWARD_FILE "/proc/sys/net/ipv4/ip_forward"

/* Said again by each VM that comes, in one transaction: a table that someone emptied is whole
 * again. flush takes rules only, not the maps' entries. */
static const char common[] =
	"add table ip vmdeck\n"
	"add map ip vmdeck publish { type ipv4_addr . inet_proto . inet_service : "
	"ipv4_addr . inet_service; }\n"
	"add map ip vmdeck publish_any { type inet_proto . inet_service : "
	"ipv4_addr . inet_service; }\n"
	"add chain ip vmdeck prerouting { type nat hook prerouting priority -100; }\n"
	"add chain ip vmdeck output { type nat hook output priority -100; }\n"
	"add chain ip vmdeck postrouting { type nat hook postrouting priority 100; }\n"
	"add chain ip vmdeck forward { type filter hook forward priority 0; }\n"
	"flush table ip vmdeck\n"
	"add rule ip vmdeck prerouting "
	"dnat ip to ip daddr . meta l4proto . th dport map @publish\n"
	"add rule ip vmdeck prerouting fib daddr type local "
	"dnat ip to meta l4proto . th dport map @publish_any\n"
	"add rule ip vmdeck output dnat ip to ip daddr . meta l4proto . th dport map @publish\n"
	"add rule ip vmdeck output fib daddr type local "
	"dnat ip to meta l4proto . th dport map @publish_any\n"
	"add rule ip vmdeck postrouting oifname \"vmd-*\" ip saddr 127.0.0.0/8 masquerade\n"
	"add rule ip vmdeck postrouting ip saddr 172.30.0.0/16 oifname != \"vmd-*\" masquerade\n"
	"add rule ip vmdeck forward iifname \"vmd-*\" oifname \"vmd-*\" drop\n";

/* output: NULL, or what the command prints, the caller's. */
static int run(const char *command, bool json, char **output, struct err *e)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	int r = 0;

	if (!ctx)
		return err_set(
			e, ENOTSUP, "nftables cannot be used: is the kernel's nf_tables there?");
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	if (json)
		nft_ctx_output_set_flags(ctx, NFT_CTX_OUTPUT_JSON);
	if (nft_run_cmd_from_buffer(ctx, command)) {
		const char *why = nft_ctx_get_error_buffer(ctx);
		bool exists = strstr(why, "File exists");

		r = err_set(e, exists ? EEXIST : EIO, "nftables refused a rule: %.*s",
			(int)strcspn(why, "\n"), why);
	} else if (output) {
		*output = xstrdup(nft_ctx_get_output_buffer(ctx));
	}
	nft_ctx_free(ctx);
	return r;
}

int nat_run(const char *command, struct err *e)
{
	return run(command, false, NULL, e);
}

static char *ip_text(uint32_t ip, char out[16])
{
	snprintf(out, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	return out;
}

static const char *proto(const struct net_publish *p)
{
	return p->udp ? "udp" : "tcp";
}

/* ---- inside ---------------------------------------------------------------------------------- */

int nat_inside(const struct net_publish *p, int count, struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	FILE *b = open_memstream(&text, &len);
	int r;

	fprintf(b,
		"add table ip vmdeck\n"
		"add chain ip vmdeck prerouting { type nat hook prerouting priority -100; }\n"
		"add chain ip vmdeck output { type nat hook output priority -100; }\n"
		"add chain ip vmdeck postrouting { type nat hook postrouting priority 100; }\n"
		"add rule ip vmdeck postrouting oifname \"up0\" masquerade\n"
		"add rule ip vmdeck postrouting oifname \"br0\" ip saddr 127.0.0.0/8 masquerade\n");
	for (int i = 0; i < count; i++) {
		int inner = NAT_INNER_PORT + i;

		fprintf(b,
			"add rule ip vmdeck prerouting iifname \"up0\" %s dport %d dnat to %s:%u\n",
			proto(&p[i]), inner, NET_GUEST_IP, p[i].guest);
		/* pasta connects to the namespace's loopback what comes from the host's. */
		fprintf(b,
			"add rule ip vmdeck output ip daddr 127.0.0.1 %s dport %d dnat to %s:%u\n",
			proto(&p[i]), inner, NET_GUEST_IP, p[i].guest);
	}
	fclose(b);
	r = run(text, false, NULL, e);
	return r;
}

/* ---- the host -------------------------------------------------------------------------------- */

/* "publish { 127.0.0.1 . tcp . 8080" */
static void put_key(FILE *b, const struct nat_host *n, const struct net_publish *p)
{
	char ip[16];

	if (p->any_ip)
		fprintf(b, "publish_any { %s . %u", proto(p), p->host);
	else
		fprintf(b, "publish { %s . %s . %u", ip_text(p->ip ? p->ip : n->address, ip),
			proto(p), p->host);
}

int nat_host_add(const struct nat_host *n, struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	FILE *b = open_memstream(&text, &len);
	char inner[16];
	int r;

	ip_text(n->inner, inner);
	fprintf(b, "%s", common);
	for (int i = 0; i < n->count; i++) {
		fprintf(b, "create element ip vmdeck ");
		put_key(b, n, &n->publish[i]);
		fprintf(b, " comment \"%s\" : %s . %d }\n", n->tag, inner, NAT_INNER_PORT + i);
	}
	fclose(b);
	r = run(text, false, NULL, e);
	if (r == -EEXIST)
		return err_set(e, EADDRINUSE, "another VM publishes one of these ports already");
	return r;
}

int nat_host_remove(const struct nat_host *n, struct err *e)
{
	int r = 0;

	for (int i = 0; i < n->count; i++) {
		autofree char *text = NULL;
		size_t len;
		FILE *b = open_memstream(&text, &len);

		fprintf(b, "delete element ip vmdeck ");
		put_key(b, n, &n->publish[i]);
		fprintf(b, " }\n");
		fclose(b);
		if (run(text, false, NULL, e) < 0)
			r = -EIO;
	}
	return r;
}

int nat_note_forwarding_off(struct err *e)
{
	return run("add chain ip vmdeck forwarding_was_off\n", false, NULL, e);
}

int nat_host_end(struct err *e)
{
	bool was_off = run("list chain ip vmdeck forwarding_was_off\n", false, NULL, NULL) == 0;
	int r = run("delete table ip vmdeck\n", false, NULL, e);
	autofd int fd = -1;

	if (r < 0 || !was_off)
		return r;
	fd = open(FORWARD_FILE, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return err_errno(e, "cannot write '%s'", FORWARD_FILE);
	return 0;
}

/* ---- what is there --------------------------------------------------------------------------- */

struct walk {
	void (*fn)(void *user, const char *tag, const char *remove);
	void *user;
};

/* [{"elem": {"val": {"concat": [...]}, "comment": ...}}, ...] */
static void visit_element(const struct walk *w, const char *map, struct json_object *pair)
{
	struct json_object *elem = json_object_is_type(pair, json_type_array)
					   ? jsonx_get(json_object_array_get_idx(pair, 0), "elem")
					   : NULL;
	struct json_object *val = elem ? jsonx_get(elem, "val") : NULL;
	struct json_object *key = val ? jsonx_get(val, "concat") : NULL;
	const char *tag = elem ? jsonx_str(elem, "comment") : NULL;
	autofree char *text = NULL;
	size_t len;
	FILE *b;

	if (!tag || !key || !json_object_is_type(key, json_type_array))
		return;
	b = open_memstream(&text, &len);
	fprintf(b, "delete element ip vmdeck %s { ", map);
	for (size_t i = 0; i < json_object_array_length(key); i++)
		fprintf(b, "%s%s", i ? " . " : "",
			json_object_get_string(json_object_array_get_idx(key, i)));
	fprintf(b, " }\n");
	fclose(b);
	w->fn(w->user, tag, text);
}

static int visit_map(const struct walk *w, const char *map, struct err *e)
{
	autofree char *command = xasprintf("list map ip vmdeck %s\n", map);
	autofree char *text = NULL;
	autojson struct json_object *o = NULL;
	struct json_object *list, *elems = NULL;

	if (run(command, true, &text, NULL) < 0)
		return 0; /* no table of ours */
	if (jsonx_parse(text, strlen(text), &o, e) < 0)
		return err_wrap(e, -EPROTO, "what nftables lists cannot be read");
	list = jsonx_get(o, "nftables");
	if (!list || !json_object_is_type(list, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(list) && !elems; i++) {
		struct json_object *m = jsonx_get(json_object_array_get_idx(list, i), "map");

		elems = m ? jsonx_get(m, "elem") : NULL;
	}
	for (size_t i = 0; elems && i < json_object_array_length(elems); i++)
		visit_element(w, map, json_object_array_get_idx(elems, i));
	return 0;
}

int nat_foreach(
	void (*fn)(void *user, const char *tag, const char *remove), void *user, struct err *e)
{
	struct walk w = {fn, user};
	int r = visit_map(&w, "publish", e);

	return r < 0 ? r : visit_map(&w, "publish_any", e);
}
