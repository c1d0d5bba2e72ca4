#include "agent/mainproc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/pty.h"
#include "agent/spawn.h"
#include "agent/util.h"

static void main_ended(struct mainproc *m);

uint8_t main_wire_state(const struct mainproc *m)
{
	return m->state == MAIN_DRAINING ? MAIN_RUNNING : (uint8_t)m->state;
}

static void on_quiet(void *user)
{
	struct mainproc *m = user;
	struct output *o = &m->agent->output;

	/* Output that waits to be read is not over. */
	if (output_blocked(o)) {
		timer_start(&m->agent->loop, &m->timer, MAIN_DRAIN_MS, on_quiet, m);
		return;
	}
	output_detach(o, &m->source);
	main_ended(m);
}

static void on_data(void *user, bool end)
{
	struct mainproc *m = user;

	if (m->state != MAIN_DRAINING)
		return;
	if (end)
		main_ended(m);
	else
		timer_start(&m->agent->loop, &m->timer, MAIN_DRAIN_MS, on_quiet, m);
}

/* The agent's ends: where output comes from and input goes; the process' three are closed by the
 * caller. */
struct main_fds {
	int from, to, child_in, child_out;
};

static int open_fds(const struct mainproc *m, struct main_fds *d)
{
	int r;

	if (m->tty) {
		r = pty_open(m->rows, m->cols, getuid(), &d->from, &d->child_in);
		if (r < 0)
			return r;
		d->to = fcntl(d->from, F_DUPFD_CLOEXEC, 3);
		d->child_out = fcntl(d->child_in, F_DUPFD_CLOEXEC, 3);
		return d->to < 0 || d->child_out < 0 ? -errno : 0;
	}
	r = spawn_pipe(&d->to, &d->child_in, false);
	return r < 0 ? r : spawn_pipe(&d->from, &d->child_out, true);
}

static int run(struct mainproc *m, char *const *argv, struct main_fds *d, struct spawn *s)
{
	static char path_var[] = "PATH=" SPAWN_PATH, term[] = "TERM=xterm-256color";
	char path[PATH_MAX], home[sizeof("HOME=") + sizeof(((struct user *)0)->home)];
	char *v[WIRE_ENVS_MAX + 1], why[64];
	struct spawn_env env = {.n = 0};
	struct user user;
	size_t n;
	int r;

	user_find("", &user, why, sizeof(why));
	snprintf(home, sizeof(home), "HOME=%s", user.home);
	spawn_env_set(&env, path_var);
	spawn_env_set(&env, home);
	if (m->tty)
		spawn_env_set(&env, term);
	n = strpack_list(&m->agent->id.env, 0, WIRE_ENVS_MAX, v);
	for (size_t i = 0; i < n; i++)
		spawn_env_set(&env, v[i]);
	s->failed = "finding it";
	r = spawn_find(argv[0], spawn_env_get(&env, "PATH"), "/", path, sizeof(path));
	if (r < 0)
		return r;
	s->failed = "descriptors";
	r = open_fds(m, d);
	if (r < 0)
		return r;
	s->path = path;
	s->argv = argv;
	s->envp = env.v;
	s->in = d->child_in;
	s->out = s->err = d->child_out;
	s->tty = m->tty;
	s->by_pid1 = m->agent->pid1;
	return spawn_run(s);
}

static void not_started(struct mainproc *m, const char *argv0, const char *what, int error)
{
	char text[400];

	snprintf(text, sizeof(text),
		"vmdeck-agent: cannot start the main process '%.200s': %s: %s\r\n", argv0, what,
		strerror(error));
	output_text(&m->agent->output, text);
	say_error("cannot start the main process '%.200s': %s: %s", argv0, what, strerror(error));
	m->how = WIRE_NOT_STARTED;
	m->value = error == ENOENT ? 127 : 126;
	/* Without its shell a guest still serves commands. */
	if (!m->shell)
		main_ended(m);
}

