#include "tests/support/wire_samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

struct wire_str sample_str(const char *s)
{
	return (struct wire_str){.s = s, .len = (uint16_t)strlen(s)};
}

void sample_fill(uint8_t *p, size_t n, uint8_t from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(from + i);
}

/* ---- one encoder and one decoder a payload ---- */

static int put_ready(uint8_t *buf, size_t cap)
{
	struct wire_ready m = {.version = WIRE_VERSION, .uptime_ns = 0x0102030405060708};

	sample_fill(m.boot, WIRE_ID, 1);
	sample_fill(m.generation, WIRE_ID, 100);
	m.agent = sample_str("agent 1.2");
	return wire_put_ready(buf, cap, &m);
}

static int get_ready(const struct wire_frame *f)
{
	struct wire_ready m;

	return wire_get_ready(f, &m);
}

void sample_hello(struct wire_hello *m)
{
	memset(m, 0, sizeof(*m));
	m->version = WIRE_VERSION;
	sample_fill(m->instance, WIRE_ID, 3);
	sample_fill(m->generation, WIRE_ID, 50);
	sample_fill(m->entropy, WIRE_ENTROPY, 9);
	m->wall_ns = 1700000000000000001;
	m->vitals_ms = 1000;
	m->tty = 1;
	m->rows = 25;
	m->cols = 81;
	m->hostname = sample_str("box");
	m->argv[0] = sample_str("/bin/echo");
	m->argv[1] = sample_str("");
	m->argv[2] = sample_str("a b");
	m->argc = 3;
	m->env[0] = sample_str("A=1");
	m->envc = 1;
	m->net = (struct wire_network){.present = 1,
		.address = {10, 0, 2, 100},
		.bits = 24,
		.gateway = {10, 0, 2, 2},
		.mtu = 1400,
		.dns = {sample_str("192.0.2.53"), sample_str("2001:db8::53")},
		.dns_count = 2,
		.search = sample_str("one.test two.test")};
}

static int put_hello(uint8_t *buf, size_t cap)
{
	static struct wire_hello m;

	sample_hello(&m);
	return wire_put_hello(buf, cap, &m);
}

static int get_hello(const struct wire_frame *f)
{
	static struct wire_hello m; /* big */

	return wire_get_hello(f, &m);
}

static int put_hello_ack(uint8_t *buf, size_t cap)
{
	struct wire_hello_ack m = {.verdict = WIRE_RESTORED,
		.rng_us = 1,
		.clock_us = 2,
		.identity_us = 3,
		.sockets_us = 4,
		.total_us = 10,
		.clock_step_ns = -5,
		.uptime_ns = 77,
		.network = WIRE_NETWORK_FAILED,
		.network_us = 6,
		.network_why = sample_str("no interface")};

	sample_fill(m.generation, WIRE_ID, 8);
	return wire_put_hello_ack(buf, cap, &m);
}

static int get_hello_ack(const struct wire_frame *f)
{
	struct wire_hello_ack m;

	return wire_get_hello_ack(f, &m);
}

static int put_serving(uint8_t *buf, size_t cap)
{
	const struct wire_serving m = {.execs = 3, .dropped = 0x01020304, .us = 2500};

	return wire_put_serving(buf, cap, &m);
}

static int get_serving(const struct wire_frame *f)
{
	struct wire_serving m;

	return wire_get_serving(f, &m);
}

static int put_quiesced(uint8_t *buf, size_t cap)
{
	const struct wire_quiesced m = {.drained = 1, .us = 7000, .execs = 2, .next = 1ull << 33};

	return wire_put_quiesced(buf, cap, &m);
}

static int get_quiesced(const struct wire_frame *f)
{
	struct wire_quiesced m;

	return wire_get_quiesced(f, &m);
}

static int put_thawed(uint8_t *buf, size_t cap)
{
	return wire_put_thawed(buf, cap, 1, -150000000);
}

static int get_thawed(const struct wire_frame *f)
{
	uint8_t in_time;
	int64_t step;

	return wire_get_thawed(f, &in_time, &step);
}

static int put_vitals(uint8_t *buf, size_t cap)
{
	struct wire_vitals m = {.uptime_ns = 5};
	uint64_t v = 1;

#define X(field, help) m.field = v++;
	WIRE_VITALS(X)
#undef X
	m.oom_kills = WIRE_VITAL_UNKNOWN;
	m.why = sample_str("oom_kills: no such file");
	return wire_put_vitals(buf, cap, &m);
}

static int get_vitals(const struct wire_frame *f)
{
	struct wire_vitals m;

	return wire_get_vitals(f, &m);
}

static int put_out_open(uint8_t *buf, size_t cap)
{
	struct wire_out_open m = {.first = 10, .next = 20, .main_state = 2};

	sample_fill(m.stream, WIRE_ID, 30);
	sample_fill(m.generation, WIRE_ID, 60);
	return wire_put_out_open(buf, cap, &m);
}

