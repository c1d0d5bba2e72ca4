#include "backend/net/keeper/orphans.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "backend/base/jsonx.h"
#include "backend/net/keeper/keeper.h"
#include "backend/net/keeper/link.h"
#include "backend/net/keeper/nat.h"

#define ID_CHARS    8
#define CMDLINE_MAX 16384

void orphans_tag(char *out, size_t n, const char *id, const char *home)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-";
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (const char *s = home; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211u;
	if (strspn(home, plain) == strlen(home) && strlen(home) + ID_CHARS + 2 <= n)
		snprintf(out, n, "%.8s %s", id, home);
	else
		snprintf(out, n, "%.8s #%016llx", id, (unsigned long long)h);
}

struct search {
	const char *home, *runtime;
	bool remove;
	char *used; /* ids, each behind a line end */
	struct nl_sock *links;
	int links_left;
	bool took;
};

/* Neither a VM that runs nor one whose keeper is at work. */
static bool is_free(const struct search *s, const char *id)
{
	char line[ID_CHARS + 3];
	autofd int fd = -1;

	snprintf(line, sizeof(line), "\n%s\n", id);
	return !strstr(s->used, line) && keeper_take_id(id, &fd, NULL) == 0;
}

static bool is_orphan(const struct search *s, const char *tag, char id[ID_CHARS + 1])
{
	char want[100];

	snprintf(id, ID_CHARS + 1, "%.8s", tag);
	orphans_tag(want, sizeof(want), id, s->home);
	return strlen(id) == ID_CHARS && strcmp(want, tag) == 0 && is_free(s, id);
}

static void tell(struct search *s, const char *what, const char *name, const char *id)
{
	autojson struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "what", what);
	jsonx_add_str(o, "name", name);
	jsonx_add_str(o, "id", id);
	printf("%s\n", jsonx_line(o));
	s->took |= s->remove;
}

static void visit_link(void *user, const char *name, const char *alias)
{
	struct search *s = user;
	char id[ID_CHARS + 1];
	struct err e = {0};

	s->links_left++;
	if (!is_orphan(s, alias, id))
		return;
	tell(s, "link", name, id);
	if (s->remove && link_delete(s->links, name, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
	else if (s->remove)
		s->links_left--;
}

static void visit_entry(void *user, const char *tag, const char *remove)
{
	struct search *s = user;
	char id[ID_CHARS + 1], name[100];
	struct err e = {0};

	if (!is_orphan(s, tag, id))
		return;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(remove, "\n"),
		remove + strlen("delete element "));
	tell(s, "nftables entry", name, id);
	if (s->remove && nat_run(remove, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
}

/* ---- pasta ----------------------------------------------------------------------------------- */

/* "-P RUNTIME/vms/ID/pasta.pid" is what the keeper gave it: see pasta.c. */
static bool is_our_pasta(const struct search *s, const char *cmdline, size_t len, char *id)
{
	autofree char *begin = xasprintf("%s/vms/", s->runtime);
	size_t n = strlen(begin);

	for (const char *a = cmdline; a < cmdline + len; a += strlen(a) + 1)
		if (strncmp(a, begin, n) == 0 && strlen(a) > n + ID_CHARS &&
			strcmp(a + n + ID_CHARS, "/pasta.pid") == 0) {
			snprintf(id, ID_CHARS + 1, "%s", a + n);
			return true;
		}
	return false;
}

static void visit_process(struct search *s, const char *pid)
{
	autofree char *path = xasprintf("/proc/%s/cmdline", pid);
	autofree char *text = xcalloc(CMDLINE_MAX + 1, 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Held before it is looked at: what is signalled is what was read. */
	autofd int pidfd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	ssize_t n = fd < 0 ? -1 : read(fd, text, CMDLINE_MAX);
	char id[ID_CHARS + 1];

	close_fd(&fd);
	if (n <= 0 || strncmp(text, "pasta", 6) != 0 || !is_our_pasta(s, text, (size_t)n, id))
		return;
	if (!is_free(s, id))
		return;
	tell(s, "pasta process", pid, id);
	if (s->remove && pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

static void visit_processes(struct search *s)
{
	DIR *d = opendir("/proc");
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (de->d_name[0] >= '1' && de->d_name[0] <= '9')
			visit_process(s, de->d_name);
	if (d)
		closedir(d);
}

/* ---- all ------------------------------------------------------------------------------------- */

static char *read_used(void)
{
	char *text = NULL, line[64];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputc('\n', f);
	while (fgets(line, sizeof(line), stdin))
		fputs(line, f);
	fclose(f);
	return text;
}

static int visit_host(struct search *s, struct err *e)
{
	int r = link_socket(&s->links, e);

	if (r == 0)
		r = link_foreach(s->links, KEEPER_LINK_PREFIX, visit_link, s, e);
	if (r == 0 && geteuid() == 0) /* nobody else has entries there */
		r = nat_foreach(visit_entry, s, e);
	if (r == 0 && s->took && s->links_left == 0 && geteuid() == 0)
		(void)nat_host_end(NULL);
	nl_socket_free(s->links);
	return r;
}

int orphans_main(const char *home, const char *runtime, bool remove)
{
	struct search s = {.home = home, .runtime = runtime, .remove = remove, .used = read_used()};
	struct err e = {0};
	int r;

	visit_processes(&s);
	r = visit_host(&s, &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.msg);
	free(s.used);
	return r < 0;
}
