// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c
/* The RPC server over real sockets: calls, each class of error, garbage, queues, callers that
 * leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backend/base/jsonx.h"
#include "backend/rpc/rpc.h"
#include "tests/support/linetest.h"

static struct rpc_server *server;
static struct rpc_call *kept[200]; /* calls to vm.ping, unanswered */
static int kept_count, gone_count, connections;

static void on_list(struct rpc_call *call, struct json_object *params)
{
	assert_int_equal(json_object_object_length(params), 0);
	assert_int_equal(rpc_method(call), PROTO_VM_LIST);
	assert_ptr_equal(rpc_user(call), &server);
	assert_int_equal(rpc_uid(call), getuid());
	rpc_reply(call, json_object_new_array());
}

static void on_get(struct rpc_call *call, struct json_object *params)
{
	struct err e;

	err_set(&e, ENOENT, "there is no VM '%s'", jsonx_str(params, "vm"));
	rpc_fail(call, &e);
}

static void on_ping(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	kept[kept_count++] = call;
}

/* An answer of timeout_s MiB. */
static void on_stop(struct rpc_call *call, struct json_object *params)
{
	size_t n = (size_t)jsonx_int(params, "timeout_s", 1) << 20;
	char *text = malloc(n);

	memset(text, 'x', n);
	rpc_reply(call, json_object_new_string_len(text, (int)n));
	free(text);
}

static void on_connections(void *user, int n)
{
	(void)user;
	connections = n;
}

static void on_gone(struct rpc_call *call, void *user)
{
	assert_false(rpc_alive(call));
	assert_ptr_equal(user, &gone_count);
	gone_count++;
}

static const struct rpc_config config = {
	.listen_fd = -1,
	.handlers = {[PROTO_VM_LIST] = on_list,
		[PROTO_VM_GET] = on_get,
		[PROTO_VM_PING] = on_ping,
		[PROTO_VM_STOP] = on_stop},
	.on_idle_change = on_connections,
	.user = &server,
};

static const char *sock(void)
{
	return t_path("daemon.sock");
}

