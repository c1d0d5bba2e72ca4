#include "agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/util.h"

/* The child's stack until execve: it calls nothing deep. */
#define CHILD_STACK 32768

/* The child runs in the agent's memory on a stack of its own, which the sanitizer does not know. */
#if defined(__SANITIZE_ADDRESS__)
#define NO_SANITIZE __attribute__((no_sanitize_address))
#else
#define NO_SANITIZE
#endif

NO_SANITIZE static int child_fds(const struct spawn *s)
{
	return dup2(s->in, 0) < 0 || dup2(s->out, 1) < 0 || dup2(s->err, 2) < 0;
}

/* Plain system calls: the C library's wrappers would tell its other threads, and look into memory
 * that is the agent's. */
NO_SANITIZE static int child_user(const struct user *u)
{
	return syscall(SYS_setgroups, u->ngroups, u->groups) < 0 ||
	       syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0 ||
	       syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0;
}

NO_SANITIZE static int child_main(void *arg)
{
	struct spawn *s = arg;
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	s->failed = NULL;
	if (setsid() < 0)
		s->failed = "setsid";
	else if (s->by_pid1 ? setpriority(PRIO_PROCESS, 0, 0) < 0
			    : prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		s->failed = "prctl";
	else if (child_fds(s))
		s->failed = "dup2";
	else if (s->tty && ioctl(0, TIOCSCTTY, 0) < 0)
		s->failed = "TIOCSCTTY";
	else if (s->user && s->user->change && child_user(s->user))
		s->failed = "setuid";
	else if (chdir(s->cwd ? s->cwd : "/") < 0)
		s->failed = "chdir";
	else {
		execve(s->path, s->argv, s->envp);
		s->failed = "execve";
	}
	s->error = errno;
	syscall(SYS_exit, 127);
	return 0;
}

pid_t spawn_run(struct spawn *s)
{
	_Alignas(16) char stack[CHILD_STACK];
	sigset_t all, old;
	pid_t pid;

	/* No handler of the agent may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	s->failed = NULL;
	pid = clone(child_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, s);
	if (pid < 0) {
		s->failed = "clone";
		s->error = errno;
	} else if (s->failed) {
		waitpid(pid, NULL, 0);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return s->failed ? -s->error : pid;
}

void spawn_env_set(struct spawn_env *e, char *kv)
{
	const char *eq = strchr(kv, '=');
	size_t n = eq ? (size_t)(eq - kv) + 1 : 0, i;

	if (!n)
		return;
	for (i = 0; i < e->n && strncmp(e->v[i], kv, n) != 0; i++)
		;
	if (i == SPAWN_ENV_MAX)
		return;
	e->v[i] = kv;
	if (i == e->n)
		e->v[++e->n] = NULL;
}

const char *spawn_env_get(const struct spawn_env *e, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < e->n; i++)
		if (!strncmp(e->v[i], name, n) && e->v[i][n] == '=')
			return e->v[i] + n + 1;
	return NULL;
}

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return -EACCES;
	return 0;
}

/* "cwd/dir/name" where dir may be absolute, empty or NULL. */
static int join(
	char *ret, size_t n, const char *cwd, const char *dir, int dir_len, const char *name)
{
	const char *base = dir_len && dir[0] == '/' ? "" : cwd;
	int r = snprintf(ret, n, "%s%s%.*s%s%s", base, *base ? "/" : "", dir_len, dir,
		dir_len ? "/" : "", name);

	return r < 0 || (size_t)r >= n ? -ENAMETOOLONG : 0;
}

int spawn_find(const char *argv0, const char *path_list, const char *cwd, char *ret, size_t n)
{
	int best = -ENOENT, r;

	if (!*argv0)
		return -ENOENT;
	if (strchr(argv0, '/')) {
		r = argv0[0] == '/' ? join(ret, n, "", "", 0, argv0)
				    : join(ret, n, cwd, "", 0, argv0);
		return r < 0 ? r : executable(ret);
	}
	for (const char *dir = path_list, *end; dir; dir = *end ? end + 1 : NULL) {
		end = strchrnul(dir, ':');
		r = join(ret, n, cwd, dir, (int)(end - dir), argv0);
		if (!r)
			r = executable(ret);
		if (!r)
			return 0;
		if (r == -EACCES)
			best = r;
	}
	return best;
}

int spawn_pipe(int *ret_agent, int *ret_child, bool agent_reads)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	*ret_agent = p[agent_reads ? 0 : 1];
	*ret_child = p[agent_reads ? 1 : 0];
	return fcntl(*ret_agent, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}
