// LIBS: guest base
// OBJS: tests/support/looptest.c tests/support/fake_agent.c
/* The control connection: handshake, pings, vitals, power off; redials; hostile agents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backend/base/str.h"
#include "tests/support/fake_agent.h"

static struct seen seen;
static struct peer p1, p2;

static void test_hello(void **state)
{
	static struct wire_hello h, h2;
	uint64_t now;

	(void)state;
	fake_open(&seen);
	fake_control(&p1);
	assert_int_equal(wire_get_hello(&p1.f, &h), 0);
	now = wall_ns();
	assert_true(now >= h.wall_ns && now - h.wall_ns < 10000000000u);
	assert_memory_equal(h.generation, fake_generation, WIRE_ID);
	assert_int_equal(h.instance[0], 0x11);
	assert_int_equal(h.rows, 30);
	assert_int_equal(h.cols, 100);
	assert_int_equal(h.vitals_ms, 1000);
	assert_int_equal(h.argc, 2);
	assert_int_equal(h.envc, 3);
	assert_memory_equal(h.argv[0].s, "/bin/main", 9);
	assert_memory_equal(h.hostname.s, "host-a", 6);
	assert_false(guest_connected(seen.g));
	peer_close(&p1);
	t_until(&seen.lost, "loss");
	/* The next one gets other entropy, the current size and a fresh clock. */
	guest_resize(seen.g, 40, 120);
	fake_control(&p1);
	assert_int_equal(wire_get_hello(&p1.f, &h2), 0);
	assert_memory_not_equal(h.entropy, h2.entropy, WIRE_ENTROPY);
	assert_true(h2.wall_ns > h.wall_ns);
	assert_int_equal(h2.rows, 40);
	peer_close(&p1);
	fake_close(&seen);
}

static void send_ack(struct wire_hello_ack *m)
{
	uint8_t b[512];

	memcpy(m->generation, fake_generation, WIRE_ID);
	peer_put(&p1, wire_put_hello_ack(b, sizeof(b), m), b);
	T_UNTIL(fake_log_count(&seen, "epoch.ack") > 0, "HELLO_ACK");
}

/* The network that HELLO carries is what is known when it is sent. */
static void test_network(void **state)
{
	static const char evil[] = "eth0: \"x\x1b[2J\ny\xff";
	static struct wire_hello h;
	struct guest_network n = {.address = "10.0.2.100",
		.bits = 24,
		.gateway = "10.0.2.1",
		.mtu = 1500,
		.dns = {"192.0.2.1", "2001:db8::1"},
		.dns_count = 2,
		.search = "a.test b.test"};
	struct wire_hello_ack m = {.network = WIRE_NETWORK_FAILED,
		.network_us = 4321,
		.network_why = {.s = evil, .len = sizeof(evil) - 1}};

	(void)state;
	fake_network = &n;
	fake_open(&seen);
	fake_network = NULL;
	fake_control(&p1);
	assert_int_equal(wire_get_hello(&p1.f, &h), 0);
	assert_int_equal(h.net.present, 1);
	assert_memory_equal(h.net.address, "\x0a\x00\x02\x64", 4);
	assert_memory_equal(h.net.gateway, "\x0a\x00\x02\x01", 4);
	assert_int_equal(h.net.mtu, 1500);
	assert_int_equal(h.net.dns_count, 2);
	assert_int_equal(h.net.dns[1].len, 11);
	assert_memory_equal(h.net.dns[1].s, "2001:db8::1", 11);
	assert_memory_equal(h.net.search.s, "a.test b.test", h.net.search.len);
	send_ack(&m);
	assert_int_equal(fake_log_count(&seen, "\"network_us\":4321"), 1);
	assert_int_equal(fake_log_count(&seen, "\"network_why\":\"eth0: \\\"x"), 1);
	assert_null(strpbrk(strstr(seen.log, "network_why"), "\x1b\xff"));
	peer_close(&p1);
	t_until(&seen.lost, "loss");
	n.dns_count = 1;
	*n.gateway = 0;
	fake_control(&p1);
	assert_int_equal(wire_get_hello(&p1.f, &h), 0);
	assert_int_equal(h.net.dns_count, 1);
	assert_memory_equal(h.net.gateway, "\0\0\0\0", 4);
	peer_close(&p1);
	fake_close(&seen);
}

