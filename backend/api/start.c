/* Finding the daemon, and starting it on demand.
 *
 * Theory of operation: a short-lived child (the starter) takes the flock, connects again under it,
 * and only when there is still nobody runs vmdeckd and waits for its line. A child does this
 * because flock(2) has no deadline: the starter has one by alarm(2), and the caller waits on a pipe
 * with poll(2). vmdeckd is the starter's child, so it is nobody's once the starter has ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "backend/api/client_impl.h"
#include "backend/base/file.h"
#include "backend/base/proc.h"
#include "backend/base/str.h"

#define READY_FD         3
#define ANSWER_MAX       400 /* bytes of the line that says "ready" or why not */
#define LOG_ROTATE_BYTES (4 * 1024 * 1024)

int client_ms_left(uint64_t deadline_ns)
{
	uint64_t now = mono_ns();

	return now >= deadline_ns ? 0 : (int)min_of((deadline_ns - now) / 1000000 + 1, 1u << 30);
}

static int check_peer(int fd, const char *path, struct err *e)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return err_errno(e, "cannot see who answers at '%s'", path);
	if (cred.uid != 0 && cred.uid != geteuid())
		return err_set(e, EPERM, "the daemon at '%s' belongs to user %u, not to us", path,
			(unsigned)cred.uid);
	return 0;
}

int client_dial(const char *path, uint64_t deadline_ns, int *ret_fd, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int ms = max_of(client_ms_left(deadline_ns), 1), r;
	/* A full backlog makes connect(2) wait: this bounds it. */
	struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	autofd int fd = -1;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, ENAMETOOLONG,
			"socket path '%s' is over %d bytes: set "
			"VMDECK_RUNTIME to a shorter folder",
			path, SOCKET_PATH_MAX);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_errno(e, "cannot make a socket");
	do
		r = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EAGAIN)
		return err_set(e, ETIMEDOUT, "vmdeckd at '%s' takes no connection in time", path);
	if (r < 0)
		return err_errno(e, "cannot connect to '%s'", path);
	r = check_peer(fd, path, e);
	if (r < 0)
		return r;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* ---- the starter's side ---------------------------------------------------------------------- */

static void say(int fd, const char *text)
{
	/* A caller that has given up reads no more: nothing to be done about it. */
	(void)!write(fd, text, strlen(text));
	(void)!write(fd, "\n", 1);
}

/* The terminal's and the caller's signal settings are no business of a daemon. */
static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int open_log(const char *home)
{
	autofree char *path = xasprintf("%s/daemon.log", home);
	autofree char *old = xasprintf("%s/daemon.log.1", home);
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size > LOG_ROTATE_BYTES)
		(void)rename(path, old);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

__attribute__((noreturn)) static void exec_daemon(
	const struct paths *p, const char *program, int ready_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = open_log(p->home);
	/* Out of the way of the numbers that are about to be filled. */
	int ready = fcntl(ready_fd, F_DUPFD_CLOEXEC, 10);
	autofree char *why = NULL;

	alarm(0);
	setsid();
	umask(077);
	dup2(null, 0);
	dup2(log >= 0 ? log : null, 1);
	dup2(log >= 0 ? log : null, 2);
	dup2(ready, READY_FD);
	close_range(READY_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	if (chdir("/") == 0)
		execl(program, "vmdeckd", "--ready-fd", "3", (char *)NULL);
	why = xasprintf("cannot run '%s': %s", program, strerror(errno));
	say(READY_FD, why);
	_exit(127);
}

/* Reads up to the first line end, EOF or a full buffer; the alarm bounds it in the starter. */
static size_t read_line(int fd, char *out, size_t n)
{
	size_t len = 0;

	while (len < n - 1) {
		ssize_t r = read(fd, out + len, n - 1 - len);
		char *end;

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		end = memchr(out + len, '\n', (size_t)r);
		len += (size_t)r;
		if (end) {
			len = (size_t)(end - out);
			break;
		}
	}
	out[len] = '\0';
	return len;
}

static void run_daemon(const struct paths *p, const char *program, int answer_fd)
{
	char line[ANSWER_MAX], how[80];
	int fds[2], status;
	autofree char *why = NULL;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		why = xasprintf("cannot start vmdeckd: %s", strerror(errno));
		say(answer_fd, why);
		return;
	}
	if (!pid)
		exec_daemon(p, program, fds[1]);
	close(fds[1]);
	if (read_line(fds[0], line, sizeof(line))) {
		say(answer_fd, line);
		return;
	}
	if (waitpid(pid, &status, 0) < 0)
		status = -1;
	why = xasprintf("vmdeckd ended before it was ready (%s): see %s/daemon.log",
		proc_status_text(how, sizeof(how), status), p->home);
	say(answer_fd, why);
}

