#include "agent/resolv.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/util.h"

#define NAME     "resolv.conf"
#define TEXT_MAX 1024 /* the first line, all names and all resolvers */

_Static_assert(
	64 + 8 + WIRE_SEARCH_MAX + WIRE_DNS_MAX * (12 + WIRE_DNS_LEN) < TEXT_MAX, "all of it fits");

struct text {
	char s[TEXT_MAX];
	size_t len;
};

static void add(struct text *t, const char *key, const char *value)
{
	int n = snprintf(t->s + t->len, sizeof(t->s) - t->len, "%s%s\n", key, value);

	t->len += min_of((size_t)n, sizeof(t->s) - 1 - t->len);
}

static bool is_address(const char *s)
{
	struct in6_addr ip;

	return inet_pton(AF_INET, s, &ip) == 1 || inet_pton(AF_INET6, s, &ip) == 1;
}

/* Nothing that would begin another line or be another word of the file's. */
static bool is_search(const struct wire_str *s)
{
	for (uint16_t i = 0; i < s->len; i++)
		if (!isalnum((unsigned char)s->s[i]) && !strchr("-._ ", s->s[i]))
			return false;
	return true;
}

/* 0, or -EINVAL with why: something was left out. */
static int make_text(struct text *t, const struct wire_network *n, char *why, size_t cap)
{
	char value[WIRE_SEARCH_MAX + 1];
	int r = 0;

	add(t, "# written by vmdeck-agent at each boot and restore", "");
	if (is_search(&n->search)) {
		snprintf(value, sizeof(value), "%.*s", n->search.len, n->search.s);
		if (value[strspn(value, " ")])
			add(t, "search ", value);
	} else {
		snprintf(why, cap, "the search list for " NAME " has characters that no name has");
		r = -EINVAL;
	}
	for (uint8_t i = 0; i < n->dns_count; i++) {
		snprintf(value, sizeof(value), "%.*s", n->dns[i].len, n->dns[i].s);
		if (is_address(value)) {
			add(t, "nameserver ", value);
			continue;
		}
		snprintf(why, cap, "resolver %u of the host is no address", i + 1u);
		r = -EINVAL;
	}
	return r;
}

static bool is_there(const char *path, const struct text *t)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char now[TEXT_MAX];
	struct stat st;
	bool same = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		    st.st_size == (off_t)t->len && read(fd, now, sizeof(now)) == (ssize_t)t->len &&
		    !memcmp(now, t->s, t->len);

	close_fd(&fd);
	return same;
}

static int put(const char *path, const char *tmp, const struct text *t)
{
	int fd, r = 0;

	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) < 0 || write(fd, t->s, t->len) != (ssize_t)t->len || fsync(fd) < 0)
		r = errno ? -errno : -EIO;
	close_fd(&fd);
	if (!r && rename(tmp, path) < 0)
		r = -errno;
	if (r)
		unlink(tmp);
	return r;
}

int resolv_write(const char *dir, const struct wire_network *n, char *why, size_t cap)
{
	char path[PATH_MAX], tmp[PATH_MAX];
	struct text t = {.len = 0};
	int r = 0, bad;

	if (!n->dns_count)
		return 0;
	bad = make_text(&t, n, why, cap);
	if (snprintf(path, sizeof(path), "%s/" NAME, dir) >= (int)sizeof(path) ||
		snprintf(tmp, sizeof(tmp), "%s/." NAME ".vmdeck", dir) >= (int)sizeof(tmp))
		r = -ENAMETOOLONG;
	else if (!is_there(path, &t))
		r = put(path, tmp, &t);
	if (!r)
		return bad;
	snprintf(why, cap, "cannot write %.100s/" NAME ": %s", dir, strerror(-r));
	return r;
}
