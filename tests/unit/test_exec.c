// LIBS: guest base
// OBJS: tests/support/looptest.c tests/support/exec_job.c
/* The relay of a command, between a client and a guest's agent that the test plays: handshake,
 * retries, at most once, checks of both sides' frames, slow and vanishing clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/exec_job.h"

static struct job job;
static struct peer agent;
static int listener;

static int start_at(struct job *j, const char *path, uint8_t flags, double timeout)
{
	static const char *const argv[] = {"true", NULL};

	return job_start(j, path, argv, flags, timeout);
}

static void start(uint8_t flags)
{
	listener = t_listen(t_path("v.sock"));
	assert_int_equal(start_at(&job, t_path("v.sock"), flags, 20), 0);
}

/* The agent's side: CONNECT, OK, REQ. */
static void take_request(void)
{
	static struct wire_exec_req req;

	peer_accept_hybrid(&agent, listener, WIRE_PORT_EXEC);
	peer_expect(&agent, WIRE_REQ);
	assert_int_equal(wire_get_exec_req(&agent.f, &req), 0);
	assert_memory_equal(req.argv[0].s, "true", 4);
}

static void put_empty(struct peer *p, uint8_t type)
{
	uint8_t b[WIRE_HEADER];

	peer_put(p, wire_put_empty(b, sizeof(b), type), b);
}

static void put_u32(struct peer *p, uint8_t type, uint32_t v)
{
	uint8_t b[WIRE_HEADER + 4];

	peer_put(p, wire_put_u32(b, sizeof(b), type, v), b);
}

static void put_bytes(struct peer *p, uint8_t type, const void *data, size_t n)
{
	static uint8_t b[WIRE_HEADER + WIRE_PAYLOAD_MAX];

	wire_header(b, type, (uint32_t)n);
	memcpy(b + WIRE_HEADER, data, n);
	peer_put(p, (int)(WIRE_HEADER + n), b);
}

static void put_exit(uint8_t how, int32_t value)
{
	uint8_t b[WIRE_HEADER + 5];

	peer_put(&agent, wire_put_exit(b, sizeof(b), WIRE_EXIT, how, value), b);
}

static void run_command(uint8_t flags)
{
	start(flags);
	take_request();
	put_empty(&agent, WIRE_ACK);
	peer_expect(&agent, WIRE_GO);
	put_u32(&agent, WIRE_STARTED, 42);
	peer_expect(&job.client, WIRE_STARTED);
}

static void finish(void)
{
	t_until(&job.done, "end of the relay");
	peer_close(&agent);
	peer_close(&job.client);
	close(listener);
}

static void test_whole_command(void **state)
{
	uint8_t how;
	int32_t value;

	(void)state;
	run_command(0);
	put_bytes(&agent, WIRE_STDOUT, "hello\n", 6);
	peer_expect(&job.client, WIRE_STDOUT);
	assert_memory_equal(job.client.f.payload, "hello\n", 6);
	put_bytes(&agent, WIRE_STDERR, "err", 3);
	put_exit(WIRE_EXITED, 3);
	peer_close(&agent);
	peer_expect(&job.client, WIRE_STDERR);
	peer_expect(&job.client, WIRE_EXIT);
	assert_int_equal(wire_get_exit(&job.client.f, &how, &value), 0);
	assert_int_equal(value, 3);
	peer_expect_eof(&job.client);
	finish();
	assert_int_equal(job.r, 0);
	assert_int_equal(job.how, WIRE_EXITED);
	assert_int_equal(job.value, 3);
	assert_string_equal(
		job.log, "exec.connect exec.ok exec.req exec.ack exec.go exec.first exec.exit ");
	assert_true(job.t.start <= job.t.connected && job.t.connected <= job.t.acked &&
		    job.t.acked <= job.t.go && job.t.go <= job.t.first &&
		    job.t.first <= job.t.exit);
	assert_true(job.t.start > 0);
}

