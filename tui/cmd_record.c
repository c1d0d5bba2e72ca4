/* vmdeck record. */
#include <errno.h>
#include <string.h>

#include "backend/base/buf.h"
#include "backend/base/lines.h"
#include "backend/base/str.h"
#include "tui/cli/cli.h"
#include "tui/record/recorder.h"

#define MARK_MAX 4096

struct recording_run {
	struct cli *c;
	struct recorder *recorder;
	bool done, failed;
	struct err why;
	struct buf typed;
	ev_io in;
	ev_timer end;
};

static void on_ended(void *user, const struct err *why)
{
	struct recording_run *run = user;

	run->done = run->failed = true;
	run->why = *why;
	ev_break(run->c->loop, EVBREAK_ONE);
}

static void on_time(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct recording_run *run = w->data;

	(void)revents;
	run->done = true;
	ev_break(loop, EVBREAK_ONE);
}

/* A line on stdin is a mark. */
static void on_typed(struct ev_loop *loop, ev_io *w, int revents)
{
	struct recording_run *run = w->data;
	struct err e = {0};
	char *line;
	size_t n;
	int r;

	(void)revents;
	/* In the background a terminal is somebody else's: reading would stop us. */
	if ((isatty(w->fd) && tcgetpgrp(w->fd) != getpgrp()) ||
		buf_read(&run->typed, w->fd, MARK_MAX) <= 0)
		ev_io_stop(loop, w);
	while ((r = lines_next(&run->typed, MARK_MAX, &line, &n)) > 0) {
		char text[MARK_MAX];

		if (recorder_mark(run->recorder, str_safe(text, sizeof(text), line), &e) < 0)
			on_ended(run, &e);
	}
	if (r < 0)
		ev_io_stop(loop, w);
}

static void wait_for_end(struct recording_run *run, int64_t seconds)
{
	struct cli *c = run->c;

	buf_init(&run->typed, 2 * MARK_MAX);
	ev_io_init(&run->in, on_typed, STDIN_FILENO, EV_READ);
	ev_timer_init(&run->end, on_time, (double)seconds, 0);
	run->in.data = run->end.data = run;
	ev_io_start(c->loop, &run->in);
	ev_now_update(c->loop);
	if (seconds)
		ev_timer_start(c->loop, &run->end);
	cli_catch(c);
	while (!run->done && !c->signal)
		ev_run(c->loop, 0);
	cli_uncatch(c);
	ev_timer_stop(c->loop, &run->end);
	ev_io_stop(c->loop, &run->in);
	buf_fini(&run->typed);
}

int cmd_record(struct cli *c)
{
	struct recording_run run = {.c = c};
	struct recorder_opts o = {
		.path = c->opts.args[0], .max = (uint64_t)opt_num(&c->opts, "max-mib", 0) << 20};
	bool quiet = opt_given(&c->opts, "quiet");
	char size[32], took[32];
	struct err e = {0};

	o.vms = opt_list(&c->opts, "output-of", &o.vm_count);
	if (recorder_start(&run.recorder, c->loop, &o, on_ended, &run, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (!quiet)
		fprintf(stderr, "recording into %s: Ctrl-C ends it, a line typed here is a mark\n",
			o.path);
	wait_for_end(&run, opt_num(&c->opts, "seconds", 0));
	str_bytes(size, sizeof(size), recorder_bytes(run.recorder));
	str_duration(took, sizeof(took), (uint64_t)recorder_ms(run.recorder) * 1000000);
	recorder_stop(run.recorder, run.failed ? run.why.msg : "ended by the operator");
	if (!quiet)
		fprintf(stderr, "%s of %s: vmdeck replay %s\n", size, took, o.path);
	return run.failed ? cli_fail(&run.why, EXIT_FAILED) : EXIT_OK;
}
