/* libFuzzer target: hostile bytes against the wire reader and every decoder. The first byte says
 * how the rest is cut into reads. What decodes must encode again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/wire.h"

static uint8_t again[WIRE_HEADER + WIRE_PAYLOAD_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct wire_frame *f, int n)
{
	if (n != (int)(WIRE_HEADER + f->len) ||
		memcmp(again + WIRE_HEADER, f->payload, f->len) != 0)
		abort();
}

static void decode_big(const struct wire_frame *f)
{
	static struct wire_hello hello;
	static struct wire_exec_req req;
	struct wire_ready ready;
	struct wire_hello_ack ack;
	struct wire_vitals vitals;
	struct wire_out_open open;
	struct wire_serving serving;
	struct wire_quiesced quiesced;

	if (!wire_get_ready(f, &ready))
		check(f, wire_put_ready(again, sizeof(again), &ready));
	if (!wire_get_hello(f, &hello))
		check(f, wire_put_hello(again, sizeof(again), &hello));
	if (!wire_get_hello_ack(f, &ack))
		check(f, wire_put_hello_ack(again, sizeof(again), &ack));
	if (!wire_get_serving(f, &serving))
		check(f, wire_put_serving(again, sizeof(again), &serving));
	if (!wire_get_quiesced(f, &quiesced))
		check(f, wire_put_quiesced(again, sizeof(again), &quiesced));
	if (!wire_get_vitals(f, &vitals))
		check(f, wire_put_vitals(again, sizeof(again), &vitals));
	if (!wire_get_out_open(f, &open))
		check(f, wire_put_out_open(again, sizeof(again), &open));
	if (!wire_get_exec_req(f, &req))
		check(f, wire_put_exec_req(again, sizeof(again), &req));
}

static void decode_small(const struct wire_frame *f)
{
	struct wire_str why;
	const uint8_t *bytes;
	uint64_t a, b;
	uint32_t c;
	uint16_t rows, cols;
	uint8_t u;
	int64_t step;
	int32_t v;

	if (!wire_get_u8(f, &u))
		check(f, wire_put_u8(again, sizeof(again), f->type, u));
	if (!wire_get_u32(f, &c))
		check(f, wire_put_u32(again, sizeof(again), f->type, c));
	if (!wire_get_u64(f, &a))
		check(f, wire_put_u64(again, sizeof(again), f->type, a));
	if (!wire_get_pong(f, &a, &b, &c))
		check(f, wire_put_pong(again, sizeof(again), a, b, c));
	if (!wire_get_size(f, &rows, &cols))
		check(f, wire_put_size(again, sizeof(again), f->type, rows, cols));
	if (!wire_get_exit(f, &u, &v))
		check(f, wire_put_exit(again, sizeof(again), f->type, u, v));
	if (!wire_get_thawed(f, &u, &step))
		check(f, wire_put_thawed(again, sizeof(again), u, step));
	if (!wire_get_poweroff(f, &u, &c))
		check(f, wire_put_poweroff(again, sizeof(again), u, c));
	if (!wire_get_out_data(f, &a, &bytes, &c))
		check(f, wire_put_out_data(again, sizeof(again), a, bytes, c));
	if (!wire_get_refused(f, &u, &why) && !memchr(why.s, 0, why.len)) {
		char text[WIRE_STR_MAX + 1];

		memcpy(text, why.s, why.len);
		text[why.len] = 0;
		check(f, wire_put_refused(again, sizeof(again), u, text));
	}
}

/* The payload in memory of exactly its size, so that the sanitizer sees any byte beyond it. */
static void decode(const struct wire_frame *f)
{
	struct wire_frame copy = *f;
	uint8_t *p = malloc(f->len ? f->len : 1);

	if (!p)
		return;
	memcpy(p, f->payload, f->len);
	copy.payload = p;
	decode_big(&copy);
	decode_small(&copy);
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t mem[WIRE_HEADER + WIRE_PAYLOAD_MAX];
	struct wire_reader r;
	struct wire_frame f;
	size_t step, at = 1;
	int got = 0;

	if (!size)
		return 0;
	f = (struct wire_frame){.type = WIRE_STDIN, .payload = data + 1};
	f.len = (uint32_t)(size - 1 < WIRE_PAYLOAD_MAX ? size - 1 : WIRE_PAYLOAD_MAX);
	decode(&f);
	step = data[0] ? data[0] : size;
	wire_reader_init(&r, mem, sizeof(mem));
	while (at < size && got >= 0) {
		size_t room, n = size - at < step ? size - at : step;
		uint8_t *p = wire_room(&r, &room);

		if (!room)
			abort();
		n = n < room ? n : room;
		memcpy(p, data + at, n);
		wire_commit(&r, n);
		at += n;
		while ((got = wire_next(&r, &f)) == 1) {
			if (!wire_type_name(f.type) || f.payload + f.len > mem + sizeof(mem))
				abort();
			decode(&f);
		}
	}
	return 0;
}
