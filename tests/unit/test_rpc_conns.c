// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c
/* Who may connect to the RPC server, how many, and the socket file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/jsonx.h"
#include "backend/rpc/rpc.h"
#include "tests/support/linetest.h"

static struct rpc_server *server;
static struct rpc_call *kept; /* vm.ping, unanswered */
static int kept_count, gone_count, connections;

static void on_list(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, json_object_new_array());
}

static void on_ping(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	kept = call;
	kept_count++;
}

static void on_daemon_stop(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, json_object_new_object());
	rpc_close(server);
	server = NULL;
}

static void on_connections(void *user, int n)
{
	(void)user;
	connections = n;
}

static void on_gone(struct rpc_call *call, void *user)
{
	(void)user;
	assert_false(rpc_alive(call));
	gone_count++;
}

static const struct rpc_config config = {
	.listen_fd = -1,
	.handlers = {[PROTO_VM_LIST] = on_list,
		[PROTO_VM_PING] = on_ping,
		[PROTO_DAEMON_STOP] = on_daemon_stop},
	.on_idle_change = on_connections,
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
	return t_teardown(state);
}

static void until_connections(int n)
{
	t_until_is(&connections, n, "number of connections");
}

static void still_serves(void)
{
	struct liner l;

	liner_dial(&l, sock());
	liner_call(&l, 1, "vm.list", NULL);
	liner_result(&l, 1);
	liner_close(&l);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void test_200_connections(void **state)
{
	static struct liner l[200];

	(void)state;
	for (int i = 0; i < 200; i++)
		liner_dial(&l[i], sock());
	for (int i = 0; i < 200; i++)
		liner_call(&l[i], i, "vm.list", NULL);
	for (int i = 199; i >= 0; i--)
		liner_result(&l[i], i);
	assert_int_equal(connections, 200);
	for (int i = 0; i < 200; i++)
		liner_close(&l[i]);
	until_connections(0);
}

static void test_connection_limit(void **state)
{
	static struct liner l[RPC_CONNS_MAX];
	struct liner over;

	(void)state;
	for (int i = 0; i < RPC_CONNS_MAX; i++) {
		liner_dial(&l[i], sock());
		liner_call(&l[i], i, "vm.list", NULL);
		liner_result(&l[i], i);
	}
	liner_dial(&over, sock());
	assert_non_null(strstr(liner_error(&over, -1, -32000 - EAGAIN), "256 connections"));
	liner_expect_eof(&over);
	liner_close(&over);
	liner_close(&l[17]);
	until_connections(RPC_CONNS_MAX - 1);
	still_serves();
	for (int i = 0; i < RPC_CONNS_MAX; i++)
		liner_close(&l[i]);
}

/* No fd left to accept with: the caller waits, nobody spins, and it goes on when there is one. */
static void test_no_fds(void **state)
{
	struct rlimit old, low;
	struct liner l;
	int reserve;

	(void)state;
	liner_dial(&l, sock());
	reserve = open("/dev/null", O_RDONLY);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)reserve + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	ev_run(t_loop, EVRUN_ONCE);
	assert_int_equal(connections, 0);
	close(reserve);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	liner_call(&l, 1, "vm.list", NULL);
	liner_result(&l, 1);
	liner_close(&l);
}

/* Another user gets a sentence and no service. */
static void test_other_user(void **state)
{
	struct liner l;
	int ready[2], status;
	pid_t pid;
	char byte;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(ready), 0);
	chmod(t_dir, 0755);
	chmod(sock(), 0666);
	pid = fork();
	if (!pid) {
		struct peer p;
		char text[300] = "";

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(3);
		peer_dial(&p, sock());
		(void)!write(ready[1], "", 1);
		fcntl(p.fd, F_SETFL, 0);
		if (read(p.fd, text, sizeof(text) - 1) <= 0)
			_exit(4);
		_exit(strstr(text, "belongs to user 0") ? 0 : 5);
	}
	/* This one came later, so it is served after the other user was. */
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	liner_dial(&l, sock());
	liner_call(&l, 1, "vm.list", NULL);
	liner_result(&l, 1);
	liner_close(&l);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- the socket file ------------------------------------------------------------------------- */

