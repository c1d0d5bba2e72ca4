// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c
/* Connections that may only read: every method of the table, refused or not by its permission. */
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
static int handled[PROTO__COUNT];

static void on_any(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	handled[rpc_method(call)]++;
	rpc_reply(call, json_object_new_object());
}

static void on_hello(struct rpc_call *call, struct json_object *params)
{
	if (jsonx_bool(params, "read_only", false))
		rpc_set_read_only(call);
	rpc_reply(call, json_object_new_object());
}

static int setup(void **state)
{
	struct rpc_config c = {.listen_fd = -1};
	struct err e;

	t_setup(state);
	memset(handled, 0, sizeof(handled));
	for (int i = 0; i < PROTO__COUNT; i++)
		c.handlers[i] = on_any;
	c.handlers[PROTO_HELLO] = on_hello;
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

/* Any parameters that the table takes. */
static char *params_of(enum proto_id method)
{
	struct json_object *o = json_object_new_object(), *list;
	char *text;

	for (size_t i = 0; i < proto_param_count; i++) {
		const struct proto_param *p = &proto_params[i];

		if (p->method != method || !p->required)
			continue;
		list = json_object_new_array();
		json_object_array_add(list, json_object_new_string("x"));
		if (p->type == PROTO_INT)
			jsonx_add_int(o, p->name, p->min);
		else if (p->type == PROTO_STRV)
			json_object_object_add(o, p->name, json_object_get(list));
		else
			jsonx_add_str(o, p->name, "x");
		json_object_put(list);
	}
	text = xstrdup(jsonx_line(o));
	json_object_put(o);
	return text;
}

static void test_every_method(void **state)
{
	struct liner l;
	const char *why;

	(void)state;
	liner_dial(&l, t_path("daemon.sock"));
	liner_call(&l, 1, "hello", "{\"protocol\":1,\"read_only\":true}");
	liner_result(&l, 1);
	for (int i = 0; i < PROTO__COUNT; i++) {
		const struct proto_method *m = &proto_methods[i];
		autofree char *params = params_of((enum proto_id)i);

		liner_call(&l, 100 + i, m->name, params);
		if (m->perm == PROTO_READ) {
			liner_result(&l, 100 + i);
			continue;
		}
		why = liner_error(&l, 100 + i, -32000 - EPERM);
		assert_non_null(strstr(why, "read-only connection"));
		assert_non_null(strstr(why, m->name));
		assert_int_equal(handled[i], 0);
		/* Nonsense is refused for the same reason: nothing is told about it. */
		liner_call(&l, 200, m->name, "{\"nonsense\":1}");
		liner_error(&l, 200, -32000 - EPERM);
	}
	liner_close(&l);
}

/* Another hello does not open it again; other connections are not concerned. */
static void test_no_way_back(void **state)
{
	struct liner l, other;

	(void)state;
	liner_dial(&l, t_path("daemon.sock"));
	liner_dial(&other, t_path("daemon.sock"));
	liner_call(&l, 1, "vm.kill", "{\"vm\":\"web\"}");
	liner_result(&l, 1);
	liner_call(&l, 2, "hello", "{\"protocol\":1,\"read_only\":true}");
	liner_result(&l, 2);
	liner_call(&l, 3, "hello", "{\"protocol\":1,\"read_only\":false}");
	liner_result(&l, 3);
	liner_call(&l, 4, "vm.kill", "{\"vm\":\"web\"}");
	liner_error(&l, 4, -32000 - EPERM);
	liner_call(&other, 5, "vm.kill", "{\"vm\":\"web\"}");
	liner_result(&other, 5);
	assert_int_equal(handled[PROTO_VM_KILL], 2);
	liner_close(&l);
	liner_close(&other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_every_method), T(test_no_way_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
