/* The wire codec with hostile bytes and values, against every coder and the reader. */
// OBJS: tests/support/wire_samples.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/support/wire_samples.h"

static uint8_t buf[SAMPLE_CAP];
static struct wire_hello hello_in, hello_out;
static struct wire_exec_req req_in, req_out;

/* Every shorter payload is refused, and so is a longer one; the decoder sees an exact copy, so that
 * a sanitizer notices any byte read beyond it. */
static void test_every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_sample_count; i++) {
		struct wire_frame f = sample_put(buf, wire_samples[i].type);
		uint32_t full = f.len;

		for (uint32_t len = 0; len <= full + 1; len++) {
			uint8_t *copy = malloc(len ? len : 1);

			assert_non_null(copy);
			memset(copy, 0, len);
			memcpy(copy, buf + WIRE_HEADER, len < full ? len : full);
			f.payload = copy;
			f.len = len;
			assert_int_equal(wire_samples[i].get(&f), len == full ? 0 : -EPROTO);
			free(copy);
		}
	}
}

static uint32_t random_next(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

static void test_random_payloads(void **state)
{
	uint32_t seed = 20240601;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint32_t len = random_next(&seed) % 300;
		uint8_t *p = malloc(len ? len : 1);
		struct wire_frame f = {.payload = p, .len = len};

		assert_non_null(p);
		for (uint32_t i = 0; i < len; i++)
			p[i] = (uint8_t)random_next(&seed);
		for (size_t i = 0; i < wire_sample_count; i++) {
			int r = wire_samples[i].get(&f);

			assert_true(r == 0 || r == -EPROTO || r == -EPROTONOSUPPORT);
		}
		free(p);
	}
}

/* One byte of a good payload changed: decoded or refused, never out of bounds. */
static void test_flipped_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < wire_sample_count; i++) {
		struct wire_frame f = sample_put(buf, wire_samples[i].type);
		uint8_t *copy = malloc(f.len);

		assert_non_null(copy);
		for (uint32_t at = 0; at < f.len; at++) {
			for (int bit = 0; bit < 8; bit++) {
				memcpy(copy, buf + WIRE_HEADER, f.len);
				copy[at] ^= (uint8_t)(1 << bit);
				f.payload = copy;
				wire_samples[i].get(&f);
			}
		}
		free(copy);
	}
}

static void test_counts_over_the_limit(void **state)
{
	struct wire_frame f;

	(void)state;
	sample_exec_req(&req_in);
	req_in.argc = WIRE_ARGS_MAX + 1;
	assert_int_equal(wire_put_exec_req(buf, SAMPLE_CAP, &req_in), -EMSGSIZE);
	req_in.argc = WIRE_ARGS_MAX;
	for (int i = 0; i < WIRE_ARGS_MAX; i++)
		req_in.argv[i] = sample_str("x");
	f = sample_frame(buf, wire_put_exec_req(buf, SAMPLE_CAP, &req_in), WIRE_REQ);
	assert_int_equal(wire_get_exec_req(&f, &req_out), 0);
	assert_int_equal(req_out.argc, WIRE_ARGS_MAX);
	/* The count lies behind id, flags, size, "/tmp" and "1000:5". */
	buf[WIRE_HEADER + 16 + 1 + 4 + 6 + 8] = 1;
	assert_int_equal(wire_get_exec_req(&f, &req_out), -EPROTO);

	sample_exec_req(&req_in);
	req_in.argc = 0;
	f = sample_frame(buf, wire_put_exec_req(buf, SAMPLE_CAP, &req_in), WIRE_REQ);
	assert_int_equal(wire_get_exec_req(&f, &req_out), -EPROTO);

	sample_hello(&hello_in);
	hello_in.envc = WIRE_ENVS_MAX + 1;
	assert_int_equal(wire_put_hello(buf, SAMPLE_CAP, &hello_in), -EMSGSIZE);
}

static void test_strings_over_the_limit(void **state)
{
	static char big[WIRE_PAYLOAD_MAX];

	(void)state;
	memset(big, 'a', sizeof(big));
	sample_exec_req(&req_in);
	req_in.cwd = (struct wire_str){.s = big, .len = WIRE_STR_MAX};
	assert_true(wire_put_exec_req(buf, SAMPLE_CAP, &req_in) > 0);
	req_in.cwd.len = WIRE_STR_MAX + 1;
	assert_int_equal(wire_put_exec_req(buf, SAMPLE_CAP, &req_in), -EMSGSIZE);
	/* An argument may be as long as the payload leaves room for. */
	sample_exec_req(&req_in);
	req_in.argv[0] = (struct wire_str){.s = big, .len = 65000};
	assert_true(wire_put_exec_req(buf, SAMPLE_CAP, &req_in) > 65000);
	req_in.argv[0].len = UINT16_MAX;
	assert_int_equal(wire_put_exec_req(buf, SAMPLE_CAP, &req_in), -EMSGSIZE);
}

