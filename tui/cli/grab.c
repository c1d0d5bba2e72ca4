#include "tui/cli/grab.h"

#include <errno.h>
#include <string.h>

struct reading {
	struct grab *g;
	struct cli *c;
	int max_lines, r;
	bool done, late;
	struct err *e;
};

static void stop(struct reading *rd)
{
	rd->done = true;
	ev_break(rd->c->loop, EVBREAK_ONE);
}

static void on_data(struct api_stream *st, bool err, uint64_t offset, const void *data, size_t n)
{
	struct reading *rd = api_stream_user(st);
	struct grab *g = rd->g;
	const char *p = data;

	(void)err;
	(void)offset;
	for (size_t i = 0; i < n && !rd->done; i++) {
		if (buf_append(&g->text, &p[i], 1) < 0)
			return; /* the rest is not shown, but the end is waited for */
		g->lines += p[i] == '\n';
		if (rd->max_lines && g->lines >= rd->max_lines)
			stop(rd);
	}
}

static void on_exit_known(struct api_stream *st, uint8_t how, int value)
{
	struct reading *rd = api_stream_user(st);

	rd->g->exited = true;
	rd->g->how = how;
	rd->g->value = value;
}

static void on_end(struct api_stream *st, int r, int code, const struct err *e)
{
	struct reading *rd = api_stream_user(st);

	(void)code;
	rd->r = r;
	if (r < 0)
		*rd->e = *e;
	stop(rd);
}

static void on_late(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct reading *rd = t->data;

	(void)revents;
	rd->late = true;
	ev_break(loop, EVBREAK_ONE);
}

int grab_run(struct grab *g, struct cli *c, const char *method, struct json_object *params,
	int max_lines, double limit, struct err *e)
{
	static const struct api_stream_handler handler = {
		.on_data = on_data, .on_exit = on_exit_known, .on_end = on_end};
	struct reading rd = {.g = g, .c = c, .max_lines = max_lines, .e = e};
	struct api_stream *st = NULL;
	ev_timer t;
	int r;

	memset(g, 0, sizeof(*g));
	buf_init(&g->text, GRAB_MAX);
	r = api_stream_open(&st, c->api, method, params, &handler, &rd, e);
	if (r < 0)
		return r;
	ev_timer_init(&t, on_late, limit, 0);
	t.data = &rd;
	ev_now_update(c->loop);
	ev_timer_start(c->loop, &t);
	while (!rd.done && !rd.late && !(c->catching && c->signal))
		ev_run(c->loop, 0);
	ev_timer_stop(c->loop, &t);
	api_stream_close(st);
	g->text.limit++; /* room for the end that was promised */
	if (buf_append(&g->text, "", 1) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (rd.done)
		return rd.r;
	if (rd.late)
		return err_set(e, ETIMEDOUT, "%s: nothing more came in %.0f s", method, limit);
	return err_set(e, EINTR, "ended by signal %d (%s)", c->signal, strsignal(c->signal));
}

void grab_fini(struct grab *g)
{
	buf_fini(&g->text);
}
