/* Starts a program: own session, three descriptors, optional terminal and user.
 *
 * The child borrows the agent's memory until execve (as vfork): starting costs the same however big
 * the agent is, and the reason of a failure comes back without a pipe. */
#ifndef VMDECK_AGENT_SPAWN_H
#define VMDECK_AGENT_SPAWN_H

#include "agent/user.h"
#include "agent/wire.h"

#define SPAWN_ENV_MAX (2 * WIRE_ENVS_MAX + 4)
#define SPAWN_PATH    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct spawn {
	const char *path; /* of the program */
	char *const *argv, *const *envp;
	const char *cwd;  /* NULL: / */
	int in, out, err; /* > 2 each; the caller keeps them */
	bool tty;         /* `in` becomes the controlling terminal */
	bool by_pid1;     /* whose priority it must not inherit; else: it dies with the agent */
	const struct user *user; /* NULL: as the agent */
	/* result of a failure */
	const char *failed; /* "execve", "chdir", ... */
	int error;          /* errno */
};

/* The child's pid (also its session and process group), or -errno with failed and error set. */
pid_t spawn_run(struct spawn *s);

/* Environment variables; later ones replace earlier ones of the same name. */
struct spawn_env {
	char *v[SPAWN_ENV_MAX + 1];
	size_t n;
};

/* kv must outlive the environment. Over SPAWN_ENV_MAX: left out. */
void spawn_env_set(struct spawn_env *e, char *kv);
const char *spawn_env_get(const struct spawn_env *e, const char *name);

/* Finds the program that argv0 means, as execvp would in cwd: 0 with its path in ret (n bytes), or
 * -ENOENT (nowhere), -EACCES (not executable, a folder), -ENAMETOOLONG. */
int spawn_find(const char *argv0, const char *path_list, const char *cwd, char *ret, size_t n);

/* A pipe's two ends, both close-on-exec; the agent's end non-blocking. 0 or -errno. */
int spawn_pipe(int *ret_agent, int *ret_child, bool agent_reads);

#endif
