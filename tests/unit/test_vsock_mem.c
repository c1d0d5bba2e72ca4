// LIBS: vsock
/* Region table, segments, header codec, output buffer: the parts below the rings. */
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
#include "backend/vsock/mem.h"
#include "backend/vsock/obuf.h"
#include "backend/vsock/packet.h"

static uint8_t low[0x2000], high[0x1000];

static struct mem table(void)
{
	struct mem m = {0};
	struct mem_region r[] = {
		{0x0, 0x7000, sizeof(low), low},
		{0x2000, 0xf000, sizeof(high), high},
		{0xfffffffffffff000, 0x20000, 0xfff, high},
	};

	assert_int_equal(mem_set(&m, r, countof(r)), 0);
	return m;
}

static void test_lookup(void **state)
{
	struct mem m = table();

	(void)state;
	assert_ptr_equal(mem_gpa(&m, 0, 1), low);
	assert_ptr_equal(mem_gpa(&m, 0x1fff, 1), low + 0x1fff);
	assert_null(mem_gpa(&m, 0x1fff, 2)); /* into the next region: not one piece */
	assert_null(mem_gpa(&m, 0x3000, 1)); /* hole */
	assert_null(mem_gpa(&m, 0x2fff, UINT64_MAX));
	assert_null(mem_gpa(&m, UINT64_MAX, 1));
	assert_ptr_equal(mem_user(&m, 0x7000, 0x2000), low);
	assert_null(mem_user(&m, 0x7000, 0x2001));
	assert_null(mem_user(&m, 0x6fff, 1));
	assert_null(mem_user(&m, 0x8fff, UINT64_MAX));
	assert_ptr_equal(mem_user(&m, 0xffff, 1), high + 0xfff);
}

static void test_segments(void **state)
{
	struct mem m = table();
	struct iovec iov[4];

	(void)state;
	assert_int_equal(mem_iov(&m, 0x10, 0x20, iov, 4), 1);
	assert_ptr_equal(iov[0].iov_base, low + 0x10);
	assert_int_equal(iov[0].iov_len, 0x20);
	/* Across two regions that touch. */
	assert_int_equal(mem_iov(&m, 0x1ff0, 0x20, iov, 4), 2);
	assert_ptr_equal(iov[0].iov_base, low + 0x1ff0);
	assert_int_equal(iov[0].iov_len, 0x10);
	assert_ptr_equal(iov[1].iov_base, high);
	assert_int_equal(iov[1].iov_len, 0x10);
	assert_int_equal(mem_iov(&m, 0x1ff0, 0x20, iov, 1), -E2BIG);
	/* Into a hole, past the end of all addresses, huge, nothing. */
	assert_int_equal(mem_iov(&m, 0x2ff0, 0x20, iov, 4), -EFAULT);
	assert_int_equal(mem_iov(&m, 0xfffffffffffffff0, 0x20, iov, 4), -EFAULT);
	assert_int_equal(mem_iov(&m, 0x10, 0xffffffff, iov, 4), -EFAULT);
	assert_int_equal(mem_iov(&m, UINT64_MAX, UINT64_MAX, iov, 4), -EFAULT);
	assert_int_equal(mem_iov(&m, 0x9000, 0, iov, 4), 0);
}

static void test_bad_tables(void **state)
{
	static const struct {
		struct mem_region r[2];
		unsigned n;
		int want;
	} cases[] = {
		{{{0x0, 0x0, 0, low}}, 1, -EINVAL},                              /* empty */
		{{{0xffffffffffffffff, 0, 2, low}}, 1, -EINVAL},                 /* gpa wraps */
		{{{0, 0xfffffffffffffff0, 0x100, low}}, 1, -EINVAL},             /* user wraps */
		{{{0, 0, 0x100, low}, {0x80, 0x9000, 0x100, high}}, 2, -EINVAL}, /* overlap */
		{{{0x80, 0, 0x100, low}, {0, 0x9000, 0x81, high}}, 2, -EINVAL},
		{{{0, 0, 0x100, low}, {0, 0x9000, 0x100, high}}, 2, -EINVAL},
		{{{0, 0, 0x100, low}, {0x100, 0x9000, 0x100, high}}, 2, 0},
		{{{0, 0, 0, low}}, 0, 0},
	};
	struct mem_region many[MEM_REGIONS_MAX + 1];

	(void)state;
	for (unsigned i = 0; i < countof(cases); i++) {
		struct mem m = table();

		assert_int_equal(mem_set(&m, cases[i].r, cases[i].n), cases[i].want);
		if (cases[i].want < 0)
			assert_int_equal(m.n, 3); /* the old one stays */
	}
	for (unsigned i = 0; i < countof(many); i++)
		many[i] = (struct mem_region){i * 0x1000, i * 0x1000, 0x1000, low};
	assert_int_equal(mem_set(&(struct mem){0}, many, countof(many)), -E2BIG);
}

