/* Header encode and decode, field by field: no struct is laid over guest bytes. */
#include "backend/vsock/packet.h"

#include "backend/base/util.h"

static uint64_t get(const uint8_t **p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)(*p)[i] << (8 * i);
	*p += n;
	return v;
}

static void put(uint8_t **p, unsigned n, uint64_t v)
{
	for (unsigned i = 0; i < n; i++)
		(*p)[i] = (uint8_t)(v >> (8 * i));
	*p += n;
}

void packet_decode(const uint8_t in[PACKET_HEADER], struct packet *ret)
{
	const uint8_t *p = in;

	ret->src_cid = get(&p, 8);
	ret->dst_cid = get(&p, 8);
	ret->src_port = (uint32_t)get(&p, 4);
	ret->dst_port = (uint32_t)get(&p, 4);
	ret->len = (uint32_t)get(&p, 4);
	ret->type = (uint16_t)get(&p, 2);
	ret->op = (uint16_t)get(&p, 2);
	ret->flags = (uint32_t)get(&p, 4);
	ret->buf_alloc = (uint32_t)get(&p, 4);
	ret->fwd_cnt = (uint32_t)get(&p, 4);
}

void packet_encode(uint8_t out[PACKET_HEADER], const struct packet *p)
{
	uint8_t *q = out;

	put(&q, 8, p->src_cid);
	put(&q, 8, p->dst_cid);
	put(&q, 4, p->src_port);
	put(&q, 4, p->dst_port);
	put(&q, 4, p->len);
	put(&q, 2, p->type);
	put(&q, 2, p->op);
	put(&q, 4, p->flags);
	put(&q, 4, p->buf_alloc);
	put(&q, 4, p->fwd_cnt);
}

const char *packet_op_name(uint16_t op)
{
	static const char *const names[] = {
		"?",
		"REQUEST",
		"RESPONSE",
		"RST",
		"SHUTDOWN",
		"RW",
		"CREDIT_UPDATE",
		"CREDIT_REQUEST",
	};

	return op < countof(names) ? names[op] : "?";
}