/* The OK line comes in pieces, or together with what the guest says next: no byte is eaten. */
static void test_ok_line(void **state)
{
	uint8_t both[14 + WIRE_HEADER] = "OK 1073741824\n";
	const char *at = (const char *)both;

	(void)state;
	start(0);
	peer_take(&agent, t_accept(listener));
	for (int i = 0; i < 10; i++, at++) {
		assert_true(peer_send(&agent, at, 1));
		ev_run(t_loop, EVRUN_NOWAIT);
	}
	wire_header(both + 14, WIRE_ACK, 0);
	assert_true(peer_send(&agent, at, sizeof(both) - 10));
	{
		char line[13];

		t_read(agent.fd, line, sizeof(line)); /* CONNECT 4992 */
	}
	peer_expect(&agent, WIRE_REQ);
	peer_expect(&agent, WIRE_GO);
	put_exit(WIRE_EXITED, 0);
	peer_expect(&job.client, WIRE_EXIT);
	finish();
	assert_int_equal(job.r, 0);
}

/* EXIT and the client's stdin cross: the end is an end of file for the client, not a reset. */
static void test_exit_with_stdin_under_way(void **state)
{
	(void)state;
	run_command(WIRE_REQ_STDIN);
	put_u32(&agent, WIRE_CREDIT, 1000);
	peer_expect(&job.client, WIRE_CREDIT);
	put_exit(WIRE_EXITED, 0);
	peer_close(&agent);
	put_bytes(&job.client, WIRE_STDIN, "never read", 10);
	peer_expect(&job.client, WIRE_EXIT);
	peer_expect_eof(&job.client);
	finish();
	assert_int_equal(job.r, 0);
}

static void test_refused(void **state)
{
	uint8_t b[256], code;
	struct wire_str why;

	(void)state;
	start(0);
	take_request();
	peer_put(&agent, wire_put_refused(b, sizeof(b), 127, "no such command"), b);
	peer_expect(&job.client, WIRE_REFUSED);
	assert_int_equal(wire_get_refused(&job.client.f, &code, &why), 0);
	assert_int_equal(code, 127);
	peer_expect_eof(&job.client);
	finish();
	assert_int_equal(job.r, -EREMOTEIO);
	assert_string_equal(job.e.msg, "no such command");
	assert_int_equal(job.how, WIRE_NOT_STARTED);
	assert_int_equal(job.value, 127);
}

/* What the client reads when nothing could be started. */
static void expect_refusal(struct job *j, const char *text)
{
	uint8_t code;
	struct wire_str why;
	char s[500];

	peer_expect(&j->client, WIRE_REFUSED);
	assert_int_equal(wire_get_refused(&j->client.f, &code, &why), 0);
	assert_int_equal(code, 125);
	snprintf(s, sizeof(s), "%.*s", why.len, why.s);
	if (!strstr(s, text))
		fail_msg("'%s' is not in '%s'", text, s);
	peer_expect_eof(&j->client);
}

