// LIBS: base
// OBJS: tui/cli/session.c tui/cli/session_input.c tui/cli/sink.c tui/cli/ansi.c
// OBJS: tui/cli/ansi_modes.c tui/cli/prefix.c tui/cli/tty.c
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
#include "tui/cli/session.h"

#define DEADLINE_S 20.0
#define TEXT_MAX   4096

/* ---- a stream whose daemon is a script ------------------------------------------------------ */

struct api_stream {
	struct ev_loop *loop;
	const struct api_stream_handler *h;
	void *user;
	ev_timer tick; /* runs the script */
	int step;
	bool held, was_held, eof, closed;
	size_t take; /* bytes that a write takes, 0: all */
	bool broken; /* writes fail */
	char got[TEXT_MAX];
	size_t got_n;
	int signals[8], signal_count;
	char params[300];
};

static struct api_stream fake;
static void (*script)(struct api_stream *st, int step);
static int opens;

static void on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)revents;
	(void)t;
	if (fake.closed)
		return;
	script(&fake, fake.step++);
	if (!fake.closed) {
		ev_timer_set(&fake.tick, 0.001, 0);
		ev_timer_start(loop, &fake.tick);
	}
}

int api_stream_open(struct api_stream **ret, struct api_client *c, const char *method,
	struct json_object *params, const struct api_stream_handler *h, void *user, struct err *e)
{
	struct ev_loop *loop = (struct ev_loop *)(void *)c;
	size_t take = fake.take;
	bool broken = fake.broken;

	(void)method;
	(void)e;
	memset(&fake, 0, sizeof(fake));
	fake.take = take;
	fake.broken = broken;
	fake.loop = loop;
	fake.h = h;
	fake.user = user;
	snprintf(fake.params, sizeof(fake.params), "%s", jsonx_line(params));
	json_object_put(params);
	ev_timer_init(&fake.tick, on_tick, 0, 0);
	ev_timer_start(loop, &fake.tick);
	*ret = &fake;
	opens++;
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
	c->api = (struct api_client *)(void *)c->loop;
	return 0;
}

static void say(struct api_stream *st, bool err, const char *text)
{
	st->h->on_data(st, err, 0, text, strlen(text));
}

static void open_at(struct api_stream *st, int64_t start, int64_t end)
{
	autojson struct json_object *o = json_object_new_object();

	jsonx_add_int(o, "start", start);
	jsonx_add_int(o, "end", end);
	st->h->on_open(st, o);
}

static void finish(struct api_stream *st, int how, int value)
{
	st->h->on_exit(st, (uint8_t)how, value);
	st->h->on_end(st, 0, 0, NULL);
}

/* ---- running a session with pipes for a terminal -------------------------------------------- */

struct run {
	struct cli c;
	struct session_result res;
	struct err e;
	int r;
	char out[TEXT_MAX], err[TEXT_MAX];
	int in[2], fds[2][2], saved[3]; /* pipes of stdin, of stdout and stderr */
	ev_timer deadline;
};

static void on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)t;
	(void)revents;
	abort();
}

static void begin(struct run *x)
{
	memset(x, 0, sizeof(*x));
	opens = 0;
	fake.take = 0;
	fake.broken = false;
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

	while (n < TEXT_MAX - 1 && (r = read(fd, out + n, TEXT_MAX - 1 - n)) > 0)
		n += (size_t)r;
	out[n] = '\0';
	close(fd);
}

static void end(struct run *x)
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

static void go(struct run *x, const struct session_opts *o, void (*fn)(struct api_stream *, int))
{
	script = fn;
	x->r = session_run(&x->c, json_object_new_object(), o, &x->res, &x->e);
}

/* ---- output --------------------------------------------------------------------------------- */

static void script_both(struct api_stream *st, int step)
{
	if (step == 0) {
		open_at(st, 0, 0);
		say(st, false, "out ");
		say(st, true, "err ");
	} else {
		say(st, false, "more");
		finish(st, 0, 3);
	}
}

