/* What the operator does: keys, the end of stdin, signals, the terminal's size. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tui/cli/session_impl.h"
#include "tui/cli/tty.h"

#define KEY_CTRL_C 3

/* Those that end us or stay with the command, then those about the terminal. */
static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
static const int terminal[] = {SIGWINCH, SIGTSTP, SIGCONT};
_Static_assert(countof(ending) == SESSION_ENDING, "a watcher for each");
_Static_assert(countof(terminal) == SESSION_TERMINAL, "a watcher for each");

/* ---- input --------------------------------------------------------------------------------- */

void session_pump(struct session *s)
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
	if (now - s->last_int < SESSION_AGAIN_S)
		session_stop_signal(s, SIGINT);
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
		session_stop(s, SESSION_DETACHED);
}

void session_on_input(struct ev_loop *loop, ev_io *w, int revents)
{
	struct session *s = w->data;
	uint8_t *p = buf_reserve(&s->typed, SESSION_INPUT);
	ssize_t n = p ? read(w->fd, p, SESSION_INPUT) : 0;

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
		session_pump(s);
}

void session_on_room(struct api_stream *st)
{
	session_pump(api_stream_user(st));
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
	bool again = w->signum == SIGINT && now - s->last_int < SESSION_AGAIN_S;

	(void)revents;
	if (w->signum == SIGINT)
		s->last_int = now;
	if (!s->o->forward || again || s->ended)
		session_stop_signal(s, w->signum);
	else
		send_signal(s, w->signum);
}

void session_send_size(struct session *s)
{
	uint16_t rows, cols;

	if (s->opened && !s->ended && tty_size(STDIN_FILENO, &rows, &cols))
		(void)api_stream_resize(s->stream, rows, cols);
}

void session_enter_raw(struct session *s)
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
		session_enter_raw(s);
	session_send_size(s);
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

void session_watch_signals(struct session *s)
{
	for (size_t i = 0; i < countof(ending); i++)
		watch_signal(s, &s->ending[i], ending[i], on_ending);
	for (size_t i = 0; s->o->raw && i < countof(terminal); i++)
		watch_signal(s, &s->terminal[i], terminal[i], on_terminal);
}

void session_unwatch_signals(struct session *s)
{
	for (size_t i = 0; i < countof(ending); i++)
		ev_signal_stop(s->c->loop, &s->ending[i]);
	for (size_t i = 0; i < countof(terminal); i++)
		ev_signal_stop(s->c->loop, &s->terminal[i]);
}