/* The sentence tells where it stopped: no socket, no OK, closed by the guest, no ACK. */
static void test_where_it_stopped(void **state)
{
	struct job a, b, c, d;
	struct peer held[16];
	int n = 0, silent, closing, mute;
	ev_tstamp end;

	(void)state;
	silent = t_listen(t_path("silent"));
	closing = t_listen(t_path("closing"));
	mute = t_listen(t_path("mute"));
	assert_int_equal(start_at(&a, t_path("nobody"), 0, 1.0), 0);
	assert_int_equal(start_at(&b, t_path("silent"), 0, 1.0), 0);
	assert_int_equal(start_at(&c, t_path("closing"), 0, 1.0), 0);
	assert_int_equal(start_at(&d, t_path("mute"), 0, 1.0), 0);
	end = ev_time() + T_DEADLINE;
	while (!(a.done && b.done && c.done && d.done) && ev_time() < end) {
		int fd = accept4(closing, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			close(fd);
		fd = accept4(mute, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && n < 16) {
			peer_take(&held[n], fd);
			assert_true(peer_send(&held[n++], "OK 5\n", 5));
		}
		ev_run(t_loop, EVRUN_ONCE);
		fcntl(closing, F_SETFL, O_NONBLOCK);
	}
	assert_int_equal(a.r, -ECONNREFUSED);
	assert_int_equal(b.r, -ETIMEDOUT);
	assert_int_equal(c.r, -ECONNREFUSED);
	assert_int_equal(d.r, -ETIMEDOUT);
	expect_refusal(&a, "no VMM answers");
	expect_refusal(&b, "sent no OK");
	expect_refusal(&c, "closed by the guest");
	expect_refusal(&d, "did not answer the request");
	peer_close(&a.client);
	peer_close(&b.client);
	peer_close(&c.client);
	peer_close(&d.client);
	while (n)
		peer_close(&held[--n]);
	close(silent);
	close(closing);
	close(mute);
}

/* Before ACK: the guest's resets are retried with the same request; after GO nothing is. */
static void test_retry_before_ack_only(void **state)
{
	(void)state;
	start(0);
	/* Closed at once; closed after OK; closed after REQ. */
	close(t_accept(listener));
	peer_accept_hybrid(&agent, listener, WIRE_PORT_EXEC);
	peer_close(&agent);
	take_request();
	peer_close(&agent);
	take_request();
	put_empty(&agent, WIRE_ACK);
	peer_expect(&agent, WIRE_GO);
	peer_close(&agent);
	peer_expect_eof(&job.client);
	t_until(&job.done, "end of the relay");
	assert_int_equal(job.r, -ECONNRESET);
	assert_non_null(strstr(job.e.msg, "before the command ended"));
	assert_non_null(strstr(job.log, "exec.resend"));
	t_quiet(0.5);
	assert_int_equal(accept4(listener, NULL, NULL, SOCK_CLOEXEC), -1); /* nobody came again */
	finish();
}

/* A guest that takes the request and says nothing: the request goes to a new connection. */
static void test_silent_agent_is_asked_again(void **state)
{
	static struct peer first;

	(void)state;
	start(0);
	take_request();
	first = agent;
	first.r.buf = first.buf;
	take_request(); /* after EXEC_ACK_S */
	peer_expect_eof(&first);
	peer_close(&first);
	put_empty(&agent, WIRE_ACK);
	peer_expect(&agent, WIRE_GO);
	put_exit(WIRE_SIGNALED, 15);
	peer_expect(&job.client, WIRE_EXIT);
	peer_expect_eof(&job.client);
	finish();
	assert_int_equal(job.r, 0);
	assert_int_equal(job.how, WIRE_SIGNALED);
}

static void test_stdin_and_credit(void **state)
{
	static uint8_t data[5000];

	(void)state;
	run_command(WIRE_REQ_STDIN | WIRE_REQ_TTY);
	put_u32(&agent, WIRE_CREDIT, 6000);
	peer_expect(&job.client, WIRE_CREDIT);
	put_bytes(&job.client, WIRE_STDIN, data, 5000);
	peer_expect(&agent, WIRE_STDIN);
	assert_int_equal(agent.f.len, 5000);
	{
		uint8_t b[16];

		peer_put(&job.client, wire_put_size(b, sizeof(b), WIRE_RESIZE, 5, 6), b);
		peer_expect(&agent, WIRE_RESIZE);
		peer_put(&job.client, wire_put_u8(b, sizeof(b), WIRE_SIGNAL, 15), b);
		peer_expect(&agent, WIRE_SIGNAL);
	}
	put_bytes(&job.client, WIRE_STDIN, data, 1000);
	peer_expect(&agent, WIRE_STDIN);
	put_empty(&job.client, WIRE_STDIN_EOF);
	peer_expect(&agent, WIRE_STDIN_EOF);
	put_exit(WIRE_EXITED, 0);
	peer_expect(&job.client, WIRE_EXIT);
	finish();
	assert_int_equal(job.r, 0);
}

/* Frames of the client that must not reach the guest. */
static void test_client_breaks_rules(void **state)
{
	static const struct {
		uint8_t flags, type;
		uint32_t credit, len;
		const char *why;
	} cases[] = {
		{WIRE_REQ_STDIN, WIRE_STDIN, 10, 11, "11 bytes of stdin with credit for 10"},
		{WIRE_REQ_STDIN, WIRE_STDIN, 10, 0, "0 bytes of stdin"},
		{0, WIRE_STDIN, 10, 1, "stdin is not open"},
		{0, WIRE_STDIN_EOF, 10, 0, "stdin is not open"},
		{WIRE_REQ_TTY, WIRE_RESIZE, 0, 3, "malformed RESIZE"},
		{0, WIRE_SIGNAL, 0, 1, "malformed SIGNAL"}, /* signal 0 */
		{0, WIRE_GO, 0, 0, "GO on an exec"},
		{0, WIRE_REQ, 0, 40, "REQ on an exec"},
		{0, WIRE_EXIT, 0, 5, "EXIT on an exec"},
		{0, 0xee, 0, 0, "malformed frame"},
	};
	static uint8_t zero[64];

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		run_command(cases[i].flags);
		put_u32(&agent, WIRE_CREDIT, cases[i].credit);
		peer_expect(&job.client, WIRE_CREDIT);
		put_bytes(&job.client, cases[i].type, zero, cases[i].len);
		peer_expect_eof(&agent);
		peer_expect_eof(&job.client);
		finish();
		assert_int_equal(job.r, -EPROTO);
		if (!strstr(job.e.msg, cases[i].why))
			fail_msg("case %zu: '%s' is not in '%s'", i, cases[i].why, job.e.msg);
		remove(t_path("v.sock"));
	}
}

