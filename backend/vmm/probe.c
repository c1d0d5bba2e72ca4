#include "backend/vmm/probe.h"

#include <ctype.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backend/base/proc.h"
#include "backend/base/str.h"

#define PROBE_LIMIT 5. /* s */

struct probe {
	struct ev_loop *loop;
	struct proc proc;
	ev_timer limit;
	bool late;
	int status;
};

static void on_exit_(struct proc *p, int status)
{
	struct probe *b = p->user;

	b->status = status;
	ev_break(b->loop, EVBREAK_ALL);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct probe *b = container_of(w, struct probe, limit);

	(void)loop;
	(void)revents;
	b->late = true;
	proc_signal(&b->proc, SIGKILL);
}

/* Runs the program to its end on a loop of its own, its output into the file out. */
static int run(struct ev_loop *loop, const char *path, int out, struct err *e)
{
	const char *argv[] = {path, "--version", NULL};
	struct proc_fd fds[] = {{out, 1}};
	struct proc_spec spec = {.argv = argv, .fds = fds, .fd_count = 1, .die_with_parent = true};
	struct probe b = {.loop = loop};
	char status[64];
	int r;

	r = proc_spawn(&b.proc, loop, &spec, on_exit_, &b, e);
	if (r < 0)
		return r;
	ev_timer_init(&b.limit, on_limit, PROBE_LIMIT, 0.);
	ev_timer_start(loop, &b.limit);
	ev_run(loop, 0);
	ev_timer_stop(loop, &b.limit);
	if (b.late)
		return err_set(
			e, ETIMEDOUT, "'%s --version' did not end in %g s", path, PROBE_LIMIT);
	if (b.status != 0)
		return err_set(e, ENOEXEC, "'%s --version' does not work: %s", path,
			proc_status_text(status, sizeof(status), b.status));
	return 0;
}

static int read_first_line(int fd, char *out, size_t n)
{
	char text[128];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	if (len <= 0)
		return -ENODATA;
	text[len] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	str_safe(out, n, text);
	return 0;
}

static int run_version(const char *path, char *line, size_t n, struct err *e)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	autofd int out = memfd_create("version", MFD_CLOEXEC);
	int r;

	if (!loop || out < 0)
		r = err_errno(e, "cannot run '%s --version'", path);
	else
		r = run(loop, path, out, e);
	if (r == 0 && read_first_line(out, line, n) < 0)
		r = err_set(e, ENODATA, "'%s --version' printed nothing", path);
	if (loop)
		ev_loop_destroy(loop);
	return r;
}

int probe_version(struct probe_cache *c, const char *path, struct err *e)
{
	char line[sizeof(c->line)];
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return err_errno(e, "cannot look at '%s'", path);
	if (strcmp(c->path, path) == 0 && c->inode == st.st_ino &&
		c->mtime.tv_sec == st.st_mtim.tv_sec && c->mtime.tv_nsec == st.st_mtim.tv_nsec)
		return 0;
	r = run_version(path, line, sizeof(line), e);
	if (r < 0)
		return r;
	*c = (struct probe_cache){.inode = st.st_ino, .mtime = st.st_mtim};
	snprintf(c->path, sizeof(c->path), "%s", path);
	memcpy(c->line, line, sizeof(line));
	return 0;
}

int probe_parse_version(const char *text, char *out, size_t n)
{
	int major, minor, micro = 0, len = 0;

	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p) ||
			(p > text && isalnum((unsigned char)p[-1]) && p[-1] != 'v'))
			continue;
		if (sscanf(p, "%3d.%3d%n", &major, &minor, &len) != 2)
			continue;
		if (p[len] == '.' && sscanf(p + len, ".%3d", &micro) != 1)
			micro = 0;
		snprintf(out, n, "%d.%d.%d", major, minor, micro);
		return major * 1000000 + minor * 1000 + micro;
	}
	return -EINVAL;
}
