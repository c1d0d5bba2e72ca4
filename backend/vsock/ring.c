/* The split virtqueue over guest memory. Ordering against the guest's CPUs: its index is loaded
 * with acquire before the ring entry, ours stored with release after the used element; where each
 * side stores and then looks at what the other stored (kick and interrupt suppression), both are
 * sequentially consistent. */
#include "backend/vsock/ring.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "backend/base/util.h"
#include "backend/vsock/limits.h"

#define DESC_SIZE          16
#define F_NEXT             1
#define F_WRITE            2
#define F_INDIRECT         4
#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY     1

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/* avail: flags, idx, ring[num], used_event. used: flags, idx, {id, len}[num], avail_event. */
static uint16_t *avail_flags(const struct ring *r)
{
	return (uint16_t *)(void *)r->avail;
}

static uint16_t *avail_index(const struct ring *r)
{
	return (uint16_t *)(void *)(r->avail + 2);
}

static uint16_t *avail_entry(const struct ring *r, uint16_t i)
{
	return (uint16_t *)(void *)(r->avail + 4 + 2 * (size_t)(i & (r->num - 1)));
}

static uint16_t *used_event(const struct ring *r)
{
	return (uint16_t *)(void *)(r->avail + 4 + 2 * (size_t)r->num);
}

static uint16_t *used_flags(const struct ring *r)
{
	return (uint16_t *)(void *)r->used;
}

static uint16_t *used_index(const struct ring *r)
{
	return (uint16_t *)(void *)(r->used + 2);
}

static uint32_t *used_entry(const struct ring *r, uint16_t i)
{
	return (uint32_t *)(void *)(r->used + 4 + 8 * (size_t)(i & (r->num - 1)));
}

static uint16_t *avail_event(const struct ring *r)
{
	return (uint16_t *)(void *)(r->used + 4 + 8 * (size_t)r->num);
}

static uint16_t load16(const uint16_t *p, int order)
{
	return le16toh(order == __ATOMIC_RELAXED   ? __atomic_load_n(p, __ATOMIC_RELAXED)
		       : order == __ATOMIC_ACQUIRE ? __atomic_load_n(p, __ATOMIC_ACQUIRE)
						   : __atomic_load_n(p, __ATOMIC_SEQ_CST));
}

int ring_break(struct ring *r, const char *why)
{
	if (!r->broken)
		r->broken = why;
	return -1;
}

static bool overlap(uint64_t a, uint64_t n, uint64_t b, uint64_t k)
{
	return a < b ? b - a < n : a - b < k;
}

/* Bytes of each part; the event indexes belong to them only when negotiated. */
static uint64_t desc_size(const struct ring_layout *l)
{
	return (uint64_t)l->num * DESC_SIZE;
}

static uint64_t avail_size(const struct ring_layout *l)
{
	return 4 + 2 * (uint64_t)l->num + (l->event_idx ? 2 : 0);
}

static uint64_t used_size(const struct ring_layout *l)
{
	return 4 + 8 * (uint64_t)l->num + (l->event_idx ? 2 : 0);
}

static bool bind_parts(struct ring *r)
{
	const struct ring_layout *l = &r->layout;

	r->desc = mem_user(r->mem, l->desc, desc_size(l));
	r->avail = mem_user(r->mem, l->avail, avail_size(l));
	r->used = mem_user(r->mem, l->used, used_size(l));
	return r->desc && r->avail && r->used;
}

int ring_init(struct ring *r, const struct mem *mem, const struct ring_layout *l)
{
	struct ring n = {.mem = mem, .layout = *l, .num = (uint16_t)l->num};

	if (l->num == 0 || l->num > RING_SIZE_MAX || (l->num & (l->num - 1)))
		return -EINVAL;
	if (l->desc % 16 || l->avail % 2 || l->used % 4)
		return -EINVAL;
	if (overlap(l->used, used_size(l), l->desc, desc_size(l)) ||
		overlap(l->used, used_size(l), l->avail, avail_size(l)))
		return -EINVAL;
	if (!bind_parts(&n))
		return -EFAULT;
	n.event_idx = l->event_idx;
	n.indirect = l->indirect;
	n.last_avail = n.avail_idx = l->base;
	n.used_idx = load16(used_index(&n), __ATOMIC_ACQUIRE);
	*r = n;
	return 0;
}

void ring_rebind(struct ring *r)
{
	if (!bind_parts(r))
		ring_break(r, "it is outside guest memory now");
}

/* The chain being walked. */
struct walk {
	struct ring *r;
	struct ring_chain *out;
	unsigned max;
};

/* The one look at a descriptor; the barrier keeps the compiler from looking again later. */
static struct desc desc_read(const uint8_t *table, uint32_t i)
{
	uint8_t raw[DESC_SIZE];
	struct desc d;

	memcpy(raw, table + (size_t)i * DESC_SIZE, sizeof(raw));
	__asm__ volatile("" ::: "memory");
	memcpy(&d, raw, sizeof(d));
	d.addr = le64toh(d.addr);
	d.len = le32toh(d.len);
	d.flags = le16toh(d.flags);
	d.next = le16toh(d.next);
	return d;
}

static int add_buffer(struct walk *w, const struct desc *d)
{
	struct ring_chain *c = w->out;
	bool write = d->flags & F_WRITE;
	int k;

	if (!write && c->n > c->n_read)
		return ring_break(w->r, "a buffer to read after one to write");
	k = mem_iov(w->r->mem, d->addr, d->len, c->iov + c->n, w->max - c->n);
	if (k == -E2BIG)
		return ring_break(w->r, "a chain of too many buffers");
	if (k < 0)
		return ring_break(w->r, "a buffer outside guest memory");
	c->n += (unsigned)k;
	c->n_read += write ? 0 : (unsigned)k;
	c->len += d->len;
	return 1;
}

