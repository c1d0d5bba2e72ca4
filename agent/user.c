#include "agent/user.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/util.h"

#define LINE_MAX_BYTES 4096 /* longer lines are skipped */
#define FIELDS_MAX     7

/* Lines of a colon-separated file, one after another. */
struct lines {
	int fd;
	size_t len, used;
	char buf[LINE_MAX_BYTES];
};

/* The next line, NUL-ended, valid until the next call; NULL at the end. */
static char *lines_next(struct lines *l)
{
	bool skip = false;

	for (;;) {
		char *line = l->buf + l->used, *end;
		ssize_t n;

		end = memchr(line, '\n', l->len - l->used);
		if (end) {
			*end = 0;
			l->used = (size_t)(end - l->buf) + 1;
			if (!skip)
				return line;
			skip = false;
			continue;
		}
		memmove(l->buf, line, l->len - l->used);
		l->len -= l->used;
		l->used = 0;
		if (l->len == sizeof(l->buf)) {
			l->len = 0;
			skip = true;
		}
		n = read(l->fd, l->buf + l->len, sizeof(l->buf) - l->len);
		if (n <= 0)
			return NULL;
		l->len += (size_t)n;
	}
}

static bool lines_open(struct lines *l, const char *path)
{
	l->fd = open(path, O_RDONLY | O_CLOEXEC);
	l->len = l->used = 0;
	return l->fd >= 0;
}

static size_t split(char *line, char *field[FIELDS_MAX])
{
	size_t n = 0;
	char *p = line;

	while (p && n < FIELDS_MAX) {
		field[n++] = p;
		p = strchr(p, ':');
		if (p)
			*p++ = 0;
	}
	return n;
}

/* A decimal id, all of the string. */
static bool parse_id(const char *s, unsigned *ret)
{
	char *end;
	unsigned long v;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoul(s, &end, 10);
	/* The greatest value means "no change" to the kernel. */
	if (*end || errno || v >= UINT_MAX)
		return false;
	*ret = (unsigned)v;
	return true;
}

/* The passwd line of name, or of uid when name is NULL; fills gid, home and name_out. */
static bool passwd_find(const char *name, struct user *u, char *name_out, size_t n)
{
	struct lines l;
	char *f[FIELDS_MAX], *line;
	unsigned uid, gid;
	bool found = false;

	if (!lines_open(&l, "/etc/passwd"))
		return false;
	while (!found && (line = lines_next(&l))) {
		if (split(line, f) < FIELDS_MAX - 1 || !parse_id(f[2], &uid) ||
			!parse_id(f[3], &gid))
			continue;
		if (name ? strcmp(name, f[0]) != 0 : uid != u->uid)
			continue;
		found = true;
		u->uid = uid;
		u->gid = gid;
		snprintf(u->home, sizeof(u->home), "%s", f[5]);
		snprintf(name_out, n, "%s", f[0]);
	}
	close(l.fd);
	return found;
}

static bool lists_member(const char *members, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = members; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, name, n) && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

static void groups_find(struct user *u, const char *name)
{
	struct lines l;
	char *f[FIELDS_MAX], *line;
	unsigned gid;

	if (!lines_open(&l, "/etc/group"))
		return;
	while (u->ngroups < USER_GROUPS_MAX && (line = lines_next(&l)))
		if (split(line, f) >= 4 && parse_id(f[2], &gid) && lists_member(f[3], name))
			u->groups[u->ngroups++] = gid;
	close(l.fd);
}

int user_find(const char *spec, struct user *u, char *why, size_t n)
{
	char name[64] = "", ids[64];
	unsigned uid, gid = 0;
	char *colon;

	*u = (struct user){.home = "/"};
	if (!*spec) {
		u->uid = getuid();
		passwd_find(NULL, u, name, sizeof(name));
		return 0;
	}
	u->change = true;
	if (passwd_find(spec, u, name, sizeof(name))) {
		groups_find(u, name);
		return 0;
	}
	snprintf(ids, sizeof(ids), "%s", spec);
	colon = strchr(ids, ':');
	if (colon)
		*colon = 0;
	if (!parse_id(ids, &uid) || (colon && !parse_id(colon + 1, &gid))) {
		snprintf(why, n,
			"user '%.64s' is not in the guest's /etc/passwd: give a name that is, or "
			"UID[:GID]",
			spec);
		return -ENOENT;
	}
	u->uid = uid;
	if (passwd_find(NULL, u, name, sizeof(name)))
		groups_find(u, name);
	if (colon)
		u->gid = gid;
	return 0;
}
