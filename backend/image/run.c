#include "backend/image/run.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include "backend/base/proc.h"

#define CHUNK      65536
#define COMPLAINTS 4096

/* Theory of operation: a loop of its own watches the process, its two pipes, its folder and the
 * job's signals, and ends when the process and both pipes have. The first thing that goes wrong
 * fills err and kills the process group (apt has children of its own); its exit then ends the loop.
 */
struct run {
	struct job *job;
	const struct run_spec *spec;
	struct ev_loop *loop;
	struct proc proc;
	ev_io out, complaints, folder, signals;
	ev_timer idle;
	bool exited;
	int status;
	int result; /* 0, or -errno of err */
	struct err err;
	char tail[COMPLAINTS]; /* end of its stderr */
	size_t tail_len;
	uint8_t chunk[CHUNK];
};

static void fail(struct run *r, int result)
{
	if (!r->result)
		r->result = result;
	if (r->exited)
		ev_break(r->loop, EVBREAK_ALL); /* a child of its holds the pipes: leave it */
	else
		kill(-r->proc.id.pid, SIGKILL); /* not yet waited for: the group is still its */
}

static void check_end(struct run *r)
{
	if (r->exited && !ev_is_active(&r->out) && !ev_is_active(&r->complaints))
		ev_break(r->loop, EVBREAK_ALL);
}

static void on_exit_(struct proc *p, int status)
{
	struct run *r = p->user;

	r->exited = true;
	r->status = status;
	check_end(r);
}

/* Bytes into chunk; 0: the pipe has ended and its watcher is stopped; -1: nothing there. */
static ssize_t take(struct run *r, ev_io *w)
{
	ssize_t n = read(w->fd, r->chunk, sizeof(r->chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return -1;
	if (n <= 0) {
		ev_io_stop(r->loop, w);
		check_end(r);
		return 0;
	}
	ev_timer_again(r->loop, &r->idle);
	return n;
}

static void on_out(struct ev_loop *loop, ev_io *w, int revents)
{
	struct run *r = w->data;
	ssize_t n = take(r, w);

	(void)loop;
	(void)revents;
	if (n > 0 && r->spec->on_out && !r->result) {
		int x = r->spec->on_out(r->spec->user, r->chunk, (size_t)n, &r->err);

		if (x < 0)
			fail(r, x);
	}
}

static void on_complaints(struct ev_loop *loop, ev_io *w, int revents)
{
	struct run *r = w->data;
	ssize_t n = take(r, w);
	size_t m, keep;

	(void)loop;
	(void)revents;
	if (n <= 0)
		return;
	m = min_of((size_t)n, sizeof(r->tail));
	keep = min_of(r->tail_len, sizeof(r->tail) - m);
	memmove(r->tail, r->tail + r->tail_len - keep, keep);
	memcpy(r->tail + keep, r->chunk + (size_t)n - m, m);
	r->tail_len = keep + m;
}

static void on_folder(struct ev_loop *loop, ev_io *w, int revents)
{
	struct run *r = w->data;
	int x;

	(void)revents;
	if (read(w->fd, r->chunk, sizeof(r->chunk)) <= 0)
		return;
	ev_timer_again(loop, &r->idle);
	x = r->result ? 0 : r->spec->on_growth(r->spec->user, &r->err);
	if (x < 0)
		fail(r, x);
}

static void on_signals(struct ev_loop *loop, ev_io *w, int revents)
{
	struct run *r = w->data;

	(void)revents;
	ev_io_stop(loop, w); /* the signal stays pending for job_check's other callers */
	fail(r, job_check(r->job, &r->err));
}

static void on_idle(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct run *r = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	fail(r, err_set(&r->err, ETIMEDOUT, "'%s' did nothing for %.0f s and was stopped",
			r->spec->argv[0], RUN_IDLE));
}

static void watch(struct run *r, ev_io *w, void (*fn)(struct ev_loop *, ev_io *, int), int fd)
{
	ev_io_init(w, fn, fd, EV_READ);
	w->data = r;
	if (fd >= 0)
		ev_io_start(r->loop, w);
}

static int watch_folder(const char *dir, struct err *e)
{
	autofd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, dir, IN_MODIFY | IN_CREATE) < 0)
		return err_errno(e, "cannot watch folder '%s'", dir);
	return steal_fd(&fd);
}

