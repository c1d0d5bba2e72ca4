/* Theory of operation: output goes filter -> sink; while a sink has bytes queued the stream is
 * held, so a slow reader of ours stops the guest and nothing grows. Input is read only when the
 * stream took all that was read before. The end (stream's, signal's, operator's) is noted once; the
 * loop then runs until the sinks are empty. */
#include "tui/cli/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/ansi.h"
#include "tui/cli/prefix.h"
#include "tui/cli/sink.h"
#include "tui/cli/tty.h"

#define INPUT_CHUNK 32768
#define AGAIN_S     2.0 /* a second Ctrl-C within this time ends us */
#define KEY_CTRL_C  3
#define RECONNECTS  3

/* Those that stay with the command, then those about the terminal. */
static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
static const int terminal[] = {SIGWINCH, SIGTSTP, SIGCONT};

struct session {
	struct cli *c;
	const struct session_opts *o;
	struct session_result *ret;
	struct err *e;
	struct api_stream *stream;
	struct sink out, err;
	struct ansi ansi;
	uint8_t *filtered; /* room for one filtered chunk, owned; NULL: no filter */
	uint64_t history_end;
	bool opened, heard, ended;
	ev_io in;
	struct buf typed; /* read, not taken by the stream yet */
	bool typed_eof;
	struct prefix prefix;
	ev_signal ending[countof(ending)], terminal[countof(terminal)];
	int waiting_signal; /* for the stream to be open */
	double last_int;
};

/* ---- the end ------------------------------------------------------------------------------- */

static void check_drained(struct session *s)
{
	if (s->ended && !sink_busy(&s->out) && !sink_busy(&s->err))
		ev_break(s->c->loop, EVBREAK_ONE);
}

static void end(struct session *s, enum session_end how)
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
	end(s, SESSION_OUTPUT);
}

static void end_signal(struct session *s, int sig)
{
	s->ret->signal = sig;
	end(s, SESSION_SIGNAL);
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

/* ---- input --------------------------------------------------------------------------------- */

static void pump(struct session *s)
{
	ssize_t n;

	while (s->typed.len && s->opened && !s->ended) {
		n = api_stream_write(s->stream, buf_peek(&s->typed), s->typed.len);
		if (n < 0) {
			/* The command takes no more input; its output may go on. */
			buf_consume(&s->typed, s->typed.len);
			s->typed_eof = true;
			ev_io_stop(s->c->loop, &s->in);
			return;
		}
		buf_consume(&s->typed, (size_t)n);
		if (s->typed.len)
			break; /* on_room goes on */
	}
	if (s->typed.len)
		ev_io_stop(s->c->loop, &s->in);
	else if (s->typed_eof)
		(void)api_stream_eof(s->stream);
	else if (!s->ended)
		ev_io_start(s->c->loop, &s->in);
}

static void remark(const char *text)
{
	fprintf(stderr, "\r\n[%s]\r\n", text);
}

/* A command that never answered cannot be interrupted by a key that waits for it, too. */
static void note_keys(struct session *s, const uint8_t *p, size_t n)
{
	double now = ev_now(s->c->loop);

	if (s->heard || !memchr(p, KEY_CTRL_C, n))
		return;
	if (now - s->last_int < AGAIN_S)
		end_signal(s, SIGINT);
	s->last_int = now;
}

static void take_keys(struct session *s, uint8_t *p, size_t n)
{
	enum prefix_event ev = PREFIX_NONE;

	if (s->o->prefix)
		ev = prefix_feed(&s->prefix, p, n, p, &n);
	if (s->o->raw)
		note_keys(s, p, n);
	buf_commit(&s->typed, n);
	if (ev == PREFIX_ASK)
		remark(PREFIX_HELP);
	if (ev == PREFIX_DETACH)
		end(s, SESSION_DETACHED);
}

static void on_input(struct ev_loop *loop, ev_io *w, int revents)
{
	struct session *s = w->data;
	uint8_t *p = buf_reserve(&s->typed, INPUT_CHUNK);
	ssize_t n = p ? read(w->fd, p, INPUT_CHUNK) : 0;

	(void)revents;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) { /* the end, or a terminal that has gone */
		ev_io_stop(loop, w);
		s->typed_eof = true;
	} else {
		take_keys(s, p, (size_t)n);
	}
	if (!s->ended)
		pump(s);
}