static void test_dirty_log(void **state)
{
	struct mem m = {0};
	struct mem_region r = {0x40000, 0x7000, sizeof(low), low};
	uint64_t log[2] = {0};

	(void)state;
	assert_int_equal(mem_set(&m, &r, 1), 0);
	mem_mark(&m, low, 1); /* no log: nothing happens */
	m.log = log;
	mem_mark(&m, low + 0xfff, 2);
	assert_int_equal(log[1], 0x3); /* pages 64 and 65 */
	mem_mark(&m, low, 0);
	mem_mark(&m, high, 1); /* no memory of the table */
	assert_int_equal(log[0], 0);
	assert_int_equal(log[1], 0x3);
}

static void test_iov(void **state)
{
	char a[] = "abc", b[] = "defgh", out[16] = {0};
	struct iovec iov[] = {{a, 3}, {b, 0}, {b, 5}}, cut[3];

	(void)state;
	assert_int_equal(iov_len(iov, 3), 8);
	assert_int_equal(iov_read(iov, 3, out, 4), 4);
	assert_memory_equal(out, "abcd", 4);
	assert_int_equal(iov_read(iov, 3, out, 16), 8);
	assert_int_equal(iov_cut(cut, iov, 3, 2, 3), 2);
	assert_int_equal(iov_read(cut, 2, out, 16), 3);
	assert_memory_equal(out, "cde", 3);
	assert_int_equal(iov_cut(cut, iov, 3, 8, 1), 0);
	assert_int_equal(iov_cut(cut, iov, 3, 0, 0), 0);
	assert_int_equal(iov_cut(iov, iov, 3, 4, 100), 1); /* in place */
	assert_int_equal(iov_write(iov, 1, "XYZW!", 5), 4);
	assert_memory_equal(b, "dXYZW", 5);
}

static void test_packet(void **state)
{
	/* The layout of virtio 1.2, 5.10.6, byte by byte. */
	static const uint8_t raw[PACKET_HEADER] = {3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
		0x78, 0x56, 0x34, 0x12, 0x34, 0, 0, 0, 0x00, 0x01, 0, 0, 1, 0, 5, 0, 3, 0, 0, 0, 0,
		0, 4, 0, 0xff, 0xff, 0xff, 0xff};
	struct packet p;
	uint8_t out[PACKET_HEADER];

	(void)state;
	packet_decode(raw, &p);
	assert_int_equal(p.src_cid, 3);
	assert_int_equal(p.dst_cid, 2);
	assert_int_equal(p.src_port, 0x12345678);
	assert_int_equal(p.dst_port, 52);
	assert_int_equal(p.len, 256);
	assert_int_equal(p.type, PACKET_STREAM);
	assert_int_equal(p.op, PACKET_RW);
	assert_int_equal(p.flags, 3);
	assert_int_equal(p.buf_alloc, 262144);
	assert_int_equal(p.fwd_cnt, UINT32_MAX);
	packet_encode(out, &p);
	assert_memory_equal(out, raw, sizeof(raw));
	assert_string_equal(packet_op_name(PACKET_RST), "RST");
	assert_string_equal(packet_op_name(0xffff), "?");
}

static void test_obuf(void **state)
{
	struct obuf b = {0};
	struct iovec in = {0}, out[2];
	uint8_t block[3000], next = 0, expect = 0;
	size_t held = 0;

	(void)state;
	in = (struct iovec){block, sizeof(block)};
	/* Fill and drop by different steps, so that it wraps and grows at many places. */
	for (unsigned round = 0; round < 2000; round++) {
		size_t k = (round * 997) % 5000;

		if (held + sizeof(block) <= 65536) {
			for (size_t i = 0; i < sizeof(block); i++)
				block[i] = next++;
			assert_int_equal(obuf_put(&b, &in, 1), 0);
			held += sizeof(block);
		}
		k = min_of(k, held);
		for (size_t done = 0; done < k;) {
			size_t n;

			assert_true(obuf_peek(&b, out) > 0);
			n = min_of(out[0].iov_len, k - done);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(((uint8_t *)out[0].iov_base)[i], expect++);
			obuf_drop(&b, n);
			done += n;
		}
		held -= k;
		assert_int_equal(b.len, held);
		assert_true(b.cap <= 65536);
	}
	obuf_drop(&b, held);
	assert_int_equal(obuf_peek(&b, out), 0);
	assert_true(b.cap <= 16384); /* memory went back */
	obuf_fini(&b);
	obuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_dirty_log),
		cmocka_unit_test(test_iov),
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_obuf),
	};

	return cmocka_run_group_tests_name("vsock_mem", tests, NULL, NULL);
}
