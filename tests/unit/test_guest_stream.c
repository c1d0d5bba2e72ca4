// LIBS: guest base
// OBJS: tests/support/looptest.c
/* Feeds of clients from the stored output and from a growing file: order, slow and vanishing
 * clients, what was rotated away, input with back-pressure, the ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/guest/stream.h"
#include "tests/support/looptest.h"

struct feed {
	struct stream_feed *s;
	struct peer client;
	int ended, r;
	struct err e;
	size_t room; /* bytes on_input takes */
	char input[1 << 17];
	size_t input_len;
	int resized;
};

static struct outlog *out;
static struct feed f1, f2;
static const uint8_t stream_id[WIRE_ID] = {1};

static uint8_t byte_at(uint64_t i)
{
	uint64_t x = (i / 8 + 1) * 0x9e3779b97f4a7c15u;

	return (uint8_t)(x >> (8 * (i % 8)));
}

static void open_log(void)
{
	struct err e;

	assert_int_equal(outlog_open(&out, t_dir, &e), 0);
	assert_true(outlog_stream(out, stream_id, 0, 0, &e) >= 0);
}

/* Appends n bytes of the pattern, skip of them lost before. */
static void grow(size_t n, uint64_t skip)
{
	uint64_t at = outlog_guest_next(out) + skip, lost;
	uint8_t *p = malloc(n);
	struct err e;

	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(at + i);
	assert_int_equal(outlog_append(out, at, p, n, &lost, &e), 0);
	free(p);
}

static size_t on_input(struct stream_feed *s, const void *data, size_t n)
{
	struct feed *f = stream_feed_user(s);

	n = n < f->room ? n : f->room;
	memcpy(f->input + f->input_len, data, n);
	f->input_len += n;
	f->room -= n;
	return n;
}

static void on_resize(struct stream_feed *s, uint16_t rows, uint16_t cols)
{
	struct feed *f = stream_feed_user(s);

	f->resized = rows * 1000 + cols;
}

static void on_end(struct stream_feed *s, int r, const struct err *e)
{
	struct feed *f = stream_feed_user(s);

	f->ended++;
	f->r = r;
	f->e = *e;
	f->s = NULL;
}

static const struct stream_callbacks attach_cb = {on_input, on_resize, on_end};
static const struct stream_callbacks logs_cb = {NULL, NULL, on_end};

static int start(struct feed *f, const char *file, uint64_t offset, bool follow, bool attach)
{
	struct stream_spec spec = {
		.log = file ? NULL : out,
		.file = file,
		.offset = offset,
		.follow = follow,
	};
	int sv[2], r;

	memset(f, 0, sizeof(*f));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	peer_take(&f->client, sv[1]);
	spec.client_fd = sv[0];
	r = stream_feed_start(&f->s, t_loop, &spec, attach ? &attach_cb : &logs_cb, f, &f->e);
	assert_int_equal(f->ended, 0);
	return r;
}

/* Reads frames until byte `to`, checks the pattern; returns how many gaps there were. */
static int expect_data(struct feed *f, uint64_t from, uint64_t to)
{
	int gaps = 0;

	while (from < to) {
		const uint8_t *data;
		uint64_t offset;
		uint32_t n;

		peer_expect(&f->client, WIRE_OUT_DATA);
		assert_int_equal(wire_get_out_data(&f->client.f, &offset, &data, &n), 0);
		assert_true(n > 0 && n <= WIRE_CHUNK);
		assert_true(offset >= from);
		gaps += offset > from;
		for (uint32_t i = 0; i < n; i++)
			if (data[i] != byte_at(offset + i))
				fail_msg("byte %ju differs", (uintmax_t)offset + i);
		from = offset + n;
	}
	assert_int_equal(from, to);
	return gaps;
}

static void test_logs_end(void **state)
{
	(void)state;
	open_log();
	grow(200000, 0);
	assert_int_equal(start(&f1, NULL, 1000, false, false), 0);
	grow(5, 0); /* came later: not part of it */
	assert_int_equal(expect_data(&f1, 1000, 200000), 0);
	peer_expect_eof(&f1.client);
	assert_int_equal(f1.ended, 1);
	assert_int_equal(f1.r, 0);
	peer_close(&f1.client);
	/* Nothing there, and a start behind the end. */
	assert_int_equal(start(&f1, NULL, 5000000, false, false), 0);
	peer_expect_eof(&f1.client);
	peer_close(&f1.client);
	outlog_close(out);
}