/* Frames of the guest that make no sense, before and after GO. */
static void test_guest_sends_garbage(void **state)
{
	static uint8_t junk[300];

	(void)state;
	memset(junk, 0xff, sizeof(junk));
	start(0);
	take_request();
	peer_put(&agent, sizeof(junk), junk);
	expect_refusal(&job, "malformed frame");
	finish();
	assert_int_equal(job.r, -EPROTO);
	remove(t_path("v.sock"));

	start(0);
	take_request();
	put_empty(&agent, WIRE_GO);
	expect_refusal(&job, "answered the request with GO");
	finish();
	remove(t_path("v.sock"));

	/* What came before is still delivered. */
	run_command(0);
	put_bytes(&agent, WIRE_STDOUT, "good", 4);
	put_bytes(&agent, WIRE_EXIT, junk, 5);
	peer_expect(&job.client, WIRE_STDOUT);
	peer_expect_eof(&job.client);
	finish();
	assert_int_equal(job.r, -EPROTO);
	remove(t_path("v.sock"));

	/* Something else than a VMM answers. */
	listener = t_listen(t_path("v.sock"));
	assert_int_equal(start_at(&job, t_path("v.sock"), 0, 0.5), 0);
	peer_take(&agent, t_accept(listener));
	peer_send(&agent, "SSH-2.0-hello there, this is a longer line\n", 43);
	expect_refusal(&job, "hybrid vsock convention");
	finish();
}