static void test_socket_file(void **state)
{
	struct rpc_server *second = NULL;
	struct rpc_config c = config;
	struct err e;
	int stale;

	(void)state;
	c.path = sock();
	assert_int_equal(rpc_open(&second, t_loop, &c, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "answers on"));
	still_serves();
	c.path = t_path("stale.sock");
	stale = t_listen(c.path);
	close(stale);
	assert_int_equal(rpc_open(&second, t_loop, &c, &e), 0);
	rpc_close(second);
	assert_int_equal(access(t_path("stale.sock"), F_OK), -1);
	/* A file of somebody else stays. */
	c.path = t_path("file");
	close(open(c.path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(rpc_open(&second, t_loop, &c, &e), -EEXIST);
	assert_int_equal(access(c.path, F_OK), 0);
	c.path = t_path("no/such/folder.sock");
	assert_true(rpc_open(&second, t_loop, &c, &e) < 0);
	c.path =
		t_path("012345678901234567890123456789012345678901234567890123456789012345678901234"
		       "567890123456789012345678901234567890");
	assert_int_equal(rpc_open(&second, t_loop, &c, &e), -ENAMETOOLONG);
}

/* What a later daemon put at the path is not ours to remove. */
static void test_foreign_socket_stays(void **state)
{
	int other;

	(void)state;
	unlink(sock());
	other = t_listen(sock());
	rpc_close(server);
	server = NULL;
	assert_int_equal(access(sock(), F_OK), 0);
	close(other);
	unlink(sock());
}

static void test_given_socket(void **state)
{
	struct rpc_server *second = NULL;
	struct rpc_config c = config;
	struct liner l;

	(void)state;
	c.listen_fd = t_listen(t_path("given.sock"));
	assert_int_equal(rpc_open(&second, t_loop, &c, NULL), 0);
	liner_dial(&l, t_path("given.sock"));
	liner_call(&l, 1, "vm.list", NULL);
	liner_result(&l, 1);
	liner_close(&l);
	rpc_close(second);
	assert_int_equal(access(t_path("given.sock"), F_OK), 0); /* it belongs to who made it */
}

/* Drained: whoever was there is gone, whoever comes waits for the end and is not answered. */
static void test_drain(void **state)
{
	struct liner before, after;

	(void)state;
	liner_dial(&before, sock());
	liner_call(&before, 1, "vm.list", NULL);
	liner_result(&before, 1);
	rpc_drain(server);
	liner_expect_eof(&before);
	liner_dial(&after, sock());
	liner_call(&after, 1, "vm.list", NULL);
	t_quiet(0.02);
	assert_int_equal(connections, 0);
	rpc_close(server);
	server = NULL;
	liner_expect_eof(&after);
	assert_int_equal(access(sock(), F_OK), -1);
	liner_close(&before);
	liner_close(&after);
}

/* A handler that ends the server under its own feet. */
static void test_close_from_handler(void **state)
{
	struct liner l, other;

	(void)state;
	liner_dial(&other, sock());
	liner_call(&other, 1, "vm.ping", "{\"vm\":\"a\"}");
	t_until_is(&kept_count, 1, "calls");
	rpc_on_gone(kept, on_gone, NULL);
	liner_dial(&l, sock());
	liner_call(&l, 1, "daemon.stop", NULL);
	liner_call(&l, 2, "vm.list", NULL);
	liner_result(&l, 1);
	liner_expect_eof(&l);
	liner_expect_eof(&other);
	assert_int_equal(gone_count, 1);
	rpc_reply(kept, NULL);
	liner_close(&l);
	liner_close(&other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_200_connections),
		T(test_connection_limit),
		T(test_no_fds),
		T(test_other_user),
		T(test_socket_file),
		T(test_foreign_socket_stays),
		T(test_given_socket),
		T(test_drain),
		T(test_close_from_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
