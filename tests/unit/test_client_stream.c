// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c tests/support/rpcfake.c
/* Streams of the client library: exec, attach and logs, credit, back-pressure, and every end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "backend/api/client.h"
#include "backend/base/buf.h"
#include "backend/base/jsonx.h"
#include "tests/support/linetest.h"
#include "tests/support/rpcfake.h"

static const struct api_opts opts = {.no_start = true};
static struct api_client *c;
static struct api_stream *s;
static pid_t fake;

/* What the handlers saw. */
static struct {
	int open, data, exits, rooms, ends, closed;
	bool numbered; /* output has offsets */
	struct buf out, err;
	uint64_t next; /* offset behind the last output */
	uint8_t how;
	int value, r, code;
	char msg[400];
	size_t checked; /* bytes of a flood that were right */
} saw;
static int hold_after = -1; /* hold when so many calls of on_data were made */
static int close_in;        /* 'o'pen, 'd'ata, e'x'it, 'r'oom, 'e'nd: close the stream there */

static void maybe_close(int where)
{
	if (close_in != where)
		return;
	api_stream_close(s);
	s = NULL;
	saw.closed = 1;
}

static void on_open(struct api_stream *st, struct json_object *result)
{
	assert_ptr_equal(st, s);
	assert_ptr_equal(api_stream_user(st), &saw);
	assert_string_equal(json_object_get_string(result), "open");
	saw.open++;
	maybe_close('o');
}

static void on_data(struct api_stream *st, bool err, uint64_t offset, const void *data, size_t n)
{
	assert_int_equal(saw.open, 1);
	assert_int_equal(saw.ends, 0);
	if (saw.out.len + saw.err.len < 4u << 20)
		assert_int_equal(buf_append(err ? &saw.err : &saw.out, data, n), 0);
	for (size_t i = 0; i < n; i++, saw.checked++)
		if (((const uint8_t *)data)[i] != (uint8_t)(saw.checked >> 12))
			break;
	assert_int_equal(offset, saw.next);
	saw.next += saw.numbered ? n : 0;
	if (++saw.data == hold_after)
		api_stream_hold(st, true);
	maybe_close('d');
}

static void on_exit_known(struct api_stream *st, uint8_t how, int value)
{
	(void)st;
	saw.exits++;
	saw.how = how;
	saw.value = value;
	maybe_close('x');
}

static void on_room(struct api_stream *st)
{
	(void)st;
	saw.rooms++;
	maybe_close('r');
}

static void on_end(struct api_stream *st, int r, int code, const struct err *e)
{
	(void)st;
	assert_int_equal(saw.ends++, 0);
	saw.r = r;
	saw.code = code;
	assert_true((r < 0) == (e != NULL));
	if (e)
		snprintf(saw.msg, sizeof(saw.msg), "%s", e->msg);
	maybe_close('e');
}

static const struct api_stream_handler handler = {on_open, on_data, on_exit_known, on_room, on_end};

static int setup(void **state)
{
	struct err e;

	t_setup(state);
	fake_home(t_dir);
	memset(&saw, 0, sizeof(saw));
	hold_after = -1;
	close_in = 0;
	fake = fake_start();
	if (api_open(&c, t_loop, &opts, &e) < 0)
		fail_msg("%s", e.msg);
	return 0;
}

static int teardown(void **state)
{
	api_stream_close(s);
	s = NULL;
	api_close(c);
	buf_fini(&saw.out);
	buf_fini(&saw.err);
	fake_kill(fake);
	return t_teardown(state);
}

static void open_exec(const char *what, const char *arg)
{
	struct json_object *o = json_object_new_object(), *argv = json_object_new_array();

	jsonx_add_str(o, "vm", "a");
	json_object_array_add(argv, json_object_new_string(what));
	json_object_array_add(argv, json_object_new_string(arg));
	json_object_object_add(o, "argv", argv);
	assert_int_equal(api_stream_open(&s, c, "vm.exec", o, &handler, &saw, NULL), 0);
	assert_int_equal(saw.open, 0);
}

