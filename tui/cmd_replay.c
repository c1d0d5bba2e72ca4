/* vmdeck replay: starts vmdeck-replay on a socket of its own, and the console on that. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backend/base/path.h"
#include "backend/base/proc.h"
#include "tui/asciicast.h"
#include "tui/cli/cli.h"
#include "tui/console/console.h"

#define READY_FD 3
#define LIFE_FD  4

struct replay_run {
	char dir[64];
	int life; /* ours: the helper ends when it is closed */
	struct proc helper;
	struct ev_loop *loop;
	double from, speed;
};

/* "12.5" or "1:30", s. */
static int parse_time(const char *s, double *ret, struct err *e)
{
	char *end;
	double v = strtod(s, &end);

	if (end != s && *end == ':') {
		s = end + 1;
		v = v * 60 + strtod(s, &end);
	}
	if (end == s || *end || !(v >= 0 && v < 1e7))
		return err_set(e, EINVAL, "--from wants a time: 12.5 or 1:30");
	*ret = v;
	return 0;
}

static int parse(struct cli *c, struct replay_run *run, struct err *e)
{
	const char *speed = opt_str(&c->opts, "speed", "1");
	char *end;

	run->speed = strtod(speed, &end);
	if (end == speed || *end || !(run->speed >= 0.25 && run->speed <= 16))
		return err_set(e, EINVAL, "--speed is 0.25 to 16");
	return parse_time(opt_str(&c->opts, "from", "0"), &run->from, e);
}

static void on_exit_of_helper(struct proc *p, int status)
{
	(void)status;
	ev_break(p->loop, EVBREAK_ONE);
}

/* The helper's line: "ready", or why not. */
static int wait_ready(int fd, struct err *e)
{
	char line[400];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(line) - 1 && (n = read(fd, line + len, sizeof(line) - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
		if (len && line[len - 1] == '\n')
			break;
	}
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "ready") == 0)
		return 0;
	return err_set(e, EIO, "%s", line[0] ? line : "vmdeck-replay ended before it was ready");
}

static int start_helper(struct replay_run *run, const char *file, bool paused, struct err *e)
{
	char program[4096], from[32], speed[16];
	autofree char *sock = xasprintf("%s/daemon.sock", run->dir), *path = realpath(file, NULL);
	const char *argv[] = {program, path, sock, from, speed, paused ? "1" : "0", NULL};
	int ready[2], life[2], r = path_helper("vmdeck-replay", program, sizeof(program), e);
	struct proc_fd fds[2];

	if (r < 0)
		return r;
	if (!path)
		return err_errno(e, "cannot open '%s'", file);
	snprintf(from, sizeof(from), "%lld", (long long)(run->from * 1000 + 0.5));
	snprintf(speed, sizeof(speed), "%d", (int)(run->speed * 1000 + 0.5));
	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_errno(e, "cannot make a pipe");
	if (pipe2(life, O_CLOEXEC) < 0) {
		r = err_errno(e, "cannot make a pipe");
		close(ready[0]);
		close(ready[1]);
		return r;
	}
	run->life = life[1];
	fds[0] = (struct proc_fd){ready[1], READY_FD};
	fds[1] = (struct proc_fd){life[0], LIFE_FD};
	r = proc_spawn(&run->helper, run->loop,
		&(struct proc_spec){.argv = argv, .fds = fds, .fd_count = 2}, on_exit_of_helper,
		run, e);
	close(ready[1]);
	close(life[0]);
	if (r == 0)
		r = wait_ready(ready[0], e);
	close(ready[0]);
	return r;
}

static void end_helper(struct replay_run *run)
{
	autofree char *sock = xasprintf("%s/daemon.sock", run->dir);

	close_fd(&run->life);
	while (proc_running(&run->helper))
		ev_run(run->loop, EVRUN_ONCE);
	proc_forget(&run->helper);
	(void)unlink(sock);
	(void)rmdir(run->dir);
}

static int run_console(struct cli *c, const struct replay_run *run, struct err *e)
{
	const char *cast = opt_str(&c->opts, "asciicast", NULL);
	struct console_opts o = {
		.theme = opt_str(&c->opts, "theme", NULL),
		.no_color = opt_given(&c->opts, "no-color") || (!cast && !c->color),
		.ascii = opt_given(&c->opts, "ascii"),
		.quit_at_end = cast || opt_given(&c->opts, "quit"),
		.replay = true,
	};
	const struct asciicast_opts co = {.path = cast,
		.recording = c->opts.args[0],
		.size = opt_str(&c->opts, "size", "100x30"),
		.from = run->from,
		.speed = run->speed};

	return cast ? asciicast_write(&co, &o, e) : console_main(&o);
}

int cmd_replay(struct cli *c)
{
	const char *base = getenv("TMPDIR");
	struct replay_run run = {.life = -1, .loop = c->loop, .helper = {.pidfd = -1}};
	struct err e = {0};
	int code;

	if (!opt_given(&c->opts, "asciicast") && (!isatty(STDIN_FILENO) || !c->tty_out)) {
		err_set(&e, ENOTTY, "a replay needs a terminal; --asciicast FILE needs none");
		return cli_fail(&e, EXIT_USAGE);
	}
	if (parse(c, &run, &e) < 0)
		return cli_fail(&e, EXIT_USAGE);
	/* A socket's path is short. */
	snprintf(run.dir, sizeof(run.dir), "%s/vmdeck-replay-XXXXXX",
		base && strlen(base) < 30 ? base : "/tmp");
	if (!mkdtemp(run.dir)) {
		err_errno(&e, "cannot make '%s'", run.dir);
		return cli_fail(&e, EXIT_FAILED);
	}
	code = start_helper(&run, c->opts.args[0], opt_given(&c->opts, "paused"), &e);
	if (code == 0) {
		setenv("VMDECK_RUNTIME", run.dir, 1);
		code = run_console(c, &run, &e);
	}
	end_helper(&run);
	return code < 0 ? cli_fail(&e, EXIT_FAILED) : code;
}