static void test_follow_and_finish(void **state)
{
	uint8_t how;
	int32_t value;

	(void)state;
	open_log();
	grow(10, 0);
	assert_int_equal(start(&f1, NULL, 0, true, true), 0);
	assert_int_equal(start(&f2, NULL, 10, true, false), 0);
	expect_data(&f1, 0, 10);
	for (int i = 0; i < 50; i++) {
		uint64_t at = outlog_end(out);

		grow(777, 0);
		stream_feed_wake(f1.s);
		stream_feed_wake(f2.s);
		expect_data(&f1, at, at + 777);
		expect_data(&f2, at, at + 777);
	}
	assert_int_equal(stream_feed_offset(f1.s), outlog_end(out));
	grow(100000, 0);
	stream_feed_finish(f1.s, WIRE_EXITED, 3);
	stream_feed_stop(f2.s);
	expect_data(&f1, 10 + 50 * 777, 10 + 50 * 777 + 100000);
	peer_expect(&f1.client, WIRE_OUT_MAIN_EXIT);
	assert_int_equal(wire_get_exit(&f1.client.f, &how, &value), 0);
	assert_int_equal(value, 3);
	peer_expect_eof(&f1.client);
	expect_data(&f2, 10 + 50 * 777, 10 + 50 * 777 + 100000);
	peer_expect_eof(&f2.client);
	assert_int_equal(f1.r, 0);
	assert_int_equal(f2.r, 0);
	peer_close(&f1.client);
	peer_close(&f2.client);
	outlog_close(out);
}

/* A slow client is a position only: the others go on, and what is deleted meanwhile is a gap. */
static void test_slow_client_and_rotation(void **state)
{
	uint64_t from;

	(void)state;
	open_log();
	outlog_set_limits(out, 1 << 20, 4 << 20);
	assert_int_equal(start(&f1, NULL, 0, true, false), 0);
	assert_int_equal(start(&f2, NULL, 0, true, false), 0);
	for (int i = 0; i < 200; i++) {
		from = outlog_end(out);
		grow(100000, 0);
		stream_feed_wake(f1.s);
		stream_feed_wake(f2.s);
		expect_data(&f2, from, from + 100000);
	}
	assert_true(outlog_first(out) > 10u << 20);
	assert_true(stream_feed_offset(f1.s) < 1 << 20);
	assert_int_equal(expect_data(&f1, 0, outlog_end(out)), 1);
	/* A hole in the stream itself. */
	from = outlog_end(out);
	grow(10, 500);
	stream_feed_wake(f2.s);
	assert_int_equal(expect_data(&f2, from, from + 510), 1);
	stream_feed_abort(f1.s);
	assert_int_equal(f1.r, -ECANCELED);
	stream_feed_abort(f2.s);
	peer_close(&f1.client);
	peer_close(&f2.client);
	outlog_close(out);
}

static void put_input(const void *data, size_t n)
{
	static uint8_t b[WIRE_HEADER + WIRE_PAYLOAD_MAX];

	wire_header(b, WIRE_OUT_INPUT, (uint32_t)n);
	memcpy(b + WIRE_HEADER, data, n);
	peer_put(&f1.client, (int)(WIRE_HEADER + n), b);
}

