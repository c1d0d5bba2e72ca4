/* Supervision of processes by pidfd: spawn with clean fds and own session, adopt, signal, exit. */
#ifndef VMDECK_BASE_PROC_H
#define VMDECK_BASE_PROC_H

#include <ev.h>
#include <stdbool.h>
#include <sys/types.h>

#include "backend/base/err.h"

/* Identity of a process is never a bare pid. start: field 22 of /proc/PID/stat, clock ticks. */
struct proc_id {
	pid_t pid;
	uint64_t start;
};

struct proc_fd {
	int from; /* our fd */
	int to;   /* number in the child */
};

struct proc_spec {
	const char *const *argv;
	const char *const *env; /* "K=V" added to (or replacing) our environment; NULL: none */
	const struct proc_fd *fds;
	int fd_count;    /* fds the child keeps; all others are closed; 0-2 default to /dev/null */
	const char *cwd; /* NULL: ours */
	const char *pid_file; /* "PID START\n" written by the child itself before exec, atomically:
				a parent killed at any moment leaves an owner's mark; NULL: none */
	const int *enter; /* namespaces (setns), in this order, before anything else of the child */
	int enter_count;
	bool die_with_parent; /* PR_SET_PDEATHSIG SIGKILL: helpers, never VMMs */
};

struct proc;
/* status: as waitpid for children; -1 when the process was adopted (not our child). */
typedef void proc_on_exit(struct proc *p, int status);

struct proc {
	struct proc_id id;
	int pidfd; /* -1: not running */
	bool child;
	struct ev_loop *loop;
	ev_io watch;
	proc_on_exit *on_exit;
	void *user;
};

/* The loop must not be libev's default loop: that one reaps every child itself and the status is
 * lost (make one with ev_loop_new).
 *
 * Starts the program in a session of its own. A program that cannot be executed fails here, with
 * its name and the reason. p is filled; on_exit is called once from the loop. */
int proc_spawn(struct proc *p, struct ev_loop *loop, const struct proc_spec *spec,
	proc_on_exit *on_exit, void *user, struct err *e);

/* Watches a process that an earlier daemon started. -ESRCH when (pid, start) is not alive (a
 * zombie is not alive). */
int proc_adopt(struct proc *p, struct ev_loop *loop, struct proc_id id, proc_on_exit *on_exit,
	void *user, struct err *e);

/* Signals exactly this process (pidfd). 0 or -ESRCH. */
int proc_signal(struct proc *p, int sig);
bool proc_running(const struct proc *p);
/* Stops watching and leaves the process alone; a child of ours is still reaped when it ends, so no
 * zombie stays (unless the loop is destroyed first). Accepts NULL and zeroed. */
void proc_forget(struct proc *p);

/* Identity by pid, from /proc: 0, -ESRCH (also for zombies). */
int proc_identify(pid_t pid, struct proc_id *ret);
/* Identity from a pid file written by a spawned child: 0, -ENOENT, -EINVAL. */
int proc_read_pid_file(const char *path, struct proc_id *ret);
bool proc_id_alive(struct proc_id id);

/* "exit 3", "killed by signal 9 (Killed)", "gone" into out. Returns out. */
char *proc_status_text(char *out, size_t n, int status);

#endif
