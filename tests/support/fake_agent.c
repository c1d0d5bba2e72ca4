#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/fake_agent.h"

#include <stdio.h>
#include <string.h>

const uint8_t fake_generation[WIRE_ID] = {0x47, 1, 2, 3};
const struct guest_network *fake_network;

static void on_ready(struct guest *g, const struct wire_hello_ack *ack)
{
	struct seen *s = guest_user(g);

	s->ready++;
	s->ack = *ack;
	s->ack.network_why = (struct wire_str){0}; /* of this call only */
	if (s->close_in_ready) {
		s->g = NULL;
		guest_close(g);
	}
}

static void on_dial(struct guest *g)
{
	struct seen *s = guest_user(g);

	s->dial++;
}

static void on_serving(struct guest *g, const struct wire_serving *m)
{
	struct seen *s = guest_user(g);

	s->serving++;
	s->last_serving = *m;
}

static void on_output_open(struct guest *g)
{
	struct seen *s = guest_user(g);

	s->output_open++;
}

static void on_lost(struct guest *g, const char *why)
{
	struct seen *s = guest_user(g);

	s->lost++;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void on_vitals(struct guest *g, const struct wire_vitals *v)
{
	struct seen *s = guest_user(g);

	s->vitals++;
	s->last = *v;
}

static void on_output(struct guest *g)
{
	struct seen *s = guest_user(g);

	s->output++;
	if (s->on_output)
		s->on_output(g);
}

static void on_main_exit(struct guest *g, uint8_t how, int32_t value)
{
	struct seen *s = guest_user(g);

	s->main_exit++;
	s->how = how;
	s->value = value;
}

static void on_bye(struct guest *g, uint8_t reason, int32_t status)
{
	struct seen *s = guest_user(g);

	s->bye++;
	s->reason = reason;
	s->value = status;
}

static void on_log(struct guest *g, const char *name, const char *fields)
{
	struct seen *s = guest_user(g);
	size_t n = strlen(s->log);

	snprintf(s->log + n, sizeof(s->log) - n, "%s %s\n", name, fields);
}

int fake_log_count(const struct seen *s, const char *needle)
{
	int n = 0;

	for (const char *p = s->log; (p = strstr(p, needle)); p++)
		n++;
	return n;
}

void fake_open_main(struct seen *s, const char *const *argv, bool tty)
{
	static const char *const env[] = {"A=1", "B=2", "C=3", NULL};
	static const struct guest_callbacks cb = {
		.on_dial = on_dial,
		.on_ready = on_ready,
		.on_serving = on_serving,
		.on_output_open = on_output_open,
		.on_lost = on_lost,
		.on_vitals = on_vitals,
		.on_output = on_output,
		.on_main_exit = on_main_exit,
		.on_bye = on_bye,
		.on_log = on_log,
	};
	struct guest_identity id = {
		.instance = {0x11},
		.hostname = "host-a",
		.argv = argv,
		.env = env,
		.tty = tty,
		.rows = 30,
		.cols = 100,
		.vitals_ms = 1000,
		.network = fake_network,
	};
	struct err e = {0};

	memcpy(id.generation, fake_generation, WIRE_ID);
	memset(s, 0, sizeof(*s));
	if (outlog_open(&s->out, t_dir, &e) < 0 ||
		guest_open(&s->g, t_loop, t_path("v.sock"), &id, s->out, &cb, s, &e) < 0)
		fail_msg("%s", e.msg);
}

void fake_open(struct seen *s)
{
	static const char *const argv[] = {"/bin/main", "-x", NULL};

	fake_open_main(s, argv, true);
}

void fake_close(struct seen *s)
{
	guest_close(s->g);
	outlog_close(s->out);
	s->g = NULL;
	s->out = NULL;
}

void fake_control(struct peer *p)
{
	struct wire_ready m = {.version = WIRE_VERSION, .uptime_ns = 5, .agent = {"t1", 2}};
	uint8_t b[256];

	peer_dial(p, t_path("v.sock_4990"));
	peer_put(p, wire_put_ready(b, sizeof(b), &m), b);
	peer_expect(p, WIRE_HELLO);
}

void fake_serve(struct seen *s, struct peer *p)
{
	struct wire_hello_ack m = {.verdict = WIRE_BOOTED, .total_us = 7, .clock_step_ns = -5};
	const struct wire_serving serving = {.execs = 2, .dropped = 1, .us = 9};
	int before = s->serving, n;
	uint8_t b[256];

	fake_control(p);
	memcpy(m.generation, fake_generation, WIRE_ID);
	n = wire_put_hello_ack(b, sizeof(b), &m);
	peer_put(p, n + wire_put_serving(b + n, sizeof(b) - (size_t)n, &serving), b);
	T_UNTIL(s->serving > before, "SERVING");
}

uint64_t fake_output(struct peer *p, uint8_t stream, uint64_t first, uint64_t next, int main_state)
{
	struct wire_out_open m = {
		.stream = {stream},
		.first = first,
		.next = next,
		.main_state = (uint8_t)main_state,
	};
	uint8_t b[128];
	uint64_t offset;

	memcpy(m.generation, fake_generation, WIRE_ID);
	peer_dial(p, t_path("v.sock_4991"));
	peer_put(p, wire_put_out_open(b, sizeof(b), &m), b);
	peer_expect(p, WIRE_OUT_RESUME);
	assert_int_equal(wire_get_u64(&p->f, &offset), 0);
	return offset;
}

void fake_data(struct peer *p, uint64_t offset, const void *data, size_t n)
{
	static uint8_t b[WIRE_HEADER + 8 + WIRE_CHUNK];

	peer_put(p, wire_put_out_data(b, sizeof(b), offset, data, n), b);
}

void fake_stored(struct peer *p, uint64_t offset)
{
	uint64_t got = 0;

	while (got < offset) {
		peer_expect(p, WIRE_OUT_STORED);
		assert_int_equal(wire_get_u64(&p->f, &got), 0);
	}
	assert_int_equal(got, offset);
}
