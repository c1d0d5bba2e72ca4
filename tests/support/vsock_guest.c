/* A guest's vsock driver for tests. Indexes are written with release and read with acquire, so that
 * it may run against the device's thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <endian.h>
#include <string.h>

#include "backend/base/util.h"
#include "tests/support/vsock_guest.h"

#define GUARD      65536
#define GUARD_BYTE 0xa5
#define TX_SLOT    (PACKET_HEADER + 65536)
#define TABLE_SLOT (16 * 64)
#define NO_SLOT    0xffff
#define F_NEXT     1
#define F_WRITE    2
#define F_INDIRECT 4

static uint8_t *region_new(size_t n, uint8_t **ret_base)
{
	/* Rings want 16-byte alignment; malloc gives that, and the guard keeps it. */
	uint8_t *raw = calloc(1, n + 2 * GUARD);

	assert_non_null(raw);
	memset(raw, GUARD_BYTE, GUARD);
	memset(raw + GUARD + n, GUARD_BYTE, GUARD);
	*ret_base = raw + GUARD;
	return raw;
}

static void check_guard(const uint8_t *p)
{
	size_t i = 0;

	while (i < GUARD && p[i] == GUARD_BYTE)
		i++;
	assert_int_equal(i, GUARD);
}

void guest_check_guards(const struct guest *g)
{
	check_guard(g->raw[0]);
	check_guard(g->base[0] + GUEST_MEM);
	check_guard(g->raw[1]);
	check_guard(g->base[1] + GUEST_MEM2);
}

void *guest_ptr(const struct guest *g, uint64_t gpa)
{
	if (gpa >= GUEST_GPA2)
		return g->base[1] + (gpa - GUEST_GPA2);
	return g->base[0] + (gpa - GUEST_GPA);
}

static uint16_t *p16(const struct guest *g, uint64_t gpa)
{
	return (uint16_t *)guest_ptr(g, gpa);
}

static void store16(const struct guest *g, uint64_t gpa, uint16_t v)
{
	__atomic_store_n(p16(g, gpa), htole16(v), __ATOMIC_SEQ_CST);
}

static uint16_t load16(const struct guest *g, uint64_t gpa)
{
	return le16toh(__atomic_load_n(p16(g, gpa), __ATOMIC_SEQ_CST));
}

static void ring_start(struct guest *g, struct guest_ring *r)
{
	r->avail_idx = r->used_idx = r->kicked = g->start;
	r->nfree = r->num;
	for (uint16_t i = 0; i < r->num; i++)
		r->free_desc[i] = (uint16_t)(r->num - 1 - i);
	store16(g, r->avail_gpa, 0);
	store16(g, r->avail_gpa + 2, g->start);
	store16(g, r->used_gpa, 0);
	store16(g, r->used_gpa + 2, g->start);
	store16(g, r->avail_gpa + 4 + 2u * r->num, g->start);
	store16(g, r->used_gpa + 4 + 8u * r->num, g->start);
}

static uint64_t ring_place(struct guest *g, unsigned queue, uint16_t num, uint64_t at)
{
	struct guest_ring *r = &g->rings[queue];

	r->num = num;
	r->free_desc = calloc(num, sizeof(uint16_t));
	r->chain_len = calloc(num, sizeof(uint16_t));
	assert_non_null(r->free_desc);
	assert_non_null(r->chain_len);
	r->desc_gpa = at;
	r->avail_gpa = at + 16u * num;
	r->used_gpa = (r->avail_gpa + 6 + 2u * num + 3) & ~UINT64_C(3);
	ring_start(g, r);
	return (r->used_gpa + 6 + 8u * num + 15) & ~UINT64_C(15);
}

/* Packets on their way at once: half as many as descriptors. */
static void slots_start(struct guest *g)
{
	uint16_t num = g->rings[GUEST_TX].num;

	g->nslots = (uint16_t)((num + 1) / 2);
	for (uint16_t i = 0; i < num; i++) {
		g->slots[i] = i;
		g->slot_of[i] = NO_SLOT;
	}
}

