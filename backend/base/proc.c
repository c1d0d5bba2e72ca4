#include "backend/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backend/base/file.h"

#define PROC_FDS_MAX  16
#define PID_FILE_MAX  64  /* bytes */
#define CHILD_FD_BASE 256 /* where the child parks its fds before they go to their numbers */

extern char **environ;

/* ---- identity ------------------------------------------------------------------------------- */

static int read_stat(pid_t pid, char *state, uint64_t *start)
{
	char path[64], text[1024];
	unsigned long long v = 0;
	ssize_t n;
	char *p;
	int fd, field = 3;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	if (!p || p[1] != ' ')
		return -ESRCH;
	*state = p[2];
	for (p += 2; *p && field < 22; p++)
		if (*p == ' ')
			field++;
	if (sscanf(p, "%llu", &v) != 1)
		return -ESRCH;
	*start = v;
	return 0;
}

int proc_identify(pid_t pid, struct proc_id *ret)
{
	uint64_t start = 0;
	char state = 0;
	int r = read_stat(pid, &state, &start);

	if (r < 0 || state == 'Z' || state == 'X')
		return -ESRCH;
	*ret = (struct proc_id){pid, start};
	return 0;
}

bool proc_id_alive(struct proc_id id)
{
	struct proc_id now;

	return id.pid > 0 && proc_identify(id.pid, &now) == 0 && now.start == id.start;
}

int proc_read_pid_file(const char *path, struct proc_id *ret)
{
	autofree char *text = NULL;
	unsigned long long start;
	int pid, r = file_read(path, PID_FILE_MAX, &text, NULL, NULL);

	if (r < 0)
		return r;
	if (sscanf(text, "%9d %20llu", &pid, &start) != 2 || pid <= 1)
		return -EINVAL;
	*ret = (struct proc_id){pid, start};
	return 0;
}

/* ---- the child, between fork and exec: async-signal-safe calls only ------------------------- */

struct child {
	const struct proc_spec *spec;
	char *const *argv, *const *env;
	const char *program;
	const char *pid_tmp;
	int report; /* errno goes here when exec fails; close-on-exec */
	pid_t parent;
};

static size_t put_number(char *out, unsigned long long v)
{
	char rev[24];
	size_t n = 0, i;

	do
		rev[n++] = (char)('0' + v % 10);
	while (v /= 10);
	for (i = 0; i < n; i++)
		out[i] = rev[n - 1 - i];
	return n;
}

static int write_pid_file(const struct child *c)
{
	char text[64];
	uint64_t start = 0;
	char state = 0;
	size_t n;
	int fd;

	if (read_stat(getpid(), &state, &start) < 0)
		return -1;
	n = put_number(text, (unsigned long long)getpid());
	text[n++] = ' ';
	n += put_number(text + n, start);
	text[n++] = '\n';
	fd = open(c->pid_tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n || close(fd) < 0)
		return -1;
	return rename(c->pid_tmp, c->spec->pid_file);
}