/* A guest without a network is told of none, and its answer says nothing of it. */
static void test_no_network(void **state)
{
	static struct wire_hello h;
	struct wire_hello_ack m = {.network = WIRE_NETWORK_NONE};

	(void)state;
	fake_open(&seen);
	fake_control(&p1);
	assert_int_equal(wire_get_hello(&p1.f, &h), 0);
	assert_int_equal(h.net.present, 0);
	send_ack(&m);
	assert_int_equal(fake_log_count(&seen, "network_why"), 0);
	peer_close(&p1);
	fake_close(&seen);
}

static void test_reconnect_and_newest_wins(void **state)
{
	(void)state;
	fake_open(&seen);
	fake_serve(&seen, &p1);
	assert_true(guest_connected(seen.g));
	assert_int_equal(seen.ack.total_us, 7);
	assert_int_equal(seen.last_serving.dropped, 1);
	assert_int_equal(seen.last_serving.execs, 2);
	peer_close(&p1);
	t_until(&seen.lost, "loss");
	assert_false(guest_connected(seen.g));
	fake_serve(&seen, &p1);
	assert_int_equal(seen.ready, 2);
	assert_int_equal(seen.serving, 2);
	assert_int_equal(seen.dial, 2);
	/* The old connection is still open: the newest wins. */
	fake_serve(&seen, &p2);
	assert_int_equal(seen.ready, 3);
	assert_int_equal(seen.lost, 2);
	assert_non_null(strstr(seen.why, "newer"));
	peer_expect_eof(&p1);
	assert_true(guest_connected(seen.g));
	peer_close(&p1);
	peer_close(&p2);
	assert_int_equal(fake_log_count(&seen, "epoch.publish"), 3);
	assert_int_equal(fake_log_count(&seen, "epoch.ack"), 3);
	assert_int_equal(fake_log_count(&seen, "agent.dial"), 3);
	assert_int_equal(fake_log_count(&seen, "rebind.done {\"dropped\":1,\"execs\":2,"), 3);
	fake_close(&seen);
}

struct pong {
	int came, r;
	uint64_t rtt, uptime;
	uint32_t execs;
};

static void on_pong(void *user, int r, uint64_t rtt, uint64_t uptime, uint32_t execs)
{
	*(struct pong *)user = (struct pong){1, r, rtt, uptime, execs};
}