static int get_out_open(const struct wire_frame *f)
{
	struct wire_out_open m;

	return wire_get_out_open(f, &m);
}

void sample_exec_req(struct wire_exec_req *m)
{
	memset(m, 0, sizeof(*m));
	sample_fill(m->id, WIRE_ID, 200);
	m->flags = WIRE_REQ_STDIN | WIRE_REQ_TTY;
	m->rows = 1;
	m->cols = 2;
	m->cwd = sample_str("/tmp");
	m->user = sample_str("1000:5");
	m->argv[0] = sample_str("sh");
	m->argc = 1;
	m->env[0] = sample_str("X=y");
	m->env[1] = sample_str("EMPTY=");
	m->envc = 2;
}

static int put_exec_req(uint8_t *buf, size_t cap)
{
	static struct wire_exec_req m;

	sample_exec_req(&m);
	return wire_put_exec_req(buf, cap, &m);
}

static int get_exec_req(const struct wire_frame *f)
{
	static struct wire_exec_req m; /* big */

	return wire_get_exec_req(f, &m);
}

static int put_refused(uint8_t *buf, size_t cap)
{
	return wire_put_refused(buf, cap, 127, "not there");
}

static int get_refused(const struct wire_frame *f)
{
	struct wire_str why;
	uint8_t code;

	return wire_get_refused(f, &code, &why);
}

static int put_u8(uint8_t *buf, size_t cap)
{
	return wire_put_u8(buf, cap, WIRE_SIGNAL, 15);
}

static int get_u8(const struct wire_frame *f)
{
	uint8_t v;

	return wire_get_u8(f, &v);
}

static int put_u32(uint8_t *buf, size_t cap)
{
	return wire_put_u32(buf, cap, WIRE_CREDIT, 0x01020304);
}

static int get_u32(const struct wire_frame *f)
{
	uint32_t v;

	return wire_get_u32(f, &v);
}

static int put_u64(uint8_t *buf, size_t cap)
{
	return wire_put_u64(buf, cap, WIRE_PING, 0x1122334455667788);
}

static int get_u64(const struct wire_frame *f)
{
	uint64_t v;

	return wire_get_u64(f, &v);
}

static int put_pong(uint8_t *buf, size_t cap)
{
	return wire_put_pong(buf, cap, 1, 2, 3);
}

static int get_pong(const struct wire_frame *f)
{
	uint64_t nonce, uptime;
	uint32_t execs;

	return wire_get_pong(f, &nonce, &uptime, &execs);
}

static int put_size(uint8_t *buf, size_t cap)
{
	return wire_put_size(buf, cap, WIRE_RESIZE, 50, 132);
}

static int get_size(const struct wire_frame *f)
{
	uint16_t rows, cols;

	return wire_get_size(f, &rows, &cols);
}

static int put_exit(uint8_t *buf, size_t cap)
{
	return wire_put_exit(buf, cap, WIRE_EXIT, WIRE_SIGNALED, 9);
}

static int get_exit(const struct wire_frame *f)
{
	uint8_t how;
	int32_t value;

	return wire_get_exit(f, &how, &value);
}

static int put_poweroff(uint8_t *buf, size_t cap)
{
	return wire_put_poweroff(buf, cap, 1, 3000);
}

static int get_poweroff(const struct wire_frame *f)
{
	uint32_t grace;
	uint8_t what;

	return wire_get_poweroff(f, &what, &grace);
}

const struct wire_sample wire_samples[] = {
	{WIRE_READY, put_ready, get_ready},
	{WIRE_HELLO, put_hello, get_hello},
	{WIRE_HELLO_ACK, put_hello_ack, get_hello_ack},
	{WIRE_SERVING, put_serving, get_serving},
	{WIRE_QUIESCED, put_quiesced, get_quiesced},
	{WIRE_THAWED, put_thawed, get_thawed},
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

const size_t wire_sample_count = sizeof(wire_samples) / sizeof(wire_samples[0]);

/* ---- by type ---- */

struct wire_frame sample_frame(const uint8_t *buf, int len, uint8_t type)
{
	struct wire_frame f = {.type = buf[0], .payload = buf + WIRE_HEADER};

	assert_true(len >= WIRE_HEADER);
	for (int i = 0; i < 4; i++)
		f.len |= (uint32_t)buf[4 + i] << (8 * i);
	assert_int_equal(f.type, type);
	assert_int_equal(f.len, len - WIRE_HEADER);
	return f;
}

static const struct wire_sample *by_type(uint8_t type)
{
	for (size_t i = 0; i < wire_sample_count; i++)
		if (wire_samples[i].type == type)
			return &wire_samples[i];
	fail_msg("no sample of %s", wire_type_name(type));
	return NULL;
}

struct wire_frame sample_put(uint8_t *buf, uint8_t type)
{
	return sample_frame(buf, by_type(type)->put(buf, SAMPLE_CAP), type);
}

int sample_get(const struct wire_frame *f)
{
	return by_type(f->type)->get(f);
}