static void test_values_out_of_range(void **state)
{
	struct wire_frame f;
	uint8_t how;
	int32_t value;

	(void)state;
	f = sample_frame(buf, wire_put_exit(buf, SAMPLE_CAP, WIRE_EXIT, 3, 0), WIRE_EXIT);
	assert_int_equal(wire_get_exit(&f, &how, &value), -EPROTO);
	f = sample_put(buf, WIRE_REQ);
	buf[WIRE_HEADER + 16] = 4; /* an unknown flag */
	assert_int_equal(sample_get(&f), -EPROTO);
	f = sample_put(buf, WIRE_OUT_OPEN);
	buf[WIRE_HEADER + 32] = 21; /* first behind next */
	assert_int_equal(sample_get(&f), -EPROTO);
	f = sample_put(buf, WIRE_HELLO_ACK);
	buf[WIRE_HEADER + 16] = WIRE_RESTORED + 1;
	assert_int_equal(sample_get(&f), -EPROTO);
	/* What is true or false has two values on the wire. */
	f = sample_put(buf, WIRE_QUIESCED);
	buf[WIRE_HEADER] = 2;
	assert_int_equal(sample_get(&f), -EPROTO);
	f = sample_put(buf, WIRE_THAWED);
	buf[WIRE_HEADER] = 0xff;
	assert_int_equal(sample_get(&f), -EPROTO);
}

static int hello_with(const struct wire_network *n)
{
	sample_hello(&hello_in);
	hello_in.net = *n;
	return wire_put_hello(buf, SAMPLE_CAP, &hello_in);
}

/* HELLO with one byte of the sample's network block changed. */
static int hello_patched(size_t at, uint8_t v)
{
	struct wire_frame f = sample_put(buf, WIRE_HELLO);

	buf[WIRE_HEADER + f.len - SAMPLE_NETWORK_LEN + at] = v;
	return wire_get_hello(&f, &hello_out);
}

static void test_network_over_the_limit(void **state)
{
	static char big[WIRE_SEARCH_MAX + 1];
	struct wire_network n, good;

	(void)state;
	memset(big, 'a', sizeof(big));
	sample_hello(&hello_in);
	good = n = hello_in.net;
	for (int i = 0; i < WIRE_DNS_MAX; i++)
		n.dns[i] = (struct wire_str){.s = big, .len = WIRE_DNS_LEN};
	n.dns_count = WIRE_DNS_MAX;
	n.search = (struct wire_str){.s = big, .len = WIRE_SEARCH_MAX};
	n.bits = 32;
	assert_true(hello_with(&n) > 0);
	n.search.len++;
	assert_int_equal(hello_with(&n), -EMSGSIZE);
	n = good;
	n.dns[1] = (struct wire_str){.s = big, .len = WIRE_DNS_LEN + 1};
	assert_int_equal(hello_with(&n), -EMSGSIZE);
	n = good;
	n.dns_count = WIRE_DNS_MAX + 1;
	assert_int_equal(hello_with(&n), -EMSGSIZE);
	n = good;
	n.bits = 33;
	assert_int_equal(hello_with(&n), -EMSGSIZE);
	n = good;
	n.search = (struct wire_str){.s = "a\0b", .len = 3};
	assert_int_equal(hello_with(&n), -EINVAL);
}

static void test_network_out_of_range(void **state)
{
	struct wire_frame f;
	size_t search = SAMPLE_NETWORK_LEN - 19, dns = 12;

	(void)state;
	assert_int_equal(hello_patched(4, 32), 0);
	assert_int_equal(hello_patched(4, 33), -EPROTO);
	assert_int_equal(hello_patched(4, 255), -EPROTO);
	/* More resolvers than follow, fewer, and more than there may be. */
	assert_int_equal(hello_patched(11, 3), -EPROTO);
	assert_int_equal(hello_patched(11, 1), -EPROTO);
	assert_int_equal(hello_patched(11, WIRE_DNS_MAX + 1), -EPROTO);
	assert_int_equal(hello_patched(11, 255), -EPROTO);
	assert_int_equal(hello_patched(dns, WIRE_DNS_LEN + 1), -EPROTO);
	assert_int_equal(hello_patched(dns + 1, 1), -EPROTO);
	assert_int_equal(hello_patched(dns + 2, 0), -EPROTO); /* NUL */
	assert_int_equal(hello_patched(search, 16), -EPROTO);
	assert_int_equal(hello_patched(search + 1, 2), -EPROTO);
	assert_int_equal(hello_patched(search + 5, 0), -EPROTO);
	/* What is there or not has two values; and nothing follows an absent one. */
	f = sample_put(buf, WIRE_HELLO);
	buf[WIRE_HEADER + f.len - SAMPLE_NETWORK_LEN - 1] = 2;
	assert_int_equal(sample_get(&f), -EPROTO);
	buf[WIRE_HEADER + f.len - SAMPLE_NETWORK_LEN - 1] = 0;
	assert_int_equal(sample_get(&f), -EPROTO);
}

