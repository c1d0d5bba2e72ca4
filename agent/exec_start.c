/* REQ and GO: checks, then the process. Nothing runs before GO, and nothing twice. */
#include "agent/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/pty.h"
#include "agent/spawn.h"
#include "agent/util.h"

/* As podman: our own failure, command cannot be invoked, command not found. */
enum { CODE_AGENT = 125, CODE_INVOKE = 126, CODE_NOT_FOUND = 127 };

static bool id_seen(const struct execs *xs, const uint8_t id[WIRE_ID])
{
	uint32_t n = min_of(xs->id_count, (uint32_t)WIRE_EXEC_IDS);

	for (uint32_t i = 0; i < n; i++)
		if (!memcmp(xs->ids[i], id, WIRE_ID))
			return true;
	return false;
}

static void id_remember(struct execs *xs, const uint8_t id[WIRE_ID])
{
	memcpy(xs->ids[xs->id_count % WIRE_EXEC_IDS], id, WIRE_ID);
	xs->id_count++;
	/* Keeps the count of the full ring apart from the start at zero. */
	if (xs->id_count == 2 * WIRE_EXEC_IDS)
		xs->id_count = WIRE_EXEC_IDS;
}

/* A host that asks again before GO lost the earlier connection: the newest one counts. */
static void drop_older(const struct exec *x, const uint8_t id[WIRE_ID])
{
	struct execs *xs = &x->agent->execs;

	for (int i = 0; i < xs->top; i++) {
		struct exec *o = &xs->slot[i];

		if (o != x && o->state == EXEC_ACKED && !memcmp(o->id, id, WIRE_ID))
			exec_lost(o);
	}
}

static uint32_t execs_counted(const struct execs *xs)
{
	uint32_t n = 0;

	for (int i = 0; i < xs->top; i++)
		n += xs->slot[i].counted;
	return n;
}

static int str_copy(char *out, size_t n, const struct wire_str *s)
{
	if (s->len >= n)
		return -ENAMETOOLONG;
	memcpy(out, s->s, s->len);
	out[s->len] = 0;
	return 0;
}

static int check_env(const struct wire_exec_req *m, char *why, size_t n)
{
	for (uint16_t i = 0; i < m->envc; i++) {
		const struct wire_str *s = &m->env[i];

		if (s->len && s->s[0] != '=' && memchr(s->s, '=', s->len))
			continue;
		snprintf(why, n, "environment variable '%.*s' is not NAME=VALUE",
			min_of(s->len, (uint16_t)64), s->s);
		return CODE_AGENT;
	}
	return 0;
}

static int check_cwd(const char *cwd, char *why, size_t n)
{
	struct stat st;
	int error = stat(cwd, &st) < 0 ? errno : S_ISDIR(st.st_mode) ? 0 : ENOTDIR;

	if (!error)
		return 0;
	snprintf(why, n, "folder '%.200s' in the guest: %s", cwd, strerror(error));
	return CODE_INVOKE;
}

/* What the command sees: the guest's defaults, the host's for all, the request's own. */
static void build_env(const struct exec *x, struct spawn_env *e, char *home, size_t n)
{
	char *v[WIRE_ENVS_MAX + 1];
	static char path[] = "PATH=" SPAWN_PATH, term[] = "TERM=xterm-256color";
	size_t k;

	e->n = 0;
	e->v[0] = NULL;
	snprintf(home, n, "HOME=%s", x->user.home);
	spawn_env_set(e, path);
	spawn_env_set(e, home);
	if (x->flags & WIRE_REQ_TTY)
		spawn_env_set(e, term);
	k = strpack_list(&x->agent->id.env, 0, WIRE_ENVS_MAX, v);
	for (size_t i = 0; i < k; i++)
		spawn_env_set(e, v[i]);
	k = strpack_list(&x->strings, 1 + x->argc, x->envc, v);
	for (size_t i = 0; i < k; i++)
		spawn_env_set(e, v[i]);
}

