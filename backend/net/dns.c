/* The host's resolvers, for guests: those that a guest can reach. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/net/net.h"

#define RESOLV_MAX (64u << 10)

static bool is_loopback(const char *server)
{
	struct in_addr a;
	struct in6_addr b;

	if (inet_pton(AF_INET, server, &a) == 1)
		return ntohl(a.s_addr) >> 24 == 127 || a.s_addr == 0;
	return inet_pton(AF_INET6, server, &b) == 1 &&
	       (IN6_IS_ADDR_LOOPBACK(&b) || IN6_IS_ADDR_UNSPECIFIED(&b));
}

/* Guests have IPv4 only: a server with an IPv6 address would cost each lookup a timeout. */
static void add_server(struct net_dns *d, const char *server)
{
	struct in_addr a;

	if (inet_pton(AF_INET, server, &a) != 1 || is_loopback(server) || d->count == NET_DNS_MAX)
		return;
	for (int i = 0; i < d->count; i++)
		if (strcmp(d->servers[i], server) == 0)
			return;
	snprintf(d->servers[d->count++], sizeof(d->servers[0]), "%s", server);
}

static bool is_name(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
	       strlen(s);
}

/* The last line that names some counts: resolv.conf(5). */
static void set_search(struct net_dns *d, char **save)
{
	const char *name;
	size_t len = 0;

	d->search[0] = '\0';
	while ((name = strtok_r(NULL, " \t\r", save))) {
		size_t n = strlen(name);

		if (!is_name(name) || len + n + 2 > sizeof(d->search))
			continue;
		len += (size_t)snprintf(
			d->search + len, sizeof(d->search) - len, "%s%s", len ? " " : "", name);
	}
}

static void read_line(struct net_dns *d, char *line)
{
	char *save = NULL;
	const char *word = strtok_r(line, " \t\r", &save);

	if (!word || word[0] == '#' || word[0] == ';')
		return;
	if (strcmp(word, "nameserver") == 0) {
		word = strtok_r(NULL, " \t\r", &save);
		if (word)
			add_server(d, word);
	} else if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) {
		set_search(d, &save);
	}
}

static int read_resolv(const char *path, struct net_dns *d, struct err *e)
{
	autofree char *text = NULL;
	char *save = NULL;
	int r = file_read(path, RESOLV_MAX, &text, NULL, e);

	*d = (struct net_dns){0};
	if (r < 0)
		return r;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		read_line(d, l);
	return 0;
}

int net_dns_read(const char *root, struct net_dns *ret, struct err *e)
{
	autofree char *resolved = xasprintf("%s/run/systemd/resolve/resolv.conf", root);
	autofree char *etc = xasprintf("%s/etc/resolv.conf", root);
	int r;

	if (read_resolv(resolved, ret, NULL) == 0 && ret->count > 0)
		return 0;
	r = read_resolv(etc, ret, e);
	if (r < 0)
		return err_wrap(e, r, "no DNS server for the guest");
	if (ret->count == 0)
		return err_set(e, ENOENT,
			"no DNS server for the guest: '%s' names none, or only loopback or IPv6 "
			"ones, which a guest cannot reach; add a 'nameserver' line with an IPv4 "
			"address that it can",
			etc);
	return 0;
}
