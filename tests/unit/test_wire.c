/* The wire codec: round trips, and hostile bytes against every decoder and the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "agent/wire.h"

#define CAP (WIRE_HEADER + WIRE_PAYLOAD_MAX)

static uint8_t buf[CAP];

static struct wire_str str(const char *s)
{
	return (struct wire_str){.s = s, .len = (uint16_t)strlen(s)};
}

static void assert_str(struct wire_str s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.s, want, s.len);
}

/* The frame that an encoder put into buf. */
static struct wire_frame frame(int len, uint8_t type)
{
	struct wire_frame f = {.type = buf[0], .payload = buf + WIRE_HEADER};

	assert_true(len >= WIRE_HEADER);
	for (int i = 0; i < 4; i++)
		f.len |= (uint32_t)buf[4 + i] << (8 * i);
	assert_int_equal(f.type, type);
	assert_int_equal(f.len, len - WIRE_HEADER);
	return f;
}

static void fill(uint8_t *p, size_t n, uint8_t from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(from + i);
}

/* ---- one encoder and one decoder a payload, so that hostile cases can loop over all ---- */

static struct wire_hello hello_in, hello_out;
static struct wire_exec_req req_in, req_out;

static int put_ready(size_t cap)
{
	struct wire_ready m = {.version = WIRE_VERSION, .uptime_ns = 0x0102030405060708};

	fill(m.boot, WIRE_ID, 1);
	fill(m.generation, WIRE_ID, 100);
	m.agent = str("agent 1.2");
	return wire_put_ready(buf, cap, &m);
}

static int get_ready(const struct wire_frame *f)
{
	struct wire_ready m;

	return wire_get_ready(f, &m);
}

static int put_hello(size_t cap)
{
	struct wire_hello *m = &hello_in;

	memset(m, 0, sizeof(*m));
	m->version = WIRE_VERSION;
	fill(m->instance, WIRE_ID, 3);
	fill(m->generation, WIRE_ID, 50);
	fill(m->entropy, WIRE_ENTROPY, 9);
	m->wall_ns = 1700000000000000001;
	m->vitals_ms = 1000;
	m->tty = 1;
	m->rows = 25;
	m->cols = 81;
	m->hostname = str("box");
	m->argv[0] = str("/bin/echo");
	m->argv[1] = str("");
	m->argv[2] = str("a b");
	m->argc = 3;
	m->env[0] = str("A=1");
	m->envc = 1;
	return wire_put_hello(buf, cap, m);
}

static int get_hello(const struct wire_frame *f)
{
	return wire_get_hello(f, &hello_out);
}

static int put_hello_ack(size_t cap)
{
	struct wire_hello_ack m = {.verdict = WIRE_RESTORED,
		.rng_us = 1,
		.clock_us = 2,
		.identity_us = 3,
		.sockets_us = 4,
		.total_us = 10,
		.clock_step_ns = -5,
		.uptime_ns = 77};

	fill(m.generation, WIRE_ID, 8);
	return wire_put_hello_ack(buf, cap, &m);
}

static int get_hello_ack(const struct wire_frame *f)
{
	struct wire_hello_ack m;

	return wire_get_hello_ack(f, &m);
}

static int put_vitals(size_t cap)
{
	struct wire_vitals m = {.uptime_ns = 5};
	uint64_t v = 1;

#define X(field, help) m.field = v++;
	WIRE_VITALS(X)
#undef X
	m.oom_kills = WIRE_VITAL_UNKNOWN;
	m.why = str("oom_kills: no such file");
	return wire_put_vitals(buf, cap, &m);
}

static int get_vitals(const struct wire_frame *f)
{
	struct wire_vitals m;

	return wire_get_vitals(f, &m);
}

static int put_out_open(size_t cap)
{
	struct wire_out_open m = {.first = 10, .next = 20, .main_state = 2};

	fill(m.stream, WIRE_ID, 30);
	fill(m.generation, WIRE_ID, 60);
	return wire_put_out_open(buf, cap, &m);
}