static int walk_indirect(struct walk *w, const struct desc *at)
{
	uint32_t n = at->len / DESC_SIZE, i = 0;
	const uint8_t *table;

	if (!w->r->indirect)
		return ring_break(w->r, "an indirect descriptor that was not negotiated");
	if (at->flags & F_NEXT)
		return ring_break(w->r, "an indirect descriptor with a next one");
	if (n == 0 || n > w->r->num || at->len % DESC_SIZE)
		return ring_break(w->r, "an indirect table of a wrong size");
	table = mem_gpa(w->r->mem, at->addr, at->len);
	if (!table)
		return ring_break(w->r, "an indirect table outside guest memory");
	for (uint32_t seen = 0; seen < n; seen++) {
		struct desc d = desc_read(table, i);

		if (d.flags & F_INDIRECT)
			return ring_break(w->r, "an indirect descriptor in an indirect table");
		if (add_buffer(w, &d) < 0)
			return -1;
		if (!(d.flags & F_NEXT))
			return 1;
		if (d.next >= n)
			return ring_break(w->r, "a next descriptor outside its indirect table");
		i = d.next;
	}
	return ring_break(w->r, "a loop in an indirect table");
}

static int walk_chain(struct walk *w)
{
	struct ring *r = w->r;
	uint32_t i = w->out->head;

	for (uint32_t seen = 0; seen < r->num; seen++) {
		struct desc d = desc_read(r->desc, i);

		if (d.flags & F_INDIRECT)
			return walk_indirect(w, &d);
		if (add_buffer(w, &d) < 0)
			return -1;
		if (!(d.flags & F_NEXT))
			return 1;
		if (d.next >= r->num)
			return ring_break(r, "a next descriptor outside the table");
		i = d.next;
	}
	return ring_break(r, "a loop in a descriptor chain");
}

/* True: chain number `ahead` is there. Loads the guest's index only when the known one ends. */
static bool available(struct ring *r, uint16_t ahead)
{
	if ((uint16_t)(r->avail_idx - r->last_avail) > ahead)
		return true;
	r->avail_idx = load16(avail_index(r), __ATOMIC_ACQUIRE);
	if ((uint16_t)(r->avail_idx - r->last_avail) > r->num) {
		ring_break(r, "an available index more than the queue size ahead");
		return false;
	}
	return (uint16_t)(r->avail_idx - r->last_avail) > ahead;
}

int ring_peek(
	struct ring *r, uint16_t ahead, struct iovec *iov, unsigned max, struct ring_chain *ret)
{
	struct walk w = {.r = r, .out = ret, .max = max};

	if (r->broken)
		return -1;
	if (!available(r, ahead))
		return r->broken ? -1 : 0;
	*ret = (struct ring_chain){.iov = iov};
	ret->head = load16(avail_entry(r, (uint16_t)(r->last_avail + ahead)), __ATOMIC_RELAXED);
	if (ret->head >= r->num)
		return ring_break(r, "a head outside the descriptor table");
	return walk_chain(&w);
}

void ring_take(struct ring *r, uint16_t n)
{
	r->last_avail = (uint16_t)(r->last_avail + n);
}

void ring_push(struct ring *r, uint16_t head, uint32_t len)
{
	uint32_t *e = used_entry(r, r->used_idx);

	__atomic_store_n(&e[0], htole32(head), __ATOMIC_RELAXED);
	__atomic_store_n(&e[1], htole32(len), __ATOMIC_RELAXED);
	r->used_idx++;
	__atomic_store_n(used_index(r), htole16(r->used_idx), __ATOMIC_RELEASE);
	mem_mark(r->mem, e, 8);
	mem_mark(r->mem, used_index(r), 2);
}

bool ring_signal(struct ring *r)
{
	uint16_t old = r->signalled, now = r->used_idx;
	bool known = r->signalled_ok;

	if (known && old == now)
		return false;
	/* The index again, so that it is in memory before the guest's wish is looked at. */
	__atomic_store_n(used_index(r), htole16(now), __ATOMIC_SEQ_CST);
	r->signalled = now;
	r->signalled_ok = true;
	if (!r->event_idx)
		return !(load16(avail_flags(r), __ATOMIC_SEQ_CST) & AVAIL_NO_INTERRUPT);
	if (!known)
		return true;
	return (uint16_t)(now - load16(used_event(r), __ATOMIC_SEQ_CST) - 1) <
	       (uint16_t)(now - old);
}

void ring_kick_off(struct ring *r)
{
	/* With EVENT_IDX the event index that has passed asks for nothing. */
	if (r->event_idx || r->broken)
		return;
	__atomic_store_n(used_flags(r), htole16(USED_NO_NOTIFY), __ATOMIC_RELAXED);
	mem_mark(r->mem, used_flags(r), 2);
}

bool ring_kick_on(struct ring *r)
{
	uint16_t *p = r->event_idx ? avail_event(r) : used_flags(r);

	if (r->broken)
		return false;
	__atomic_store_n(p, r->event_idx ? htole16(r->last_avail) : 0, __ATOMIC_SEQ_CST);
	mem_mark(r->mem, p, 2);
	return load16(avail_index(r), __ATOMIC_SEQ_CST) != r->last_avail;
}
