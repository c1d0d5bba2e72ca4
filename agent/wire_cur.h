/* Bounds-checked cursors under the codecs of wire.c and wire_payload.c; private to them.
 *
 * A cursor that once ran over its end stays broken (`bad`), so a codec is a straight list of
 * fields with one check at the end. */
#ifndef VMDECK_AGENT_WIRE_CUR_H
#define VMDECK_AGENT_WIRE_CUR_H

#include <errno.h>
#include <string.h>

#include "agent/wire.h"

struct wire_out {
	uint8_t *start;
	size_t cap, len;
	int bad; /* 0, or the -errno to return */
};

struct wire_in {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static inline void out_begin(struct wire_out *o, void *buf, size_t cap)
{
	o->start = buf;
	o->cap = cap < WIRE_HEADER + WIRE_PAYLOAD_MAX ? cap : WIRE_HEADER + WIRE_PAYLOAD_MAX;
	o->len = WIRE_HEADER;
	o->bad = cap < WIRE_HEADER ? -EMSGSIZE : 0;
}

static inline int out_end(struct wire_out *o, uint8_t type)
{
	if (o->bad)
		return o->bad;
	wire_header(o->start, type, (uint32_t)(o->len - WIRE_HEADER));
	return (int)o->len;
}

static inline void out_bytes(struct wire_out *o, const void *p, size_t n)
{
	if (o->bad)
		return;
	if (n > o->cap - o->len) {
		o->bad = -EMSGSIZE;
		return;
	}
	if (n)
		memcpy(o->start + o->len, p, n);
	o->len += n;
}

/* v in n (<= 8) little-endian bytes. */
static inline void out_int(struct wire_out *o, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	out_bytes(o, b, n);
}

static inline void out_str(struct wire_out *o, const struct wire_str *s, size_t max)
{
	if (o->bad)
		return;
	if (s->len > max) {
		o->bad = -EMSGSIZE;
		return;
	}
	if (s->len && memchr(s->s, 0, s->len)) {
		o->bad = -EINVAL;
		return;
	}
	out_int(o, s->len, 2);
	out_bytes(o, s->s, s->len);
}

static inline void in_begin(struct wire_in *in, const struct wire_frame *f)
{
	in->p = f->payload;
	in->left = f->len;
	in->bad = false;
}

/* All fields were there and nothing follows them. */
static inline int in_end(const struct wire_in *in)
{
	return in->bad || in->left ? -EPROTO : 0;
}

/* n bytes in place, or NULL. */
static inline const uint8_t *in_take(struct wire_in *in, size_t n)
{
	const uint8_t *p = in->p;

	if (in->bad || n > in->left) {
		in->bad = true;
		return NULL;
	}
	in->p += n;
	in->left -= n;
	return p;
}

static inline void in_bytes(struct wire_in *in, void *out, size_t n)
{
	const uint8_t *p = in_take(in, n);

	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

static inline uint64_t in_int(struct wire_in *in, size_t n)
{
	const uint8_t *p = in_take(in, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* An integer of n bytes that must be <= max. */
static inline uint64_t in_max(struct wire_in *in, size_t n, uint64_t max)
{
	uint64_t v = in_int(in, n);

	if (v > max)
		in->bad = true;
	return in->bad ? 0 : v;
}

static inline void in_str(struct wire_in *in, struct wire_str *s, size_t max)
{
	uint16_t len = (uint16_t)in_max(in, 2, max);
	const uint8_t *p = in_take(in, len);

	if (p && len && memchr(p, 0, len)) {
		in->bad = true;
		p = NULL;
	}
	s->s = p ? (const char *)p : "";
	s->len = p ? len : 0;
}

#endif
