// LIBS: base
// OBJS: tui/cli/sink.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "tui/cli/sink.h"

#define DEADLINE_S 20.0

struct fixture {
	struct ev_loop *loop;
	struct sink sink;
	int fds[2]; /* read end, write end */
	int drained, result;
	ev_io reader;
	ev_timer deadline;
	size_t got;
	uint8_t next; /* byte that must come next */
	bool wrong;
};

static void on_drained(struct sink *s, int r)
{
	struct fixture *f = s->user;

	f->drained++;
	f->result = r;
	ev_break(f->loop, EVBREAK_ONE);
}

static void on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)t;
	(void)revents;
	fail_msg("nothing came within %g s", DEADLINE_S);
}

static void on_reader(struct ev_loop *loop, ev_io *w, int revents)
{
	struct fixture *f = w->data;
	uint8_t buf[70000];
	ssize_t n = read(w->fd, buf, sizeof(buf));

	(void)loop;
	(void)revents;
	for (ssize_t i = 0; i < n; i++)
		f->wrong = f->wrong || buf[i] != f->next++;
	f->got += n > 0 ? (size_t)n : 0;
}

static void begin(struct fixture *f, int rd, int wr)
{
	memset(f, 0, sizeof(*f));
	f->loop = ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
	f->fds[0] = rd;
	f->fds[1] = wr;
	sink_init(&f->sink, f->loop, wr, on_drained, f);
	ev_io_init(&f->reader, on_reader, rd, EV_READ);
	f->reader.data = f;
	ev_timer_init(&f->deadline, on_deadline, DEADLINE_S, 0);
	ev_timer_start(f->loop, &f->deadline);
}

static void finish(struct fixture *f)
{
	sink_fini(&f->sink);
	sink_fini(&f->sink);
	ev_loop_destroy(f->loop);
	if (f->fds[0] >= 0)
		close(f->fds[0]);
	close(f->fds[1]);
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)i;
}

/* More than the pipe holds: some waits, nothing is lost or reordered, the caller is told once. */
static void slow_reader(int rd, int wr)
{
	static uint8_t data[1 << 20];
	struct fixture f;

	begin(&f, rd, wr);
	fill(data, sizeof(data));
	assert_int_equal(sink_write(&f.sink, data, sizeof(data)), 1);
	assert_true(sink_busy(&f.sink));
	assert_int_equal(sink_write(&f.sink, data, 256), 1);
	ev_io_start(f.loop, &f.reader);
	while (!f.drained)
		ev_run(f.loop, 0);
	assert_int_equal(f.result, 0);
	assert_false(sink_busy(&f.sink));
	while (f.got < sizeof(data) + 256)
		ev_run(f.loop, EVRUN_ONCE);
	assert_false(f.wrong);
	assert_int_equal(f.drained, 1);
	assert_int_equal(f.got, sizeof(data) + 256);
	/* What fits goes at once (but for descriptors that may block). */
	if (!f.sink.chunk)
		assert_int_equal(sink_write(&f.sink, data, 16), 0);
	finish(&f);
}

static void test_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	slow_reader(fds[0], fds[1]);
}

static void test_socket(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	slow_reader(fds[0], fds[1]);
}

/* The pipe's open file description is shared with others: it stays blocking. */
static void test_shared_flags(void **state)
{
	struct fixture f;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	begin(&f, fds[0], fds[1]);
	assert_true(f.sink.own >= 0);
	assert_int_equal(sink_write(&f.sink, "x", 1), 0);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	finish(&f);
}

/* Where the second opening is refused, writes are small and wait for the loop. */
static void test_without_own(void **state)
{
	static uint8_t data[200000];
	struct fixture f;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	begin(&f, fds[0], fds[1]);
	close_fd(&f.sink.own);
	f.sink.chunk = 4096;
	ev_io_set(&f.sink.watch, fds[1], EV_WRITE);
	fill(data, sizeof(data));
	assert_int_equal(sink_write(&f.sink, data, sizeof(data)), 1);
	ev_io_start(f.loop, &f.reader);
	while (!f.drained || f.got < sizeof(data))
		ev_run(f.loop, EVRUN_ONCE);
	assert_false(f.wrong);
	finish(&f);
}

static void test_reader_leaves(void **state)
{
	static uint8_t data[1 << 20];
	struct fixture f;
	int fds[2];

	(void)state;
	/* At once. */
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	begin(&f, -1, fds[1]);
	assert_int_equal(sink_write(&f.sink, "x", 1), -EPIPE);
	assert_int_equal(sink_write(&f.sink, "x", 1), -EPIPE);
	assert_false(sink_busy(&f.sink));
	finish(&f);
	/* While bytes wait. */
	assert_int_equal(pipe(fds), 0);
	begin(&f, -1, fds[1]);
	assert_int_equal(sink_write(&f.sink, data, sizeof(data)), 1);
	close(fds[0]);
	while (!f.drained)
		ev_run(f.loop, 0);
	assert_int_equal(f.result, -EPIPE);
	assert_false(sink_busy(&f.sink));
	finish(&f);
}

static void test_full_device(void **state)
{
	struct fixture f;
	int fd = open("/dev/full", O_WRONLY);

	(void)state;
	assert_true(fd >= 0);
	begin(&f, -1, fd);
	assert_int_equal(sink_write(&f.sink, "x", 1), -ENOSPC);
	finish(&f);
}

static void test_queue_limit(void **state)
{
	static uint8_t data[1 << 20];
	struct fixture f;
	int fds[2], r = 0, writes = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	begin(&f, fds[0], fds[1]);
	while (r >= 0 && writes++ < 100)
		r = sink_write(&f.sink, data, sizeof(data));
	assert_int_equal(r, -ENOBUFS);
	finish(&f);
}

/* A regular file keeps its offset and O_APPEND. */
static void test_file(void **state)
{
	char path[] = "/tmp/vmdeck-sink-XXXXXX", got[16] = "";
	struct fixture f;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "abc", 3), 3);
	begin(&f, -1, fd);
	assert_int_equal(f.sink.own, -1);
	assert_int_equal(sink_write(&f.sink, "def", 3), 0);
	assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), 6);
	assert_string_equal(got, "abcdef");
	finish(&f);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_shared_flags),
		cmocka_unit_test(test_without_own),
		cmocka_unit_test(test_reader_leaves),
		cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_queue_limit),
		cmocka_unit_test(test_file),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