static int arrange_fds(struct child *c)
{
	int parked[PROC_FDS_MAX], null;
	bool given[3] = {false};

	/* Park all first: a target number may be another's source, or the report pipe's. */
	c->report = fcntl(c->report, F_DUPFD_CLOEXEC, CHILD_FD_BASE);
	for (int i = 0; i < c->spec->fd_count; i++) {
		parked[i] = fcntl(c->spec->fds[i].from, F_DUPFD_CLOEXEC, CHILD_FD_BASE);
		if (parked[i] < 0)
			return -1;
	}
	for (int i = 0; i < c->spec->fd_count; i++) {
		if (dup2(parked[i], c->spec->fds[i].to) < 0)
			return -1;
		if (c->spec->fds[i].to < 3)
			given[c->spec->fds[i].to] = true;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++)
		if (!given[i] && (null < 0 || dup2(null, i) < 0))
			return -1;
	/* All else must not reach the program; the report pipe closes at exec. */
	if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < c->spec->fd_count; i++)
		if (c->spec->fds[i].to >= 3 && fcntl(c->spec->fds[i].to, F_SETFD, 0) < 0)
			return -1;
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_main(struct child *c)
{
	int code;

	if (setsid() < 0)
		goto fail;
	reset_signals();
	if (c->spec->die_with_parent &&
		(prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != c->parent))
		goto fail;
	for (int i = 0; i < c->spec->enter_count; i++)
		if (setns(c->spec->enter[i], 0) < 0)
			goto fail;
	if (c->spec->cwd && chdir(c->spec->cwd) < 0)
		goto fail;
	if (arrange_fds(c) < 0)
		goto fail;
	if (c->spec->pid_file && write_pid_file(c) < 0)
		goto fail;
	execve(c->program, c->argv, c->env);
fail:
	code = errno;
	if (write(c->report, &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/* ---- the parent ----------------------------------------------------------------------------- */

static bool same_key(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* Our environment with the additions in place of old values; the array is owned, strings are not.
 */
static char **merged_env(const char *const *add)
{
	size_t n = 0, m = 0, at = 0;
	char **out;

	while (environ[n])
		n++;
	while (add && add[m])
		m++;
	out = xcalloc(n + m + 1, sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		bool replaced = false;

		for (size_t j = 0; j < m && !replaced; j++)
			replaced = same_key(add[j], environ[i]);
		if (!replaced)
			out[at++] = environ[i];
	}
	for (size_t j = 0; j < m; j++)
		out[at++] = (char *)(uintptr_t)add[j];
	return out;
}

/* Waits in the loop for a child that nobody watches any more; a loop that ends first takes the
 * reaper along and leaves the child to init. */
struct reaper {
	ev_io watch;
	ev_cleanup loop_ends;
	int pidfd;
	pid_t pid;
};

static void reaper_free(struct ev_loop *loop, struct reaper *r)
{
	ev_ref(loop);
	ev_io_stop(loop, &r->watch);
	ev_cleanup_stop(loop, &r->loop_ends);
	close(r->pidfd);
	free(r);
}

static void on_forgotten_exit(struct ev_loop *loop, ev_io *w, int revents)
{
	struct reaper *r = container_of(w, struct reaper, watch);

	(void)revents;
	if (waitpid(r->pid, NULL, WNOHANG) != 0)
		reaper_free(loop, r);
}

static void on_loop_ends(struct ev_loop *loop, ev_cleanup *w, int revents)
{
	(void)revents;
	reaper_free(loop, container_of(w, struct reaper, loop_ends));
}

static void reap_later(struct ev_loop *loop, pid_t pid, int pidfd)
{
	struct reaper *r = xcalloc(1, sizeof(*r));

	r->pid = pid;
	r->pidfd = pidfd;
	ev_io_init(&r->watch, on_forgotten_exit, pidfd, EV_READ);
	ev_io_start(loop, &r->watch);
	ev_unref(loop); /* it alone keeps no loop going */
	ev_cleanup_init(&r->loop_ends, on_loop_ends);
	ev_cleanup_start(loop, &r->loop_ends);
}

static void stop_watching(struct proc *p)
{
	ev_io_stop(p->loop, &p->watch);
	close_fd(&p->pidfd);
}

static void on_pidfd(struct ev_loop *loop, ev_io *w, int revents)
{
	struct proc *p = container_of(w, struct proc, watch);
	proc_on_exit *fn = p->on_exit;
	int status = -1;

	(void)loop;
	(void)revents;
	if (p->child && waitpid(p->id.pid, &status, WNOHANG) == 0)
		return;
	stop_watching(p);
	if (fn)
		fn(p, status);
}

static void watch_start(struct proc *p)
{
	ev_io_init(&p->watch, on_pidfd, p->pidfd, EV_READ);
	ev_io_start(p->loop, &p->watch);
}

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* Waits for exec or the child's report of its failure: bounded by the child's few system calls. */
static int wait_for_exec(int fd, pid_t pid, const char *program, struct err *e)
{
	int code = 0;
	ssize_t n;

	do
		n = read(fd, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	waitpid(pid, NULL, 0);
	return err_set(e, n == sizeof(code) && code > 0 ? code : EIO, "cannot run '%s': %s",
		program, strerror(code));
}

int proc_spawn(struct proc *p, struct ev_loop *loop, const struct proc_spec *spec,
	proc_on_exit *on_exit, void *user, struct err *e)
{
	autofree char **env = merged_env(spec->env);
	autofree char *pid_tmp = spec->pid_file ? xasprintf("%s.tmp", spec->pid_file) : NULL;
	autofd int rd = -1, wr = -1;
	struct child c = {.spec = spec,
		.argv = (char *const *)(uintptr_t)spec->argv,
		.env = env,
		.program = spec->argv[0],
		.pid_tmp = pid_tmp,
		.parent = getpid()};
	int pipe_fds[2];
	sigset_t all, old;
	pid_t pid;
	int r;

	*p = (struct proc){.pidfd = -1};
	if (spec->fd_count > PROC_FDS_MAX)
		return err_set(e, E2BIG, "cannot run '%s': too many fds", spec->argv[0]);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(e, "cannot run '%s'", spec->argv[0]);
	rd = pipe_fds[0];
	wr = c.report = pipe_fds[1];
	/* No handler of ours may run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child_main(&c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return err_errno(e, "cannot run '%s'", spec->argv[0]);
	close_fd(&wr);
	r = wait_for_exec(rd, pid, spec->argv[0], e);
	if (r < 0)
		return r;
	*p = (struct proc){.id.pid = pid,
		.pidfd = open_pidfd(pid),
		.child = true,
		.loop = loop,
		.on_exit = on_exit,
		.user = user};
	if (p->pidfd < 0) {
		r = err_errno(e, "cannot watch '%s'", spec->argv[0]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	proc_identify(pid, &p->id);
	watch_start(p);
	return 0;
}

int proc_adopt(struct proc *p, struct ev_loop *loop, struct proc_id id, proc_on_exit *on_exit,
	void *user, struct err *e)
{
	*p = (struct proc){.id = id, .pidfd = -1, .loop = loop, .on_exit = on_exit, .user = user};
	p->pidfd = open_pidfd(id.pid);
	/* The check comes after the pidfd: from then on the number cannot be reused under us. */
	if (p->pidfd < 0 || !proc_id_alive(id)) {
		close_fd(&p->pidfd);
		return err_set(e, ESRCH, "process %d is gone", (int)id.pid);
	}
	watch_start(p);
	return 0;
}

bool proc_running(const struct proc *p)
{
	return p->loop && p->pidfd >= 0;
}

int proc_signal(struct proc *p, int sig)
{
	if (!proc_running(p))
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

void proc_forget(struct proc *p)
{
	if (!p || !proc_running(p))
		return;
	ev_io_stop(p->loop, &p->watch);
	if (p->child)
		reap_later(p->loop, p->id.pid, steal_fd(&p->pidfd));
	close_fd(&p->pidfd);
}

char *proc_status_text(char *out, size_t n, int status)
{
	if (status == -1)
		snprintf(out, n, "gone");
	else if (WIFSIGNALED(status))
		snprintf(out, n, "killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		snprintf(out, n, "exit %d", WEXITSTATUS(status));
	return out;
}
