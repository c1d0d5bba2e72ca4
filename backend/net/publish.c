/* Modes and published ports as texts. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/net/net.h"

const char *const net_mode_names[NET__COUNT] = {
	[NET_NONE] = "none",
	[NET_BRIDGED] = "bridged",
	[NET_ROOTLESS] = "rootless",
};

int net_mode_parse(const char *text, enum net_mode *ret, struct err *e)
{
	if (strcmp(text, "auto") == 0) {
		*ret = geteuid() == 0 ? NET_BRIDGED : NET_ROOTLESS;
		return 0;
	}
	for (int i = 0; i < NET__COUNT; i++)
		if (strcmp(text, net_mode_names[i]) == 0) {
			*ret = (enum net_mode)i;
			return 0;
		}
	return err_set(e, EINVAL, "network '%.40s': it is none, bridged, rootless or auto", text);
}

static int parse_port(const char *s, size_t len, uint16_t *ret)
{
	unsigned v = 0;

	if (len < 1 || len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	if (v < 1 || v > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

static int parse_ip(const char *s, size_t len, struct net_publish *p)
{
	struct in_addr in;
	char text[16];

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &in) != 1)
		return -EINVAL;
	p->ip = ntohl(in.s_addr);
	p->any_ip = p->ip == 0;
	return 0;
}

int net_publish_parse(const char *text, struct net_publish *ret, struct err *e)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	const char *last = memrchr(text, ':', len);
	const char *before = last ? memrchr(text, ':', (size_t)(last - text)) : NULL;
	const char *host = before ? before + 1 : text;
	struct net_publish p = {0};

	if (!last)
		return err_set(e, EINVAL,
			"'%.60s' is no published port: write [IP:]HOST:GUEST[/tcp|udp], as in "
			"8080:80",
			text);
	if (slash && strcmp(slash, "/udp") != 0 && strcmp(slash, "/tcp") != 0)
		return err_set(e, EINVAL, "'%.60s': the protocol is tcp or udp", text);
	p.udp = slash && slash[1] == 'u';
	if (before && parse_ip(text, (size_t)(before - text), &p) < 0)
		return err_set(e, EINVAL,
			"'%.60s': what stands before HOST:GUEST is no IPv4 address", text);
	if (parse_port(host, (size_t)(last - host), &p.host) < 0 ||
		parse_port(last + 1, (size_t)(text + len - last - 1), &p.guest) < 0)
		return err_set(e, EINVAL, "'%.60s': a port is a number from 1 to 65535", text);
	*ret = p;
	return 0;
}

char *net_publish_text(const struct net_publish *p, char *out)
{
	char ip[INET_ADDRSTRLEN + 1] = "";

	if (p->ip || p->any_ip)
		snprintf(ip, sizeof(ip), "%u.%u.%u.%u:", p->ip >> 24, p->ip >> 16 & 255,
			p->ip >> 8 & 255, p->ip & 255);
	snprintf(
		out, NET_PUBLISH_TEXT, "%s%u:%u/%s", ip, p->host, p->guest, p->udp ? "udp" : "tcp");
	return out;
}

bool net_publish_clash(const struct net_publish *a, const struct net_publish *b)
{
	bool said = (a->ip || a->any_ip) && (b->ip || b->any_ip);

	return said && a->host == b->host && a->udp == b->udp &&
	       (a->any_ip || b->any_ip || a->ip == b->ip);
}

/* ---- saved ----------------------------------------------------------------------------------- */

struct json_object *net_spec_json(const struct net_spec *s)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	char text[NET_PUBLISH_TEXT];

	for (int i = 0; i < s->publish_count; i++)
		json_object_array_add(
			list, json_object_new_string(net_publish_text(&s->publish[i], text)));
	jsonx_add_str(o, "mode", net_mode_names[s->mode]);
	json_object_object_add(o, "publish", list);
	return o;
}

static int add_publish(struct net_spec *s, struct json_object *item, struct err *e)
{
	struct net_publish *p = &s->publish[s->publish_count];
	int r;

	if (!json_object_is_type(item, json_type_string))
		return err_set(e, EINVAL, "a published port is a text");
	if (s->publish_count == NET_PUBLISH_MAX)
		return err_set(
			e, EINVAL, "at most %d ports of a VM can be published", NET_PUBLISH_MAX);
	r = net_publish_parse(json_object_get_string(item), p, e);
	for (int i = 0; i < s->publish_count && r == 0; i++) {
		const struct net_publish *q = &s->publish[i];

		if (net_publish_clash(p, q) ||
			(p->host == q->host && p->udp == q->udp && p->ip == q->ip))
			r = err_set(e, EINVAL, "port %u/%s is published twice", p->host,
				p->udp ? "udp" : "tcp");
	}
	s->publish_count += r == 0;
	return r;
}

static int read_publish(struct json_object *list, struct net_spec *s, struct err *e)
{
	int r = 0;

	if (list && !json_object_is_type(list, json_type_array))
		return err_set(e, EINVAL, "published ports are a list");
	for (size_t i = 0; list && i < json_object_array_length(list) && r == 0; i++)
		r = add_publish(s, json_object_array_get_idx(list, i), e);
	return r;
}

static int check_used(const struct net_spec *s, struct err *e)
{
	if (s->publish_count > 0 && s->mode == NET_NONE)
		return err_set(e, EINVAL,
			"a VM without a network has no ports to publish: give it --net auto");
	return 0;
}

int net_spec_read(struct json_object *o, struct net_spec *ret, struct err *e)
{
	const char *mode = o ? jsonx_str(o, "mode") : NULL;
	int r;

	*ret = (struct net_spec){0};
	if (!o)
		return 0;
	if (!mode)
		return err_set(e, EINVAL, "a network without a mode");
	r = net_mode_parse(mode, &ret->mode, e);
	if (r == 0)
		r = read_publish(jsonx_get(o, "publish"), ret, e);
	return r < 0 ? r : check_used(ret, e);
}

int net_wish_read(struct json_object *params, struct net_wish *ret, struct err *e)
{
	const char *mode = jsonx_str(params, "network");
	struct json_object *list = jsonx_get(params, "publish");
	int r = 0;

	*ret = (struct net_wish){.mode_said = mode, .publish_said = list};
	if (mode)
		r = net_mode_parse(mode, &ret->spec.mode, e);
	if (r == 0)
		r = read_publish(list, &ret->spec, e);
	return r < 0 || !mode ? r : check_used(&ret->spec, e);
}
