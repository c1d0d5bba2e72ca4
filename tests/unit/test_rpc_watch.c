// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c
/* Watchers of figures: who gets them, how often, and that nobody measures for nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/rpc/rpc.h"
#include "tests/support/linetest.h"

#define MS 1000000u

static struct rpc_server *server;
static int interval;

static void on_watch(struct rpc_call *call, struct json_object *params)
{
	rpc_watch(call, (unsigned)jsonx_int(params, "interval_ms", 0),
		jsonx_bool(params, "changes_only", false));
	rpc_reply(call, NULL);
}

static void on_watch_change(void *user, unsigned interval_ms)
{
	(void)user;
	assert_int_equal(interval_ms, rpc_watch_interval(server));
	interval = (int)interval_ms;
}

static int setup(void **state)
{
	struct rpc_config c = {.listen_fd = -1,
		.on_watch_change = on_watch_change,
		.handlers = {[PROTO_HOST_WATCH] = on_watch}};
	struct err e;

	t_setup(state);
	interval = 0;
	c.path = t_path("daemon.sock");
	if (rpc_open(&server, t_loop, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return 0;
}

static int teardown(void **state)
{
	rpc_close(server);
	server = NULL;
	return t_teardown(state);
}

static void watch(struct liner *l, int id, const char *params)
{
	liner_call(l, id, "host.watch", params);
	assert_true(liner_next(l));
	assert_int_equal(jsonx_int(l->o, "id", -1), id);
}

static void push_one(int n, uint64_t now_ns, bool changed)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_int(o, "n", n);
	rpc_push(server, "host.stats", o, now_ns, changed);
	json_object_put(o);
}

static void push(int n, uint64_t now_ns)
{
	push_one(n, now_ns, true);
}

static int pushed(struct liner *l)
{
	assert_true(liner_next(l));
	assert_string_equal(jsonx_str(l->o, "method"), "host.stats");
	return (int)jsonx_int(jsonx_get(l->o, "params"), "n", -1);
}

/* Each at its own interval; the shortest is what is measured with; the end of a connection, or a 0,
 * ends it. */
static void test_intervals(void **state)
{
	struct liner fast, slow, none;

	(void)state;
	liner_dial(&fast, t_path("daemon.sock"));
	liner_dial(&slow, t_path("daemon.sock"));
	liner_dial(&none, t_path("daemon.sock"));
	watch(&slow, 1, "{\"interval_ms\":3000}");
	t_until_is(&interval, 3000, "interval");
	watch(&fast, 1, "{\"interval_ms\":1000}");
	t_until_is(&interval, 1000, "interval");
	for (int i = 0; i < 4; i++)
		push(i, (uint64_t)(10000 + i * 1000) * MS);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pushed(&fast), i);
	assert_int_equal(pushed(&slow), 0);
	assert_int_equal(pushed(&slow), 3);
	watch(&fast, 2, "{\"interval_ms\":0}");
	t_until_is(&interval, 3000, "interval");
	liner_close(&slow);
	t_until_is(&interval, 0, "interval");
	push(9, 60000ull * MS);
	watch(&none, 1, "{\"interval_ms\":0}");
	watch(&fast, 3, "{\"interval_ms\":0}");
	liner_close(&fast);
	liner_close(&none);
}

/* Who wants changes only gets the first one, and then those. */
static void test_changes_only(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, t_path("daemon.sock"));
	watch(&l, 1, "{\"interval_ms\":1000,\"changes_only\":true}");
	push_one(1, 1000 * MS, false);
	push_one(2, 2000 * MS, false);
	push_one(3, 3000 * MS, true);
	push_one(4, 4000ull * MS, false);
	push_one(5, 5000ull * MS, true);
	assert_int_equal(pushed(&l), 1);
	assert_int_equal(pushed(&l), 3);
	assert_int_equal(pushed(&l), 5);
	liner_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_intervals), T(test_changes_only)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