static void test_output(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct run x;

	(void)state;
	begin(&x);
	go(&x, &o, script_both);
	end(&x);
	assert_int_equal(x.r, 0);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_true(x.res.exited);
	assert_int_equal(session_exit_code(x.res.how, x.res.value), 3);
	assert_string_equal(x.out, "out more");
	assert_string_equal(x.err, "err ");
	assert_int_equal(session_exit_code(1, SIGKILL), 137);
	assert_int_equal(session_exit_code(2, 127), 127);
}

static void script_flood(struct api_stream *st, int step)
{
	static char chunk[65536];

	if (step == 0)
		open_at(st, 0, 0);
	else if (!st->held && step < 40)
		st->h->on_data(st, false, 0, chunk, sizeof(chunk));
	else if (!st->held)
		finish(st, 0, 0);
}

static size_t drained;

static void on_reader(struct ev_loop *loop, ev_io *w, int revents)
{
	static char buf[1 << 20];
	ssize_t n;

	(void)loop;
	(void)revents;
	if (!fake.was_held)
		return; /* as slow as can be until the source is held */
	n = read(w->fd, buf, sizeof(buf));
	drained += n > 0 ? (size_t)n : 0;
}

static void test_slow_reader(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct run x;
	ev_io reader;

	(void)state;
	begin(&x);
	drained = 0;
	ev_io_init(&reader, on_reader, x.fds[0][0], EV_READ);
	ev_io_start(x.c.loop, &reader);
	ev_unref(x.c.loop);
	go(&x, &o, script_flood);
	ev_ref(x.c.loop);
	ev_io_stop(x.c.loop, &reader);
	end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_true(fake.was_held);
	assert_true(drained + strlen(x.out) > 100000);
}

static void script_forever(struct api_stream *st, int step)
{
	if (step == 0)
		open_at(st, 0, 0);
	say(st, false, "y\n");
}

static void test_reader_leaves(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct run x;

	(void)state;
	begin(&x);
	close(x.fds[0][0]);
	x.fds[0][0] = -1;
	go(&x, &o, script_forever);
	end(&x);
	assert_int_equal(x.res.end, SESSION_OUTPUT);
	assert_int_equal(x.res.r, -EPIPE);
	assert_true(fake.closed);
}

static void script_refused(struct api_stream *st, int step)
{
	struct err e;

	(void)step;
	open_at(st, 0, 0);
	err_set(&e, EREMOTEIO, "not in the guest");
	st->h->on_end(st, -EREMOTEIO, 127, &e);
}

static void test_refused(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct run x;

	(void)state;
	begin(&x);
	go(&x, &o, script_refused);
	end(&x);
	assert_int_equal(x.res.end, SESSION_REFUSED);
	assert_int_equal(x.res.code, 127);
	assert_string_equal(x.e.msg, "not in the guest");
}

/* History up to offset 8, then live; the border may lie inside a chunk and a sequence. */
static void script_replay(struct api_stream *st, int step)
{
	static const char data[] = "a\033[6nb\033[6nc\033[5nd";

	(void)step;
	open_at(st, 0, 8);
	st->h->on_data(st, false, 0, data, 3);
	st->h->on_data(st, false, 3, data + 3, 4);
	st->h->on_data(st, false, 7, data + 7, sizeof(data) - 1 - 7);
	finish(st, 0, 0);
}

static void test_replay(void **state)
{
	struct session_opts o = {.method = "vm.attach", .screen = SCREEN_REPLAY};
	struct run x;

	(void)state;
	begin(&x);
	go(&x, &o, script_replay);
	end(&x);
	/* The first query is history, the second one was cut by the border and may be answered. */
	assert_string_equal(x.out, "ab\033[6nc\033[5nd");
	assert_int_equal(x.res.next, 16);
}

static void script_leave_modes(struct api_stream *st, int step)
{
	(void)step;
	open_at(st, 0, 0);
	say(st, false, "\033[?25l\033[31mx");
	finish(st, 0, 0);
}