static int setup(void **state)
{
	struct rpc_config c = config;
	struct err e;

	t_setup(state);
	kept_count = gone_count = connections = 0;
	c.path = sock();
	if (rpc_open(&server, t_loop, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return 0;
}

static int teardown(void **state)
{
	rpc_close(server);
	server = NULL;
	assert_int_equal(access(sock(), F_OK), -1);
	return t_teardown(state);
}

static void until_connections(int n)
{
	t_until_is(&connections, n, "number of connections");
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void test_calls(void **state)
{
	struct liner l;
	struct stat st;

	(void)state;
	assert_int_equal(lstat(sock(), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	liner_dial(&l, sock());
	liner_call(&l, 1, "vm.list", NULL);
	assert_int_equal(json_object_array_length(liner_result(&l, 1)), 0);
	liner_call(&l, 2, "vm.list", "{}");
	liner_result(&l, 2);
	liner_call(&l, 3, "vm.list", "null");
	liner_result(&l, 3);
	/* An id may be a string; "\r\n" and empty lines are fine; a daemon's sentence arrives. */
	liner_send(&l, "\r\n\n{\"jsonrpc\":\"2.0\",\"id\":\"a-1\",\"method\":\"vm.list\"}\r\n");
	assert_true(liner_next(&l));
	assert_string_equal(jsonx_str(l.o, "id"), "a-1");
	liner_call(&l, 4, "vm.get", "{\"vm\":\"web\"}");
	assert_string_equal(liner_error(&l, 4, -32000 - ENOENT), "there is no VM 'web'");
	liner_close(&l);
}

static void test_pipelined(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, sock());
	for (int i = 0; i < 1000; i++)
		liner_call(&l, i, i % 2 ? "vm.list" : "vm.get", i % 2 ? NULL : "{\"vm\":\"a\"}");
	for (int i = 0; i < 1000; i++)
		if (i % 2)
			liner_result(&l, i);
		else
			liner_error(&l, i, -32000 - ENOENT);
	liner_close(&l);
}

/* Lines of one that left at once are carried out all the same. */
static void test_call_and_leave(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, sock());
	for (int i = 0; i < 50; i++)
		liner_call(&l, i, "vm.ping", "{\"vm\":\"a\"}");
	liner_close(&l);
	t_until_is(&kept_count, 50, "number of calls");
	until_connections(0);
	for (int i = 0; i < 50; i++) {
		assert_false(rpc_alive(kept[i]));
		rpc_reply(kept[i], NULL);
	}
}

static void refused(struct liner *l, const char *line, int id, int code, const char *text)
{
	const char *message;

	assert_true(liner_send(l, line));
	assert_true(liner_send(l, "\n"));
	message = liner_error(l, id, code);
	if (!strstr(message, text))
		fail_msg("'%s' has no '%s'", message, text);
}

#define CALL "\"jsonrpc\":\"2.0\","
static void test_invalid_requests(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, sock());
	refused(&l, "[]", -1, -32600, "one object a line");
	refused(&l, "[{" CALL "\"id\":1,\"method\":\"vm.list\"}]", -1, -32600, "one object");
	refused(&l, "17", -1, -32600, "one object");
	refused(&l, "null", -1, -32600, "one object");
	refused(&l, "{}", -1, -32600, "'id'");
	refused(&l, "{" CALL "\"method\":\"vm.list\"}", -1, -32600, "'id'");
	refused(&l, "{" CALL "\"id\":null,\"method\":\"vm.list\"}", -1, -32600, "'id'");
	refused(&l, "{" CALL "\"id\":1.5,\"method\":\"vm.list\"}", -1, -32600, "'id'");
	refused(&l, "{" CALL "\"id\":[1],\"method\":\"vm.list\"}", -1, -32600, "'id'");
	refused(&l, "{\"id\":1,\"method\":\"vm.list\"}", 1, -32600, "jsonrpc");
	refused(&l, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"vm.list\"}", 1, -32600, "jsonrpc");
	refused(&l, "{" CALL "\"id\":1}", 1, -32600, "method");
	refused(&l, "{" CALL "\"id\":1,\"method\":5}", 1, -32600, "method");
	refused(&l, "{" CALL "\"id\":1,\"method\":\"vm.lits\"}", 1, -32601, "is it 'vm.list'?");
	refused(&l, "{" CALL "\"id\":1,\"method\":\"\\u001bx\"}", 1, -32601, "'\\x1bx'");
	refused(&l, "{" CALL "\"id\":1,\"method\":\"doctor\"}", 1, -32601, "not available");
	refused(&l, "{" CALL "\"id\":1,\"method\":\"vm.list\",\"params\":[]}", 1, -32602, "object");
	refused(&l, "{" CALL "\"id\":1,\"method\":\"vm.get\"}", 1, -32602, "'vm' is missing");
	refused(&l, "{" CALL "\"id\":1,\"method\":\"vm.get\",\"params\":{\"vm\":1}}", 1, -32602,
		"vm.get: 'vm' must be a name");
	/* After all that the connection still works. */
	liner_call(&l, 9, "vm.list", NULL);
	liner_result(&l, 9);
	liner_close(&l);
}

/* ---- garbage --------------------------------------------------------------------------------- */

static void still_serves(void)
{
	struct liner l;

	liner_dial(&l, sock());
	liner_call(&l, 1, "vm.list", NULL);
	liner_result(&l, 1);
	liner_close(&l);
}

static void parse_error_closes(const char *line)
{
	struct liner l;

	liner_dial(&l, sock());
	refused(&l, line, -1, -32700, "not valid JSON");
	liner_expect_eof(&l);
	liner_close(&l);
}

static void test_parse_errors(void **state)
{
	autofree char *deep = malloc(4001);

	(void)state;
	parse_error_closes("hello");
	parse_error_closes("{\"jsonrpc\":\"2.0\"");
	parse_error_closes("{} trailing");
	parse_error_closes("{\"a\":\"\xff\xfe\"}");
	parse_error_closes("GET / HTTP/1.1");
	memset(deep, '[', 4000);
	deep[4000] = '\0';
	parse_error_closes(deep);
	still_serves();
}

static void test_long_line(void **state)
{
	static const char call[] = "{" CALL "\"id\":1,\"method\":\"vm.list\"}";
	autofree char *text = malloc(PROTO_LINE_MAX + 70000);
	struct liner l;

	(void)state;
	memset(text, ' ', PROTO_LINE_MAX + 70000);
	/* Exactly the limit is still read... */
	text[PROTO_LINE_MAX] = '\0';
	memcpy(text, call, strlen(call));
	liner_dial(&l, sock());
	liner_send(&l, text);
	liner_send(&l, "\n");
	liner_result(&l, 1);
	/* ...more is not, with or without an end. */
	text[PROTO_LINE_MAX] = ' ';
	text[PROTO_LINE_MAX + 1] = '\0';
	liner_send(&l, text);
	assert_non_null(strstr(liner_error(&l, -1, -32600), "1 MiB"));
	liner_expect_eof(&l);
	liner_close(&l);
	still_serves();
}

static void test_half_line(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, sock());
	liner_send(&l, "{" CALL "\"id\":1,");
	still_serves();
	liner_send(&l, "\"method\":\"vm.list\"}\n");
	liner_result(&l, 1);
	liner_send(&l, "{\"half");
	liner_close(&l);
	until_connections(0);
}

/* Random bytes, then random bytes with the shape of calls: an answer or the end, never a crash. */
static void test_random_bytes(void **state)
{
	static const char *const pieces[] = {"{", "}", "\"jsonrpc\":\"2.0\"", ",", "\"id\":1",
		"\"method\":\"vm.list\"", "\"params\":", "[", "]", "\n", "null", "\"", "\\u0000",
		"1e9", "\"vm\":\"a\"", "\t", "\xc3", "-"};
	unsigned seed = 20240917;

	(void)state;
	for (int round = 0; round < 300; round++) {
		char text[2000] = "";
		size_t n = 0;
		struct liner l;

		while (n < sizeof(text) - 40) {
			seed = seed * 1103515245 + 12345;
			if (round % 2)
				n += (size_t)sprintf(
					text + n, "%s", pieces[(seed >> 16) % countof(pieces)]);
			else
				text[n++] = (char)(1 + (seed >> 16) % 255);
		}
		text[n] = '\0';
		liner_dial(&l, sock());
		/* Broken pipe: closed after the first bad line. */
		if (liner_send(&l, text) && liner_send(&l, "\n\n"))
			shutdown(l.fd, SHUT_WR);
		while (liner_next(&l))
			;
		liner_close(&l);
	}
	still_serves();
}

/* ---- callers that leave, late answers -------------------------------------------------------- */

static void test_gone(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, sock());
	for (int i = 0; i < 3; i++)
		liner_call(&l, i, "vm.ping", "{\"vm\":\"a\"}");
	t_until_is(&kept_count, 3, "number of calls");
	assert_true(rpc_alive(kept[0]));
	for (int i = 0; i < 3; i++)
		rpc_on_gone(kept[i], on_gone, &gone_count);
	/* Answered before: not told. Out of order is fine. */
	rpc_reply(kept[1], json_object_new_int(7));
	assert_int_equal(json_object_get_int(liner_result(&l, 1)), 7);
	liner_close(&l);
	until_connections(0);
	assert_int_equal(gone_count, 2);
	/* The calls outlive the connection, and even the server. */
	rpc_reply(kept[0], json_object_new_int(1));
	rpc_close(server);
	server = NULL;
	assert_ptr_equal(rpc_user(kept[2]), &server);
	rpc_fail(kept[2], &(struct err){.code = EIO});
}