/* A client that does not read stops the guest's stream, with bounded memory; then it gets all. */
static void test_slow_client(void **state)
{
	static uint8_t chunk[WIRE_CHUNK];
	const size_t total = 8u << 20;
	size_t sent = 0, got = 0;
	uint8_t h[WIRE_HEADER];
	bool full = false;

	(void)state;
	run_command(0);
	/* Send until nothing is taken any more. */
	while (!full && sent < total) {
		size_t n = sizeof(chunk);
		uint8_t frame[WIRE_HEADER + sizeof(chunk)];
		size_t at = 0;
		int stuck = 0;

		wire_header(h, WIRE_STDOUT, (uint32_t)n);
		memset(chunk, (int)(sent / n), n);
		memcpy(frame, h, sizeof(h));
		memcpy(frame + sizeof(h), chunk, n);
		while (at < sizeof(frame)) {
			ssize_t r = send(agent.fd, frame + at, sizeof(frame) - at,
				MSG_NOSIGNAL | MSG_DONTWAIT);

			if (r > 0) {
				at += (size_t)r;
				stuck = 0;
				continue;
			}
			ev_run(t_loop, EVRUN_NOWAIT);
			if (++stuck < 50)
				continue;
			/* It is full: from now on the client reads, too. */
			full = true;
			peer_expect(&job.client, WIRE_STDOUT);
			got += job.client.f.len;
			stuck = 0;
		}
		sent += n;
	}
	assert_true(full);
	assert_in_range(sent, 1, 2u << 20); /* buffers of two sockets and of the relay */
	put_exit(WIRE_EXITED, 7);
	peer_close(&agent);
	while (got < sent) {
		peer_expect(&job.client, WIRE_STDOUT);
		assert_int_equal(job.client.f.payload[5], (uint8_t)(got / sizeof(chunk)));
		got += job.client.f.len;
	}
	peer_expect(&job.client, WIRE_EXIT);
	peer_expect_eof(&job.client);
	finish();
	assert_int_equal(job.r, 0);
	assert_int_equal(job.value, 7);
}

/* A client that goes away closes the guest's connection in every state. */
static void test_client_vanishes(void **state)
{
	static uint8_t big[60000];

	(void)state;
	/* While it is dialled, with frames sent too early. */
	start(WIRE_REQ_STDIN);
	put_bytes(&job.client, WIRE_STDIN, "early", 5);
	peer_close(&job.client);
	t_until(&job.done, "end of the relay");
	assert_int_equal(job.r, -EPIPE);
	close(listener);
	remove(t_path("v.sock"));
	/* Between REQ and ACK. */
	start(0);
	take_request();
	peer_close(&job.client);
	peer_expect_eof(&agent);
	finish();
	assert_int_equal(job.r, -EPIPE);
	remove(t_path("v.sock"));
	/* While it runs. */
	run_command(0);
	peer_close(&job.client);
	peer_expect_eof(&agent);
	finish();
	assert_int_equal(job.r, -EPIPE);
	assert_non_null(strstr(job.log, "exec.abort"));
	remove(t_path("v.sock"));
	/* While it is slow and the command has ended already. */
	run_command(0);
	put_bytes(&agent, WIRE_STDOUT, big, sizeof(big));
	put_exit(WIRE_EXITED, 1);
	peer_expect_eof(&agent);
	assert_int_equal(job.done, 0);
	peer_close(&job.client);
	finish();
	assert_int_equal(job.r, 0); /* the command itself had ended */
	assert_int_equal(job.value, 1);
}

static void test_abort(void **state)
{
	static char longer[200];

	(void)state;
	start(0);
	exec_relay_abort(job.x, "the VM was removed");
	assert_int_equal(job.done, 1);
	assert_int_equal(job.r, -ECANCELED);
	expect_refusal(&job, "the VM was removed");
	finish();
	remove(t_path("v.sock"));
	run_command(0);
	exec_relay_abort(job.x, "the VM was removed");
	peer_expect_eof(&job.client);
	peer_expect_eof(&agent);
	finish();
	remove(t_path("v.sock"));
	/* What cannot even begin is told, too. */
	memset(longer, 'p', sizeof(longer) - 1);
	assert_int_equal(start_at(&job, longer, 0, 1), -ENAMETOOLONG);
	expect_refusal(&job, "more than 107 bytes");
	peer_close(&job.client);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
	const struct CMUnitTest tests[] = {
		T(test_whole_command),
		T(test_ok_line),
		T(test_exit_with_stdin_under_way),
		T(test_refused),
		T(test_where_it_stopped),
		T(test_retry_before_ack_only),
		T(test_silent_agent_is_asked_again),
		T(test_stdin_and_credit),
		T(test_client_breaks_rules),
		T(test_guest_sends_garbage),
		T(test_slow_client),
		T(test_client_vanishes),
		T(test_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