static void setup(struct guest *g, uint16_t num)
{
	uint64_t at = GUEST_GPA;
	struct mem_region regions[2];

	g->raw[0] = region_new(GUEST_MEM, &g->base[0]);
	g->raw[1] = region_new(GUEST_MEM2, &g->base[1]);
	for (unsigned i = 0; i < 2; i++)
		regions[i] = (struct mem_region){
			.gpa = i ? GUEST_GPA2 : GUEST_GPA,
			.user = (uint64_t)(uintptr_t)g->base[i],
			.size = i ? GUEST_MEM2 : GUEST_MEM,
			.host = g->base[i],
		};
	assert_int_equal(mem_set(&g->mem, regions, 2), 0);
	at = ring_place(g, GUEST_RX, num, at);
	at = ring_place(g, GUEST_TX, num, at);
	g->tables = at;
	at += (uint64_t)num * TABLE_SLOT;
	g->rx_bufs = at;
	at += (uint64_t)num * g->rx_size;
	g->tx_bufs = at;
	g->slot_of = calloc(num, sizeof(uint16_t));
	g->slots = calloc(num, sizeof(uint16_t));
	assert_non_null(g->slot_of);
	assert_non_null(g->slots);
	assert_true(at + (uint64_t)(num + 1) / 2 * TX_SLOT <= GUEST_GPA + GUEST_MEM);
	slots_start(g);
}

void guest_init(struct guest *g, uint16_t num, uint32_t rx_size, unsigned flags)
{
	*g = (struct guest){.flags = flags, .rx_size = rx_size};
	setup(g, num);
}

void guest_init_at(struct guest *g, uint16_t num, unsigned flags, uint16_t start)
{
	*g = (struct guest){.flags = flags, .rx_size = 3776, .start = start};
	setup(g, num);
}

void guest_reset(struct guest *g)
{
	g->start = 0;
	for (unsigned i = 0; i < GUEST_QUEUES; i++)
		ring_start(g, &g->rings[i]);
	slots_start(g);
}

void guest_fini(struct guest *g)
{
	guest_check_guards(g);
	for (unsigned i = 0; i < GUEST_QUEUES; i++) {
		free(g->rings[i].free_desc);
		free(g->rings[i].chain_len);
	}
	free(g->slot_of);
	free(g->slots);
	free(g->raw[0]);
	free(g->raw[1]);
}

struct ring_layout guest_layout(const struct guest *g, unsigned queue)
{
	const struct guest_ring *r = &g->rings[queue];

	return (struct ring_layout){
		.num = r->num,
		.desc = (uint64_t)(uintptr_t)guest_ptr(g, r->desc_gpa),
		.avail = (uint64_t)(uintptr_t)guest_ptr(g, r->avail_gpa),
		.used = (uint64_t)(uintptr_t)guest_ptr(g, r->used_gpa),
		.base = g->start,
		.event_idx = g->flags & GUEST_EVENT_IDX,
		.indirect = g->flags & GUEST_INDIRECT,
	};
}

static void write_desc(void *at, const struct guest_seg *s, uint16_t flags, uint16_t next)
{
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} d = {htole64(s->gpa), htole32(s->len), htole16(flags), htole16(next)};

	memcpy(at, &d, 16);
}

void guest_desc(struct guest *g, unsigned queue, uint16_t i, uint64_t addr, uint32_t len,
	uint16_t flags, uint16_t next)
{
	struct guest_seg s = {addr, len, false};

	write_desc(guest_ptr(g, g->rings[queue].desc_gpa + 16u * i), &s, flags, next);
}

void guest_set_avail_idx(struct guest *g, unsigned queue, uint16_t idx)
{
	g->rings[queue].avail_idx = idx;
	store16(g, g->rings[queue].avail_gpa + 2, idx);
}

