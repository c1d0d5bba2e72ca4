// LIBS: vsock
// OBJS: tests/support/vsock_guest.c
/* The split ring against a driver that behaves, and against one that does not: every structure a
 * guest can write. Guard bytes around guest memory prove that nothing outside is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "backend/base/util.h"
#include "backend/vsock/iov.h"
#include "backend/vsock/limits.h"
#include "tests/support/vsock_guest.h"

#define F_NEXT     1
#define F_WRITE    2
#define F_INDIRECT 4
#define DATA       (GUEST_GPA + 0x400000)

struct rig {
	struct guest g;
	struct ring r;
	struct iovec iov[VSOCK_SEGMENTS_MAX];
	struct ring_chain ch;
};

static struct rig rig;

static void start_at(unsigned flags, uint16_t start)
{
	struct ring_layout l;

	guest_init_at(&rig.g, 64, flags, start);
	l = guest_layout(&rig.g, GUEST_TX);
	assert_int_equal(ring_init(&rig.r, &rig.g.mem, &l), 0);
}

static void start(unsigned flags)
{
	start_at(flags, 0);
}

static int peek(uint16_t ahead)
{
	return ring_peek(&rig.r, ahead, rig.iov, countof(rig.iov), &rig.ch);
}

static void expect_broken(const char *why)
{
	assert_int_equal(peek(0), -1);
	assert_non_null(rig.r.broken);
	if (!strstr(rig.r.broken, why))
		fail_msg("'%s' is not about '%s'", rig.r.broken, why);
	/* And it stays so. */
	assert_int_equal(peek(0), -1);
	guest_fini(&rig.g);
}

static void test_chain(void **state)
{
	struct guest_seg segs[] = {
		{DATA, 10, false}, {DATA + 100, 20, false}, {DATA + 200, 5, true}};
	uint16_t head, got;
	uint32_t len;

	(void)state;
	start(0);
	assert_int_equal(peek(0), 0);
	head = guest_add(&rig.g, GUEST_TX, segs, 3);
	assert_int_equal(peek(1), 0);
	assert_int_equal(peek(0), 1);
	assert_int_equal(rig.ch.head, head);
	assert_int_equal(rig.ch.n, 3);
	assert_int_equal(rig.ch.n_read, 2);
	assert_int_equal(rig.ch.len, 35);
	assert_ptr_equal(rig.iov[1].iov_base, guest_ptr(&rig.g, DATA + 100));
	/* Looking does not take. */
	assert_int_equal(peek(0), 1);
	ring_take(&rig.r, 1);
	assert_int_equal(peek(0), 0);
	ring_push(&rig.r, head, 7);
	assert_true(guest_used(&rig.g, GUEST_TX, &got, &len));
	assert_int_equal(got, head);
	assert_int_equal(len, 7);
	guest_fini(&rig.g);
}

static void test_indirect(void **state)
{
	struct guest_seg segs[] = {
		{DATA, 10, false}, {DATA + 100, 0, false}, {DATA + 200, 5, false}};

	(void)state;
	start(GUEST_INDIRECT);
	guest_add_indirect(&rig.g, GUEST_TX, segs, 3);
	assert_int_equal(peek(0), 1);
	assert_int_equal(rig.ch.n, 2); /* the empty one is no segment */
	assert_int_equal(rig.ch.len, 15);
	/* Descriptors first, then a table: virtio 1.2, 2.7.5.3.2. */
	guest_desc(&rig.g, GUEST_TX, 5, DATA, 8, F_NEXT, 6);
	guest_desc(&rig.g, GUEST_TX, 6, rig.g.tables + 63 * 16, 16, F_INDIRECT, 0);
	guest_publish(&rig.g, GUEST_TX, 5);
	assert_int_equal(peek(1), 1);
	assert_int_equal(rig.ch.len, 8); /* 8 + an empty descriptor of zeros */
	guest_fini(&rig.g);
}

static void test_buffer_across_regions(void **state)
{
	struct guest_seg seg = {GUEST_GPA2 - 6, 10, true};

	(void)state;
	start(0);
	guest_add(&rig.g, GUEST_TX, &seg, 1);
	assert_int_equal(peek(0), 1);
	assert_int_equal(rig.ch.n, 2);
	assert_int_equal(iov_write(rig.ch.iov, 2, "0123456789", 10), 10);
	assert_memory_equal(guest_ptr(&rig.g, GUEST_GPA2), "6789", 4);
	guest_fini(&rig.g);
}

