// LIBS: health guest base
// OBJS: tests/support/looptest.c
/* The http and tcp probes against a server of the test's on the loopback: what is healthy, every
 * reason, nothing left when they are dropped half way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/str.h"
#include "backend/health/probe.h"
#include "tests/support/looptest.h"

static struct {
	int fd, port, conn;
	ev_io accepting, reading;
	const char *reply; /* NULL: it takes the connection and is silent */
	bool flood;        /* the reply again and again */
	char request[2000];
	size_t len;
	int requests;
} server;

static struct {
	int times;
	enum health_state verdict;
	char reason[400];
} told;

static int opened; /* sockets */
static int refuse; /* code */

static int open_socket(void *user, int family, int type, struct err *e)
{
	int fd;

	assert_ptr_equal(user, &server);
	if (refuse)
		return err_set(e, refuse, "the namespace is gone");
	opened++;
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	return fd < 0 ? err_errno(e, "socket") : fd;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void hang_up(void)
{
	ev_io_stop(t_loop, &server.reading);
	close_fd(&server.conn);
}

static void on_request(struct ev_loop *loop, ev_io *w, int revents)
{
	ssize_t n;

	(void)loop;
	(void)revents;
	n = recv(w->fd, server.request + server.len, sizeof(server.request) - 1 - server.len, 0);
	if (n <= 0) {
		hang_up();
		return;
	}
	server.len += (size_t)n;
	server.request[server.len] = '\0';
	if (!strstr(server.request, "\r\n\r\n") || !server.reply)
		return;
	server.requests++;
	do
		n = send(w->fd, server.reply, strlen(server.reply), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n > 0 && server.flood);
	if (!server.flood)
		hang_up();
	else
		ev_io_set(w, w->fd, EV_READ);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)revents;
	assert_int_equal(server.conn, -1);
	server.conn = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(server.conn >= 0);
	server.len = 0;
	ev_io_init(&server.reading, on_request, server.conn, EV_READ);
	ev_io_start(loop, &server.reading);
}

static void serve(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(server.fd, 8), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&at, &len), 0);
	server.port = ntohs(at.sin_port);
	ev_io_init(&server.accepting, on_accept, server.fd, EV_READ);
	ev_io_start(t_loop, &server.accepting);
}

static void stop_serving(void)
{
	ev_io_stop(t_loop, &server.accepting);
	close_fd(&server.fd);
	hang_up();
}

static int setup(void **state)
{
	if (t_setup(state) < 0)
		return -1;
	memset(&server, 0, sizeof(server));
	server.conn = -1;
	ev_init(&server.reading, on_request);
	memset(&told, 0, sizeof(told));
	opened = refuse = 0;
	serve();
	return 0;
}

static int teardown(void **state)
{
	stop_serving();
	return t_teardown(state);
}

/* ---- a check --------------------------------------------------------------------------------- */

static void on_done(void *user, enum health_state verdict, const char *reason)
{
	assert_ptr_equal(user, &told);
	told.times++;
	told.verdict = verdict;
	snprintf(told.reason, sizeof(told.reason), "%s", reason);
}

static struct probe *begin(const struct health_spec *s, struct err *e)
{
	struct probe_env env = {.loop = t_loop, .open_socket = open_socket, .net_user = &server};

	memset(&told, 0, sizeof(told));
	return probe_of(s->kind)->start(&env, s, on_done, &told, e);
}

static struct health_spec http_spec(const char *path)
{
	struct health_spec s = {.timeout = 20};
	autofree char *url = xasprintf("http://127.0.0.1:%d%s", server.port, path);

	assert_int_equal(health_spec_set(&s, "url", url, NULL), 0);
	return s;
}

static void check_spec(
	struct health_spec *s, enum health_state verdict, const char *part, bool ends)
{
	struct err e = {0};
	struct probe *p = begin(s, &e);

	assert_non_null(p);
	T_UNTIL(told.times, "the check's end");
	assert_int_equal(told.times, 1);
	if (told.verdict != verdict || !strstr(told.reason, part))
		fail_msg("'%s' where '%s' was due", told.reason, part);
	if (ends)
		health_spec_fini(s);
	T_UNTIL(server.conn < 0 || server.flood, "the server's end of the connection");
}

static void check(const char *reply, enum health_state verdict, const char *part)
{
	struct health_spec s = http_spec("/health?x=1");

	server.reply = reply;
	check_spec(&s, verdict, part, true);
}

/* ---- http ------------------------------------------------------------------------------------ */

