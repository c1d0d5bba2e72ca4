/* The wire codec with good frames: round trips of every payload, and the reader. */
// OBJS: tests/support/wire_samples.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/support/wire_samples.h"

static uint8_t buf[SAMPLE_CAP];
static struct wire_hello hello_in, hello_out;
static struct wire_exec_req req_in, req_out;

static void assert_str(struct wire_str s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.s, want, s.len);
}

static void test_control_round_trips(void **state)
{
	struct wire_ready r;
	struct wire_hello_ack a;
	struct wire_vitals v;
	struct wire_frame f;

	(void)state;
	f = sample_put(buf, WIRE_READY);
	assert_int_equal(wire_get_ready(&f, &r), 0);
	assert_int_equal(r.version, WIRE_VERSION);
	assert_int_equal(r.boot[15], 16);
	assert_int_equal(r.generation[0], 100);
	assert_int_equal(r.uptime_ns, 0x0102030405060708);
	assert_str(r.agent, "agent 1.2");

	f = sample_put(buf, WIRE_HELLO_ACK);
	assert_int_equal(wire_get_hello_ack(&f, &a), 0);
	assert_int_equal(a.verdict, WIRE_RESTORED);
	assert_int_equal(a.sockets_us, 4);
	assert_int_equal(a.total_us, 10);
	assert_true(a.clock_step_ns == -5);
	assert_int_equal(a.uptime_ns, 77);
	assert_int_equal(a.network, WIRE_NETWORK_FAILED);
	assert_int_equal(a.network_us, 6);
	assert_str(a.network_why, "no interface");

	f = sample_put(buf, WIRE_VITALS);
	assert_int_equal(wire_get_vitals(&f, &v), 0);
	assert_int_equal(v.mem_total, 1);
	assert_true(v.oom_kills == WIRE_VITAL_UNKNOWN);
	assert_int_equal(v.execs, 14);
	assert_str(v.why, "oom_kills: no such file");
}

static void test_snapshot_round_trips(void **state)
{
	struct wire_serving s;
	struct wire_quiesced q;
	struct wire_frame f;
	uint8_t in_time;
	int64_t step;

	(void)state;
	f = sample_put(buf, WIRE_SERVING);
	assert_int_equal(wire_get_serving(&f, &s), 0);
	assert_int_equal(s.execs, 3);
	assert_int_equal(s.dropped, 0x01020304);
	assert_int_equal(s.us, 2500);

	f = sample_put(buf, WIRE_QUIESCED);
	assert_int_equal(wire_get_quiesced(&f, &q), 0);
	assert_int_equal(q.drained, 1);
	assert_int_equal(q.us, 7000);
	assert_int_equal(q.execs, 2);
	assert_true(q.next == 1ull << 33);

	f = sample_put(buf, WIRE_THAWED);
	assert_int_equal(wire_get_thawed(&f, &in_time, &step), 0);
	assert_int_equal(in_time, 1);
	assert_true(step == -150000000);
	f = sample_frame(buf, wire_put_thawed(buf, SAMPLE_CAP, 0, INT64_MIN), WIRE_THAWED);
	assert_int_equal(wire_get_thawed(&f, &in_time, &step), 0);
	assert_int_equal(in_time, 0);
	assert_true(step == INT64_MIN);
}

static void test_hello_round_trip(void **state)
{
	struct wire_frame f = sample_put(buf, WIRE_HELLO);

	(void)state;
	sample_hello(&hello_in);
	assert_int_equal(wire_get_hello(&f, &hello_out), 0);
	assert_memory_equal(hello_out.instance, hello_in.instance, WIRE_ID);
	assert_memory_equal(hello_out.generation, hello_in.generation, WIRE_ID);
	assert_memory_equal(hello_out.entropy, hello_in.entropy, WIRE_ENTROPY);
	assert_true(hello_out.wall_ns == hello_in.wall_ns);
	assert_int_equal(hello_out.vitals_ms, 1000);
	assert_int_equal(hello_out.tty, 1);
	assert_int_equal(hello_out.rows, 25);
	assert_int_equal(hello_out.cols, 81);
	assert_str(hello_out.hostname, "box");
	assert_int_equal(hello_out.argc, 3);
	assert_str(hello_out.argv[1], "");
	assert_str(hello_out.argv[2], "a b");
	assert_int_equal(hello_out.envc, 1);
	assert_str(hello_out.env[0], "A=1");
}

