// LIBS: guest base
/* The stored output stream: numbering, gaps, rotation, death in the middle, disks that refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/file.h"
#include "backend/guest/outlog.h"

static char dir[64];
static const uint8_t stream_a[WIRE_ID] = {1, 2, 3}, stream_b[WIRE_ID] = {9, 9};

/* Byte i of every stream in these tests: tells its own place. */
static uint8_t byte_at(uint64_t i)
{
	uint64_t x = (i / 8 + 1) * 0x9e3779b97f4a7c15u;

	return (uint8_t)(x >> (8 * (i % 8)));
}

static void fill(uint8_t *p, uint64_t at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(at + i);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/vmdeck-outlog-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return tree_remove(dir, NULL);
}

static struct outlog *open_log(void)
{
	struct outlog *o = NULL;
	struct err e = {0};

	if (outlog_open(&o, dir, &e) < 0)
		fail_msg("%s", e.msg);
	return o;
}

/* Appends guest bytes at..at+n of the pattern; returns what was lost. */
static uint64_t put(struct outlog *o, uint64_t at, size_t n)
{
	uint8_t *p = malloc(n);
	uint64_t lost;
	struct err e = {0};

	fill(p, at, n);
	if (outlog_append(o, at, p, n, &lost, &e) < 0)
		fail_msg("%s", e.msg);
	free(p);
	return lost;
}

/* Our bytes from..to are the pattern from guest byte `guest` on. */
static void check(struct outlog *o, uint64_t from, uint64_t to, uint64_t guest)
{
	uint8_t b[5000];
	struct err e = {0};

	while (from < to) {
		ssize_t n =
			outlog_read(o, from, b, sizeof(b) < to - from ? sizeof(b) : to - from, &e);

		if (n <= 0)
			fail_msg("read at %ju: %zd %s", (uintmax_t)from, n, e.msg);
		for (ssize_t i = 0; i < n; i++)
			if (b[i] != byte_at(guest + (uint64_t)i))
				fail_msg("byte %ju differs", (uintmax_t)from + (uintmax_t)i);
		from += (uint64_t)n;
		guest += (uint64_t)n;
	}
}

static void test_begin_and_reopen(void **state)
{
	struct outlog *o = open_log();
	uint8_t b[8];
	uint64_t lost;
	struct err e;

	(void)state;
	assert_int_equal(outlog_end(o), 0);
	assert_int_equal(outlog_first(o), 0);
	assert_int_equal(outlog_read(o, 0, b, sizeof(b), &e), 0);
	assert_int_equal(outlog_append(o, 0, "x", 1, &lost, &e), -EPROTO); /* no stream yet */
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	assert_int_equal(put(o, 0, 1000), 0);
	assert_int_equal(outlog_guest_next(o), 1000);
	outlog_close(o);

	o = open_log();
	assert_int_equal(outlog_end(o), 1000);
	assert_int_equal(outlog_stream(o, stream_a, 0, 3000, &e), 0);
	assert_int_equal(outlog_guest_next(o), 1000);
	/* The guest resends from before what is stored: no byte twice. */
	assert_int_equal(put(o, 500, 100), 0);
	assert_int_equal(outlog_end(o), 1000);
	assert_int_equal(put(o, 900, 2100), 0);
	assert_int_equal(outlog_end(o), 3000);
	check(o, 0, 3000, 0);
	outlog_close(o);
	outlog_close(NULL);
}

static void test_new_stream_goes_on_at_our_end(void **state)
{
	struct outlog *o = open_log();
	struct err e;

	(void)state;
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	put(o, 0, 1000);
	assert_int_equal(outlog_stream(o, stream_b, 70, 90, &e), 1);
	assert_int_equal(outlog_guest_next(o), 70);
	put(o, 70, 500);
	assert_int_equal(outlog_end(o), 1500);
	outlog_close(o);
	o = open_log();
	assert_int_equal(outlog_stream(o, stream_b, 100, 570, &e), 0);
	assert_int_equal(outlog_guest_next(o), 570);
	put(o, 570, 10);
	check(o, 0, 1000, 0);
	check(o, 1000, 1510, 70);
	outlog_close(o);
}

/* An older state of the guest was loaded: its new bytes have numbers we have stored already. */
static void test_back_in_time(void **state)
{
	struct outlog *o = open_log();
	struct err e;

	(void)state;
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	put(o, 0, 1000);
	assert_int_equal(outlog_stream(o, stream_a, 200, 400, &e), 1);
	assert_int_equal(outlog_guest_next(o), 200);
	put(o, 200, 300);
	assert_int_equal(outlog_end(o), 1300);
	check(o, 1000, 1300, 200);
	outlog_close(o);
}