static void test_network_answer(void **state)
{
	static char big[WIRE_WHY_MAX + 1];
	struct wire_hello_ack ack = {.network_why = {.s = big, .len = WIRE_WHY_MAX}};
	struct wire_frame f = sample_put(buf, WIRE_HELLO_ACK);
	size_t why = 2 + strlen("no interface");

	(void)state;
	memset(big, 'a', sizeof(big));
	buf[WIRE_HEADER + f.len - why - 5] = WIRE_NETWORK_FAILED + 1;
	assert_int_equal(sample_get(&f), -EPROTO);
	f = sample_put(buf, WIRE_HELLO_ACK);
	buf[WIRE_HEADER + f.len - why] = WIRE_WHY_MAX + 1;
	assert_int_equal(sample_get(&f), -EPROTO);
	f = sample_put(buf, WIRE_HELLO_ACK);
	buf[WIRE_HEADER + f.len - 1] = 0;
	assert_int_equal(sample_get(&f), -EPROTO);
	assert_true(wire_put_hello_ack(buf, SAMPLE_CAP, &ack) > 0);
	ack.network_why.len++;
	assert_int_equal(wire_put_hello_ack(buf, SAMPLE_CAP, &ack), -EMSGSIZE);
}

static void test_nul_in_string(void **state)
{
	struct wire_frame f = sample_put(buf, WIRE_REFUSED);

	(void)state;
	buf[WIRE_HEADER + 5] = 0;
	assert_int_equal(sample_get(&f), -EPROTO);
	sample_exec_req(&req_in);
	req_in.cwd = (struct wire_str){.s = "a\0b", .len = 3};
	assert_int_equal(wire_put_exec_req(buf, SAMPLE_CAP, &req_in), -EINVAL);
}

static void test_other_version(void **state)
{
	struct wire_frame f = sample_put(buf, WIRE_HELLO);

	(void)state;
	buf[WIRE_HEADER] = 77;
	assert_int_equal(wire_get_hello(&f, &hello_out), -EPROTONOSUPPORT);
	assert_int_equal(hello_out.version, 77);
}

static int feed_header(uint8_t type, uint8_t reserved, uint32_t len)
{
	static uint8_t mem[SAMPLE_CAP];
	struct wire_reader r;
	struct wire_frame f;
	size_t room;
	uint8_t *p;

	wire_reader_init(&r, mem, sizeof(mem));
	p = wire_room(&r, &room);
	wire_header(p, type, len);
	p[1 + reserved % 3] = reserved;
	wire_commit(&r, WIRE_HEADER);
	return wire_next(&r, &f);
}

static void test_reader_refuses(void **state)
{
	(void)state;
	assert_int_equal(feed_header(WIRE_GO, 0, 0), 1);
	assert_int_equal(feed_header(WIRE_STDIN, 0, WIRE_PAYLOAD_MAX), 0);
	assert_int_equal(feed_header(WIRE_STDIN, 0, WIRE_PAYLOAD_MAX + 1), -EPROTO);
	assert_int_equal(feed_header(WIRE_STDIN, 0, UINT32_MAX), -EPROTO);
	assert_int_equal(feed_header(0, 0, 0), -EPROTO);
	assert_int_equal(feed_header(0xff, 0, 0), -EPROTO);
	for (uint8_t i = 1; i < 4; i++)
		assert_int_equal(feed_header(WIRE_GO, i, 0), -EPROTO);
}

static void test_reader_random(void **state)
{
	static uint8_t mem[SAMPLE_CAP];
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct wire_reader r;
		struct wire_frame f;
		int result = 0;

		wire_reader_init(&r, mem, sizeof(mem));
		for (int k = 0; k < 20 && result >= 0; k++) {
			size_t room, n = random_next(&seed) % 50;
			uint8_t *p = wire_room(&r, &room);

			n = n < room ? n : room;
			for (size_t i = 0; i < n; i++)
				p[i] = random_next(&seed) % 4 ? 0 : (uint8_t)random_next(&seed);
			wire_commit(&r, n);
			while ((result = wire_next(&r, &f)) == 1)
				assert_true(f.payload + f.len <= mem + sizeof(mem));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_random_payloads),
		cmocka_unit_test(test_flipped_bytes),
		cmocka_unit_test(test_counts_over_the_limit),
		cmocka_unit_test(test_strings_over_the_limit),
		cmocka_unit_test(test_values_out_of_range),
		cmocka_unit_test(test_network_over_the_limit),
		cmocka_unit_test(test_network_out_of_range),
		cmocka_unit_test(test_network_answer),
		cmocka_unit_test(test_nul_in_string),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_reader_refuses),
		cmocka_unit_test(test_reader_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