static void open_other(const char *method, int64_t tail)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", "a");
	if (tail >= 0)
		jsonx_add_int(o, "tail", tail);
	saw.numbered = true;
	assert_int_equal(api_stream_open(&s, c, method, o, &handler, &saw, NULL), 0);
}

static void until_end(int r, int code, const char *text)
{
	t_until(&saw.ends, "end of the stream");
	assert_int_equal(saw.r, r);
	assert_int_equal(saw.code, code);
	if (text && !strstr(saw.msg, text))
		fail_msg("'%s' has no '%s'", saw.msg, text);
	t_quiet(0);
	assert_int_equal(saw.ends, 1);
}

/* Writes all of it as fast as the stream takes it. */
static void write_all(const char *text, size_t n)
{
	while (n) {
		ssize_t k = api_stream_write(s, text, n);

		assert_true(k >= 0 && (size_t)k <= n);
		text += k;
		n -= (size_t)k;
		if (n)
			t_until_is(&saw.rooms, saw.rooms + 1, "room");
	}
}

/* ---- exec ------------------------------------------------------------------------------------ */

static void test_exec(void **state)
{
	(void)state;
	open_exec("echo", "");
	assert_int_equal(api_stream_write(s, "early", 5), 0); /* not before it is open */
	t_until(&saw.rooms, "room");
	assert_int_equal(saw.open, 1);
	write_all("hello", 5);
	assert_int_equal(api_stream_eof(s), 0);
	assert_int_equal(api_stream_write(s, "x", 1), -EPIPE);
	until_end(0, 0, NULL);
	assert_int_equal(saw.exits, 1);
	assert_int_equal(saw.how, 0);
	assert_int_equal(saw.value, 3);
	assert_int_equal(saw.out.len, 5);
	assert_memory_equal(buf_peek(&saw.out), "hello", 5);
	assert_int_equal(saw.err.len, 0);
	assert_int_equal(api_stream_write(s, "x", 1), -EPIPE);
	assert_int_equal(api_stream_resize(s, 1, 1), -EPIPE);
	assert_int_equal(api_stream_signal(s, 2), -EPIPE);
}

static void test_stdin_with_credit(void **state)
{
	enum { SIZE = 1 << 20 };
	char *text = malloc(SIZE);

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		text[i] = (char)(i * 31 + i / 997);
	open_exec("echo-err", "");
	write_all(text, SIZE);
	assert_int_equal(api_stream_eof(s), 0);
	until_end(0, 0, NULL);
	assert_int_equal(saw.err.len, SIZE);
	assert_memory_equal(buf_peek(&saw.err), text, SIZE);
	free(text);
}

/* Asked for before the stream is open: sent when it is. */
static void test_early_eof_and_resize(void **state)
{
	(void)state;
	open_exec("echo", "");
	assert_int_equal(api_stream_signal(s, 2), -EAGAIN);
	assert_int_equal(api_stream_resize(s, 10, 20), 0);
	assert_int_equal(api_stream_resize(s, 30, 40), 0);
	assert_int_equal(api_stream_eof(s), 0);
	until_end(0, 0, NULL);
	assert_int_equal(saw.out.len, 7);
	assert_memory_equal(buf_peek(&saw.out), "[30x40]", 7);
}

static void test_signal(void **state)
{
	(void)state;
	open_exec("echo", "");
	t_until(&saw.open, "open stream");
	assert_int_equal(api_stream_signal(s, 0), -EINVAL);
	assert_int_equal(api_stream_signal(s, 2), 0);
	until_end(0, 0, NULL);
	assert_int_equal(saw.how, 1);
	assert_int_equal(saw.value, 2);
}

static void test_many_frames(void **state)
{
	(void)state;
	open_exec("count", "100000");
	until_end(0, 0, NULL);
	assert_int_equal(saw.data, 100000);
	assert_int_equal(saw.out.len, 100000);
	assert_int_equal(saw.how, 2);
	assert_int_equal(saw.value, 126);
}

/* ---- back-pressure --------------------------------------------------------------------------- */