static int get_out_open(const struct wire_frame *f)
{
	struct wire_out_open m;

	return wire_get_out_open(f, &m);
}

static int put_exec_req(size_t cap)
{
	struct wire_exec_req *m = &req_in;

	memset(m, 0, sizeof(*m));
	fill(m->id, WIRE_ID, 200);
	m->flags = WIRE_REQ_STDIN | WIRE_REQ_TTY;
	m->rows = 1;
	m->cols = 2;
	m->cwd = str("/tmp");
	m->user = str("1000:5");
	m->argv[0] = str("sh");
	m->argc = 1;
	m->env[0] = str("X=y");
	m->env[1] = str("EMPTY=");
	m->envc = 2;
	return wire_put_exec_req(buf, cap, m);
}

static int get_exec_req(const struct wire_frame *f)
{
	return wire_get_exec_req(f, &req_out);
}

static int put_refused(size_t cap)
{
	return wire_put_refused(buf, cap, 127, "not there");
}

static int get_refused(const struct wire_frame *f)
{
	struct wire_str why;
	uint8_t code;

	return wire_get_refused(f, &code, &why);
}

static int put_u8(size_t cap)
{
	return wire_put_u8(buf, cap, WIRE_SIGNAL, 15);
}

static int get_u8(const struct wire_frame *f)
{
	uint8_t v;

	return wire_get_u8(f, &v);
}

static int put_u32(size_t cap)
{
	return wire_put_u32(buf, cap, WIRE_CREDIT, 0x01020304);
}

static int get_u32(const struct wire_frame *f)
{
	uint32_t v;

	return wire_get_u32(f, &v);
}

static int put_u64(size_t cap)
{
	return wire_put_u64(buf, cap, WIRE_PING, 0x1122334455667788);
}

static int get_u64(const struct wire_frame *f)
{
	uint64_t v;

	return wire_get_u64(f, &v);
}

static int put_pong(size_t cap)
{
	return wire_put_pong(buf, cap, 1, 2, 3);
}

static int get_pong(const struct wire_frame *f)
{
	uint64_t nonce, uptime;
	uint32_t execs;

	return wire_get_pong(f, &nonce, &uptime, &execs);
}

static int put_size(size_t cap)
{
	return wire_put_size(buf, cap, WIRE_RESIZE, 50, 132);
}

static int get_size(const struct wire_frame *f)
{
	uint16_t rows, cols;

	return wire_get_size(f, &rows, &cols);
}

static int put_exit(size_t cap)
{
	return wire_put_exit(buf, cap, WIRE_EXIT, WIRE_SIGNALED, 9);
}

static int get_exit(const struct wire_frame *f)
{
	uint8_t how;
	int32_t value;

	return wire_get_exit(f, &how, &value);
}

static int put_poweroff(size_t cap)
{
	return wire_put_poweroff(buf, cap, 1, 3000);
}

static int get_poweroff(const struct wire_frame *f)
{
	uint32_t grace;
	uint8_t what;

	return wire_get_poweroff(f, &what, &grace);
}

static const struct {
	uint8_t type;
	int (*put)(size_t cap);
	int (*get)(const struct wire_frame *f);
} payloads[] = {
	{WIRE_READY, put_ready, get_ready},
	{WIRE_HELLO, put_hello, get_hello},
	{WIRE_HELLO_ACK, put_hello_ack, get_hello_ack},
	{WIRE_VITALS, put_vitals, get_vitals},
	{WIRE_OUT_OPEN, put_out_open, get_out_open},
	{WIRE_REQ, put_exec_req, get_exec_req},
	{WIRE_REFUSED, put_refused, get_refused},
	{WIRE_SIGNAL, put_u8, get_u8},
	{WIRE_CREDIT, put_u32, get_u32},
	{WIRE_PING, put_u64, get_u64},
	{WIRE_PONG, put_pong, get_pong},
	{WIRE_RESIZE, put_size, get_size},
	{WIRE_EXIT, put_exit, get_exit},
	{WIRE_POWEROFF, put_poweroff, get_poweroff},
};