static void test_gap(void **state)
{
	struct outlog *o = open_log();
	uint8_t b[64];
	struct err e;

	(void)state;
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	put(o, 0, 100);
	assert_int_equal(put(o, 150, 50), 50);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(outlog_end(o), 200);
		assert_int_equal(outlog_guest_next(o), 200);
		assert_int_equal(outlog_seek(o, 0), 0);
		assert_int_equal(outlog_seek(o, 99), 99);
		assert_int_equal(outlog_seek(o, 100), 150);
		assert_int_equal(outlog_seek(o, 160), 160);
		assert_int_equal(outlog_seek(o, 200), 200);
		assert_int_equal(outlog_seek(o, 5000), 200);
		assert_int_equal(outlog_read(o, 90, b, sizeof(b), &e), 10);
		assert_int_equal(outlog_read(o, 120, b, sizeof(b), &e), -ERANGE);
		check(o, 0, 100, 0);
		check(o, 150, 200, 150);
		outlog_close(o);
		o = open_log();
		assert_int_equal(outlog_stream(o, stream_a, 150, 200, &e), 0);
	}
	outlog_close(o);
}

static int count_files(void)
{
	char cmd[128];
	FILE *f;
	int n = -1;

	snprintf(cmd, sizeof(cmd), "ls %s | grep -c '^output-.*log$'", dir);
	f = popen(cmd, "r");
	assert_int_equal(fscanf(f, "%d", &n), 1);
	pclose(f);
	return n;
}

static void test_rotation(void **state)
{
	struct outlog *o = open_log();
	uint8_t b[16];
	struct err e;

	(void)state;
	outlog_set_limits(o, 1000, 5000);
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	for (uint64_t at = 0; at < 20000; at += 700)
		put(o, at, 700);
	assert_int_equal(outlog_end(o), 20300);
	assert_in_range(outlog_end(o) - outlog_first(o), 4000, 5000);
	assert_int_equal(outlog_first(o) % 1000, 0);
	assert_int_equal(count_files(), 5);
	assert_int_equal(outlog_read(o, 0, b, sizeof(b), &e), -ERANGE);
	assert_int_equal(outlog_seek(o, 0), outlog_first(o));
	check(o, outlog_first(o), outlog_end(o), outlog_first(o));
	outlog_close(o);
	o = open_log();
	assert_int_equal(outlog_end(o), 20300);
	check(o, outlog_first(o), outlog_end(o), outlog_first(o));
	/* One write longer than several segments. */
	outlog_set_limits(o, 1000, 5000);
	put(o, 20300, 3500);
	check(o, outlog_first(o), 23800, outlog_first(o));
	outlog_close(o);
}

/* Gaps make short files; their number is limited too. */
static void test_many_gaps(void **state)
{
	struct outlog *o = open_log();
	struct err e;

	(void)state;
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	for (uint64_t i = 0; i < 3 * OUTLOG_SEGMENTS_MAX; i++)
		put(o, i * 10, 5);
	assert_in_range(count_files(), 2, OUTLOG_SEGMENTS_MAX);
	outlog_close(o);
	o = open_log();
	assert_int_equal(outlog_end(o), (3 * OUTLOG_SEGMENTS_MAX - 1) * 10 + 5);
	outlog_close(o);
}

static void test_hostile_numbers(void **state)
{
	struct outlog *o = open_log();
	uint64_t lost;
	struct err e;

	(void)state;
	assert_int_equal(outlog_stream(o, stream_a, 5, 4, &e), -EPROTO);
	assert_int_equal(outlog_stream(o, stream_a, UINT64_MAX, UINT64_MAX, &e), -EPROTO);
	assert_int_equal(outlog_stream(o, stream_a, 0, OUTLOG_OFFSET_MAX, &e), -EPROTO);
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	assert_int_equal(outlog_append(o, UINT64_MAX, "x", 1, &lost, &e), -EPROTO);
	assert_int_equal(outlog_append(o, UINT64_MAX - 3, "xxxxxxxx", 8, &lost, &e), -EPROTO);
	assert_int_equal(outlog_append(o, OUTLOG_OFFSET_MAX, "x", 1, &lost, &e), -EPROTO);
	assert_int_equal(outlog_append(o, OUTLOG_OFFSET_MAX - 2, "x", 1, &lost, &e), -EPROTO);
	assert_int_equal(outlog_end(o), 0);
	assert_int_equal(outlog_append(o, 0, "", 0, &lost, &e), 0);
	assert_int_equal(outlog_end(o), 0);
	outlog_close(o);
}

