/* Theory of operation: output goes filter -> sink; while a sink has bytes queued the stream is
 * held, so a slow reader of ours stops the guest and nothing grows. Input is read only when the
 * stream took all that was read before. The end (stream's, signal's, operator's) is noted once; the
 * loop then runs until the sinks are empty. */
#include "tui/cli/session_impl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/tty.h"

#define RECONNECTS 3

/* ---- the end ------------------------------------------------------------------------------- */

static void check_drained(struct session *s)
{
	if (s->ended && !sink_busy(&s->out) && !sink_busy(&s->err))
		ev_break(s->c->loop, EVBREAK_ONE);
}

void session_stop(struct session *s, enum session_end how)
{
	if (s->ended)
		return;
	s->ended = true;
	s->ret->end = how;
	ev_io_stop(s->c->loop, &s->in);
	if (s->stream && how != SESSION_DONE && how != SESSION_REFUSED && how != SESSION_LOST) {
		api_stream_close(s->stream);
		s->stream = NULL;
	}
	check_drained(s);
}

static void end_output(struct session *s, int r)
{
	s->ret->r = r;
	err_set(s->e, -r, "cannot write the output: %s", strerror(-r));
	/* What is still queued for the other one must not keep us. */
	session_stop(s, SESSION_OUTPUT);
}

void session_stop_signal(struct session *s, int sig)
{
	s->ret->signal = sig;
	session_stop(s, SESSION_SIGNAL);
	/* A reader that has stopped reading is no reason to stay: the queue is given up. */
	s->ret->end = SESSION_SIGNAL;
	ev_break(s->c->loop, EVBREAK_ONE);
}

static void on_drained(struct sink *sink, int r)
{
	struct session *s = sink->user;

	if (r < 0)
		end_output(s, r);
	else if (!s->ended && !sink_busy(&s->out) && !sink_busy(&s->err))
		api_stream_hold(s->stream, false);
	check_drained(s);
}

/* ---- output -------------------------------------------------------------------------------- */

static void write_out(struct session *s, struct sink *sink, const void *data, size_t n)
{
	int r = n ? sink_write(sink, data, n) : 0;

	if (r < 0)
		end_output(s, r);
	else if (r > 0 && s->stream)
		api_stream_hold(s->stream, true);
}

/* n bytes at offset; only those of the history are filtered. */
static void write_replay(struct session *s, uint64_t offset, const uint8_t *p, size_t n)
{
	size_t old = offset >= s->history_end ? 0 : (size_t)min_of(s->history_end - offset, n);
	size_t k;

	if (s->ansi.policy == ANSI_REPLAY) {
		k = ansi_feed(&s->ansi, p, old, s->filtered);
		if (offset + n >= s->history_end)
			k += ansi_switch(&s->ansi, ANSI_WATCH, s->filtered + k);
		write_out(s, &s->out, s->filtered, k);
	}
	if (old < n && !s->ended) {
		ansi_feed(&s->ansi, p + old, n - old, NULL);
		write_out(s, &s->out, p + old, n - old);
	}
}

static void on_data(struct api_stream *st, bool err, uint64_t offset, const void *data, size_t n)
{
	struct session *s = api_stream_user(st);

	if (s->ended)
		return;
	s->heard = true;
	s->ret->next = offset + n;
	switch (s->o->screen) {
	case SCREEN_PLAIN:
		write_out(s, err ? &s->err : &s->out, data, n);
		break;
	case SCREEN_LIVE:
		ansi_feed(&s->ansi, data, n, NULL);
		write_out(s, err ? &s->err : &s->out, data, n);
		break;
	case SCREEN_REPLAY:
		write_replay(s, offset, data, n);
		break;
	case SCREEN_SAFE:
		n = ansi_feed(&s->ansi, data, n, s->filtered);
		write_out(s, &s->out, s->filtered, n);
		break;
	}
}

/* ---- the stream ---------------------------------------------------------------------------- */

static void on_open(struct api_stream *st, struct json_object *result)
{
	struct session *s = api_stream_user(st);

	if (s->ended)
		return;
	s->opened = true;
	s->history_end = (uint64_t)jsonx_int(result, "end", 0);
	s->ret->next = (uint64_t)jsonx_int(result, "start", 0);
	if (s->o->screen == SCREEN_REPLAY && s->ret->next >= s->history_end)
		(void)ansi_switch(&s->ansi, ANSI_WATCH, s->filtered);
	if (s->waiting_signal)
		(void)api_stream_signal(st, s->waiting_signal);
	session_enter_raw(s);
	if (s->o->raw)
		session_send_size(s); /* it may have changed since the call was made */
	if (s->o->input)
		session_pump(s);
}