void guest_publish(struct guest *g, unsigned queue, uint16_t head)
{
	struct guest_ring *r = &g->rings[queue];

	store16(g, r->avail_gpa + 4 + 2u * (r->avail_idx & (r->num - 1)), head);
	guest_set_avail_idx(g, queue, (uint16_t)(r->avail_idx + 1));
}

uint16_t guest_add(struct guest *g, unsigned queue, const struct guest_seg *segs, unsigned n)
{
	struct guest_ring *r = &g->rings[queue];
	uint16_t idx[64];

	assert_true(n > 0 && n <= countof(idx) && n <= r->nfree);
	for (unsigned i = 0; i < n; i++)
		idx[i] = r->free_desc[--r->nfree];
	for (unsigned i = 0; i < n; i++) {
		bool more = i + 1 < n;

		write_desc(guest_ptr(g, r->desc_gpa + 16u * idx[i]), &segs[i],
			(uint16_t)((segs[i].write ? F_WRITE : 0) | (more ? F_NEXT : 0)),
			more ? idx[i + 1] : 0);
	}
	r->chain_len[idx[0]] = (uint16_t)n;
	guest_publish(g, queue, idx[0]);
	return idx[0];
}

uint16_t guest_add_indirect(
	struct guest *g, unsigned queue, const struct guest_seg *segs, unsigned n)
{
	struct guest_ring *r = &g->rings[queue];
	uint16_t head = r->free_desc[r->nfree - 1];
	struct guest_seg table = {g->tables + (uint64_t)head * TABLE_SLOT, 16 * n, false};

	assert_true(n > 0 && n <= 64 && r->nfree > 0);
	r->nfree--;
	for (unsigned i = 0; i < n; i++) {
		bool more = i + 1 < n;

		write_desc(guest_ptr(g, table.gpa + 16u * i), &segs[i],
			(uint16_t)((segs[i].write ? F_WRITE : 0) | (more ? F_NEXT : 0)),
			(uint16_t)(more ? i + 1 : 0));
	}
	write_desc(guest_ptr(g, r->desc_gpa + 16u * head), &table, F_INDIRECT, 0);
	r->chain_len[head] = 1;
	guest_publish(g, queue, head);
	return head;
}

/* Frees the descriptors of a chain by walking it, as a driver does. */
static void release(struct guest *g, struct guest_ring *r, uint16_t head)
{
	uint16_t i = head;

	for (unsigned k = 0; k < r->chain_len[head]; k++) {
		uint64_t at = r->desc_gpa + 16u * i;

		r->free_desc[r->nfree++] = i;
		i = load16(g, at + 14);
	}
	r->chain_len[head] = 0;
	if (r == &g->rings[GUEST_TX] && g->slot_of[head] != NO_SLOT) {
		g->slots[g->nslots++] = g->slot_of[head];
		g->slot_of[head] = NO_SLOT;
	}
}

bool guest_used(struct guest *g, unsigned queue, uint16_t *ret_head, uint32_t *ret_len)
{
	struct guest_ring *r = &g->rings[queue];
	uint64_t at = r->used_gpa + 4 + 8u * (r->used_idx & (r->num - 1));
	uint32_t e[2];

	if (load16(g, r->used_gpa + 2) == r->used_idx)
		return false;
	memcpy(e, guest_ptr(g, at), 8);
	*ret_head = (uint16_t)le32toh(e[0]);
	*ret_len = le32toh(e[1]);
	assert_true(le32toh(e[0]) < r->num);
	r->used_idx++;
	release(g, r, *ret_head);
	return true;
}

unsigned guest_reclaim(struct guest *g)
{
	unsigned n = 0;
	uint16_t head;
	uint32_t len;

	while (guest_used(g, GUEST_TX, &head, &len)) {
		assert_int_equal(len, 0);
		n++;
	}
	return n;
}