static void test_modes_reset(void **state)
{
	struct session_opts o = {.method = "vm.exec", .screen = SCREEN_LIVE};
	struct run x;

	(void)state;
	begin(&x);
	go(&x, &o, script_leave_modes);
	end(&x);
	assert_string_equal(x.out, "\033[?25l\033[31mx\033[?25h\033[m");
	begin(&x);
	o.screen = SCREEN_SAFE;
	go(&x, &o, script_leave_modes);
	end(&x);
	assert_string_equal(x.out, "\033[31mx\033[m");
	begin(&x);
	o.screen = SCREEN_PLAIN;
	go(&x, &o, script_leave_modes);
	end(&x);
	assert_string_equal(x.out, "\033[?25l\033[31mx");
}

/* ---- input ---------------------------------------------------------------------------------- */

static void script_input(struct api_stream *st, int step)
{
	if (step == 0)
		open_at(st, 0, 0);
	else if (st->eof)
		finish(st, 0, 0);
	else
		st->h->on_room(st);
}

static void test_input(void **state)
{
	static const size_t takes[] = {0, 1, 3};
	struct session_opts o = {.method = "vm.exec", .input = true};
	struct run x;

	(void)state;
	for (size_t i = 0; i < countof(takes); i++) {
		begin(&x);
		fake.take = takes[i];
		assert_int_equal(write(x.in[1], "hello guest", 11), 11);
		close(x.in[1]);
		x.in[1] = -1;
		go(&x, &o, script_input);
		end(&x);
		assert_int_equal(x.res.end, SESSION_DONE);
		assert_int_equal(fake.got_n, 11);
		assert_memory_equal(fake.got, "hello guest", 11);
	}
}

static void script_deaf(struct api_stream *st, int step)
{
	if (step == 0)
		open_at(st, 0, 0);
	if (step == 20) {
		say(st, false, "still here");
		finish(st, 0, 0);
	}
}

/* A command that closed its input is not killed by what is typed. */
static void test_input_refused(void **state)
{
	struct session_opts o = {.method = "vm.exec", .input = true};
	struct run x;

	(void)state;
	begin(&x);
	fake.broken = true;
	assert_int_equal(write(x.in[1], "x", 1), 1);
	go(&x, &o, script_deaf);
	end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_string_equal(x.out, "still here");
}

static void script_wait(struct api_stream *st, int step)
{
	if (step == 0)
		open_at(st, 0, 0);
}