static void test_hold(void **state)
{
	int before;

	(void)state;
	open_exec("flood", "40");
	hold_after = 7;
	t_until_is(&saw.data, 7, "frames");
	for (int i = 0; i < 100; i++) {
		/* Held: nothing comes, whatever waits. */
		before = saw.data;
		ev_run(t_loop, EVRUN_NOWAIT);
		assert_int_equal(saw.data, before);
		hold_after = before + 1 + i % 5;
		api_stream_hold(s, false);
		assert_int_equal(saw.data, before); /* not from inside */
		t_until_is(&saw.data, hold_after, "frames");
	}
	hold_after = -1;
	api_stream_hold(s, true);
	api_stream_hold(s, false);
	api_stream_hold(s, false);
	until_end(0, 0, NULL);
	assert_int_equal(saw.checked, 40u << 20);
}

/* ---- attach, logs ---------------------------------------------------------------------------- */

static void test_attach(void **state)
{
	(void)state;
	open_other("vm.attach", -1);
	t_until(&saw.data, "output");
	assert_int_equal(saw.out.len, 100);
	assert_int_equal(api_stream_write(s, "hello", 5), 5);
	t_until_is(&saw.data, 2, "output");
	assert_memory_equal(buf_peek(&saw.out) + 100, "hello", 5);
	assert_int_equal(saw.next, 105);
	assert_int_equal(api_stream_eof(s), -EOPNOTSUPP);
	assert_int_equal(api_stream_signal(s, 2), -EOPNOTSUPP);
	assert_int_equal(api_stream_resize(s, 5, 5), 0);
	assert_int_equal(api_stream_write(s, "q", 1), 1);
	until_end(0, 0, NULL);
	assert_int_equal(saw.exits, 1);
	assert_int_equal(saw.value, 9);
}

static void test_logs(void **state)
{
	(void)state;
	open_other("vm.logs", 100000);
	assert_int_equal(api_stream_write(s, "x", 1), -EOPNOTSUPP);
	until_end(0, 0, NULL);
	assert_int_equal(saw.out.len, 100000);
	assert_int_equal(saw.exits, 0);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void test_refused_command(void **state)
{
	(void)state;
	open_exec("refuse", "");
	until_end(-EREMOTEIO, 127, "\\x1b[1mno such command");
	assert_int_equal(saw.exits, 0);
}

static void test_refused_call(void **state)
{
	(void)state;
	open_exec("error", "");
	until_end(-EINVAL, 125, "VM 'a' is paused");
	assert_int_equal(saw.open, 0);
}

static void test_bad_params(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(api_stream_open(&s, c, "vm.exec", NULL, &handler, &saw, &e), 0);
	until_end(-EINVAL, 125, "'vm' is missing");
	api_stream_close(s);
	s = NULL;
	assert_int_equal(
		api_stream_open(&s, c, "vm.list", json_object_new_object(), &handler, &saw, &e),
		-EINVAL);
	assert_non_null(strstr(e.msg, "vm.list"));
}

static void test_guest_lost(void **state)
{
	(void)state;
	open_exec("drop", "");
	until_end(-ECONNRESET, 125, "the VM ended");
}

static void test_garbage(void **state)
{
	(void)state;
	open_exec("garbage", "");
	until_end(-EPROTO, 125, "does not belong");
	api_stream_close(s);
	memset(&saw, 0, sizeof(saw));
	open_exec("misplaced", "");
	until_end(-EPROTO, 125, "does not belong");
}

static void test_daemon_stops_in_order(void **state)
{
	(void)state;
	open_exec("echo", "");
	t_until(&saw.open, "open stream");
	/* The stream's other end is a process of its own here and lives on. */
	assert_int_equal(api_call_wait(c, "daemon.stop", NULL, 30, NULL, NULL), 0);
	assert_int_equal(api_stream_eof(s), 0);
	until_end(0, 0, NULL);
}

static struct json_object *of_vm(void)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", "a");
	return o;
}

static void test_daemon_died(void **state)
{
	(void)state;
	/* First the client's own connection, then the stream. */
	open_other("vm.attach", -1);
	t_until(&saw.data, "output");
	assert_int_equal(api_call_wait(c, "vm.kill", of_vm(), 30, NULL, NULL), -EPIPE);
	assert_int_equal(saw.ends, 0);
	assert_int_equal(api_stream_write(s, "q", 1), 1);
	until_end(-ECONNRESET, 125, "vmdeckd ended");
}