#define PAYLOADS (sizeof(payloads) / sizeof(payloads[0]))

/* ---- cases ---- */

static void test_control_round_trips(void **state)
{
	struct wire_ready r;
	struct wire_hello_ack a;
	struct wire_vitals v;
	struct wire_frame f;

	(void)state;
	f = frame(put_ready(CAP), WIRE_READY);
	assert_int_equal(wire_get_ready(&f, &r), 0);
	assert_int_equal(r.version, WIRE_VERSION);
	assert_int_equal(r.boot[15], 16);
	assert_int_equal(r.generation[0], 100);
	assert_int_equal(r.uptime_ns, 0x0102030405060708);
	assert_str(r.agent, "agent 1.2");

	f = frame(put_hello_ack(CAP), WIRE_HELLO_ACK);
	assert_int_equal(wire_get_hello_ack(&f, &a), 0);
	assert_int_equal(a.verdict, WIRE_RESTORED);
	assert_int_equal(a.sockets_us, 4);
	assert_int_equal(a.total_us, 10);
	assert_true(a.clock_step_ns == -5);
	assert_int_equal(a.uptime_ns, 77);

	f = frame(put_vitals(CAP), WIRE_VITALS);
	assert_int_equal(wire_get_vitals(&f, &v), 0);
	assert_int_equal(v.mem_total, 1);
	assert_true(v.oom_kills == WIRE_VITAL_UNKNOWN);
	assert_int_equal(v.execs, 14);
	assert_str(v.why, "oom_kills: no such file");
}

