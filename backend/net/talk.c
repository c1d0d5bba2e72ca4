/* What the daemon and a keeper say to each other: JSON and descriptors (scm.h). */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/net/net_impl.h"
#include "backend/net/scm.h"

void net_say(struct net *n, const char *text)
{
	/* A keeper that does not listen is none: its end is seen by the loop. */
	if (n->control >= 0 && scm_send(n->control, text, NULL, 0) < 0)
		(void)shutdown(n->control, SHUT_RDWR);
}

void net_send_request(struct net *n)
{
	n->phase = NET_ASKED;
	net_say(n, jsonx_line(n->request));
}

static void ask_for_sockets(struct net *n)
{
	if (n->sockets_asked || n->socket_count > 0)
		return;
	n->sockets_asked = true;
	net_say(n, "{\"op\":\"sockets\",\"count\":4}");
}

/* ---- what comes ------------------------------------------------------------------------------ */

static void take_sockets(struct net *n, int *fds, int *count)
{
	n->sockets_asked = false;
	while (*count > 0 && n->socket_count < NET_SOCKETS_MAX)
		n->sockets[n->socket_count++] = fds[--*count];
}

static void take_links(struct net *n, struct json_object *o)
{
	const char *why = jsonx_str(o, "why");

	n->up = jsonx_bool(o, "up", false);
	str_safe(n->why, sizeof(n->why), why ? why : "");
}

static void take_ready(struct net *n, struct json_object *o, int *fds, int *count)
{
	const char *link = jsonx_str(o, "link");

	snprintf(n->address, sizeof(n->address), "%s", jsonx_str(o, "address"));
	snprintf(n->link, sizeof(n->link), "%s", link ? link : "");
	if (*count > 2)
		n->userns = fds[--*count];
	if (*count == 2) {
		n->netns = fds[--*count];
		n->tap = fds[--*count];
	}
	take_links(n, o);
	ask_for_sockets(n);
	net_ready(n);
}

static void refused(struct net *n, struct json_object *o)
{
	const char *step = jsonx_str(o, "step");
	struct err e = {0};

	err_set(&e, (int)jsonx_int(o, "code", EIO), "%s", jsonx_str(o, "error"));
	if (e.code <= 0)
		e.code = EIO;
	if (step)
		err_wrap(&e, -e.code, "network, step '%.20s'", step);
	net_lost(n, &e);
}

static void take_message(struct net *n, struct json_object *o, int *fds, int *count)
{
	if (jsonx_str(o, "error"))
		refused(n, o);
	else if (jsonx_get(o, "sockets"))
		take_sockets(n, fds, count);
	else if (jsonx_str(o, "address") && n->phase == NET_ASKED)
		take_ready(n, o, fds, count);
	else if (n->phase == NET_MADE) {
		take_links(n, o);
		if (n->cb.on_link)
			n->cb.on_link(n->user);
	}
}

void net_on_message(struct ev_loop *loop, ev_io *w, int revents)
{
	struct net *n = container_of(w, struct net, io);
	autojson struct json_object *o = NULL;
	char text[SCM_TEXT_MAX];
	int fds[SCM_FDS_MAX], count = 0;
	ssize_t len = scm_recv(n->control, text, fds, &count);
	struct err e = {0};

	(void)loop;
	(void)revents;
	if (len == -EAGAIN)
		return;
	if (len <= 0) {
		err_set(&e, EPIPE,
			"the keeper of the VM's network (vmdeck-net) ended unexpectedly");
		net_lost(n, &e);
		return;
	}
	if (jsonx_parse(text, (size_t)len, &o, NULL) == 0 && n->phase != NET_CLOSING)
		take_message(n, o, fds, &count); /* n may be gone now */
	while (count > 0)
		close(fds[--count]);
}

/* ---- what is asked --------------------------------------------------------------------------- */

int net_tap_fd(const struct net *n)
{
	return n->tap;
}

int net_netns_fd(const struct net *n)
{
	return n->netns;
}

int net_userns_fd(const struct net *n)
{
	return n->userns;
}

int net_socket(struct net *n, struct err *e)
{
	int fd;

	if (n->control < 0)
		return err_set(e, ENOTCONN, "%s", n->why);
	if (n->socket_count == 0) {
		ask_for_sockets(n);
		return err_set(e, EAGAIN, "no socket of the VM's network is at hand");
	}
	fd = n->sockets[--n->socket_count];
	ask_for_sockets(n);
	return fd;
}

uint32_t net_address(const struct net *n)
{
	struct in_addr a;

	return inet_pton(AF_INET, n->address, &a) == 1 ? ntohl(a.s_addr) : 0;
}

bool net_up(const struct net *n, const char **ret_why)
{
	if (ret_why)
		*ret_why = n->why;
	return n->up;
}

struct json_object *net_json(const struct net *n)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	for (int i = 0; i < n->spec.publish_count; i++) {
		const struct net_publish *p = &n->spec.publish[i];
		char text[NET_PUBLISH_TEXT], full[NET_PUBLISH_TEXT + 20];
		bool own = !p->ip && !p->any_ip;

		snprintf(full, sizeof(full), "%s%s%s", own ? n->address : "", own ? ":" : "",
			net_publish_text(p, text));
		json_object_array_add(list, json_object_new_string(full));
	}
	jsonx_add_str(o, "mode", net_mode_names[n->spec.mode]);
	jsonx_add_str(o, "address", n->address);
	jsonx_add_str(o, "guest", NET_GUEST_IP);
	jsonx_add_str(o, "gateway", NET_GATEWAY);
	jsonx_add_int(o, "mtu", NET_MTU);
	jsonx_add_str(o, "link", n->link);
	json_object_object_add(o, "publish", list);
	jsonx_add_bool(o, "up", n->up);
	jsonx_add_str(o, "why", n->why);
	return o;
}
