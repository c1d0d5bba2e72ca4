// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c tests/support/rpcfake.c
/* The client library against a daemon process: calls, blocking calls, events, the daemon's end. */
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
#include <sys/socket.h>
#include <unistd.h>

#include "backend/api/client.h"
#include "backend/api/proto.h"
#include "backend/base/jsonx.h"
#include "tests/support/linetest.h"
#include "tests/support/rpcfake.h"

static const struct api_opts opts = {.client = "test 1", .no_start = true};
static struct api_client *c;
static pid_t fake;

/* What replies and handlers saw. */
static struct {
	int replies, lost, events, gaps;
	int r;
	char msg[400];
	uint64_t seq;
} saw;

static void open_client(void)
{
	struct err e;

	if (api_open(&c, t_loop, &opts, &e) < 0)
		fail_msg("%s", e.msg);
}

static int setup(void **state)
{
	t_setup(state);
	fake_home(t_dir);
	memset(&saw, 0, sizeof(saw));
	fake = fake_start();
	open_client();
	return 0;
}

static int teardown(void **state)
{
	api_close(c);
	c = NULL;
	fake_kill(fake);
	unsetenv("FAKE_PROTOCOL");
	return t_teardown(state);
}

static void on_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	(void)user;
	(void)result;
	saw.replies++;
	saw.r = r;
	assert_true((r < 0) == (e != NULL));
	if (e)
		snprintf(saw.msg, sizeof(saw.msg), "%s", e->msg);
}

static void on_lost(void *user, const struct err *e)
{
	assert_ptr_equal(user, &saw);
	saw.lost++;
	snprintf(saw.msg, sizeof(saw.msg), "%s", e->msg);
}

static void on_event(void *user, struct json_object *event, bool gap)
{
	(void)user;
	saw.events++;
	saw.gaps += gap;
	saw.seq = (uint64_t)jsonx_int(event, "seq", 0);
}

static struct json_object *with_int(const char *key, int64_t v)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", "a");
	jsonx_add_int(o, key, v);
	return o;
}

static struct json_object *of_vm(void)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", "a");
	return o;
}