static void test_hello_network(void **state)
{
	struct wire_frame f = sample_put(buf, WIRE_HELLO);
	const struct wire_network *n = &hello_out.net;
	uint32_t full = f.len;

	(void)state;
	assert_int_equal(wire_get_hello(&f, &hello_out), 0);
	assert_int_equal(n->present, 1);
	assert_memory_equal(n->address, "\x0a\x00\x02\x64", 4);
	assert_int_equal(n->bits, 24);
	assert_memory_equal(n->gateway, "\x0a\x00\x02\x02", 4);
	assert_int_equal(n->mtu, 1400);
	assert_int_equal(n->dns_count, 2);
	assert_str(n->dns[0], "192.0.2.53");
	assert_str(n->dns[1], "2001:db8::53");
	assert_str(n->search, "one.test two.test");
	/* None takes one byte, and nothing of the former one is left. */
	sample_hello(&hello_in);
	hello_in.net.present = 0;
	f = sample_frame(buf, wire_put_hello(buf, SAMPLE_CAP, &hello_in), WIRE_HELLO);
	assert_int_equal(f.len, full - SAMPLE_NETWORK_LEN);
	assert_int_equal(wire_get_hello(&f, &hello_out), 0);
	assert_int_equal(n->present, 0);
	assert_int_equal(n->dns_count, 0);
	assert_int_equal(n->search.len, 0);
}

static void test_exec_round_trips(void **state)
{
	struct wire_frame f = sample_put(buf, WIRE_REQ);
	struct wire_str why;
	int32_t value;
	uint8_t how, code;

	(void)state;
	sample_exec_req(&req_in);
	assert_int_equal(wire_get_exec_req(&f, &req_out), 0);
	assert_memory_equal(req_out.id, req_in.id, WIRE_ID);
	assert_int_equal(req_out.flags, 3);
	assert_str(req_out.cwd, "/tmp");
	assert_str(req_out.user, "1000:5");
	assert_str(req_out.argv[0], "sh");
	assert_str(req_out.env[1], "EMPTY=");

	f = sample_put(buf, WIRE_REFUSED);
	assert_int_equal(wire_get_refused(&f, &code, &why), 0);
	assert_int_equal(code, 127);
	assert_str(why, "not there");

	f = sample_frame(
		buf, wire_put_exit(buf, SAMPLE_CAP, WIRE_EXIT, WIRE_EXITED, -1), WIRE_EXIT);
	assert_int_equal(wire_get_exit(&f, &how, &value), 0);
	assert_int_equal(how, WIRE_EXITED);
	assert_int_equal(value, -1);
}

static void test_small_round_trips(void **state)
{
	uint64_t a, b;
	uint32_t c;
	uint16_t rows, cols;
	uint8_t what;
	struct wire_frame f;

	(void)state;
	f = sample_put(buf, WIRE_PING);
	assert_int_equal(wire_get_u64(&f, &a), 0);
	assert_true(a == 0x1122334455667788);
	f = sample_put(buf, WIRE_CREDIT);
	assert_int_equal(wire_get_u32(&f, &c), 0);
	assert_int_equal(c, 0x01020304);
	assert_int_equal(buf[WIRE_HEADER], 4); /* little-endian */
	f = sample_frame(buf, wire_put_pong(buf, SAMPLE_CAP, UINT64_MAX, 2, UINT32_MAX), WIRE_PONG);
	assert_int_equal(wire_get_pong(&f, &a, &b, &c), 0);
	assert_true(a == UINT64_MAX && b == 2 && c == UINT32_MAX);
	f = sample_put(buf, WIRE_RESIZE);
	assert_int_equal(wire_get_size(&f, &rows, &cols), 0);
	assert_int_equal(rows, 50);
	assert_int_equal(cols, 132);
	f = sample_put(buf, WIRE_POWEROFF);
	assert_int_equal(wire_get_poweroff(&f, &what, &c), 0);
	assert_int_equal(what, 1);
	assert_int_equal(c, 3000);
	sample_frame(buf, wire_put_empty(buf, SAMPLE_CAP, WIRE_GO), WIRE_GO);
}

static void test_out_data(void **state)
{
	static uint8_t data[WIRE_PAYLOAD_MAX];
	struct wire_frame f;
	const uint8_t *p;
	uint64_t offset;
	uint32_t n;

	(void)state;
	sample_fill(data, sizeof(data), 0);
	f = sample_frame(buf, wire_put_out_data(buf, SAMPLE_CAP, 1ull << 40, data, WIRE_CHUNK),
		WIRE_OUT_DATA);
	assert_int_equal(wire_get_out_data(&f, &offset, &p, &n), 0);
	assert_true(offset == 1ull << 40);
	assert_int_equal(n, WIRE_CHUNK);
	assert_memory_equal(p, data, n);
	f = sample_frame(buf, wire_put_out_data(buf, SAMPLE_CAP, 0, NULL, 0), WIRE_OUT_DATA);
	assert_int_equal(wire_get_out_data(&f, &offset, &p, &n), 0);
	assert_int_equal(n, 0);
	f.len = 7;
	assert_int_equal(wire_get_out_data(&f, &offset, &p, &n), -EPROTO);
	assert_int_equal(
		wire_put_out_data(buf, SAMPLE_CAP, 0, data, WIRE_PAYLOAD_MAX - 8), SAMPLE_CAP);
	assert_int_equal(
		wire_put_out_data(buf, SAMPLE_CAP, 0, data, WIRE_PAYLOAD_MAX - 7), -EMSGSIZE);
	/* A bigger buffer does not raise the limit of a frame. */
	assert_int_equal(wire_put_out_data(buf, SIZE_MAX, 0, data, WIRE_PAYLOAD_MAX), -EMSGSIZE);
}