static int check_command(struct exec *x, char *why, size_t n)
{
	char *v[3], home[sizeof(x->user.home) + 8];
	struct spawn_env env;
	const char *path;
	int r;

	build_env(x, &env, home, sizeof(home));
	strpack_list(&x->strings, 0, 2, v);
	path = spawn_env_get(&env, "PATH");
	r = spawn_find(v[1], path ? path : SPAWN_PATH, v[0], x->path, sizeof(x->path));
	if (!r)
		return 0;
	if (r == -ENOENT)
		snprintf(why, n, "command '%.100s' is not in the guest (PATH=%.100s)", v[1],
			path ? path : SPAWN_PATH);
	else
		snprintf(why, n, "command '%.100s' cannot be run: %s", v[1],
			r == -EACCES ? "not an executable file" : strerror(-r));
	return r == -ENOENT ? CODE_NOT_FOUND : CODE_INVOKE;
}

/* 0: may run. Else the exit code and the sentence. */
static int check_request(struct exec *x, const struct wire_exec_req *m, char *why, size_t n)
{
	static const struct wire_str root = {.s = "/", .len = 1};
	struct execs *xs = &x->agent->execs;
	char user[64];
	int r;

	if (power_going(&x->agent->power)) {
		snprintf(why, n, "the guest is powering off");
		return CODE_AGENT;
	}
	if (id_seen(xs, m->id)) {
		snprintf(why, n, "this request was started already; it does not run twice");
		return CODE_AGENT;
	}
	if (execs_counted(xs) >= WIRE_EXECS_MAX) {
		snprintf(why, n,
			"EAGAIN: %d commands run in this guest already; wait for one to end",
			WIRE_EXECS_MAX);
		return CODE_AGENT;
	}
	if (str_copy(user, sizeof(user), &m->user) < 0) {
		snprintf(why, n, "the user name is longer than %zu bytes", sizeof(user) - 1);
		return CODE_AGENT;
	}
	r = check_env(m, why, n);
	if (r)
		return r;
	if (user_find(user, &x->user, why, n) < 0)
		return CODE_AGENT;
	strpack_init(&x->strings, x->agent->execs.memory[x - xs->slot].input, WIRE_STDIN_CREDIT);
	if (strpack_add(&x->strings, m->cwd.len ? &m->cwd : &root) < 0 ||
		strpack_addv(&x->strings, m->argv, m->argc) < 0 ||
		strpack_addv(&x->strings, m->env, m->envc) < 0) {
		snprintf(why, n, "the request is too big");
		return CODE_AGENT;
	}
	r = check_cwd(x->strings.buf, why, n);
	return r ? r : check_command(x, why, n);
}

void exec_request(struct exec *x, const struct wire_frame *f)
{
	struct wire_exec_req m;
	char why[400];
	int code;

	if (wire_get_exec_req(f, &m) < 0) {
		exec_refuse(x, CODE_AGENT,
			"the request is not understood: the host's program is of "
			"another version");
		return;
	}
	memcpy(x->id, m.id, WIRE_ID);
	x->flags = m.flags;
	x->rows = m.rows;
	x->cols = m.cols;
	x->argc = m.argc;
	x->envc = m.envc;
	drop_older(x, m.id);
	code = check_request(x, &m, why, sizeof(why));
	if (code) {
		exec_refuse(x, (uint8_t)code, why);
		return;
	}
	x->counted = true;
	exec_set_state(x, EXEC_ACKED, EXEC_GO_MS);
	conn_queue(&x->conn,
		wire_put_empty(conn_reserve(&x->conn, WIRE_HEADER), WIRE_HEADER, WIRE_ACK));
	exec_pump(x);
}

/* The process' ends and the agent's; on a terminal all three of the process are the same. */
struct ends {
	int child[3], agent[3];
};

static void ends_close(int fd[3])
{
	for (int i = 0; i < 3; i++)
		close_fd(&fd[i]);
}