static void on_exit_known(struct api_stream *st, uint8_t how, int value)
{
	struct session *s = api_stream_user(st);

	s->ret->exited = true;
	s->ret->how = how;
	s->ret->value = value;
}

static void on_end(struct api_stream *st, int r, int code, const struct err *e)
{
	struct session *s = api_stream_user(st);

	if (s->ended)
		return;
	s->ret->r = r;
	s->ret->code = code;
	if (r < 0)
		*s->e = *e;
	if (r == 0)
		session_stop(s, SESSION_DONE);
	else
		session_stop(s, r == -ECONNRESET ? SESSION_LOST : SESSION_REFUSED);
}

static const struct api_stream_handler handler = {
	.on_open = on_open,
	.on_data = on_data,
	.on_exit = on_exit_known,
	.on_room = session_on_room,
	.on_end = on_end,
};

static void init(struct session *s)
{
	static const enum ansi_policy policies[] = {
		[SCREEN_PLAIN] = ANSI_WATCH,
		[SCREEN_LIVE] = ANSI_WATCH,
		[SCREEN_REPLAY] = ANSI_REPLAY,
		[SCREEN_SAFE] = ANSI_SAFE,
	};

	ansi_init(&s->ansi, policies[s->o->screen]);
	s->ansi.no_colour = s->c->plain;
	if (s->ansi.policy != ANSI_WATCH)
		s->filtered = xcalloc(ANSI_OUT_MAX(65536) + ANSI_OUT_MAX(0), 1);
	sink_init(&s->out, s->c->loop, STDOUT_FILENO, on_drained, s);
	sink_init(&s->err, s->c->loop, STDERR_FILENO, on_drained, s);
	buf_init(&s->typed, 2 * SESSION_INPUT);
	ev_io_init(&s->in, session_on_input, STDIN_FILENO, EV_READ);
	s->in.data = s;
	s->last_int = -SESSION_AGAIN_S;
	session_watch_signals(s);
}

/* What the guest left switched on, then the terminal's own settings. */
static void leave_screen(struct session *s)
{
	char reset[ANSI_SEQ_MAX];
	uint8_t held[ANSI_OUT_MAX(0)];
	size_t n = 0;

	if (s->o->screen == SCREEN_SAFE)
		n = ansi_switch(&s->ansi, ANSI_WATCH, held);
	if (n)
		(void)!write(STDOUT_FILENO, held, n);
	n = s->o->screen == SCREEN_PLAIN ? 0 : ansi_reset(&s->ansi, reset);
	if (n && !s->out.failed)
		(void)!write(STDOUT_FILENO, reset, n);
	tty_restore();
}

static void fini(struct session *s)
{
	api_stream_close(s->stream);
	ev_io_stop(s->c->loop, &s->in);
	session_unwatch_signals(s);
	if (s->opened)
		leave_screen(s);
	sink_fini(&s->out);
	sink_fini(&s->err);
	buf_fini(&s->typed);
	free(s->filtered);
}

int session_run(struct cli *c, struct json_object *params, const struct session_opts *o,
	struct session_result *ret, struct err *e)
{
	struct session s = {.c = c, .o = o, .ret = ret, .e = e};
	int r;

	memset(ret, 0, sizeof(*ret));
	init(&s);
	r = api_stream_open(&s.stream, c->api, o->method, params, &handler, &s, e);
	if (r == 0) {
		while (!s.ended ||
			((sink_busy(&s.out) || sink_busy(&s.err)) && ret->end != SESSION_SIGNAL &&
				ret->end != SESSION_OUTPUT))
			ev_run(c->loop, 0);
	}
	fini(&s);
	return r;
}

int session_follow(struct cli *c, struct json_object *params, const struct session_opts *o,
	struct session_result *ret, struct err *e)
{
	uint64_t reached = 0;
	int r = 0;

	for (int tries = 0; tries <= RECONNECTS; tries++) {
		r = cli_open(c, false, e);
		if (r == 0)
			r = session_run(c, json_object_get(params), o, ret, e);
		if (r < 0 || ret->end != SESSION_LOST)
			break;
		if (ret->next > reached)
			tries = 0; /* it went on: these deaths are not one fault that repeats */
		reached = ret->next;
		if (ret->next) {
			json_object_object_del(params, "tail");
			jsonx_add_int(params, "since", (int64_t)ret->next);
		}
		api_close(c->api);
		c->api = NULL;
	}
	json_object_put(params);
	return r;
}

int session_exit_code(uint8_t how, int value)
{
	return how == 1 ? EXIT_SIGNAL + value : value;
}
