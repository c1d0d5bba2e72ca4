// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c
/* Subscriptions: live, replay from memory and disk with live events in between, a slow reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/rpc/rpc.h"
#include "tests/support/linetest.h"

static struct rpc_server *server;
static struct events *events_log;

static void on_event(void *user, const struct event *ev)
{
	(void)user;
	rpc_publish(server, ev);
}

static void on_list(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, json_object_new_array());
}

static void open_log(void)
{
	struct err e;

	if (events_open(&events_log, t_path("vmdeck.db"), on_event, NULL, &e) < 0)
		fail_msg("%s", e.msg);
}

static void open_server(bool with_events)
{
	struct rpc_config c = {
		.path = t_path("daemon.sock"),
		.listen_fd = -1,
		.handlers = {[PROTO_VM_LIST] = on_list},
		.events = with_events ? events_log : NULL,
	};

	assert_int_equal(rpc_open(&server, t_loop, &c, NULL), 0);
}

static int setup(void **state)
{
	t_setup(state);
	open_log();
	return 0;
}

static int teardown(void **state)
{
	rpc_close(server);
	server = NULL;
	events_close(events_log);
	events_log = NULL;
	return t_teardown(state);
}

static void add(int n)
{
	static const char fields[] =
		"{\"text\":\"0123456789012345678901234567890123456789012345678901234567890123456789"
		"012345678901234567890123456789012345678901234567890123456789012345678901234567\"}";

	for (int i = 0; i < n; i++)
		events_add(events_log, "0badcafe", "web", "test.event", fields);
}

/* All of them on disk, none in memory. */
static void reopen_log(void)
{
	events_close(events_log);
	open_log();
}

static void dial(struct liner *l)
{
	liner_dial(l, t_path("daemon.sock"));
}

static void subscribe(struct liner *l, const char *params, int64_t seq, int64_t first)
{
	struct json_object *o;

	liner_call(l, 1, "event.subscribe", params);
	o = liner_result(l, 1);
	assert_int_equal(jsonx_int(o, "seq", -1), seq);
	assert_int_equal(jsonx_int(o, "first", -1), first);
}

static void test_live(void **state)
{
	struct liner a, b;

	(void)state;
	add(5);
	open_server(true);
	dial(&a);
	dial(&b);
	subscribe(&a, NULL, 5, 6);
	add(1);
	subscribe(&b, NULL, 6, 7);
	add(1);
	assert_int_equal(liner_event(&a), 6);
	assert_int_equal(liner_event(&a), 7);
	assert_int_equal(liner_event(&b), 7);
	assert_string_equal(jsonx_str(jsonx_get(b.o, "params"), "vm"), "0badcafe");
	assert_string_equal(jsonx_str(jsonx_get(b.o, "params"), "name"), "test.event");
	assert_non_null(jsonx_str(jsonx_get(jsonx_get(b.o, "params"), "fields"), "text"));
	/* Calls go on over the same connection. */
	liner_call(&a, 2, "vm.list", NULL);
	liner_result(&a, 2);
	liner_call(&a, 3, "event.subscribe", NULL);
	liner_error(&a, 3, -32000 - EALREADY);
	liner_close(&a);
	add(1);
	assert_int_equal(liner_event(&b), 8);
	liner_close(&b);
}

static void test_since(void **state)
{
	struct liner l;

	(void)state;
	add(10);
	open_server(true);
	dial(&l);
	subscribe(&l, "{\"since\":7}", 10, 8);
	for (uint64_t seq = 8; seq <= 10; seq++)
		assert_int_equal(liner_event(&l), seq);
	add(1);
	assert_int_equal(liner_event(&l), 11);
	liner_close(&l);
	dial(&l);
	subscribe(&l, "{\"since\":11}", 11, 12);
	add(1);
	assert_int_equal(liner_event(&l), 12);
	liner_close(&l);
	/* One that knows more than there is (the log was removed) gets what comes. */
	dial(&l);
	subscribe(&l, "{\"since\":5000}", 12, 13);
	add(1);
	assert_int_equal(liner_event(&l), 13);
	liner_close(&l);
}

/* Disk, then memory, then live, and events are added all the while: no hole, no repetition. */
static void test_replay_meets_live(void **state)
{
	struct liner l;
	uint64_t seq;

	(void)state;
	for (int i = 0; i < 3; i++) {
		add(3000);
		reopen_log();
	}
	add(1000);
	open_server(true);
	dial(&l);
	subscribe(&l, "{\"since\":0}", 10000, 1);
	for (seq = 1; seq <= 11000; seq++) {
		assert_int_equal(liner_event(&l), seq);
		if (seq % 10 == 0)
			add(1);
	}
	assert_true(events_seq(events_log) >= 11000);
	for (; seq <= events_seq(events_log); seq++)
		assert_int_equal(liner_event(&l), seq);
	add(1);
	assert_int_equal(liner_event(&l), seq);
	liner_close(&l);
}

/* Nothing grows for one that does not read: it misses events, sees it, and is served again. */
static void test_slow_reader(void **state)
{
	struct liner slow, quick;
	uint64_t last = 0;
	size_t bytes = 0;

	(void)state;
	open_server(true);
	dial(&slow);
	dial(&quick);
	subscribe(&slow, NULL, 0, 1);
	subscribe(&quick, NULL, 0, 1);
	/* The log may add an event of its own when its writer does not keep up. */
	for (int i = 0; i < 300; i++) {
		add(100);
		for (int k = 1; k <= 100; k++)
			assert_int_equal(liner_event(&quick), i * 100 + k);
	}
	/* What was queued for it comes without a hole, and is not more than the limit. */
	liner_call(&slow, 2, "vm.list", NULL);
	while (liner_next(&slow) && !jsonx_get(slow.o, "result")) {
		assert_int_equal(jsonx_int(jsonx_get(slow.o, "params"), "seq", 0), ++last);
		bytes += strlen(jsonx_line(slow.o)) + 1;
	}
	assert_in_range(bytes, RPC_QUEUE_MAX / 2, RPC_QUEUE_MAX + (1u << 20));
	assert_true(last < 30000);
	/* Then newer ones, behind one hole that the numbers show. */
	last = events_seq(events_log);
	add(3);
	for (uint64_t seq = last + 1; seq <= last + 3; seq++)
		assert_int_equal(liner_event(&slow), seq);
	liner_close(&slow);
	liner_close(&quick);
}

static void test_without_log(void **state)
{
	struct liner l;

	(void)state;
	open_server(false);
	dial(&l);
	liner_call(&l, 1, "event.subscribe", "{\"since\":0}");
	liner_error(&l, 1, -32000 - EOPNOTSUPP);
	subscribe(&l, NULL, 0, 1);
	add(1);
	assert_int_equal(liner_event(&l), 1);
	liner_close(&l);
}

/* A subscriber whose replay is under way leaves. */
static void test_leave_in_replay(void **state)
{
	struct liner l;

	(void)state;
	add(4000);
	reopen_log();
	open_server(true);
	for (int i = 0; i < 20; i++) {
		dial(&l);
		subscribe(&l, "{\"since\":0}", 4000, 1);
		for (int k = 1; k <= i * 13; k++)
			assert_int_equal(liner_event(&l), k);
		liner_close(&l);
	}
	dial(&l);
	liner_call(&l, 1, "vm.list", NULL);
	liner_result(&l, 1);
	liner_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_live),
		T(test_since),
		T(test_replay_meets_live),
		T(test_slow_reader),
		T(test_without_log),
		T(test_leave_in_replay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