static void test_ping(void **state)
{
	struct pong a = {0}, b[3] = {0};
	uint8_t frame[64];
	uint64_t nonce, late;
	struct err e;

	(void)state;
	fake_open(&seen);
	assert_int_equal(guest_ping(seen.g, 1, on_pong, &a, &e), -ENOTCONN);
	fake_serve(&seen, &p1);
	assert_int_equal(guest_ping(seen.g, 20, on_pong, &a, &e), 0);
	for (size_t i = 0; i < countof(b); i++)
		assert_int_equal(guest_ping(seen.g, 20, on_pong, &b[i], &e), 0);
	assert_int_equal(guest_ping(seen.g, 20, on_pong, &b[0], &e), -EBUSY);
	peer_expect(&p1, WIRE_PING);
	assert_int_equal(wire_get_u64(&p1.f, &nonce), 0);
	/* Answered in another order than asked: each gets its own. */
	for (size_t i = 0; i < countof(b); i++)
		peer_expect(&p1, WIRE_PING);
	assert_int_equal(wire_get_u64(&p1.f, &late), 0);
	for (uint64_t i = 0; i < countof(b); i++)
		peer_put(&p1, wire_put_pong(frame, sizeof(frame), late - i, 1, (uint32_t)i), frame);
	t_until(&b[0].came, "pong of the one asked second");
	for (uint32_t i = 0; i < countof(b); i++)
		assert_int_equal(b[i].execs, countof(b) - 1 - i);
	assert_int_equal(a.came, 0);
	/* A wrong nonce is an answer to something else. */
	peer_put(&p1, wire_put_pong(frame, sizeof(frame), late + 1, 1, 1), frame);
	peer_put(&p1, wire_put_pong(frame, sizeof(frame), nonce, 99, 3), frame);
	t_until(&a.came, "pong");
	assert_int_equal(a.r, 0);
	assert_int_equal(a.uptime, 99);
	assert_int_equal(a.execs, 3);
	assert_true(a.rtt > 0);
	/* No answer. */
	memset(&a, 0, sizeof(a));
	assert_int_equal(guest_ping(seen.g, 0.05, on_pong, &a, &e), 0);
	t_until(&a.came, "timeout of the ping");
	assert_int_equal(a.r, -ETIMEDOUT);
	peer_expect(&p1, WIRE_PING);
	assert_int_equal(wire_get_u64(&p1.f, &nonce), 0);
	peer_put(&p1, wire_put_pong(frame, sizeof(frame), nonce, 99, 3), frame); /* late: ignored */
	/* The connection breaks, and the guest is closed, with a ping under way. */
	memset(&a, 0, sizeof(a));
	assert_int_equal(guest_ping(seen.g, 20, on_pong, &a, &e), 0);
	peer_close(&p1);
	t_until(&a.came, "end of the ping");
	assert_int_equal(a.r, -ENOTCONN);
	fake_serve(&seen, &p1);
	memset(&a, 0, sizeof(a));
	assert_int_equal(guest_ping(seen.g, 20, on_pong, &a, &e), 0);
	fake_close(&seen);
	assert_int_equal(a.came, 1);
	assert_int_equal(a.r, -ENOTCONN);
	peer_close(&p1);
}

static void test_vitals_and_poweroff(void **state)
{
	struct wire_vitals v = {.mem_total = 5, .why = {"x: y", 4}};
	uint8_t b[1024];
	uint32_t ms;

	(void)state;
	fake_open(&seen);
	assert_int_equal(guest_poweroff(seen.g, false, 1, NULL), -ENOTCONN);
	fake_serve(&seen, &p1);
	/* A flood of vitals: the daemon hears a few. */
	for (int i = 0; i < 500; i++)
		peer_put(&p1, wire_put_vitals(b, sizeof(b), &v), b);
	t_until(&seen.vitals, "vitals");
	assert_int_equal(seen.last.mem_total, 5);
	assert_int_equal(guest_set_vitals(seen.g, 250, NULL), 0);
	peer_expect(&p1, WIRE_VITALS_EVERY);
	assert_int_equal(wire_get_u32(&p1.f, &ms), 0);
	assert_int_equal(ms, 250);
	assert_true(seen.vitals < 100);
	assert_int_equal(guest_poweroff(seen.g, true, 1234, NULL), 0);
	peer_expect(&p1, WIRE_POWEROFF);
	assert_int_equal(p1.f.payload[0], 1);
	peer_put(&p1, wire_put_exit(b, sizeof(b), WIRE_BYE, 1, 42), b);
	t_until(&seen.bye, "BYE");
	assert_int_equal(seen.reason, 1);
	assert_int_equal(seen.value, 42);
	peer_close(&p1);
	t_until(&seen.lost, "loss");
	assert_non_null(strstr(seen.why, "powers off"));
	fake_close(&seen);
}

/* What a hostile agent may send at each step: the connection is closed, one event says why, the
 * next connection works. */