static void call(const char *method, struct json_object *params)
{
	assert_int_equal(api_call(c, method, params, on_reply, NULL, NULL), 0);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void test_hello(void **state)
{
	(void)state;
	assert_string_equal(jsonx_str(api_hello(c), "version"), "9.9");
	assert_int_equal(jsonx_int(api_hello(c), "pid", 0), fake);
}

static void test_calls(void **state)
{
	int before;

	(void)state;
	for (int i = 0; i < 100; i++)
		call("vm.list", NULL);
	before = saw.replies;
	assert_int_equal(before, 0); /* never from inside the call */
	t_until_is(&saw.replies, 100, "replies");
	assert_int_equal(saw.r, 0);
	call("vm.get", of_vm());
	t_until_is(&saw.replies, 101, "replies");
	assert_int_equal(saw.r, -ENOENT);
	assert_string_equal(saw.msg, "there is no VM 'a'");
	call("vm.nothing", NULL);
	t_until_is(&saw.replies, 102, "replies");
	assert_int_equal(saw.r, -ENOSYS);
	call("vm.get", NULL);
	t_until_is(&saw.replies, 103, "replies");
	assert_int_equal(saw.r, -EINVAL);
}

static void test_too_big(void **state)
{
	struct json_object *o = json_object_new_object();
	char *text = malloc(PROTO_LINE_MAX + 1);
	struct err e;

	(void)state;
	memset(text, 'x', PROTO_LINE_MAX);
	text[PROTO_LINE_MAX] = '\0';
	jsonx_add_str(o, "vm", text);
	free(text);
	assert_int_equal(api_call(c, "vm.get", o, on_reply, NULL, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "at most"));
	call("vm.list", NULL);
	t_until_is(&saw.replies, 1, "replies");
}

static void test_wait(void **state)
{
	struct json_object *o = NULL;
	struct err e;

	(void)state;
	assert_int_equal(api_call_wait(c, "vm.list", NULL, 30, &o, &e), 0);
	assert_true(json_object_is_type(o, json_type_array));
	json_object_put(o);
	assert_int_equal(api_call_wait(c, "vm.list", NULL, 0, NULL, &e), 0);
	assert_int_equal(api_call_wait(c, "vm.get", of_vm(), 30, &o, &e), -ENOENT);
	assert_string_equal(e.msg, "there is no VM 'a'");
	assert_int_equal(api_call_wait(c, "vm.get", of_vm(), 30, NULL, NULL), -ENOENT);
	/* In time or not at all; a late answer would find nobody. */
	assert_int_equal(api_call_wait(c, "vm.ping", of_vm(), 0.05, &o, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.msg, "vm.ping"));
	assert_int_equal(api_call_wait(c, "vm.list", NULL, 30, NULL, &e), 0);
}

static void break_loop(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)t;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

/* Ctrl-C is the caller's: it breaks the loop. */
static void test_wait_interrupted(void **state)
{
	struct err e;
	ev_timer t;

	(void)state;
	ev_timer_init(&t, break_loop, 0.01, 0);
	ev_timer_start(t_loop, &t);
	assert_int_equal(api_call_wait(c, "vm.ping", of_vm(), 30, NULL, &e), -EINTR);
	assert_int_equal(api_call_wait(c, "vm.list", NULL, 30, NULL, &e), 0);
}

static void wait_inside(void *user, int r, struct json_object *result, const struct err *e)
{
	(void)user;
	on_reply(NULL, r, result, e);
	assert_int_equal(api_call_wait(c, "vm.list", NULL, 30, NULL, NULL), 0);
	assert_int_equal(api_call_wait(c, "vm.get", of_vm(), 30, NULL, NULL), -ENOENT);
}

/* A blocking call from inside a reply, with further replies on their way. */
static void test_wait_inside_reply(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(api_call(c, "vm.list", NULL, wait_inside, NULL, NULL), 0);
	t_until_is(&saw.replies, 20, "replies");
}

/* ---- closing --------------------------------------------------------------------------------- */

static void close_inside(void *user, int r, struct json_object *result, const struct err *e)
{
	(void)user;
	on_reply(NULL, r, result, e);
	api_close(c);
	c = NULL;
}

static void test_close_in_reply(void **state)
{
	(void)state;
	assert_int_equal(api_call(c, "vm.list", NULL, close_inside, NULL, NULL), 0);
	for (int i = 0; i < 20; i++)
		call("vm.list", NULL);
	t_until_is(&saw.replies, 1, "replies");
	t_quiet(0.02);
	assert_int_equal(saw.replies, 1);
}

static void close_in_event(void *user, struct json_object *event, bool gap)
{
	on_event(user, event, gap);
	api_close(c);
	c = NULL;
}

/* The client is closed by an event while a blocking call waits. */
static void test_close_while_waiting(void **state)
{
	struct err e;

	(void)state;
	api_set_event_handler(c, close_in_event, NULL);
	call("event.subscribe", NULL);
	t_until_is(&saw.replies, 1, "replies");
	call("vm.stop", with_int("timeout_s", 1));
	assert_int_equal(api_call_wait(c, "vm.ping", of_vm(), 30, NULL, &e), -ECANCELED);
	assert_null(c);
}

static void close_in_lost(void *user, const struct err *e)
{
	on_lost(user, e);
	api_close(c);
	c = NULL;
}

static void test_close_in_lost(void **state)
{
	(void)state;
	api_set_lost_handler(c, close_in_lost, &saw);
	call("vm.ping", of_vm());
	call("vm.kill", of_vm());
	t_until_is(&saw.lost, 1, "losses");
	assert_int_equal(saw.replies, 2);
}

static void test_close_with_calls(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		call("vm.list", NULL);
	api_close(c);
	api_close(NULL);
	c = NULL;
	t_quiet(0.02);
	assert_int_equal(saw.replies, 0);
}

/* ---- the daemon's end ------------------------------------------------------------------------ */

static void test_lost(void **state)
{
	struct err e;

	(void)state;
	api_set_lost_handler(c, on_lost, &saw);
	call("vm.ping", of_vm());
	call("vm.ping", of_vm());
	assert_int_equal(api_call_wait(c, "vm.kill", of_vm(), 30, NULL, &e), -EPIPE);
	assert_non_null(strstr(e.msg, "closed the connection"));
	t_until_is(&saw.lost, 1, "losses");
	assert_int_equal(saw.replies, 2);
	assert_int_equal(saw.r, -EPIPE);
	assert_int_equal(api_call(c, "vm.list", NULL, on_reply, NULL, &e), -EPIPE);
	assert_int_equal(api_call_wait(c, "vm.list", NULL, 30, NULL, &e), -EPIPE);
	assert_int_equal(saw.lost, 1);
	/* And nobody is there for a new one. */
	api_close(c);
	c = NULL;
	assert_int_equal(api_open(&c, t_loop, &opts, &e), -ECONNREFUSED);
	assert_non_null(strstr(e.msg, "no vmdeckd runs"));
}

static void test_stop_in_order(void **state)
{
	struct err e;

	(void)state;
	api_set_lost_handler(c, on_lost, &saw);
	assert_int_equal(api_call_wait(c, "daemon.stop", NULL, 30, NULL, &e), 0);
	t_until_is(&saw.lost, 1, "losses");
	api_close(c);
	c = NULL;
	assert_int_equal(api_open(&c, t_loop, &opts, &e), -ECONNREFUSED);
}

static void test_garbage(void **state)
{
	struct err e;

	(void)state;
	api_set_lost_handler(c, on_lost, &saw);
	call("vm.ping", of_vm());
	assert_int_equal(api_call_wait(c, "vm.resume", of_vm(), 30, NULL, &e), -EPROTO);
	assert_non_null(strstr(e.msg, "bad line"));
	assert_int_equal(saw.lost, 1);
	assert_int_equal(saw.replies, 1);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void subscribe(int64_t since)
{
	struct json_object *params = NULL;

	if (since >= 0) {
		params = json_object_new_object();
		jsonx_add_int(params, "since", since);
	}
	api_set_event_handler(c, on_event, NULL);
	assert_int_equal(api_call_wait(c, "event.subscribe", params, 30, NULL, NULL), 0);
}

static void test_events(void **state)
{
	(void)state;
	subscribe(-1);
	call("vm.stop", with_int("timeout_s", 100));
	t_until_is(&saw.events, 100, "events");
	assert_int_equal(saw.seq, 100);
	assert_int_equal(saw.gaps, 0);
	/* Three are lost: the fourth says so, the next does not. */
	call("vm.pause", of_vm());
	t_until_is(&saw.events, 101, "events");
	assert_int_equal(saw.gaps, 1);
	assert_int_equal(saw.seq, 104);
	call("vm.stop", with_int("timeout_s", 1));
	t_until_is(&saw.events, 102, "events");
	assert_int_equal(saw.gaps, 1);
}

static void test_events_since(void **state)
{
	(void)state;
	assert_int_equal(api_call_wait(c, "vm.stop", with_int("timeout_s", 50), 30, NULL, NULL), 0);
	subscribe(20);
	t_until_is(&saw.events, 30, "events");
	assert_int_equal(saw.gaps, 0);
	api_close(c);
	open_client();
	subscribe(0);
	t_until_is(&saw.events, 80, "events");
	assert_int_equal(saw.gaps, 0);
	/* A number from a log that is gone: the first event shows that something is missing. */
	api_close(c);
	open_client();
	subscribe(5000);
	call("vm.stop", with_int("timeout_s", 1));
	t_until_is(&saw.events, 81, "events");
	assert_int_equal(saw.gaps, 1);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void test_versions(void **state)
{
	struct api_opts any = opts;
	char want[300];
	struct err e;

	(void)state;
	api_close(c);
	c = NULL;
	fake_kill(fake);
	setenv("FAKE_PROTOCOL", "99", 1);
	fake = fake_start();
	assert_int_equal(api_open(&c, t_loop, &opts, &e), -EPROTONOSUPPORT);
	snprintf(want, sizeof(want),
		"vmdeckd 9.9 (pid %d) speaks protocol 99, this vmdeck speaks %d: end it with "
		"`vmdeck "
		"daemon stop` (VMs go on running) and try again",
		(int)fake, PROTO_VERSION);
	assert_string_equal(e.msg, want);
	fake_kill(fake);
	setenv("FAKE_PROTOCOL", "refuse", 1);
	fake = fake_start();
	assert_int_equal(api_open(&c, t_loop, &opts, &e), -EPROTO);
	assert_non_null(strstr(e.msg, "vmdeckd 7.0 speaks protocol 7"));
	assert_non_null(strstr(e.msg, "`vmdeck daemon stop`"));
	/* What daemon.stop needs. */
	any.any_version = true;
	assert_int_equal(api_open(&c, t_loop, &any, &e), 0);
	assert_null(api_hello(c));
	assert_int_equal(api_call_wait(c, "daemon.stop", NULL, 30, NULL, &e), 0);
}

/* Somebody listens and never answers, answers nonsense, or closes at once. */
static void test_no_vmdeckd(void **state)
{
	static const char nonsense[] = "SSH-2.0-OpenSSH_9.2\r\n";
	struct api_opts quick = {.no_start = true, .timeout = 0.2};
	int listener, fd;
	struct err e;
	pid_t pid;

	(void)state;
	api_close(c);
	c = NULL;
	fake_kill(fake);
	unlink(t_path("run/daemon.sock"));
	listener = t_listen(t_path("run/daemon.sock"));
	assert_int_equal(api_open(&c, t_loop, &quick, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.msg, "does not answer"));
	pid = fork();
	if (!pid) {
		fcntl(listener, F_SETFL, 0);
		fd = accept(listener, NULL, NULL); /* the one that gave up */
		fd = accept(listener, NULL, NULL);
		(void)!write(fd, nonsense, sizeof(nonsense) - 1);
		for (;;)
			close(accept(listener, NULL, NULL));
	}
	quick.timeout = 20;
	assert_int_equal(api_open(&c, t_loop, &quick, &e), -EPROTO);
	assert_non_null(strstr(e.msg, "is not vmdeckd"));
	assert_int_equal(api_open(&c, t_loop, &quick, &e), -ECONNRESET);
	assert_non_null(strstr(e.msg, "closes each connection"));
	fake_kill(pid);
	close(listener);
}

static void test_too_many_connections(void **state)
{
	static struct api_client *many[255];
	struct api_client *over = NULL;
	struct err e;

	(void)state;
	for (int i = 0; i < 255; i++)
		assert_int_equal(api_open(&many[i], t_loop, &opts, &e), 0);
	assert_int_equal(api_open(&over, t_loop, &opts, &e), -EAGAIN);
	assert_non_null(strstr(e.msg, "256 connections"));
	for (int i = 0; i < 255; i++)
		api_close(many[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_hello),
		T(test_calls),
		T(test_too_big),
		T(test_wait),
		T(test_wait_interrupted),
		T(test_wait_inside_reply),
		T(test_close_in_reply),
		T(test_close_while_waiting),
		T(test_close_in_lost),
		T(test_close_with_calls),
		T(test_lost),
		T(test_stop_in_order),
		T(test_garbage),
		T(test_events),
		T(test_events_since),
		T(test_versions),
		T(test_no_vmdeckd),
		T(test_too_many_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
