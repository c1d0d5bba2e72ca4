// LIBS: base
// OBJS: backend/daemon/sample.c
/* Figures of /proc: what is taken from their text, and from this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#include "backend/daemon/sample.h"

static void test_cpus(void **state)
{
	struct sample_cpus a, b;

	(void)state;
	assert_true(sample_cpus_parse(&a,
		"cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 50 0 50 350 50 0 0 0 0 0\n"
		"cpu1 50 0 50 350 50 0 0 0 0 0\nintr 1 2 3\n"));
	assert_int_equal(a.count, 2);
	assert_int_equal(a.total.busy, 200);
	assert_int_equal(a.total.all, 1000);
	b = a;
	b.core[1].busy += 25;
	b.core[1].all += 100;
	assert_int_equal((int)sample_busy(&a.core[1], &b.core[1]), 25);
	/* No time has passed, or the counters went back: not known. */
	assert_true(sample_busy(&a.core[0], &b.core[0]) < 0);
	assert_true(sample_busy(&b.core[1], &a.core[1]) < 0);
	assert_false(sample_cpus_parse(&a, "intr 1 2 3\n"));
	assert_false(sample_cpus_parse(&a, "cpu  1 2\n"));
	assert_false(sample_cpus_parse(&a, ""));
}

static void test_proc(void **state)
{
	struct sample_proc a, b;
	double percent;

	(void)state;
	/* The name holds what ends it. */
	assert_true(sample_proc_parse(&a,
		"12 (a) S 9) R 1 1 1 0 -1 4194304 1 0 0 0 300 100 0 0 20 0 1 0 5555 1000 7 184\n"));
	assert_int_equal(a.ticks, 400);
	assert_int_equal(a.start, 5555);
	assert_int_equal(a.rss, 7 * sysconf(_SC_PAGESIZE));
	assert_false(sample_proc_parse(&a, "12 (x"));
	assert_false(sample_proc_parse(&a, "12 (x) R 1 1"));
	assert_true(sample_proc_parse(
		&a, "12 (x) R 1 1 1 0 -1 4194304 1 0 0 0 300 100 0 0 20 0 1 0 5555 1000 7 184\n"));
	b = a;
	b.ticks += (uint64_t)sysconf(_SC_CLK_TCK) / 2;
	percent = sample_proc_busy(&a, &b, 1000000000);
	assert_true(percent > 49.9 && percent < 50.1);
	/* Another process with the same number. */
	b.start++;
	assert_true(sample_proc_busy(&a, &b, 1000000000) < 0);
}

static void test_this_host(void **state)
{
	struct sample_cpus cpus;
	struct sample_proc me;
	double load[3];

	(void)state;
	assert_true(sample_cpus_read(&cpus));
	assert_true(cpus.count > 0);
	assert_true(sample_proc_read(&me, getpid()));
	assert_true(me.rss > 0 && me.start > 0);
	assert_true(sample_load(load));
	assert_false(sample_proc_read(&me, 0x7fffffff));
	assert_true(sample_pss(0x7fffffff) == SAMPLE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_proc),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
