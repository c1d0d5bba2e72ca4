/* A session's input and signals: what is typed, detaching, what is forwarded, what ends it. */
// LIBS: base
// OBJS: tests/support/fake_session.c tui/cli/session.c tui/cli/session_input.c tui/cli/sink.c
// OBJS: tui/cli/ansi.c tui/cli/ansi_modes.c tui/cli/prefix.c tui/cli/tty.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "backend/base/util.h"
#include "tests/support/fake_session.h"

/* ---- input ---------------------------------------------------------------------------------- */

static void script_input(struct api_stream *st, int step)
{
	if (step == 0)
		script_open(st, 0, 0);
	else if (st->eof)
		script_finish(st, 0, 0);
	else
		st->h->on_room(st);
}

static void test_input(void **state)
{
	static const size_t takes[] = {0, 1, 3};
	struct session_opts o = {.method = "vm.exec", .input = true};
	struct fake_session x;

	(void)state;
	for (size_t i = 0; i < countof(takes); i++) {
		fake_begin(&x);
		x.st.take = takes[i];
		assert_int_equal(write(x.in[1], "hello guest", 11), 11);
		close(x.in[1]);
		x.in[1] = -1;
		fake_go(&x, &o, script_input);
		fake_end(&x);
		assert_int_equal(x.res.end, SESSION_DONE);
		assert_int_equal(x.st.got_n, 11);
		assert_memory_equal(x.st.got, "hello guest", 11);
	}
}

static void script_deaf(struct api_stream *st, int step)
{
	if (step == 0)
		script_open(st, 0, 0);
	if (step == 20) {
		script_say(st, false, "still here");
		script_finish(st, 0, 0);
	}
}

/* A command that closed its input is not killed by what is typed. */
static void test_input_refused(void **state)
{
	struct session_opts o = {.method = "vm.exec", .input = true};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	x.st.broken = true;
	assert_int_equal(write(x.in[1], "x", 1), 1);
	fake_go(&x, &o, script_deaf);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_string_equal(x.out, "still here");
}

static void script_wait(struct api_stream *st, int step)
{
	if (step == 0)
		script_open(st, 0, 0);
}

static void test_detach(void **state)
{
	struct session_opts o = {.method = "vm.attach", .input = true, .prefix = true};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	assert_int_equal(write(x.in[1], "ls\r\035\035\035dmore", 10), 10);
	fake_go(&x, &o, script_wait);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_DETACHED);
	assert_true(x.st.closed);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void script_signals(struct api_stream *st, int step)
{
	static const int list[] = {SIGTERM, SIGHUP, SIGQUIT, SIGINT};

	if (step == 0)
		script_open(st, 0, 0);
	if (step >= 1 && step <= (int)countof(list))
		raise(list[step - 1]);
	if (st->signal_count == (int)countof(list))
		script_finish(st, 1, SIGINT);
}

static void test_forward(void **state)
{
	struct session_opts o = {.method = "vm.exec", .forward = true};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_signals);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_int_equal(session_exit_code(x.res.how, x.res.value), 130);
	assert_int_equal(x.st.signals[0], SIGTERM);
	assert_int_equal(x.st.signals[3], SIGINT);
}

static void script_twice(struct api_stream *st, int step)
{
	if (step == 0)
		script_open(st, 0, 0);
	else
		raise(SIGINT);
}

static void test_twice(void **state)
{
	struct session_opts o = {.method = "vm.exec", .forward = true};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_twice);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_SIGNAL);
	assert_int_equal(x.res.signal, SIGINT);
	assert_int_equal(x.st.signal_count, 1);
	assert_true(x.st.closed);
}

static void script_early(struct api_stream *st, int step)
{
	if (step == 0)
		raise(SIGTERM); /* the stream is not open: it has to wait */
	if (step == 5)
		script_open(st, 0, 0);
	if (st->signal_count)
		script_finish(st, 1, st->signals[0]);
}

static void test_early_signal(void **state)
{
	struct session_opts o = {.method = "vm.exec", .forward = true};
	struct fake_session x;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_early);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_DONE);
	assert_int_equal(x.res.value, SIGTERM);
}

static void script_raise(struct api_stream *st, int step)
{
	if (step == 0)
		script_open(st, 0, 0);
	else
		raise(SIGTERM);
}

static void test_not_forwarded(void **state)
{
	struct session_opts o = {.method = "vm.logs"};
	struct fake_session x;
	struct sigaction sa;

	(void)state;
	fake_begin(&x);
	fake_go(&x, &o, script_raise);
	fake_end(&x);
	assert_int_equal(x.res.end, SESSION_SIGNAL);
	assert_int_equal(x.res.signal, SIGTERM);
	assert_int_equal(x.st.signal_count, 0);
	/* Afterwards signals do what they did before. */
	sigaction(SIGTERM, NULL, &sa);
	assert_true(sa.sa_handler == SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_input_refused),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_early_signal),
		cmocka_unit_test(test_not_forwarded),
	};

	fake_default_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