static void test_hello_round_trip(void **state)
{
	struct wire_frame f = frame(put_hello(CAP), WIRE_HELLO);

	(void)state;
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

static void test_exec_round_trips(void **state)
{
	struct wire_frame f = frame(put_exec_req(CAP), WIRE_REQ);
	struct wire_str why;
	int32_t value;
	uint8_t how, code;

	(void)state;
	assert_int_equal(wire_get_exec_req(&f, &req_out), 0);
	assert_memory_equal(req_out.id, req_in.id, WIRE_ID);
	assert_int_equal(req_out.flags, 3);
	assert_str(req_out.cwd, "/tmp");
	assert_str(req_out.user, "1000:5");
	assert_str(req_out.argv[0], "sh");
	assert_str(req_out.env[1], "EMPTY=");

	f = frame(put_refused(CAP), WIRE_REFUSED);
	assert_int_equal(wire_get_refused(&f, &code, &why), 0);
	assert_int_equal(code, 127);
	assert_str(why, "not there");

	f = frame(wire_put_exit(buf, CAP, WIRE_EXIT, WIRE_EXITED, -1), WIRE_EXIT);
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
	f = frame(put_u64(CAP), WIRE_PING);
	assert_int_equal(wire_get_u64(&f, &a), 0);
	assert_true(a == 0x1122334455667788);
	f = frame(put_u32(CAP), WIRE_CREDIT);
	assert_int_equal(wire_get_u32(&f, &c), 0);
	assert_int_equal(c, 0x01020304);
	assert_int_equal(buf[WIRE_HEADER], 4); /* little-endian */
	f = frame(wire_put_pong(buf, CAP, UINT64_MAX, 2, UINT32_MAX), WIRE_PONG);
	assert_int_equal(wire_get_pong(&f, &a, &b, &c), 0);
	assert_true(a == UINT64_MAX && b == 2 && c == UINT32_MAX);
	f = frame(put_size(CAP), WIRE_RESIZE);
	assert_int_equal(wire_get_size(&f, &rows, &cols), 0);
	assert_int_equal(rows, 50);
	assert_int_equal(cols, 132);
	f = frame(put_poweroff(CAP), WIRE_POWEROFF);
	assert_int_equal(wire_get_poweroff(&f, &what, &c), 0);
	assert_int_equal(what, 1);
	assert_int_equal(c, 3000);
	frame(wire_put_empty(buf, CAP, WIRE_GO), WIRE_GO);
}

static void test_out_data(void **state)
{
	static uint8_t data[WIRE_PAYLOAD_MAX];
	struct wire_frame f;
	const uint8_t *p;
	uint64_t offset;
	uint32_t n;

	(void)state;
	fill(data, sizeof(data), 0);
	f = frame(wire_put_out_data(buf, CAP, 1ull << 40, data, WIRE_CHUNK), WIRE_OUT_DATA);
	assert_int_equal(wire_get_out_data(&f, &offset, &p, &n), 0);
	assert_true(offset == 1ull << 40);
	assert_int_equal(n, WIRE_CHUNK);
	assert_memory_equal(p, data, n);
	f = frame(wire_put_out_data(buf, CAP, 0, NULL, 0), WIRE_OUT_DATA);
	assert_int_equal(wire_get_out_data(&f, &offset, &p, &n), 0);
	assert_int_equal(n, 0);
	f.len = 7;
	assert_int_equal(wire_get_out_data(&f, &offset, &p, &n), -EPROTO);
	assert_int_equal(wire_put_out_data(buf, CAP, 0, data, WIRE_PAYLOAD_MAX - 8), CAP);
	assert_int_equal(wire_put_out_data(buf, CAP, 0, data, WIRE_PAYLOAD_MAX - 7), -EMSGSIZE);
	/* A bigger buffer does not raise the limit of a frame. */
	assert_int_equal(wire_put_out_data(buf, SIZE_MAX, 0, data, WIRE_PAYLOAD_MAX), -EMSGSIZE);
}

/* Every shorter payload is refused, and so is a longer one; the decoder sees an exact copy, so that
 * a sanitizer notices any byte read beyond it. */
static void test_every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < PAYLOADS; i++) {
		struct wire_frame f = frame(payloads[i].put(CAP), payloads[i].type);
		uint32_t full = f.len;

		for (uint32_t len = 0; len <= full + 1; len++) {
			uint8_t *copy = malloc(len ? len : 1);

			assert_non_null(copy);
			memset(copy, 0, len);
			memcpy(copy, buf + WIRE_HEADER, len < full ? len : full);
			f.payload = copy;
			f.len = len;
			assert_int_equal(payloads[i].get(&f), len == full ? 0 : -EPROTO);
			free(copy);
		}
	}
}

static void test_encode_into_every_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < PAYLOADS; i++) {
		int full = payloads[i].put(CAP);

		for (int cap = 0; cap < full; cap++)
			assert_int_equal(payloads[i].put((size_t)cap), -EMSGSIZE);
		assert_int_equal(payloads[i].put((size_t)full), full);
	}
}

static uint32_t random_next(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static void test_random_payloads(void **state)
{
	uint32_t seed = 20240601;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint32_t len = random_next(&seed) % 300;
		uint8_t *p = malloc(len ? len : 1);
		struct wire_frame f = {.payload = p, .len = len};

		assert_non_null(p);
		for (uint32_t i = 0; i < len; i++)
			p[i] = (uint8_t)random_next(&seed);
		for (size_t i = 0; i < PAYLOADS; i++) {
			int r = payloads[i].get(&f);

			assert_true(r == 0 || r == -EPROTO || r == -EPROTONOSUPPORT);
		}
		free(p);
	}
}

/* One byte of a good payload changed: decoded or refused, never out of bounds. */
static void test_flipped_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < PAYLOADS; i++) {
		struct wire_frame f = frame(payloads[i].put(CAP), payloads[i].type);
		uint8_t *copy = malloc(f.len);

		assert_non_null(copy);
		for (uint32_t at = 0; at < f.len; at++) {
			for (int bit = 0; bit < 8; bit++) {
				memcpy(copy, buf + WIRE_HEADER, f.len);
				copy[at] ^= (uint8_t)(1 << bit);
				f.payload = copy;
				payloads[i].get(&f);
			}
		}
		free(copy);
	}
}