static void make_file(const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static void test_foreign_and_damaged_files(void **state)
{
	struct outlog *o;
	struct err e;

	(void)state;
	make_file("output-0000000000000000.log", "0123456789");
	make_file("output-0000000000000005.log", "abc"); /* overlaps: the newer one holds */
	make_file("output-ffffffffffffffff.log", "no");
	make_file("output-5.log", "no");
	make_file("output-000000000000000A.log", "no");
	make_file("output.json", "{\"stream\": 5, \"first\":");
	o = open_log();
	assert_int_equal(outlog_end(o), 8);
	assert_int_equal(outlog_seek(o, 0), 0);
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	put(o, 0, 100);
	assert_int_equal(outlog_end(o), 108);
	check(o, 8, 108, 0);
	outlog_close(o);
	/* All output deleted by hand: the numbers go on where the stream began. */
	assert_int_equal(tree_remove(dir, NULL), 0);
	assert_int_equal(dir_make(dir, 0700, NULL), 0);
	make_file("output.json", "{\"stream\":\"01020300000000000000000000000000\",\"first\":10,"
				 "\"start\":50}");
	o = open_log();
	assert_int_equal(outlog_end(o), 50);
	assert_int_equal(outlog_stream(o, stream_a, 10, 20, &e), 0);
	assert_int_equal(outlog_guest_next(o), 10);
	put(o, 10, 10);
	check(o, 50, 60, 10);
	outlog_close(o);
	assert_int_equal(outlog_open(&o, "/tmp/vmdeck-no-such-folder", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/tmp/vmdeck-no-such-folder"));
}

/* Appends the pattern from where the log ends, in pieces that are not aligned, until killed. */
static void write_until_killed(int ready)
{
	struct outlog *o = open_log();
	uint8_t b[7001];
	struct err e;
	uint64_t lost;

	outlog_set_limits(o, 1 << 20, 1 << 30);
	if (outlog_stream(o, stream_a, 0, outlog_end(o), &e) < 0)
		_exit(1);
	for (int i = 0;; i++) {
		uint64_t at = outlog_guest_next(o);

		fill(b, at, sizeof(b));
		if (outlog_append(o, at, b, sizeof(b), &lost, &e) < 0 || lost)
			_exit(1);
		if (i == 20 && write(ready, "x", 1) != 1)
			_exit(1);
	}
}

static void test_killed_at_any_moment(void **state)
{
	struct outlog *o;
	uint64_t end = 0;

	(void)state;
	for (int i = 0; i < 15; i++) {
		int p[2], status;
		char c;
		pid_t pid;

		assert_int_equal(pipe(p), 0);
		pid = fork();
		if (!pid)
			write_until_killed(p[1]);
		close(p[1]);
		assert_int_equal(read(p[0], &c, 1), 1);
		close(p[0]);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		o = open_log();
		assert_true(outlog_end(o) > end);
		end = outlog_end(o);
		check(o, 0, end, 0);
		outlog_close(o);
	}
}

/* The disk takes a part of a write, then nothing; later it takes the rest. */
static void test_disk_refuses(void **state)
{
	struct rlimit old, small;
	struct outlog *o = open_log();
	uint8_t b[3000];
	uint64_t lost;
	struct err e;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 4000;
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	put(o, 0, 2000);
	fill(b, 2000, sizeof(b));
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(outlog_append(o, 2000, b, sizeof(b), &lost, &e), -EFBIG);
	assert_int_equal(outlog_end(o), 4000);
	assert_int_equal(outlog_append(o, 2000, b, sizeof(b), &lost, &e), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_non_null(strstr(e.msg, dir));
	assert_int_equal(outlog_append(o, 2000, b, sizeof(b), &lost, &e), 0);
	assert_int_equal(lost, 0);
	assert_int_equal(outlog_end(o), 5000);
	check(o, 0, 5000, 0);
	outlog_close(o);
}

/* A stream id that cannot be kept is not taken: nothing may be stored under it. */
static void test_stream_not_persisted(void **state)
{
	struct rlimit old, none;
	struct outlog *o = open_log();
	struct err e;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(outlog_stream(o, stream_a, 0, 0, &e), 1);
	put(o, 0, 10);
	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &none);
	assert_true(outlog_stream(o, stream_b, 0, 0, &e) < 0);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(outlog_guest_next(o), 10);
	outlog_close(o);
	o = open_log();
	assert_int_equal(outlog_stream(o, stream_a, 0, 10, &e), 0);
	outlog_close(o);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_begin_and_reopen),
		T(test_new_stream_goes_on_at_our_end),
		T(test_back_in_time),
		T(test_gap),
		T(test_rotation),
		T(test_many_gaps),
		T(test_hostile_numbers),
		T(test_foreign_and_damaged_files),
		T(test_killed_at_any_moment),
		T(test_disk_refuses),
		T(test_stream_not_persisted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
