// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_host.c tests/support/vsock_storm.c
/* Seeded random storms: hundreds of guests and host peers that do anything in any order. The same
 * interpreter is fuzzed in tests/fuzz/fuzz_vsock.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/vsock_storm.h"

static uint64_t state64;

static uint8_t random_byte(void)
{
	state64 ^= state64 << 13;
	state64 ^= state64 >> 7;
	state64 ^= state64 << 17;
	return (uint8_t)(state64 >> 32);
}

/* Seeds in a row, each a storm of so many bytes. */
static struct storm_count storms(unsigned first, unsigned n, size_t len)
{
	struct storm_count count = {0};
	uint8_t *data = malloc(len);

	assert_non_null(data);
	for (unsigned seed = first; seed < first + n; seed++) {
		state64 = UINT64_C(0x9e3779b97f4a7c15) * (seed + 1);
		for (size_t i = 0; i < len; i++)
			data[i] = random_byte();
		/* An abort prints what broke; the seed is the last one announced. */
		if (getenv("STORM_VERBOSE"))
			print_message("seed %u\n", seed);
		storm_run(data, len, &count);
	}
	free(data);
	return count;
}

static void test_short_storms(void **state)
{
	struct storm_count c = storms(0, 400, 2000);

	(void)state;
	assert_true(c.packets > 10000);
	assert_true(c.broken > 10);
	assert_true(c.opened > 10);
	assert_true(c.dialled > 100);
	assert_true(c.resets > 100);
}

static void test_long_storms(void **state)
{
	struct storm_count c = storms(1000, 10, 100000);

	(void)state;
	assert_true(c.packets > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_storms),
		cmocka_unit_test(test_long_storms),
	};

	return cmocka_run_group_tests_name("vsock_storm", tests, NULL, NULL);
}