static void test_counts_over_the_limit(void **state)
{
	struct wire_frame f;

	(void)state;
	put_exec_req(CAP);
	req_in.argc = WIRE_ARGS_MAX + 1;
	assert_int_equal(wire_put_exec_req(buf, CAP, &req_in), -EMSGSIZE);
	req_in.argc = WIRE_ARGS_MAX;
	for (int i = 0; i < WIRE_ARGS_MAX; i++)
		req_in.argv[i] = str("x");
	f = frame(wire_put_exec_req(buf, CAP, &req_in), WIRE_REQ);
	assert_int_equal(wire_get_exec_req(&f, &req_out), 0);
	assert_int_equal(req_out.argc, WIRE_ARGS_MAX);
	/* The count lies behind id, flags, size, "/tmp" and "1000:5". */
	buf[WIRE_HEADER + 16 + 1 + 4 + 6 + 8] = 1;
	assert_int_equal(wire_get_exec_req(&f, &req_out), -EPROTO);

	put_exec_req(CAP);
	req_in.argc = 0;
	f = frame(wire_put_exec_req(buf, CAP, &req_in), WIRE_REQ);
	assert_int_equal(wire_get_exec_req(&f, &req_out), -EPROTO);

	put_hello(CAP);
	hello_in.envc = WIRE_ENVS_MAX + 1;
	assert_int_equal(wire_put_hello(buf, CAP, &hello_in), -EMSGSIZE);
}

static void test_strings_over_the_limit(void **state)
{
	static char big[WIRE_PAYLOAD_MAX];

	(void)state;
	memset(big, 'a', sizeof(big));
	put_exec_req(CAP);
	req_in.cwd = (struct wire_str){.s = big, .len = WIRE_STR_MAX};
	assert_true(wire_put_exec_req(buf, CAP, &req_in) > 0);
	req_in.cwd.len = WIRE_STR_MAX + 1;
	assert_int_equal(wire_put_exec_req(buf, CAP, &req_in), -EMSGSIZE);
	/* An argument may be as long as the payload leaves room for. */
	put_exec_req(CAP);
	req_in.argv[0] = (struct wire_str){.s = big, .len = 65000};
	assert_true(wire_put_exec_req(buf, CAP, &req_in) > 65000);
	req_in.argv[0].len = UINT16_MAX;
	assert_int_equal(wire_put_exec_req(buf, CAP, &req_in), -EMSGSIZE);
}

static void test_values_out_of_range(void **state)
{
	struct wire_frame f;
	uint8_t how;
	int32_t value;

	(void)state;
	f = frame(wire_put_exit(buf, CAP, WIRE_EXIT, 3, 0), WIRE_EXIT);
	assert_int_equal(wire_get_exit(&f, &how, &value), -EPROTO);
	f = frame(put_exec_req(CAP), WIRE_REQ);
	buf[WIRE_HEADER + 16] = 4; /* an unknown flag */
	assert_int_equal(get_exec_req(&f), -EPROTO);
	f = frame(put_out_open(CAP), WIRE_OUT_OPEN);
	buf[WIRE_HEADER + 32] = 21; /* first behind next */
	assert_int_equal(get_out_open(&f), -EPROTO);
	f = frame(put_hello_ack(CAP), WIRE_HELLO_ACK);
	buf[WIRE_HEADER + 16] = WIRE_RESTORED + 1;
	assert_int_equal(get_hello_ack(&f), -EPROTO);
}

static void test_nul_in_string(void **state)
{
	struct wire_frame f = frame(put_refused(CAP), WIRE_REFUSED);

	(void)state;
	buf[WIRE_HEADER + 5] = 0;
	assert_int_equal(get_refused(&f), -EPROTO);
	put_exec_req(CAP);
	req_in.cwd = (struct wire_str){.s = "a\0b", .len = 3};
	assert_int_equal(wire_put_exec_req(buf, CAP, &req_in), -EINVAL);
}