static void test_daemon_dies_with_logs(void **state)
{
	(void)state;
	open_other("vm.logs", 5);
	/* The stream ends and the daemon dies before it has answered hello. */
	assert_int_equal(api_call(c, "vm.kill", of_vm(), NULL, NULL, NULL), 0);
	t_until(&saw.ends, "end of the stream");
	if (saw.r < 0)
		assert_int_equal(saw.code, 125);
}

/* ---- closing --------------------------------------------------------------------------------- */

static void closes_in(int where, const char *what)
{
	memset(&saw, 0, sizeof(saw));
	close_in = where;
	open_exec(what, "3");
	if (where == 'r')
		(void)api_stream_write(s, "x", 1);
	if (where == 'e' || where == 'x')
		(void)api_stream_eof(s);
	if (where == 'd' && !strcmp(what, "echo"))
		(void)api_stream_resize(s, 1, 1);
	t_until(&saw.closed, "handler that closes");
	assert_null(s);
	buf_fini(&saw.out);
	buf_fini(&saw.err);
}

static void test_close_anywhere(void **state)
{
	static const char *const whats[] = {"echo", "count", "flood"};

	(void)state;
	for (size_t i = 0; i < countof(whats); i++) {
		closes_in('o', whats[i]);
		closes_in('d', whats[i]);
		closes_in('x', whats[i]);
		closes_in('e', whats[i]);
	}
	closes_in('r', "echo");
	closes_in('e', "refuse");
	closes_in('e', "drop");
	closes_in('e', "garbage");
	close_in = 0;
	memset(&saw, 0, sizeof(saw));
	open_exec("flood", "1");
	api_stream_close(s);
	api_stream_close(NULL);
	s = NULL;
	t_quiet(0.01);
}

/* The client goes first; the stream works on, and its end is taken for the daemon's. */
static void test_client_closed_first(void **state)
{
	(void)state;
	open_other("vm.attach", -1);
	t_until(&saw.data, "output");
	api_close(c);
	c = NULL;
	assert_int_equal(api_stream_write(s, "hello", 5), 5);
	t_until_is(&saw.data, 2, "output");
	assert_int_equal(api_stream_write(s, "q", 1), 1);
	until_end(-ECONNRESET, 125, "vmdeckd ended");
}

/* The client goes while the stream asks by it whether the daemon lives. */
static void test_client_closed_in_check(void **state)
{
	(void)state;
	open_other("vm.attach", -1);
	t_until(&saw.data, "output");
	assert_int_equal(api_stream_write(s, "q", 1), 1);
	t_until(&saw.exits, "end of the main process");
	/* A turn at a time: the end of file, then the answer to hello. */
	for (int i = 0; i < 3 && !saw.ends; i++) {
		ev_run(t_loop, EVRUN_NOWAIT);
		api_close(c);
		c = NULL;
	}
	t_until(&saw.ends, "end of the stream");
	assert_int_equal(saw.code, saw.r < 0 ? 125 : 0);
}

static void test_many_streams(void **state)
{
	static const struct api_stream_handler nothing;
	static struct api_stream *many[60];

	(void)state;
	for (int i = 0; i < 60; i++) {
		struct json_object *o = of_vm();

		jsonx_add_int(o, "tail", 0);
		assert_int_equal(
			api_stream_open(&many[i], c, "vm.logs", o, &nothing, NULL, NULL), 0);
	}
	assert_int_equal(api_call_wait(c, "vm.list", NULL, 30, NULL, NULL), 0);
	for (int i = 0; i < 60; i++)
		api_stream_close(many[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_exec),
		T(test_stdin_with_credit),
		T(test_early_eof_and_resize),
		T(test_signal),
		T(test_many_frames),
		T(test_hold),
		T(test_attach),
		T(test_logs),
		T(test_refused_command),
		T(test_refused_call),
		T(test_bad_params),
		T(test_guest_lost),
		T(test_garbage),
		T(test_daemon_stops_in_order),
		T(test_daemon_died),
		T(test_daemon_dies_with_logs),
		T(test_close_anywhere),
		T(test_client_closed_first),
		T(test_client_closed_in_check),
		T(test_many_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