static void expect_thrown_out(struct peer *p, const char *why)
{
	int before = fake_log_count(&seen, "agent.error");

	peer_expect_eof(p);
	peer_close(p);
	assert_int_equal(fake_log_count(&seen, "agent.error"), before + 1);
	if (!strstr(seen.log, why))
		fail_msg("no '%s' in:\n%s", why, seen.log);
}

static void test_garbage(void **state)
{
	struct wire_ready old = {.version = 77};
	struct wire_hello_ack ack = {.verdict = WIRE_RESUMED};
	uint8_t b[4096];

	(void)state;
	fake_open(&seen);
	peer_dial(&p1, t_path("v.sock_4990"));
	memset(b, 'A', sizeof(b));
	peer_put(&p1, sizeof(b), b);
	expect_thrown_out(&p1, "malformed frame");

	peer_dial(&p1, t_path("v.sock_4990"));
	peer_put(&p1, wire_put_ready(b, sizeof(b), &old), b);
	expect_thrown_out(&p1, "version 77");
	assert_non_null(strstr(seen.why, "build the image anew"));

	peer_dial(&p1, t_path("v.sock_4990"));
	wire_header(b, WIRE_READY, 3);
	peer_put(&p1, WIRE_HEADER + 3, b);
	expect_thrown_out(&p1, "malformed READY");

	fake_control(&p1);
	peer_put(&p1, wire_put_hello_ack(b, sizeof(b), &ack), b);
	expect_thrown_out(&p1, "another generation");

	fake_control(&p1);
	peer_put(&p1, wire_put_u64(b, sizeof(b), WIRE_OUT_STORED, 1), b);
	expect_thrown_out(&p1, "OUT_STORED is out of place");

	fake_serve(&seen, &p1);
	peer_put(&p1, wire_put_u64(b, sizeof(b), WIRE_PONG, 1), b);
	expect_thrown_out(&p1, "malformed PONG");

	fake_serve(&seen, &p1);
	wire_header(b, WIRE_VITALS, 9);
	peer_put(&p1, WIRE_HEADER + 9, b);
	expect_thrown_out(&p1, "malformed VITALS");

	fake_serve(&seen, &p1);
	peer_put(&p1, wire_put_exit(b, sizeof(b), WIRE_BYE, 0, 0), b);
	peer_put(&p1, wire_put_exit(b, sizeof(b), WIRE_BYE, 0, 0), b);
	expect_thrown_out(&p1, "BYE twice");

	/* Half a frame and away. */
	peer_dial(&p1, t_path("v.sock_4990"));
	peer_put(&p1, wire_put_ready(b, sizeof(b), &old) - 2, b);
	peer_close(&p1);
	fake_serve(&seen, &p1);
	peer_close(&p1);
	fake_close(&seen);
}

/* A guest that dials and dials: a few connections a second, and not more events than that. */
static void test_redial_storm(void **state)
{
	(void)state;
	fake_open(&seen);
	for (int i = 0; i < 200; i++) {
		peer_dial(&p1, t_path("v.sock_4990"));
		peer_close(&p1);
	}
	t_quiet(0.5);
	assert_in_range(fake_log_count(&seen, "agent.dial"), 5, 30);
	assert_in_range(fake_log_count(&seen, "\n"), 5, 60);
	fake_close(&seen);
}

static void test_silence_has_limits(void **state)
{
	struct wire_hello_ack ack = {.verdict = WIRE_RESUMED};
	struct peer out;
	uint64_t start = mono_ns();
	uint8_t b[256];

	(void)state;
	fake_open(&seen);
	peer_dial(&p1, t_path("v.sock_4990"));
	peer_dial(&out, t_path("v.sock_4991"));
	peer_expect_eof(&p1);
	peer_expect_eof(&out);
	assert_true(mono_ns() - start > 4500000000u);
	assert_non_null(strstr(seen.why, "no READY within 5 s"));
	peer_close(&p1);
	peer_close(&out);
	fake_control(&p1);
	seen.lost = 0;
	peer_expect_eof(&p1);
	assert_non_null(strstr(seen.why, "no HELLO_ACK within 5 s"));
	peer_close(&p1);
	fake_control(&p1);
	memcpy(ack.generation, fake_generation, WIRE_ID);
	peer_put(&p1, wire_put_hello_ack(b, sizeof(b), &ack), b);
	peer_expect_eof(&p1);
	assert_non_null(strstr(seen.why, "no SERVING within 5 s"));
	peer_close(&p1);
	fake_close(&seen);
}