static void test_other_version(void **state)
{
	struct wire_frame f = frame(put_hello(CAP), WIRE_HELLO);

	(void)state;
	buf[WIRE_HEADER] = 77;
	assert_int_equal(wire_get_hello(&f, &hello_out), -EPROTONOSUPPORT);
	assert_int_equal(hello_out.version, 77);
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
	static uint8_t mem[CAP], stream[CAP];
	int len = 0;

	(void)state;
	len += wire_put_u64(stream, CAP, WIRE_PING, 1);
	len += wire_put_empty(stream + len, CAP, WIRE_ACK);
	len += wire_put_refused(stream + len, CAP, 1, "why");
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

static int feed_header(uint8_t type, uint8_t reserved, uint32_t len)
{
	static uint8_t mem[CAP];
	struct wire_reader r;
	struct wire_frame f;
	size_t room;
	uint8_t *p;

	wire_reader_init(&r, mem, sizeof(mem));
	p = wire_room(&r, &room);
	wire_header(p, type, len);
	p[1 + reserved % 3] = reserved;
	wire_commit(&r, WIRE_HEADER);
	return wire_next(&r, &f);
}

static void test_reader_refuses(void **state)
{
	(void)state;
	assert_int_equal(feed_header(WIRE_GO, 0, 0), 1);
	assert_int_equal(feed_header(WIRE_STDIN, 0, WIRE_PAYLOAD_MAX), 0);
	assert_int_equal(feed_header(WIRE_STDIN, 0, WIRE_PAYLOAD_MAX + 1), -EPROTO);
	assert_int_equal(feed_header(WIRE_STDIN, 0, UINT32_MAX), -EPROTO);
	assert_int_equal(feed_header(0, 0, 0), -EPROTO);
	assert_int_equal(feed_header(0xff, 0, 0), -EPROTO);
	for (uint8_t i = 1; i < 4; i++)
		assert_int_equal(feed_header(WIRE_GO, i, 0), -EPROTO);
}

/* The biggest frame fits the smallest allowed buffer, and room is left whenever bytes are missing.
 */
static void test_reader_biggest_frame(void **state)
{
	static uint8_t mem[CAP];
	struct wire_reader r;
	struct wire_frame f;
	size_t room, fed = 0;

	(void)state;
	wire_reader_init(&r, mem, sizeof(mem));
	wire_put_u8(buf, CAP, WIRE_SIGNAL, 1);
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

static void test_reader_random(void **state)
{
	static uint8_t mem[CAP];
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct wire_reader r;
		struct wire_frame f;
		int result = 0;

		wire_reader_init(&r, mem, sizeof(mem));
		for (int k = 0; k < 20 && result >= 0; k++) {
			size_t room, n = random_next(&seed) % 50;
			uint8_t *p = wire_room(&r, &room);

			n = n < room ? n : room;
			for (size_t i = 0; i < n; i++)
				p[i] = random_next(&seed) % 4 ? 0 : (uint8_t)random_next(&seed);
			wire_commit(&r, n);
			while ((result = wire_next(&r, &f)) == 1)
				assert_true(f.payload + f.len <= mem + sizeof(mem));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_round_trips),
		cmocka_unit_test(test_hello_round_trip),
		cmocka_unit_test(test_exec_round_trips),
		cmocka_unit_test(test_small_round_trips),
		cmocka_unit_test(test_out_data),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_encode_into_every_size),
		cmocka_unit_test(test_random_payloads),
		cmocka_unit_test(test_flipped_bytes),
		cmocka_unit_test(test_counts_over_the_limit),
		cmocka_unit_test(test_strings_over_the_limit),
		cmocka_unit_test(test_values_out_of_range),
		cmocka_unit_test(test_nul_in_string),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_reader_split),
		cmocka_unit_test(test_reader_refuses),
		cmocka_unit_test(test_reader_biggest_frame),
		cmocka_unit_test(test_reader_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