static void test_detach(void **state)
{
	struct session_opts o = {.method = "vm.attach", .input = true, .prefix = true};
	struct run x;

	(void)state;
	begin(&x);
	assert_int_equal(write(x.in[1], "ls\r\035\035\035dmore", 10), 10);
	go(&x, &o, script_wait);
	end(&x);
	assert_int_equal(x.res.end, SESSION_DETACHED);
	assert_true(fake.closed);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void script_signals(struct api_stream *st, int step)
{
	static const int list[] = {SIGTERM, SIGHUP, SIGQUIT, SIGINT};

	if (step == 0)
		open_at(st, 0, 0);
	if (step >= 1 && step <= (int)countof(list))
		raise(list[step - 1]);
	if (st->signal_count == (int)countof(list))
		finish(st, 1, SIGINT);
}

static void test_forward(void **state)
{
	struct session_opts o = {.method = "vm.exec", .forward = true};
	struct run x;

	(void)state;
	begin(&x);
	go(&x, &o, script_signals);
	end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_int_equal(session_exit_code(x.res.how, x.res.value), 130);
	assert_int_equal(fake.signals[0], SIGTERM);
	assert_int_equal(fake.signals[3], SIGINT);
}

static void script_twice(struct api_stream *st, int step)
{
	if (step == 0)
		open_at(st, 0, 0);
	else
		raise(SIGINT);
}

static void test_twice(void **state)
{
	struct session_opts o = {.method = "vm.exec", .forward = true};
	struct run x;

	(void)state;
	begin(&x);
	go(&x, &o, script_twice);
	end(&x);
	assert_int_equal(x.res.end, SESSION_SIGNAL);
	assert_int_equal(x.res.signal, SIGINT);
	assert_int_equal(fake.signal_count, 1);
	assert_true(fake.closed);
}

static void script_early(struct api_stream *st, int step)
{
	if (step == 0)
		raise(SIGTERM); /* the stream is not open: it has to wait */
	if (step == 5)
		open_at(st, 0, 0);
	if (st->signal_count)
		finish(st, 1, st->signals[0]);
}

static void test_early_signal(void **state)
{
	struct session_opts o = {.method = "vm.exec", .forward = true};
	struct run x;

	(void)state;
	begin(&x);
	go(&x, &o, script_early);
	end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_int_equal(x.res.value, SIGTERM);
}

static void script_raise(struct api_stream *st, int step)
{
	if (step == 0)
		open_at(st, 0, 0);
	else
		raise(SIGTERM);
}

static void test_not_forwarded(void **state)
{
	struct session_opts o = {.method = "vm.logs"};
	struct run x;
	struct sigaction sa;

	(void)state;
	begin(&x);
	go(&x, &o, script_raise);
	end(&x);
	assert_int_equal(x.res.end, SESSION_SIGNAL);
	assert_int_equal(x.res.signal, SIGTERM);
	assert_int_equal(fake.signal_count, 0);
	/* Afterwards signals do what they did before. */
	sigaction(SIGTERM, NULL, &sa);
	assert_true(sa.sa_handler == SIG_DFL);
}

/* ---- a daemon that dies --------------------------------------------------------------------- */

static void script_dies(struct api_stream *st, int step)
{
	struct err e;

	(void)step;
	if (opens == 1) {
		open_at(st, 0, 5);
		st->h->on_data(st, false, 0, "hello ", 6);
		err_set(&e, ECONNRESET, "gone");
		st->h->on_end(st, -ECONNRESET, 125, &e);
	} else {
		open_at(st, 6, 11);
		st->h->on_data(st, false, 6, "again", 5);
		st->h->on_end(st, 0, 0, NULL);
	}
}

static void test_follow(void **state)
{
	struct session_opts o = {.method = "vm.logs"};
	struct json_object *params = json_object_new_object();
	struct run x;

	(void)state;
	begin(&x);
	script = script_dies;
	jsonx_add_int(params, "tail", 100);
	x.r = session_follow(&x.c, params, &o, &x.res, &x.e);
	end(&x);
	assert_int_equal(x.r, 0);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_int_equal(opens, 2);
	assert_string_equal(x.out, "hello again");
	assert_non_null(strstr(fake.params, "\"since\":6"));
	assert_null(strstr(fake.params, "tail"));
}

static void script_always_dies(struct api_stream *st, int step)
{
	struct err e;

	(void)step;
	open_at(st, 0, 0);
	err_set(&e, ECONNRESET, "gone");
	st->h->on_end(st, -ECONNRESET, 125, &e);
}

static void test_follow_gives_up(void **state)
{
	struct session_opts o = {.method = "vm.logs"};
	struct run x;

	(void)state;
	begin(&x);
	script = script_always_dies;
	x.r = session_follow(&x.c, json_object_new_object(), &o, &x.res, &x.e);
	end(&x);
	assert_int_equal(x.r, 0);
	assert_int_equal(x.res.end, SESSION_LOST);
	assert_true(opens > 1 && opens < 10);
	assert_string_equal(x.e.msg, "gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_reader_leaves),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_modes_reset),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_input_refused),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_early_signal),
		cmocka_unit_test(test_not_forwarded),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_follow_gives_up),
	};

	signal(SIGPIPE, SIG_IGN);
	for (int sig = SIGHUP; sig <= SIGTERM; sig++)
		if (sig == SIGHUP || sig == SIGINT || sig == SIGQUIT || sig == SIGTERM)
			signal(sig, SIG_DFL); /* a build in the background ignores some */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