static void main_run(struct mainproc *m, char *const *argv)
{
	struct main_fds d = {-1, -1, -1, -1};
	struct spawn s = {0};
	int r = run(m, argv, &d, &s);

	close_fd(&d.child_in);
	close_fd(&d.child_out);
	if (r < 0) {
		close_fd(&d.from);
		close_fd(&d.to);
		not_started(m, argv[0], s.failed, -r);
		return;
	}
	m->pid = r;
	m->state = MAIN_RUNNING;
	m->started_ns = mono_ns();
	say_step("main process '%s' runs, pid %d", argv[0], r);
	r = output_attach(&m->agent->output, &m->source, d.from);
	if (r < 0)
		say_error("cannot watch the main process' output: %s", strerror(-r));
	output_set_input(&m->agent->output, d.to);
}

static void shell_run(void *user)
{
	static char sh[] = MAIN_SHELL, login[] = "-l";
	char *argv[] = {sh, login, NULL};

	main_run(user, argv);
}

static void main_ended(struct mainproc *m)
{
	uint64_t lived_ms = (mono_ns() - m->started_ns) / 1000000u;

	timer_stop(&m->timer);
	m->pid = 0;
	if (!m->shell) {
		m->state = MAIN_ENDED;
		output_main_exit(&m->agent->output);
		power_begin(&m->agent->power, POWER_MAIN_ENDED,
			m->how == WIRE_SIGNALED ? 128 + m->value : m->value, POWER_GRACE_MS);
		power_on_progress(&m->agent->power);
		return;
	}
	m->state = MAIN_NONE;
	power_on_progress(&m->agent->power);
	if (!power_going(&m->agent->power))
		timer_start(&m->agent->loop, &m->timer,
			lived_ms < MAIN_RESPAWN_MS ? MAIN_RESPAWN_MS : 0, shell_run, m);
}

bool main_on_exit(struct mainproc *m, pid_t pid, uint8_t how, int32_t value)
{
	if (m->state != MAIN_RUNNING || m->pid != pid)
		return false;
	m->how = how;
	m->value = value;
	m->state = MAIN_DRAINING;
	output_set_input(&m->agent->output, -1);
	if (m->source.w.fd < 0 && !output_blocked(&m->agent->output))
		main_ended(m);
	else
		timer_start(&m->agent->loop, &m->timer, MAIN_DRAIN_MS, on_quiet, m);
	return true;
}

void main_start(struct mainproc *m, const struct wire_hello *h)
{
	char *argv[WIRE_ARGS_MAX + 1];
	char buf[WIRE_PAYLOAD_MAX];
	struct strpack p;

	if (m->state != MAIN_NONE || m->started_ns || power_going(&m->agent->power))
		return;
	m->started_ns = mono_ns();
	m->shell = !h->argc;
	m->tty = m->shell || h->tty;
	m->rows = h->rows;
	m->cols = h->cols;
	if (m->shell) {
		shell_run(m);
		return;
	}
	strpack_init(&p, buf, sizeof(buf));
	strpack_addv(&p, h->argv, h->argc);
	strpack_list(&p, 0, h->argc, argv);
	main_run(m, argv);
}

void main_resize(struct mainproc *m, uint16_t rows, uint16_t cols)
{
	m->rows = rows;
	m->cols = cols;
	if (m->tty && m->source.w.fd >= 0)
		pty_resize(m->source.w.fd, rows, cols);
}

void main_hangup(const struct mainproc *m)
{
	pid_t foreground;

	if (m->state != MAIN_RUNNING || !m->tty)
		return;
	foreground = m->source.w.fd >= 0 ? pty_foreground(m->source.w.fd) : 0;
	kill(-m->pid, SIGHUP);
	if (foreground && foreground != m->pid)
		kill(-foreground, SIGHUP);
}

void main_init(struct mainproc *m, struct agent *a)
{
	*m = (struct mainproc){.agent = a};
	m->source.w = (struct watch){.fd = -1, .slot = -1};
	m->source.on_data = on_data;
	m->source.user = m;
}