static void test_input(void **state)
{
	uint8_t b[64];

	(void)state;
	open_log();
	assert_int_equal(start(&f1, NULL, 0, true, true), 0);
	f1.room = 5;
	put_input("hello world", 11);
	peer_put(&f1.client, wire_put_size(b, sizeof(b), WIRE_OUT_RESIZE, 24, 80), b);
	put_input("", 0);
	put_input("!", 1);
	t_quiet(0.05);
	assert_int_equal(f1.input_len, 5);
	assert_int_equal(f1.resized, 0); /* in order: it is behind the input */
	/* Output flows while the input waits. */
	grow(10, 0);
	stream_feed_wake(f1.s);
	expect_data(&f1, 0, 10);
	f1.room = 3;
	stream_feed_input_room(f1.s);
	t_quiet(0.05);
	assert_int_equal(f1.input_len, 8);
	f1.room = 100;
	stream_feed_input_room(f1.s);
	t_until(&f1.resized, "resize");
	assert_int_equal(f1.resized, 24080);
	t_quiet(0.05);
	assert_int_equal(f1.input_len, 12);
	assert_memory_equal(f1.input, "hello world!", 12);
	/* A client that goes away while its input waits is noticed, output or not. */
	f1.room = 0;
	put_input("more", 4);
	t_quiet(0.05);
	peer_close(&f1.client);
	t_until(&f1.ended, "end of the feed");
	assert_int_equal(f1.r, -EPIPE);
	outlog_close(out);
}

static void test_client_breaks_rules(void **state)
{
	uint8_t b[64];

	(void)state;
	open_log();
	assert_int_equal(start(&f1, NULL, 0, true, true), 0);
	peer_put(&f1.client, wire_put_u64(b, sizeof(b), WIRE_OUT_STORED, 5), b);
	peer_expect_eof(&f1.client);
	assert_int_equal(f1.r, -EPROTO);
	peer_close(&f1.client);
	assert_int_equal(start(&f1, NULL, 0, true, false), 0); /* logs take no input */
	put_input("x", 1);
	peer_expect_eof(&f1.client);
	assert_int_equal(f1.r, -EPROTO);
	peer_close(&f1.client);
	assert_int_equal(start(&f1, NULL, 0, true, true), 0);
	wire_header(b, WIRE_OUT_RESIZE, 1);
	peer_put(&f1.client, WIRE_HEADER + 1, b);
	peer_expect_eof(&f1.client);
	assert_int_equal(f1.r, -EPROTO);
	peer_close(&f1.client);
	/* A client that just leaves. */
	assert_int_equal(start(&f1, NULL, 0, true, false), 0);
	peer_close(&f1.client);
	t_until(&f1.ended, "end of the feed");
	assert_int_equal(f1.r, -EPIPE);
	outlog_close(out);
}

static void append_file(const char *path, uint64_t at, size_t n)
{
	uint8_t b[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	for (size_t i = 0; i < n; i++)
		b[i] = byte_at(at + i);
	assert_int_equal(write(fd, b, n), n);
	close(fd);
}

static void test_file(void **state)
{
	const char *path = t_path("serial.log");

	(void)state;
	assert_int_equal(start(&f1, t_path("nothing"), 0, true, false), -ENOENT);
	assert_non_null(strstr(f1.e.msg, "nothing"));
	peer_expect_eof(&f1.client);
	peer_close(&f1.client);
	append_file(path, 0, 1000);
	assert_int_equal(start(&f1, path, 100, false, false), 0);
	expect_data(&f1, 100, 1000);
	peer_expect_eof(&f1.client);
	peer_close(&f1.client);
	/* It grows: nobody has to be told. */
	assert_int_equal(start(&f1, path, 0, true, false), 0);
	expect_data(&f1, 0, 1000);
	for (uint64_t at = 1000; at < 20000; at += 950) {
		append_file(path, at, 950);
		expect_data(&f1, at, at + 950);
	}
	stream_feed_finish(f1.s, WIRE_SIGNALED, 9);
	peer_expect(&f1.client, WIRE_OUT_MAIN_EXIT);
	peer_expect_eof(&f1.client);
	peer_close(&f1.client);
	/* It was cut: the client waits, and is told of the end. */
	assert_int_equal(start(&f1, path, 5000, true, false), 0);
	expect_data(&f1, 5000, 20000);
	assert_int_equal(truncate(path, 10), 0);
	t_quiet(0.05);
	stream_feed_stop(f1.s);
	peer_expect_eof(&f1.client);
	assert_int_equal(f1.r, 0);
	peer_close(&f1.client);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
	const struct CMUnitTest tests[] = {
		T(test_logs_end),
		T(test_follow_and_finish),
		T(test_slow_client_and_rotation),
		T(test_input),
		T(test_client_breaks_rules),
		T(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
