/* A session's output: both streams, slow and lost readers, history, modes, a daemon that dies. */
// LIBS: base
// OBJS: tests/support/fake_session.c tui/cli/session.c tui/cli/session_input.c tui/cli/sink.c
// OBJS: tui/cli/ansi.c tui/cli/ansi_modes.c tui/cli/prefix.c tui/cli/tty.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tests/support/fake_session.h"

/* ---- output --------------------------------------------------------------------------------- */

static void script_both(struct api_stream *st, int step)
{
	if (step == 0) {
		script_open(st, 0, 0);
		script_say(st, false, "out ");
		script_say(st, true, "err ");
	} else {
		script_say(st, false, "more");
		script_finish(st, 0, 3);
	}
}

static void test_output(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_both);
	fake_end(&x);
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
		script_open(st, 0, 0);
	else if (!st->held && step < 40)
		st->h->on_data(st, false, 0, chunk, sizeof(chunk));
	else if (!st->held)
		script_finish(st, 0, 0);
}

static size_t drained;

static void on_reader(struct ev_loop *loop, ev_io *w, int revents)
{
	static char buf[1 << 20];
	const struct api_stream *st = w->data;
	ssize_t n;

	(void)loop;
	(void)revents;
	if (!st->was_held)
		return; /* as slow as can be until the source is held */
	n = read(w->fd, buf, sizeof(buf));
	drained += n > 0 ? (size_t)n : 0;
}

static void test_slow_reader(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct fake_session x;
	ev_io reader;

	(void)state;
	fake_begin(&x);
	drained = 0;
	ev_io_init(&reader, on_reader, x.fds[0][0], EV_READ);
	reader.data = &x.st;
	ev_io_start(x.c.loop, &reader);
	ev_unref(x.c.loop);
	fake_go(&x, &o, script_flood);
	ev_ref(x.c.loop);
	ev_io_stop(x.c.loop, &reader);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_true(x.st.was_held);
	assert_true(drained + strlen(x.out) > 100000);
}

static void script_forever(struct api_stream *st, int step)
{
	if (step == 0)
		script_open(st, 0, 0);
	script_say(st, false, "y\n");
}

static void test_reader_leaves(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	close(x.fds[0][0]);
	x.fds[0][0] = -1;
	fake_go(&x, &o, script_forever);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_OUTPUT);
	assert_int_equal(x.res.r, -EPIPE);
	assert_true(x.st.closed);
}

static void script_refused(struct api_stream *st, int step)
{
	struct err e;

	(void)step;
	script_open(st, 0, 0);
	err_set(&e, EREMOTEIO, "not in the guest");
	st->h->on_end(st, -EREMOTEIO, 127, &e);
}

static void test_refused(void **state)
{
	struct session_opts o = {.method = "vm.exec"};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_refused);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_REFUSED);
	assert_int_equal(x.res.code, 127);
	assert_string_equal(x.e.msg, "not in the guest");
}

/* History up to offset 8, then live; the border may lie inside a chunk and a sequence. */
static void script_replay(struct api_stream *st, int step)
{
	static const char data[] = "a\033[6nb\033[6nc\033[5nd";

	(void)step;
	script_open(st, 0, 8);
	st->h->on_data(st, false, 0, data, 3);
	st->h->on_data(st, false, 3, data + 3, 4);
	st->h->on_data(st, false, 7, data + 7, sizeof(data) - 1 - 7);
	script_finish(st, 0, 0);
}

static void test_replay(void **state)
{
	struct session_opts o = {.method = "vm.attach", .screen = SCREEN_REPLAY};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_replay);
	fake_end(&x);
	/* The first query is history, the second one was cut by the border and may be answered. */
	assert_string_equal(x.out, "ab\033[6nc\033[5nd");
	assert_int_equal(x.res.next, 16);
}

static void script_leave_modes(struct api_stream *st, int step)
{
	(void)step;
	script_open(st, 0, 0);
	script_say(st, false, "\033[?25l\033[31mx");
	script_finish(st, 0, 0);
}

static void test_modes_reset(void **state)
{
	struct session_opts o = {.method = "vm.exec", .screen = SCREEN_LIVE};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_leave_modes);
	fake_end(&x);
	assert_string_equal(x.out, "\033[?25l\033[31mx\033[?25h\033[m");
	fake_begin(&x);
	o.screen = SCREEN_SAFE;
	fake_go(&x, &o, script_leave_modes);
	fake_end(&x);
	assert_string_equal(x.out, "\033[31mx\033[m");
	fake_begin(&x);
	o.screen = SCREEN_PLAIN;
	fake_go(&x, &o, script_leave_modes);
	fake_end(&x);
	assert_string_equal(x.out, "\033[?25l\033[31mx");
}

/* ---- a daemon that dies --------------------------------------------------------------------- */

static void script_dies(struct api_stream *st, int step)
{
	struct err e;

	(void)step;
	if (st->opens == 1) {
		script_open(st, 0, 5);
		st->h->on_data(st, false, 0, "hello ", 6);
		err_set(&e, ECONNRESET, "gone");
		st->h->on_end(st, -ECONNRESET, 125, &e);
	} else {
		script_open(st, 6, 11);
		st->h->on_data(st, false, 6, "again", 5);
		st->h->on_end(st, 0, 0, NULL);
	}
}

static void test_follow(void **state)
{
	struct session_opts o = {.method = "vm.logs"};
	struct json_object *params = json_object_new_object();
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	x.st.script = script_dies;
	jsonx_add_int(params, "tail", 100);
	x.r = session_follow(&x.c, params, &o, &x.res, &x.e);
	fake_end(&x);
	assert_int_equal(x.r, 0);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_int_equal(x.st.opens, 2);
	assert_string_equal(x.out, "hello again");
	assert_non_null(strstr(x.st.params, "\"since\":6"));
	assert_null(strstr(x.st.params, "tail"));
}

static void script_always_dies(struct api_stream *st, int step)
{
	struct err e;

	(void)step;
	script_open(st, 0, 0);
	err_set(&e, ECONNRESET, "gone");
	st->h->on_end(st, -ECONNRESET, 125, &e);
}

static void test_follow_gives_up(void **state)
{
	struct session_opts o = {.method = "vm.logs"};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	x.st.script = script_always_dies;
	x.r = session_follow(&x.c, json_object_new_object(), &o, &x.res, &x.e);
	fake_end(&x);
	assert_int_equal(x.r, 0);
	assert_int_equal(x.res.end, SESSION_LOST);
	assert_true(x.st.opens > 1 && x.st.opens < 10);
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
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_follow_gives_up),
	};

	fake_default_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
