/* Frames: header, incremental reader, type names, and the small fixed payloads. No I/O, no
 * allocation; the structured payloads are in wire_payload.c. */
#include "agent/wire.h"

#include "agent/wire_cur.h"

static const char *const type_names[256] = {
#define X(name, value, payload) [value] = #name,
	WIRE_FRAMES(X)
#undef X
};

const char *wire_type_name(uint8_t type)
{
	return type_names[type];
}

void wire_header(uint8_t *out, uint8_t type, uint32_t len)
{
	out[0] = type;
	out[1] = out[2] = out[3] = 0;
	for (int i = 0; i < 4; i++)
		out[4 + i] = (uint8_t)(len >> (8 * i));
}

void wire_reader_init(struct wire_reader *r, void *buf, size_t cap)
{
	r->buf = buf;
	r->cap = cap;
	r->head = 0;
	r->len = 0;
}

uint8_t *wire_room(struct wire_reader *r, size_t *ret_n)
{
	if (r->head) {
		if (r->len)
			memmove(r->buf, r->buf + r->head, r->len);
		r->head = 0;
	}
	*ret_n = r->cap - r->len;
	return r->buf + r->len;
}

void wire_commit(struct wire_reader *r, size_t n)
{
	r->len += n;
}

int wire_next(struct wire_reader *r, struct wire_frame *ret_frame)
{
	const uint8_t *p = r->buf + r->head;
	uint32_t len = 0;

	if (r->len < WIRE_HEADER)
		return 0;
	for (int i = 0; i < 4; i++)
		len |= (uint32_t)p[4 + i] << (8 * i);
	if (!type_names[p[0]] || p[1] || p[2] || p[3] || len > WIRE_PAYLOAD_MAX)
		return -EPROTO;
	if (r->len - WIRE_HEADER < len)
		return 0;
	ret_frame->type = p[0];
	ret_frame->len = len;
	ret_frame->payload = p + WIRE_HEADER;
	/* The bytes stay where they are until wire_room moves the rest to the front. */
	r->head += WIRE_HEADER + len;
	r->len -= WIRE_HEADER + len;
	return 1;
}

int wire_put_empty(void *out, size_t cap, uint8_t type)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	return out_end(&o, type);
}

static int put_int(void *out, size_t cap, uint8_t type, uint64_t v, size_t n)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, v, n);
	return out_end(&o, type);
}

int wire_put_u8(void *out, size_t cap, uint8_t type, uint8_t v)
{
	return put_int(out, cap, type, v, 1);
}

int wire_put_u32(void *out, size_t cap, uint8_t type, uint32_t v)
{
	return put_int(out, cap, type, v, 4);
}

int wire_put_u64(void *out, size_t cap, uint8_t type, uint64_t v)
{
	return put_int(out, cap, type, v, 8);
}

int wire_get_u8(const struct wire_frame *f, uint8_t *v)
{
	struct wire_in in;

	in_begin(&in, f);
	*v = (uint8_t)in_int(&in, 1);
	return in_end(&in);
}

int wire_get_u32(const struct wire_frame *f, uint32_t *v)
{
	struct wire_in in;

	in_begin(&in, f);
	*v = (uint32_t)in_int(&in, 4);
	return in_end(&in);
}

int wire_get_u64(const struct wire_frame *f, uint64_t *v)
{
	struct wire_in in;

	in_begin(&in, f);
	*v = in_int(&in, 8);
	return in_end(&in);
}

int wire_put_pong(void *out, size_t cap, uint64_t nonce, uint64_t uptime_ns, uint32_t execs)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, nonce, 8);
	out_int(&o, uptime_ns, 8);
	out_int(&o, execs, 4);
	return out_end(&o, WIRE_PONG);
}

int wire_get_pong(const struct wire_frame *f, uint64_t *nonce, uint64_t *uptime_ns, uint32_t *execs)
{
	struct wire_in in;

	in_begin(&in, f);
	*nonce = in_int(&in, 8);
	*uptime_ns = in_int(&in, 8);
	*execs = (uint32_t)in_int(&in, 4);
	return in_end(&in);
}

int wire_put_size(void *out, size_t cap, uint8_t type, uint16_t rows, uint16_t cols)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, rows, 2);
	out_int(&o, cols, 2);
	return out_end(&o, type);
}

int wire_get_size(const struct wire_frame *f, uint16_t *rows, uint16_t *cols)
{
	struct wire_in in;

	in_begin(&in, f);
	*rows = (uint16_t)in_int(&in, 2);
	*cols = (uint16_t)in_int(&in, 2);
	return in_end(&in);
}

int wire_put_exit(void *out, size_t cap, uint8_t type, uint8_t how, int32_t value)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, how, 1);
	out_int(&o, (uint32_t)value, 4);
	return out_end(&o, type);
}

int wire_get_exit(const struct wire_frame *f, uint8_t *how, int32_t *value)
{
	struct wire_in in;

	in_begin(&in, f);
	*how = (uint8_t)in_max(&in, 1, WIRE_NOT_STARTED);
	*value = (int32_t)in_int(&in, 4);
	return in_end(&in);
}

int wire_put_poweroff(void *out, size_t cap, uint8_t what, uint32_t grace_ms)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, what, 1);
	out_int(&o, grace_ms, 4);
	return out_end(&o, WIRE_POWEROFF);
}

int wire_get_poweroff(const struct wire_frame *f, uint8_t *what, uint32_t *grace_ms)
{
	struct wire_in in;

	in_begin(&in, f);
	*what = (uint8_t)in_max(&in, 1, 1);
	*grace_ms = (uint32_t)in_int(&in, 4);
	return in_end(&in);
}

int wire_put_out_data(void *out, size_t cap, uint64_t offset, const void *data, size_t n)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, offset, 8);
	out_bytes(&o, data, n);
	return out_end(&o, WIRE_OUT_DATA);
}

int wire_get_out_data(
	const struct wire_frame *f, uint64_t *offset, const uint8_t **ret_data, uint32_t *ret_n)
{
	struct wire_in in;

	in_begin(&in, f);
	*offset = in_int(&in, 8);
	if (in.bad)
		return -EPROTO;
	*ret_data = in.p;
	*ret_n = (uint32_t)in.left;
	return 0;
}