bool guest_wants_kick(struct guest *g, unsigned queue)
{
	struct guest_ring *r = &g->rings[queue];
	uint16_t old = r->kicked, now = r->avail_idx, event;

	r->kicked = now;
	if (old == now)
		return false;
	if (!(g->flags & GUEST_EVENT_IDX))
		return !(load16(g, r->used_gpa) & 1);
	event = load16(g, r->used_gpa + 4 + 8u * r->num);
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

void guest_irq(struct guest *g, unsigned queue, bool on)
{
	struct guest_ring *r = &g->rings[queue];

	if (g->flags & GUEST_EVENT_IDX) {
		/* Off: an index that has just passed. */
		store16(g, r->avail_gpa + 4 + 2u * r->num,
			on ? r->used_idx : (uint16_t)(r->used_idx - 1));
	} else {
		store16(g, r->avail_gpa, on ? 0 : 1);
	}
}

void guest_post(struct guest *g, unsigned n)
{
	struct guest_ring *r = &g->rings[GUEST_RX];

	for (; n > 0 && r->nfree > 0; n--) {
		uint16_t i = r->free_desc[r->nfree - 1];
		struct guest_seg s = {g->rx_bufs + (uint64_t)i * g->rx_size, g->rx_size, true};

		guest_add(g, GUEST_RX, &s, 1);
	}
}

void guest_post_all(struct guest *g)
{
	guest_post(g, g->rings[GUEST_RX].num);
}

bool guest_send(struct guest *g, const struct packet *p, const void *payload)
{
	struct guest_ring *r = &g->rings[GUEST_TX];
	unsigned n = p->len > 0 ? 2 : 1;
	struct guest_seg segs[2];
	uint16_t slot, head;
	uint64_t at;

	if (r->nfree < n || g->nslots == 0)
		return false;
	slot = g->slots[--g->nslots];
	at = g->tx_bufs + (uint64_t)slot * TX_SLOT;
	packet_encode(guest_ptr(g, at), p);
	if (p->len > 0)
		memcpy(guest_ptr(g, at + PACKET_HEADER), payload, p->len);
	segs[0] = (struct guest_seg){at, PACKET_HEADER, false};
	segs[1] = (struct guest_seg){at + PACKET_HEADER, p->len, false};
	/* Before the device can see the chain. */
	head = r->free_desc[r->nfree - 1];
	g->slot_of[head] = slot;
	if (g->flags & GUEST_INDIRECT)
		guest_add_indirect(g, GUEST_TX, segs, n);
	else
		guest_add(g, GUEST_TX, segs, n);
	return true;
}

bool guest_recv(struct guest *g, struct packet *ret)
{
	uint16_t head;
	uint32_t len;

	while (guest_used(g, GUEST_RX, &head, &len)) {
		uint8_t *buf = guest_ptr(g, g->rx_bufs + (uint64_t)head * g->rx_size);

		if (len == 0)
			continue;
		assert_in_range(len, PACKET_HEADER, g->rx_size);
		packet_decode(buf, ret);
		assert_int_equal(ret->len, len - PACKET_HEADER);
		assert_int_equal(ret->src_cid, PACKET_CID_HOST);
		assert_int_equal(ret->dst_cid, GUEST_CID);
		g->last_payload = buf + PACKET_HEADER;
		return true;
	}
	return false;
}

struct packet guest_packet(uint32_t guest_port, uint32_t host_port, enum packet_op op)
{
	return (struct packet){
		.src_cid = GUEST_CID,
		.dst_cid = PACKET_CID_HOST,
		.src_port = guest_port,
		.dst_port = host_port,
		.type = PACKET_STREAM,
		.op = (uint16_t)op,
		.buf_alloc = GUEST_BUF_ALLOC,
	};
}

uint8_t pattern_at(uint64_t n)
{
	return (uint8_t)(n ^ (n >> 8) * 31 ^ (n >> 16) * 17);
}

void pattern_fill(void *p, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = pattern_at(at + i);
}

void pattern_check(const void *p, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const uint8_t *)p)[i] != pattern_at(at + i))
			fail_msg("byte %llu is wrong", (unsigned long long)(at + i));
}