static void test_statuses(void **state)
{
	(void)state;
	check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", HEALTH_HEALTHY, "HTTP 200");
	assert_non_null(strstr(server.request, "GET /health?x=1 HTTP/1.1\r\n"));
	assert_int_equal(opened, 1);
	check("HTTP/1.0 204 No Content\r\n\r\n", HEALTH_HEALTHY, "HTTP 204");
	/* Not followed. */
	check("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		HEALTH_HEALTHY, "HTTP 302");
	check("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", HEALTH_UNHEALTHY, "HTTP 404");
	check("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", HEALTH_UNHEALTHY, "HTTP 503");
	assert_int_equal(server.requests, 5);
	assert_int_equal(opened, 5);
}

static void test_no_http(void **state)
{
	(void)state;
	check("", HEALTH_UNHEALTHY, "Empty reply from server");
	check("SSH-2.0-OpenSSH\r\n", HEALTH_UNHEALTHY, "HTTP/0.9");
	check("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", HEALTH_UNHEALTHY, "remaining");
}

/* A body without an end is not read to it. */
static void test_flood(void **state)
{
	(void)state;
	server.flood = true;
	check("HTTP/1.1 200 OK\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		HEALTH_HEALTHY, "HTTP 200");
}

static void test_refused(void **state)
{
	struct health_spec s = http_spec("/");

	(void)state;
	stop_serving();
	check_spec(&s, HEALTH_UNHEALTHY, "onnect", false);
	refuse = ENODEV;
	check_spec(&s, HEALTH_UNHEALTHY, "the namespace is gone", true);
}

static void test_timeout(void **state)
{
	struct health_spec s = http_spec("/");
	struct err e = {0};

	(void)state;
	s.timeout = 0.2;
	assert_non_null(begin(&s, &e));
	T_UNTIL(told.times, "the timeout");
	assert_int_equal(told.verdict, HEALTH_TIMEOUT);
	assert_non_null(strstr(told.reason, "timed out"));
	health_spec_fini(&s);
	T_UNTIL(server.conn < 0, "the server's end of the connection");
}

static void test_dropped(void **state)
{
	struct health_spec s = http_spec("/");
	struct err e = {0};
	struct probe *p = begin(&s, &e);
	char doing[100];

	(void)state;
	probe_http.cancel(p, NULL, 0); /* before its first turn */
	p = begin(&s, &e);
	T_UNTIL(server.len, "the request");
	probe_http.cancel(p, doing, sizeof(doing));
	T_UNTIL(server.conn < 0, "the server's end of the connection");
	assert_int_equal(told.times, 0);
	health_spec_fini(&s);
}

/* ---- tcp ------------------------------------------------------------------------------------- */

static void test_tcp(void **state)
{
	struct health_spec s = {0};
	autofree char *at = xasprintf("127.0.0.1:%d", server.port);
	autofree char *said = xasprintf("connected to %s", at);
	struct err e = {0};
	struct probe *p;

	(void)state;
	assert_int_equal(health_spec_set(&s, "tcp", at, NULL), 0);
	check_spec(&s, HEALTH_HEALTHY, said, false);
	p = begin(&s, &e);
	assert_non_null(p);
	probe_tcp.cancel(p, NULL, 0);
	T_UNTIL(server.conn < 0, "the server's end of the connection");
	stop_serving();
	p = begin(&s, &e); /* the loopback may say no at once */
	if (p) {
		T_UNTIL(told.times, "the check's end");
		snprintf(e.msg, sizeof(e.msg), "%s", told.reason);
	}
	assert_non_null(strstr(e.msg, "Connection refused"));
	assert_non_null(strstr(e.msg, at));
	refuse = ENODEV;
	assert_null(begin(&s, &e));
	assert_string_equal(e.msg, "the namespace is gone");
	health_spec_fini(&s);
}

static void test_no_network(void **state)
{
	struct probe_env env = {.loop = t_loop};
	struct health_spec http = http_spec("/"), tcp = {.kind = HEALTH_TCP, .port = 80};
	struct err e = {0};

	(void)state;
	assert_null(probe_http.start(&env, &http, on_done, &told, &e));
	assert_string_equal(e.msg, "the VM has no network");
	assert_null(probe_tcp.start(&env, &tcp, on_done, &told, &e));
	assert_string_equal(e.msg, "the VM has no network");
	health_spec_fini(&http);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_statuses),
		T(test_no_http),
		T(test_flood),
		T(test_refused),
		T(test_timeout),
		T(test_dropped),
		T(test_tcp),
		T(test_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
