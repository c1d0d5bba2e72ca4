#include "tests/support/fake_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/util.h"

#define DEADLINE_S 20.0

/* ---- a stream whose daemon is a script; its api_client is the fake_session ---- */

static void on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct api_stream *st = container_of(t, struct api_stream, tick);

	(void)revents;
	if (st->closed)
		return;
	st->script(st, st->step++);
	if (!st->closed) {
		ev_timer_set(t, 0.001, 0);
		ev_timer_start(loop, t);
	}
}

int api_stream_open(struct api_stream **ret, struct api_client *c, const char *method,
	struct json_object *params, const struct api_stream_handler *h, void *user, struct err *e)
{
	struct fake_session *x = (struct fake_session *)(void *)c;
	struct api_stream *st = &x->st;

	(void)method;
	(void)e;
	*st = (struct api_stream){.script = st->script,
		.opens = st->opens + 1,
		.take = st->take,
		.broken = st->broken,
		.loop = x->c.loop,
		.h = h,
		.user = user};
	snprintf(st->params, sizeof(st->params), "%s", jsonx_line(params));
	json_object_put(params);
	ev_timer_init(&st->tick, on_tick, 0, 0);
	ev_timer_start(st->loop, &st->tick);
	*ret = st;
	return 0;
}

void api_stream_close(struct api_stream *s)
{
	if (!s)
		return;
	s->closed = true;
	ev_timer_stop(s->loop, &s->tick);
}

void *api_stream_user(const struct api_stream *s)
{
	return s->user;
}

ssize_t api_stream_write(struct api_stream *s, const void *data, size_t n)
{
	assert_false(s->eof);
	if (s->broken)
		return -EPIPE;
	n = s->take ? min_of(n, s->take) : n;
	n = min_of(n, sizeof(s->got) - s->got_n);
	memcpy(s->got + s->got_n, data, n);
	s->got_n += n;
	return (ssize_t)n;
}

int api_stream_eof(struct api_stream *s)
{
	s->eof = true;
	return 0;
}

int api_stream_resize(struct api_stream *s, uint16_t rows, uint16_t cols)
{
	(void)s;
	(void)rows;
	(void)cols;
	return 0;
}

int api_stream_signal(struct api_stream *s, int sig)
{
	if (s->step < 1)
		return -EAGAIN; /* not open */
	s->signals[s->signal_count++ % 8] = sig;
	return 0;
}

void api_stream_hold(struct api_stream *s, bool hold)
{
	s->held = hold;
	s->was_held = s->was_held || hold;
}

void api_close(struct api_client *c)
{
	(void)c;
}

int cli_open(struct cli *c, bool no_start, struct err *e)
{
	(void)no_start;
	(void)e;
	c->api = (struct api_client *)(void *)container_of(c, struct fake_session, c);
	return 0;
}

void script_say(struct api_stream *st, bool err, const char *text)
{
	st->h->on_data(st, err, 0, text, strlen(text));
}

void script_open(struct api_stream *st, int64_t start, int64_t end)
{
	autojson struct json_object *o = json_object_new_object();

	jsonx_add_int(o, "start", start);
	jsonx_add_int(o, "end", end);
	st->h->on_open(st, o);
}

void script_finish(struct api_stream *st, int how, int value)
{
	st->h->on_exit(st, (uint8_t)how, value);
	st->h->on_end(st, 0, 0, NULL);
}

/* ---- running a session with pipes for a terminal ---- */

static void on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)t;
	(void)revents;
	abort();
}

void fake_begin(struct fake_session *x)
{
	memset(x, 0, sizeof(*x));
	x->c.loop = ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
	assert_int_equal(cli_open(&x->c, false, NULL), 0);
	ev_timer_init(&x->deadline, on_deadline, DEADLINE_S, 0);
	ev_timer_start(x->c.loop, &x->deadline);
	ev_unref(x->c.loop);
	assert_int_equal(pipe2(x->in, O_CLOEXEC), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pipe2(x->fds[i], O_CLOEXEC), 0);
	fflush(stdout);
	for (int i = 0; i < 3; i++)
		x->saved[i] = dup(i);
	dup2(x->in[0], 0);
	dup2(x->fds[0][1], 1);
	dup2(x->fds[1][1], 2);
}

static void take_text(int fd, char *out)
{
	size_t n = 0;
	ssize_t r;

	while (n < FAKE_TEXT_MAX - 1 && (r = read(fd, out + n, FAKE_TEXT_MAX - 1 - n)) > 0)
		n += (size_t)r;
	out[n] = '\0';
	close(fd);
}

void fake_end(struct fake_session *x)
{
	for (int i = 0; i < 3; i++) {
		dup2(x->saved[i], i);
		close(x->saved[i]);
	}
	close(x->in[0]);
	if (x->in[1] >= 0)
		close(x->in[1]);
	for (int i = 0; i < 2; i++) {
		close(x->fds[i][1]);
		if (x->fds[i][0] >= 0)
			take_text(x->fds[i][0], i ? x->err : x->out);
	}
	ev_loop_destroy(x->c.loop);
}

void fake_go(struct fake_session *x, const struct session_opts *o, fake_script *script)
{
	x->st.script = script;
	x->r = session_run(&x->c, json_object_new_object(), o, &x->res, &x->e);
}

void fake_default_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	for (int sig = SIGHUP; sig <= SIGTERM; sig++)
		if (sig == SIGHUP || sig == SIGINT || sig == SIGQUIT || sig == SIGTERM)
			signal(sig, SIG_DFL); /* a build in the background ignores some */
}
