// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c
/* Upgrades: the answer is whole, the connection is the caller's alone, no byte is lost or early. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/rpc/rpc.h"
#include "tests/support/linetest.h"

static struct rpc_server *server;
static struct rpc_call *call_kept;
static int kept, connections = -1, gone;

static void on_kept(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	call_kept = call;
	kept++;
}

static void on_list(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, json_object_new_array());
}

static void on_connections(void *user, int n)
{
	(void)user;
	connections = n;
}

static void on_gone(struct rpc_call *call, void *user)
{
	(void)user;
	gone++;
	rpc_fail(call, &(struct err){.code = EIO});
}

static int setup(void **state)
{
	struct rpc_config c = {
		.listen_fd = -1,
		.handlers = {[PROTO_VM_EXEC] = on_kept,
			[PROTO_VM_PING] = on_kept,
			[PROTO_VM_LIST] = on_list},
		.on_idle_change = on_connections,
	};

	t_setup(state);
	kept = gone = 0;
	connections = -1;
	c.path = t_path("daemon.sock");
	return rpc_open(&server, t_loop, &c, NULL);
}

static int teardown(void **state)
{
	rpc_close(server);
	return t_teardown(state);
}

#define EXEC "{\"vm\":\"a\",\"argv\":[\"true\"]}"

static void ask(struct liner *l)
{
	liner_dial(l, t_path("daemon.sock"));
	liner_call(l, 1, "vm.exec", EXEC);
	kept = 0;
	t_until_is(&kept, 1, "calls");
}

static void test_bytes_intact(void **state)
{
	static char text[200000], back[200000];
	struct liner l;
	struct peer p;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 256);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		if (!text[i])
			text[i] = '\n';
	ask(&l);
	assert_int_equal(rpc_upgrade(call_kept, json_object_new_int(5), &fd, NULL), 0);
	peer_take(&p, fd);
	/* The stream's first bytes right behind the answer, in both directions. */
	assert_true(peer_send(&p, text, 1000));
	assert_int_equal(json_object_get_int(liner_result(&l, 1)), 5);
	assert_true(liner_send(&l, text));
	t_read(p.fd, back, sizeof(text) - 1);
	assert_memory_equal(text, back, sizeof(text) - 1);
	while (l.in.len < 1000)
		assert_true(buf_read(&l.in, l.fd, 1000) > 0);
	assert_memory_equal(buf_peek(&l.in), text, 1000);
	/* It is the server's no more. */
	t_until_is(&connections, 0, "connections");
	peer_close(&p);
	liner_close(&l);
}

static void test_late_upgrade_of_gone(void **state)
{
	struct liner l;
	struct err e;
	int fd = -1;

	(void)state;
	ask(&l);
	liner_close(&l);
	t_until_is(&connections, 0, "connections");
	assert_false(rpc_alive(call_kept));
	assert_int_equal(rpc_upgrade(call_kept, json_object_new_object(), &fd, &e), -EPIPE);
	/* Gone, but the loop does not know it yet. */
	ask(&l);
	liner_close(&l);
	assert_int_equal(rpc_upgrade(call_kept, json_object_new_object(), &fd, &e), -EPIPE);
	t_until_is(&connections, 0, "connections");
	assert_int_equal(fd, -1);
}

static void test_answered_when_gone(void **state)
{
	struct liner l;

	(void)state;
	ask(&l);
	rpc_on_gone(call_kept, on_gone, NULL);
	liner_close(&l);
	t_until_is(&gone, 1, "callers gone");
	t_until_is(&connections, 0, "connections");
}

/* A round trip of a new connection: the server has read what was sent before it. */
static void round_trip(void)
{
	struct liner l;

	liner_dial(&l, t_path("daemon.sock"));
	liner_call(&l, 1, "vm.list", NULL);
	liner_result(&l, 1);
	liner_close(&l);
}

static void early(struct liner *l, bool seen)
{
	struct err e;
	int fd = -1;

	ask(l);
	liner_send(l, "\x46garbage");
	if (seen)
		round_trip();
	assert_int_equal(rpc_upgrade(call_kept, json_object_new_object(), &fd, &e), -EPROTO);
	assert_int_equal(fd, -1);
	assert_non_null(strstr(liner_error(l, 1, -32000 - EPROTO), "before the answer"));
	liner_expect_eof(l);
	liner_close(l);
}

static void test_early_bytes(void **state)
{
	struct liner l;

	(void)state;
	early(&l, false);
	early(&l, true);
}

/* Refused instead of upgraded: the connection goes on, with what was sent meanwhile. */
static void test_refused(void **state)
{
	struct liner l;
	struct err e;

	(void)state;
	ask(&l);
	liner_call(&l, 2, "vm.list", NULL);
	round_trip();
	err_set(&e, EINVAL, "VM 'a' is paused");
	rpc_fail(call_kept, &e);
	assert_string_equal(liner_error(&l, 1, -32000 - EINVAL), "VM 'a' is paused");
	liner_result(&l, 2);
	liner_call(&l, 3, "vm.list", NULL);
	liner_result(&l, 3);
	liner_close(&l);
}

static void test_needs_own_connection(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, t_path("daemon.sock"));
	liner_call(&l, 1, "vm.ping", "{\"vm\":\"a\"}");
	liner_call(&l, 2, "vm.exec", EXEC);
	assert_non_null(strstr(liner_error(&l, 2, -32600), "a connection of its own"));
	rpc_reply(call_kept, NULL);
	liner_result(&l, 1);
	liner_call(&l, 3, "event.subscribe", NULL);
	liner_result(&l, 3);
	liner_call(&l, 4, "vm.exec", EXEC);
	assert_non_null(strstr(liner_error(&l, 4, -32600), "a connection of its own"));
	liner_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bytes_intact),
		T(test_late_upgrade_of_gone),
		T(test_answered_when_gone),
		T(test_early_bytes),
		T(test_refused),
		T(test_needs_own_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