static int pipe_pair(int *rd, int *wr, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "cannot create a pipe");
	*rd = fds[0];
	*wr = fds[1];
	return 0;
}

/* Its last line that says something, without apt's "E: ". */
static const char *complaint(struct run *r)
{
	char *line = NULL, *save = NULL;

	r->tail[min_of(r->tail_len, sizeof(r->tail) - 1)] = '\0';
	for (char *s = strtok_r(r->tail, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		line = s;
	if (!line)
		return "no message";
	return strncmp(line, "E: ", 3) == 0 ? line + 3 : line;
}

static int outcome(struct run *r, struct err *e)
{
	char text[64];

	if (r->result) {
		if (e)
			*e = r->err;
		return r->result;
	}
	if (WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0)
		return 0;
	proc_status_text(text, sizeof(text), r->status);
	return err_set(e, EIO, "%s: %s: %s", r->spec->argv[0], text, complaint(r));
}

static int start(struct run *r, int out, int complaints, struct err *e)
{
	char program[512];
	const char *argv[32] = {program};
	const struct proc_fd fds[] = {{out, 1}, {complaints, 2}};
	const char *env[] = {"LC_ALL=C", NULL};
	struct proc_spec spec = {.argv = argv,
		.env = env,
		.fds = fds,
		.fd_count = countof(fds),
		.cwd = r->spec->cwd,
		.die_with_parent = true};
	int x = 0;

	for (size_t i = 1; i < countof(argv) - 1 && r->spec->argv[i]; i++)
		argv[i] = r->spec->argv[i];
	if (r->spec->argv[0][0] == '/')
		snprintf(program, sizeof(program), "%s", r->spec->argv[0]);
	else
		x = path_program(r->spec->argv[0], program, sizeof(program), e);
	return x < 0 ? x : proc_spawn(&r->proc, r->loop, &spec, on_exit_, r, e);
}

static int run_in(struct run *r, struct err *e)
{
	autofd int out = -1, out_wr = -1, err = -1, err_wr = -1, folder = -1;
	int x = job_check(r->job, e);

	if (!x)
		x = pipe_pair(&out, &out_wr, e);
	if (!x)
		x = pipe_pair(&err, &err_wr, e);
	if (!x && r->spec->on_growth)
		x = folder = watch_folder(r->spec->cwd, e);
	if (x >= 0)
		x = start(r, out_wr, err_wr, e);
	if (x < 0)
		return x;
	close_fd(&out_wr);
	close_fd(&err_wr);
	watch(r, &r->out, on_out, out);
	watch(r, &r->complaints, on_complaints, err);
	watch(r, &r->folder, on_folder, folder);
	watch(r, &r->signals, on_signals, r->job->signal_fd);
	ev_timer_init(&r->idle, on_idle, 0., RUN_IDLE);
	r->idle.data = r;
	ev_timer_again(r->loop, &r->idle);
	ev_run(r->loop, 0);
	return outcome(r, e);
}

int run_program(struct job *j, const struct run_spec *spec, struct err *e)
{
	struct run *r = xcalloc(1, sizeof(*r));
	int x;

	r->job = j;
	r->spec = spec;
	r->proc.pidfd = -1;
	r->loop = ev_loop_new(EVFLAG_AUTO);
	x = r->loop ? run_in(r, e) : err_set(e, ENOMEM, "cannot create an event loop");
	proc_forget(&r->proc);
	if (r->loop)
		ev_loop_destroy(r->loop);
	free(r);
	return x;
}

static int on_capture(void *user, const uint8_t *p, size_t n, struct err *e)
{
	if (buf_append(user, p, n) < 0)
		return err_set(e, E2BIG, "a program wrote more than %zu bytes",
			((struct buf *)user)->limit);
	return 0;
}

int run_capture(struct job *j, const char *const *argv, size_t max, char **ret, struct err *e)
{
	struct buf b;
	struct run_spec spec = {.argv = argv, .on_out = on_capture, .user = &b};
	int r;

	buf_init(&b, max);
	r = run_program(j, &spec, e);
	if (!r) {
		char *text = xcalloc(1, b.len + 1);

		if (b.len)
			memcpy(text, buf_peek(&b), b.len);
		*ret = text;
	}
	buf_fini(&b);
	return r;
}