static void test_closed_in_callback(void **state)
{
	uint8_t b[256];
	struct wire_hello_ack m = {0};

	(void)state;
	fake_open(&seen);
	seen.close_in_ready = true;
	fake_control(&p1);
	memcpy(m.generation, fake_generation, WIRE_ID);
	peer_put(&p1, wire_put_hello_ack(b, sizeof(b), &m), b);
	peer_expect_eof(&p1);
	assert_null(seen.g);
	assert_int_equal(seen.lost, 0);
	peer_close(&p1);
	fake_close(&seen);
}

static int open_at(const char *path, const struct guest_identity *id, struct err *e)
{
	struct guest_callbacks cb = {0};
	struct outlog *out;
	struct guest *g;
	int r;

	assert_int_equal(outlog_open(&out, t_dir, e), 0);
	r = guest_open(&g, t_loop, path, id, out, &cb, NULL, e);
	if (r >= 0)
		guest_close(g);
	outlog_close(out);
	return r;
}

static void test_open_errors(void **state)
{
	static char big[WIRE_PAYLOAD_MAX], longer[100];
	const char *argv[] = {"a", big, NULL};
	struct guest_identity id = {.hostname = "x"}, fat = {.argv = argv};
	struct guest_network wrong = {.address = "10.0.2", .bits = 24};
	struct guest_identity lost = {.network = &wrong};
	struct peer stale;
	struct err e;
	struct stat st;
	FILE *f;
	int fd;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(open_at(t_path("v.sock"), &fat, &e), -E2BIG);
	assert_int_equal(open_at(t_path("v.sock"), &lost, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "'10.0.2/24'"));
	snprintf(wrong.address, sizeof(wrong.address), "10.0.2.3");
	snprintf(wrong.gateway, sizeof(wrong.gateway), "me");
	assert_int_equal(open_at(t_path("v.sock"), &lost, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "'me'"));
	memset(longer, 'p', sizeof(longer) - 1);
	assert_int_equal(open_at(t_path(longer), &id, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.msg, "at most 107"));
	assert_int_equal(open_at(t_path("no-folder/v.sock"), &id, &e), -ENOENT);
	/* A file that is not a socket is not ours to remove; nothing else is left behind. */
	f = fopen(t_path("v.sock_4991"), "w");
	fclose(f);
	assert_int_equal(open_at(t_path("v.sock"), &id, &e), -EEXIST);
	assert_int_equal(stat(t_path("v.sock_4990"), &st), -1);
	remove(t_path("v.sock_4991"));
	/* A socket that a killed daemon left is replaced. */
	fd = t_listen(t_path("v.sock_4990"));
	peer_dial(&stale, t_path("v.sock_4990"));
	close(fd);
	assert_int_equal(open_at(t_path("v.sock"), &id, &e), 0);
	peer_close(&stale);
	assert_int_equal(stat(t_path("v.sock_4990"), &st), -1); /* removed at closing */
	guest_close(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
	const struct CMUnitTest tests[] = {
		T(test_hello),
		T(test_network),
		T(test_no_network),
		T(test_reconnect_and_newest_wins),
		T(test_ping),
		T(test_vitals_and_poweroff),
		T(test_garbage),
		T(test_redial_storm),
		T(test_silence_has_limits),
		T(test_closed_in_callback),
		T(test_open_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