static int open_pipes(const struct exec *x, struct ends *e)
{
	int r = 0;

	if (x->flags & WIRE_REQ_STDIN)
		r = spawn_pipe(&e->agent[0], &e->child[0], false);
	if (!r)
		r = spawn_pipe(&e->agent[1], &e->child[1], true);
	if (!r)
		r = spawn_pipe(&e->agent[2], &e->child[2], true);
	return r;
}

static int open_terminal(const struct exec *x, struct ends *e)
{
	int r = pty_open(x->rows, x->cols, x->user.change ? x->user.uid : getuid(), &e->agent[1],
		&e->child[0]);

	if (r < 0)
		return r;
	if (!(x->flags & WIRE_REQ_STDIN))
		return 0;
	e->agent[0] = fcntl(e->agent[1], F_DUPFD_CLOEXEC, 3);
	return e->agent[0] < 0 ? -errno : 0;
}

static int run(const struct exec *x, const struct ends *e, struct spawn *s)
{
	char *argv[WIRE_ARGS_MAX + 1], *cwd[2], home[sizeof(x->user.home) + 8];
	bool tty = x->flags & WIRE_REQ_TTY;
	struct spawn_env env;

	build_env(x, &env, home, sizeof(home));
	strpack_list(&x->strings, 0, 1, cwd);
	strpack_list(&x->strings, 1, x->argc, argv);
	s->path = x->path;
	s->argv = argv;
	s->envp = env.v;
	s->cwd = cwd[0];
	s->in = e->child[0] >= 0 ? e->child[0] : x->agent->execs.null_fd;
	s->out = tty ? e->child[0] : e->child[1];
	s->err = tty ? e->child[0] : e->child[2];
	s->tty = tty;
	s->by_pid1 = x->agent->pid1;
	s->user = &x->user;
	return spawn_run(s);
}

/* Tells why on stderr and ends with EXIT: after GO there is no REFUSED. */
static void not_started(struct exec *x, const char *what, int error)
{
	char text[400];
	int n = snprintf(text, sizeof(text), "vmdeck-agent: cannot start '%.200s': %s: %s\n",
		x->path, what, strerror(error));
	uint8_t *p = conn_reserve(&x->conn, WIRE_HEADER + (size_t)n);

	wire_header(p, WIRE_STDERR, (uint32_t)n);
	memcpy(p + WIRE_HEADER, text, (size_t)n);
	conn_queue(&x->conn, WIRE_HEADER + n);
	x->how = WIRE_NOT_STARTED;
	x->value = error == ENOENT ? CODE_NOT_FOUND : CODE_INVOKE;
	x->pid = 0;
	exec_set_state(x, EXEC_DRAINING, EXEC_DRAIN_MS);
	exec_pump(x);
}

static void started(struct exec *x)
{
	size_t n = WIRE_HEADER + 4;

	exec_set_state(x, EXEC_RUNNING, 0);
	conn_queue(&x->conn,
		wire_put_u32(conn_reserve(&x->conn, n), n, WIRE_STARTED, (uint32_t)x->pid));
	if (x->flags & WIRE_REQ_STDIN)
		conn_queue(&x->conn,
			wire_put_u32(conn_reserve(&x->conn, n), n, WIRE_CREDIT, WIRE_STDIN_CREDIT));
}

void exec_go(struct exec *x)
{
	struct ends e = {.child = {-1, -1, -1}, .agent = {-1, -1, -1}};
	struct spawn s = {0};
	int r = x->flags & WIRE_REQ_TTY ? open_terminal(x, &e) : open_pipes(x, &e);

	id_remember(&x->agent->execs, x->id);
	s.failed = "descriptors";
	if (!r)
		r = run(x, &e, &s);
	ends_close(e.child);
	if (r < 0) {
		ends_close(e.agent);
		not_started(x, s.failed, -r);
		return;
	}
	x->pid = r;
	started(x);
	r = exec_attach(x, e.agent);
	if (r < 0) {
		say_error("command %d: cannot watch its output: %s", (int)x->pid, strerror(-r));
		exec_lost(x);
		return;
	}
	exec_pump(x);
}