/* Hostile 1: next outside the table. */
static void test_next_outside(void **state)
{
	(void)state;
	start(0);
	guest_desc(&rig.g, GUEST_TX, 0, DATA, 8, F_NEXT, 64);
	guest_publish(&rig.g, GUEST_TX, 0);
	expect_broken("next descriptor outside the table");
	start(0);
	guest_desc(&rig.g, GUEST_TX, 0, DATA, 8, F_NEXT, 0xffff);
	guest_publish(&rig.g, GUEST_TX, 0);
	expect_broken("next descriptor outside the table");
}

/* Hostile 2: loops, with buffers and without. */
static void test_loop(void **state)
{
	(void)state;
	start(0);
	guest_desc(&rig.g, GUEST_TX, 0, DATA, 8, F_NEXT, 1);
	guest_desc(&rig.g, GUEST_TX, 1, DATA, 8, F_NEXT, 0);
	guest_publish(&rig.g, GUEST_TX, 0);
	expect_broken("loop");
	start(0);
	guest_desc(&rig.g, GUEST_TX, 3, DATA, 0, F_NEXT, 3);
	guest_publish(&rig.g, GUEST_TX, 3);
	expect_broken("loop");
}

/* Hostile 3: head outside the table. */
static void test_head_outside(void **state)
{
	(void)state;
	start(0);
	guest_publish(&rig.g, GUEST_TX, 64);
	expect_broken("head");
}

/* Hostile 4: the index leaps. */
static void test_index_leaps(void **state)
{
	(void)state;
	start(0);
	guest_set_avail_idx(&rig.g, GUEST_TX, 65);
	expect_broken("available index");
	start(0);
	guest_set_avail_idx(&rig.g, GUEST_TX, 0xffff); /* back */
	expect_broken("available index");
}

/* Hostile 5: every wrong indirect descriptor. */
static void test_bad_indirect(void **state)
{
	static const struct {
		unsigned flags;
		uint64_t addr;
		uint32_t len;
		uint16_t desc_flags;
		const char *why;
	} cases[] = {
		{0, DATA, 16, F_INDIRECT, "not negotiated"},
		{GUEST_INDIRECT, DATA, 16, F_INDIRECT | F_NEXT, "with a next one"},
		{GUEST_INDIRECT, DATA, 0, F_INDIRECT, "wrong size"},
		{GUEST_INDIRECT, DATA, 15, F_INDIRECT, "wrong size"},
		{GUEST_INDIRECT, DATA, 17, F_INDIRECT, "wrong size"},
		{GUEST_INDIRECT, DATA, 16 * 65, F_INDIRECT, "wrong size"},
		{GUEST_INDIRECT, DATA, 0xfffffff0, F_INDIRECT, "wrong size"},
		{GUEST_INDIRECT, GUEST_HOLE, 16, F_INDIRECT, "outside guest memory"},
		{GUEST_INDIRECT, GUEST_HOLE - 8, 16, F_INDIRECT, "outside guest memory"},
		{GUEST_INDIRECT, UINT64_MAX - 8, 16, F_INDIRECT, "outside guest memory"},
	};

	(void)state;
	for (unsigned i = 0; i < countof(cases); i++) {
		start(cases[i].flags);
		guest_desc(
			&rig.g, GUEST_TX, 0, cases[i].addr, cases[i].len, cases[i].desc_flags, 1);
		guest_publish(&rig.g, GUEST_TX, 0);
		expect_broken(cases[i].why);
	}
}

static void write_table(uint64_t at, uint64_t addr, uint16_t flags, uint16_t next)
{
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} d = {addr, 16, flags, next};

	memcpy(guest_ptr(&rig.g, at), &d, 16);
}

static void test_bad_indirect_table(void **state)
{
	static const struct {
		uint16_t flags, next;
		uint64_t addr;
		const char *why;
	} cases[] = {
		{F_INDIRECT, 0, DATA, "in an indirect table"},
		{F_NEXT, 2, DATA, "outside its indirect table"},
		{F_NEXT, 0, DATA, "loop in an indirect table"},
		{0, 0, GUEST_HOLE, "outside guest memory"},
	};

	(void)state;
	for (unsigned i = 0; i < countof(cases); i++) {
		start(GUEST_INDIRECT);
		write_table(DATA, cases[i].addr, cases[i].flags, cases[i].next);
		guest_desc(&rig.g, GUEST_TX, 0, DATA, 32, F_INDIRECT, 0);
		guest_publish(&rig.g, GUEST_TX, 0);
		expect_broken(cases[i].why);
	}
}