static void test_encode_into_every_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_sample_count; i++) {
		int full = wire_samples[i].put(buf, SAMPLE_CAP);

		for (int cap = 0; cap < full; cap++)
			assert_int_equal(wire_samples[i].put(buf, (size_t)cap), -EMSGSIZE);
		assert_int_equal(wire_samples[i].put(buf, (size_t)full), full);
	}
}

static void test_type_names(void **state)
{
	(void)state;
	assert_string_equal(wire_type_name(WIRE_OUT_DATA), "OUT_DATA");
	assert_null(wire_type_name(0));
	assert_null(wire_type_name(255));
}

/* The same three frames come out, however the bytes are cut. */
static void test_reader_split(void **state)
{
	static uint8_t mem[SAMPLE_CAP], stream[SAMPLE_CAP];
	int len = 0;

	(void)state;
	len += wire_put_u64(stream, SAMPLE_CAP, WIRE_PING, 1);
	len += wire_put_empty(stream + len, SAMPLE_CAP, WIRE_ACK);
	len += wire_put_refused(stream + len, SAMPLE_CAP, 1, "why");
	for (int step = 1; step <= len; step++) {
		static const uint8_t want[] = {WIRE_PING, WIRE_ACK, WIRE_REFUSED};
		struct wire_reader r;
		struct wire_frame f;
		int n = 0;

		wire_reader_init(&r, mem, sizeof(mem));
		for (int at = 0; at < len; at += step) {
			int chunk = len - at < step ? len - at : step;
			size_t room;
			uint8_t *p = wire_room(&r, &room);

			assert_true(room >= (size_t)chunk);
			memcpy(p, stream + at, (size_t)chunk);
			wire_commit(&r, (size_t)chunk);
			while (wire_next(&r, &f) == 1)
				assert_int_equal(f.type, want[n++]);
		}
		assert_int_equal(n, 3);
		assert_int_equal(r.len, 0);
	}
}

/* The biggest frame fits the smallest allowed buffer, and room is left whenever bytes are missing.
 */
static void test_reader_biggest_frame(void **state)
{
	static uint8_t mem[SAMPLE_CAP];
	struct wire_reader r;
	struct wire_frame f;
	size_t room, fed = 0;

	(void)state;
	wire_reader_init(&r, mem, sizeof(mem));
	wire_put_u8(buf, SAMPLE_CAP, WIRE_SIGNAL, 1);
	wire_header(buf + WIRE_HEADER + 1, WIRE_STDIN, WIRE_PAYLOAD_MAX);
	while (fed < WIRE_HEADER + 1 + WIRE_HEADER + WIRE_PAYLOAD_MAX) {
		uint8_t *p = wire_room(&r, &room);
		size_t left = WIRE_HEADER + 1 + WIRE_HEADER + WIRE_PAYLOAD_MAX - fed;
		size_t n = left < room ? left : room;

		assert_true(room > 0);
		if (fed < WIRE_HEADER + 1 + WIRE_HEADER) {
			n = WIRE_HEADER + 1 + WIRE_HEADER;
			memcpy(p, buf, n);
		} else {
			memset(p, 'z', n);
		}
		wire_commit(&r, n);
		fed += n;
		if (wire_next(&r, &f) == 1 && f.type == WIRE_SIGNAL)
			assert_int_equal(wire_next(&r, &f), 0);
	}
	assert_int_equal(f.type, WIRE_STDIN);
	assert_int_equal(f.len, WIRE_PAYLOAD_MAX);
	assert_int_equal(f.payload[WIRE_PAYLOAD_MAX - 1], 'z');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_round_trips),
		cmocka_unit_test(test_snapshot_round_trips),
		cmocka_unit_test(test_hello_round_trip),
		cmocka_unit_test(test_hello_network),
		cmocka_unit_test(test_exec_round_trips),
		cmocka_unit_test(test_small_round_trips),
		cmocka_unit_test(test_out_data),
		cmocka_unit_test(test_encode_into_every_size),
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_reader_split),
		cmocka_unit_test(test_reader_biggest_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