__attribute__((noreturn)) static void starter(
	const struct paths *p, const char *program, const char *sock, int answer_fd, int ms)
{
	autofree char *lock_path = xasprintf("%s/daemon.lock", p->home);
	struct err e;
	int lock = -1, fd = -1;

	reset_signals();
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)ms / 1000 + 1);
	if (lock_take(lock_path, true, &lock, NULL, &e) < 0)
		say(answer_fd, e.msg);
	else if (client_dial(sock, mono_ns() + (uint64_t)ms * 1000000, &fd, &e) == 0)
		say(answer_fd, "ready"); /* another starter was faster */
	else
		run_daemon(p, program, answer_fd);
	_exit(0);
}

/* ---- the caller's side ----------------------------------------------------------------------- */

/* The starter's line, or -ETIMEDOUT / -EPIPE. */
static int wait_answer(int fd, uint64_t deadline_ns, char *line, size_t n)
{
	size_t len = 0;

	while (len < n - 1) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int ms = client_ms_left(deadline_ns);
		ssize_t r = poll(&pfd, 1, ms);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			return -ETIMEDOUT;
		r = read(fd, line + len, n - 1 - len);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -EPIPE;
		len += (size_t)r;
		if (line[len - 1] == '\n') {
			line[len - 1] = '\0';
			return 0;
		}
	}
	line[len] = '\0';
	return 0;
}

static int start_daemon(
	const struct paths *p, const char *sock, uint64_t deadline_ns, struct err *e)
{
	int ms = client_ms_left(deadline_ns), fds[2], r;
	char program[4096], line[ANSWER_MAX];
	autofd int answer = -1;
	pid_t pid;

	r = path_helper("vmdeckd", program, sizeof(program), e);
	if (!r)
		r = paths_make(p, e);
	if (r < 0)
		return err_wrap(e, r, "cannot start vmdeckd");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "cannot start vmdeckd");
	answer = fds[0];
	pid = fork();
	if (!pid)
		starter(p, program, sock, fds[1], ms);
	close(fds[1]);
	if (pid < 0)
		return err_errno(e, "cannot start vmdeckd");
	r = wait_answer(answer, deadline_ns, line, sizeof(line));
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(e, ETIMEDOUT,
			"vmdeckd was not ready within %.3g s: see %s/daemon.log", ms / 1000.0,
			p->home);
	if (strcmp(line, "ready") != 0) {
		char shown[sizeof(line)];

		return err_set(
			e, EIO, "vmdeckd did not start: %s", str_safe(shown, sizeof(shown), line));
	}
	return 0;
}

static bool nobody_there(int r)
{
	return r == -ECONNREFUSED || r == -ENOENT;
}

int client_connect(
	const struct paths *p, bool no_start, uint64_t deadline_ns, int *ret_fd, struct err *e)
{
	autofree char *sock = xasprintf("%s/daemon.sock", p->runtime);
	int r = client_dial(sock, deadline_ns, ret_fd, e);

	if (!nobody_there(r))
		return r;
	if (no_start)
		return err_set(e, ECONNREFUSED, "no vmdeckd runs (nobody answers at '%s')", sock);
	r = start_daemon(p, sock, deadline_ns, e);
	if (r < 0)
		return r;
	return client_dial(sock, deadline_ns, ret_fd, e);
}