static void on_room(struct api_stream *st)
{
	pump(api_stream_user(st));
}

/* ---- signals ------------------------------------------------------------------------------- */

static void send_signal(struct session *s, int sig)
{
	if (!s->stream || api_stream_signal(s->stream, sig) == -EAGAIN)
		s->waiting_signal = sig;
}

static void on_ending(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct session *s = w->data;
	double now = ev_now(loop);
	bool again = w->signum == SIGINT && now - s->last_int < AGAIN_S;

	(void)revents;
	if (w->signum == SIGINT)
		s->last_int = now;
	if (!s->o->forward || again || s->ended)
		end_signal(s, w->signum);
	else
		send_signal(s, w->signum);
}

static void send_size(struct session *s)
{
	uint16_t rows, cols;

	if (s->opened && !s->ended && tty_size(STDIN_FILENO, &rows, &cols))
		(void)api_stream_resize(s->stream, rows, cols);
}

static void enter_raw(struct session *s)
{
	struct err e;

	if (s->o->raw && s->opened && !s->ended && tty_raw(STDIN_FILENO, s->o->keep_output, &e) < 0)
		fprintf(stderr, "vmdeck: %s\n", e.msg);
}

static void on_terminal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	if (w->signum == SIGTSTP) {
		/* Sent from outside: the keys go to the guest. The shell gets its terminal back. */
		tty_restore();
		raise(SIGSTOP);
	}
	if (w->signum != SIGWINCH)
		enter_raw(s);
	send_size(s);
}

static void watch_signal(
	struct session *s, ev_signal *w, int sig, void (*fn)(struct ev_loop *, ev_signal *, int))
{
	struct sigaction sa;

	/* Ignored by who started us (nohup, a background job): it stays ignored. */
	if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
		return;
	ev_signal_init(w, fn, sig);
	w->data = s;
	ev_signal_start(s->c->loop, w);
}

static void watch_signals(struct session *s)
{
	for (size_t i = 0; i < countof(ending); i++)
		watch_signal(s, &s->ending[i], ending[i], on_ending);
	for (size_t i = 0; s->o->raw && i < countof(terminal); i++)
		watch_signal(s, &s->terminal[i], terminal[i], on_terminal);
}

static void unwatch_signals(struct session *s)
{
	for (size_t i = 0; i < countof(ending); i++)
		ev_signal_stop(s->c->loop, &s->ending[i]);
	for (size_t i = 0; i < countof(terminal); i++)
		ev_signal_stop(s->c->loop, &s->terminal[i]);
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
	enter_raw(s);
	if (s->o->raw)
		send_size(s); /* it may have changed since the call was made */
	if (s->o->input)
		pump(s);
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
		end(s, SESSION_DONE);
	else
		end(s, r == -ECONNRESET ? SESSION_LOST : SESSION_REFUSED);
}

static const struct api_stream_handler handler = {
	.on_open = on_open,
	.on_data = on_data,
	.on_exit = on_exit_known,
	.on_room = on_room,
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
	if (s->ansi.policy != ANSI_WATCH)
		s->filtered = xcalloc(ANSI_OUT_MAX(65536) + ANSI_OUT_MAX(0), 1);
	sink_init(&s->out, s->c->loop, STDOUT_FILENO, on_drained, s);
	sink_init(&s->err, s->c->loop, STDERR_FILENO, on_drained, s);
	buf_init(&s->typed, 2 * INPUT_CHUNK);
	ev_io_init(&s->in, on_input, STDIN_FILENO, EV_READ);
	s->in.data = s;
	s->last_int = -AGAIN_S;
	watch_signals(s);
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
	unwatch_signals(s);
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
	int r = 0;

	for (int tries = 0; tries <= RECONNECTS; tries++) {
		r = cli_open(c, false, e);
		if (r == 0)
			r = session_run(c, json_object_get(params), o, ret, e);
		if (r < 0 || ret->end != SESSION_LOST)
			break;
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