/* Hostile 6: buffers outside memory, over its end, of any size. */
static void test_bad_buffers(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} cases[] = {
		{0, 1},
		{GUEST_HOLE, 1},
		{GUEST_HOLE - 1, 2},
		{GUEST_GPA, 0xffffffff},
		{UINT64_MAX, 1},
		{UINT64_MAX, 0xffffffff},
		{UINT64_MAX - 0xfffffffe, 0xffffffff},
	};

	(void)state;
	for (unsigned i = 0; i < countof(cases); i++) {
		start(0);
		guest_desc(&rig.g, GUEST_TX, 0, cases[i].addr, cases[i].len, F_WRITE, 0);
		guest_publish(&rig.g, GUEST_TX, 0);
		expect_broken("outside guest memory");
	}
	/* An empty buffer is nothing, wherever it is. */
	start(0);
	guest_desc(&rig.g, GUEST_TX, 0, GUEST_HOLE, 0, 0, 0);
	guest_publish(&rig.g, GUEST_TX, 0);
	assert_int_equal(peek(0), 1);
	assert_int_equal(rig.ch.n, 0);
	assert_int_equal(rig.ch.len, 0);
	guest_fini(&rig.g);
}

static void test_too_many_segments(void **state)
{
	struct iovec few[3];
	struct guest_seg segs[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		segs[i] = (struct guest_seg){DATA + i, 1, false};
	start(0);
	guest_add(&rig.g, GUEST_TX, segs, 4);
	assert_int_equal(ring_peek(&rig.r, 0, few, 3, &rig.ch), -1);
	assert_non_null(strstr(rig.r.broken, "too many"));
	guest_fini(&rig.g);
}

/* Hostile 7: a buffer to read after one to write. */
static void test_read_after_write(void **state)
{
	struct guest_seg segs[] = {{DATA, 8, true}, {DATA + 8, 8, false}};

	(void)state;
	start(0);
	guest_add(&rig.g, GUEST_TX, segs, 2);
	expect_broken("after one to write");
}

/* Hostile 18: every wrong place and size of a ring. */
static void test_bad_layouts(void **state)
{
	struct ring_layout good, l;
	struct ring r;
	static const uint32_t sizes[] = {0, 3, 63, 65, 100, 65536, 0x80000000, UINT32_MAX};

	(void)state;
	start(0);
	good = guest_layout(&rig.g, GUEST_TX);
	for (unsigned i = 0; i < countof(sizes); i++) {
		l = good;
		l.num = sizes[i];
		assert_int_equal(ring_init(&r, &rig.g.mem, &l), -EINVAL);
	}
#define WRONG(field, value, want)                                                                  \
	do {                                                                                       \
		l = good;                                                                          \
		l.field = (value);                                                                 \
		assert_int_equal(ring_init(&r, &rig.g.mem, &l), want);                             \
	} while (0)
	WRONG(desc, good.desc + 8, -EINVAL);
	WRONG(avail, good.avail + 1, -EINVAL);
	WRONG(used, good.used + 2, -EINVAL);
	WRONG(desc, 0, -EFAULT);
	WRONG(avail, UINT64_MAX - 1, -EFAULT);
	WRONG(used, UINT64_MAX - 3, -EFAULT);
	WRONG(desc, (uint64_t)(uintptr_t)rig.g.base[0] + GUEST_MEM - 16, -EFAULT);
	WRONG(used, (uint64_t)(uintptr_t)rig.g.base[1] + GUEST_MEM2 - 64, -EFAULT);
	WRONG(used, good.desc, -EINVAL);
	WRONG(used, good.desc + 16 * 64 - 4, -EINVAL);
	WRONG(used, good.avail + (4 - good.avail % 4) % 4, -EINVAL);
	WRONG(num, 32768, -EINVAL); /* then the parts overlap */
#undef WRONG
	assert_int_equal(ring_init(&r, &rig.g.mem, &good), 0);
	guest_fini(&rig.g);
}

static void test_rebind(void **state)
{
	struct mem_region one;

	(void)state;
	start(0);
	ring_rebind(&rig.r);
	assert_null(rig.r.broken);
	one = rig.g.mem.regions[1];
	assert_int_equal(mem_set(&rig.g.mem, &one, 1), 0);
	ring_rebind(&rig.r);
	assert_non_null(rig.r.broken);
	assert_int_equal(peek(0), -1);
	assert_false(ring_kick_on(&rig.r));
	guest_fini(&rig.g);
}

/* Hostile 24: 16-bit indexes wrap, with everything on the ring in order. */
static void run_wrap(unsigned flags)
{
	uint32_t len, n = 0, next = 0;
	uint16_t head;

	start_at(flags, 65500);
	for (unsigned round = 0; round < 3000; round++) {
		for (unsigned i = 0; i < 1 + round % 40; i++) {
			struct guest_seg s = {DATA + 8 * (next % 1024), 8, false};

			next++;
			guest_add(&rig.g, GUEST_TX, &s, 1);
		}
		while (peek(0) == 1) {
			assert_ptr_equal(
				rig.iov[0].iov_base, guest_ptr(&rig.g, DATA + 8 * (n % 1024)));
			n++;
			ring_take(&rig.r, 1);
			ring_push(&rig.r, rig.ch.head, 0);
		}
		assert_null(rig.r.broken);
		while (guest_used(&rig.g, GUEST_TX, &head, &len))
			;
	}
	assert_int_equal(n, next);
	guest_fini(&rig.g);
}

static void test_wrap(void **state)
{
	(void)state;
	run_wrap(0);
	run_wrap(GUEST_EVENT_IDX);
}

static void add_one(void)
{
	struct guest_seg s = {DATA, 8, false};

	guest_add(&rig.g, GUEST_TX, &s, 1);
}

/* The device's half of it: the driver has not looked yet. */
static void take_one(void)
{
	assert_int_equal(peek(0), 1);
	ring_take(&rig.r, 1);
	ring_push(&rig.r, rig.ch.head, 0);
}

static void run_kicks(unsigned flags)
{
	start(flags);
	assert_false(ring_kick_on(&rig.r));
	add_one();
	assert_true(guest_wants_kick(&rig.g, GUEST_TX));
	ring_kick_off(&rig.r);
	take_one();
	add_one();
	/* Busy: no kick is wanted. */
	assert_false(guest_wants_kick(&rig.g, GUEST_TX));
	/* Going to rest finds what came meanwhile. */
	assert_true(ring_kick_on(&rig.r));
	take_one();
	assert_false(ring_kick_on(&rig.r));
	add_one();
	assert_true(guest_wants_kick(&rig.g, GUEST_TX));
	guest_fini(&rig.g);
}

static void test_kicks(void **state)
{
	(void)state;
	run_kicks(0);
	run_kicks(GUEST_EVENT_IDX);
}

static void run_interrupts(unsigned flags)
{
	uint16_t head;
	uint32_t len;

	start(flags);
	for (unsigned i = 0; i < 10; i++)
		add_one();
	/* The first one is sent whatever the guest says with EVENT_IDX: its wish may be stale. */
	guest_irq(&rig.g, GUEST_TX, false);
	assert_int_equal(ring_signal(&rig.r), (flags & GUEST_EVENT_IDX) != 0);
	assert_false(ring_signal(&rig.r)); /* nothing new */
	guest_irq(&rig.g, GUEST_TX, true);
	take_one();
	take_one();
	assert_true(ring_signal(&rig.r)); /* one for both */
	assert_false(ring_signal(&rig.r));
	while (guest_used(&rig.g, GUEST_TX, &head, &len))
		;
	guest_irq(&rig.g, GUEST_TX, false);
	take_one();
	assert_false(ring_signal(&rig.r));
	while (guest_used(&rig.g, GUEST_TX, &head, &len))
		;
	guest_irq(&rig.g, GUEST_TX, true);
	take_one();
	assert_true(ring_signal(&rig.r));
	guest_fini(&rig.g);
}

static void test_interrupts(void **state)
{
	(void)state;
	run_interrupts(0);
	run_interrupts(GUEST_EVENT_IDX);
}

static void test_log(void **state)
{
	uint64_t log[64] = {0};
	uint64_t page;

	(void)state;
	start(0);
	rig.g.mem.log = log;
	page = rig.g.rings[GUEST_TX].used_gpa / MEM_PAGE;
	add_one();
	take_one();
	assert_true(log[page / 64] & (UINT64_C(1) << (page % 64)));
	guest_fini(&rig.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_buffer_across_regions),
		cmocka_unit_test(test_next_outside),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_head_outside),
		cmocka_unit_test(test_index_leaps),
		cmocka_unit_test(test_bad_indirect),
		cmocka_unit_test(test_bad_indirect_table),
		cmocka_unit_test(test_bad_buffers),
		cmocka_unit_test(test_too_many_segments),
		cmocka_unit_test(test_read_after_write),
		cmocka_unit_test(test_bad_layouts),
		cmocka_unit_test(test_rebind),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_kicks),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("vsock_ring", tests, NULL, NULL);
}