static void test_too_many_calls(void **state)
{
	struct liner l;
	int i;

	(void)state;
	liner_dial(&l, sock());
	for (i = 0; i < RPC_CALLS_MAX; i++)
		liner_call(&l, i, "vm.ping", "{\"vm\":\"a\"}");
	liner_call(&l, i, "vm.ping", "{\"vm\":\"a\"}");
	assert_non_null(strstr(liner_error(&l, i, -32000 - EBUSY), "64 calls are unanswered"));
	assert_int_equal(kept_count, RPC_CALLS_MAX);
	for (i = 0; i < RPC_CALLS_MAX; i++)
		rpc_reply(kept[i], NULL);
	for (i = 0; i < RPC_CALLS_MAX; i++)
		liner_result(&l, i);
	liner_close(&l);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void test_big_answers(void **state)
{
	struct liner l;

	(void)state;
	liner_dial(&l, sock());
	liner_call(&l, 1, "vm.stop", "{\"vm\":\"a\",\"timeout_s\":3}");
	assert_int_equal(json_object_get_string_len(liner_result(&l, 1)), 3 << 20);
	liner_call(&l, 2, "vm.stop", "{\"vm\":\"a\",\"timeout_s\":5}");
	assert_non_null(strstr(liner_error(&l, 2, -32000 - E2BIG), "ask for less"));
	/* One that asks for much and reads nothing is not asked further, and loses nothing. */
	for (int i = 0; i < 40; i++)
		liner_call(&l, i, "vm.stop", "{\"vm\":\"a\",\"timeout_s\":1}");
	still_serves();
	for (int i = 0; i < 40; i++)
		liner_result(&l, i);
	liner_close(&l);
}

/* Calls kept until all are answered at once: more than a connection may have unsent. */
static void test_answers_over_the_queue(void **state)
{
	size_t n = 3u << 20;
	struct liner l;
	int errors = 0;

	(void)state;
	liner_dial(&l, sock());
	for (int i = 0; i < 10; i++)
		liner_call(&l, i, "vm.ping", "{\"vm\":\"a\"}");
	t_until_is(&kept_count, 10, "number of calls");
	for (int i = 0; i < 10; i++) {
		char *text = malloc(n);

		memset(text, 'x', n);
		rpc_reply(kept[i], json_object_new_string_len(text, (int)n));
		free(text);
	}
	for (int i = 0; i < 10; i++) {
		assert_true(liner_next(&l));
		assert_int_equal(jsonx_int(l.o, "id", -1), i);
		errors += jsonx_get(l.o, "error") != NULL;
	}
	assert_in_range(errors, 6, 8);
	liner_close(&l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_calls),
		T(test_pipelined),
		T(test_call_and_leave),
		T(test_invalid_requests),
		T(test_parse_errors),
		T(test_long_line),
		T(test_half_line),
		T(test_random_bytes),
		T(test_gone),
		T(test_too_many_calls),
		T(test_big_answers),
		T(test_answers_over_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
