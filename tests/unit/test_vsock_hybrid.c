// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_vm.c
/* The hybrid socket end to end: real sockets, the device's own thread, a guest on the rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "backend/base/util.h"
#include "tests/support/vsock_vm.h"

static void test_connect(void **state)
{
	struct vm v;
	struct packet p;
	uint32_t port;
	char buf[16];
	int fd;

	(void)state;
	vm_init(&v, GUEST_EVENT_IDX);
	fd = vm_open(&v, 52, &port);
	assert_int_equal(port, 1u << 30);
	assert_int_equal(send(fd, "ping", 4, MSG_NOSIGNAL), 4);
	p = vm_expect(&v, PACKET_RW);
	assert_int_equal(p.len, 4);
	p = guest_packet(52, port, PACKET_RW);
	p.len = 4;
	vm_send(&v, &p, "pong");
	assert_int_equal(fd_read(fd, buf, 4), 4);
	assert_memory_equal(buf, "pong", 4);
	close(fd);
	assert_int_equal(vm_expect(&v, PACKET_SHUTDOWN).flags, PACKET_SHUT_BOTH);
	p = guest_packet(52, port, PACKET_RST);
	vm_send(&v, &p, NULL);
	vm_wait_count(&v, 0, 0);
	vm_fini(&v);
}

/* Every line that is good, in whole and byte by byte, with bytes behind it that are the guest's. */
static void test_good_lines(void **state)
{
	static const struct {
		const char *line;
		uint32_t port;
	} good[] = {
		{"CONNECT 52\n", 52}, {"connect 0\n", 0}, {"CoNnEcT 4294967295\n", UINT32_MAX},
		{"CONNECT 52 and more words\n", 52}, {"  CONNECT \t 0052\r\n", 52},
		{"CONNECT 1234567890 23456789 123\n", 1234567890}, /* 32 bytes */
	};

	(void)state;
	for (unsigned i = 0; i < countof(good); i++) {
		struct vm v;
		struct packet p;
		char text[64];
		int fd;

		vm_init(&v, 0);
		snprintf(text, sizeof(text), "%sdata", good[i].line);
		fd = vm_connect(&v, text);
		p = vm_expect(&v, PACKET_REQUEST);
		assert_int_equal(p.dst_port, good[i].port);
		p = guest_packet(p.dst_port, p.src_port, PACKET_RESPONSE);
		vm_send(&v, &p, NULL);
		assert_int_equal(vm_expect(&v, PACKET_RW).len, 4);
		assert_memory_equal(v.guest.last_payload, "data", 4);
		close(fd);
		vm_expect(&v, PACKET_SHUTDOWN);
		/* In pieces. */
		fd = vm_connect(&v, NULL);
		for (const char *c = good[i].line; *c; c++) {
			assert_int_equal(send(fd, c, 1, MSG_NOSIGNAL), 1);
			device_count(v.dev); /* let the thread in between */
		}
		assert_int_equal(vm_expect(&v, PACKET_REQUEST).dst_port, good[i].port);
		close(fd);
		vm_expect(&v, PACKET_RST);
		vm_fini(&v);
	}
}

/* Hostile 22: every line that is none ends silently, without a byte and without an error, and the
 * guest hears nothing of it. */
static void test_bad_lines(void **state)
{
	static const char *const bad[] = {
		"\n",
		"CONNECT\n",
		"CONNECT \n",
		"CONNECT x\n",
		"CONNECT -1\n",
		"CONNECT +5\n",
		"CONNECT 5x\n",
		"CONNECT 0x10\n",
		"CONNECT 4294967296\n",
		"CONNECT 99999999999999999\n",
		"CONNECT52\n",
		"CONNEC 52\n",
		"CONNECTED 52\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT 1234567890 23456789 1234\n", /* 33 bytes */
		"0123456789012345678901234567890123456789012345678901234567890123456789",
		"\xff\xfe\x01\n",
		"MEMORY\n",
		"MEMORY \n",
		"MEMORY privat\n",
		"MEMORY private \n",
		"MEMORY private now\n",
		"memory private\n",
		" MEMORY private\n",
		"MEMORY private\r\n",
		"MEMORY state 1\n",
	};
	struct vm v;
	struct packet p;

	(void)state;
	vm_init(&v, 0);
	for (unsigned i = 0; i < countof(bad); i++) {
		int fd = vm_connect(&v, bad[i]);

		if (!fd_ends(fd))
			fail_msg("'%s' was not ended", bad[i]);
		close(fd);
	}
	/* A NUL within. */
	{
		int fd = vm_connect(&v, NULL);

		assert_int_equal(send(fd, "CONNECT\0 52\n", 12, MSG_NOSIGNAL), 12);
		assert_true(fd_ends(fd));
		close(fd);
	}
	/* Half a line, then the end. */
	{
		int fd = vm_connect(&v, "CONNECT 5");

		assert_int_equal(shutdown(fd, SHUT_WR), 0);
		assert_true(fd_ends(fd));
		close(fd);
	}
	close(vm_connect(&v, NULL));
	close(vm_connect(&v, "CONN"));
	vm_wait_count(&v, 0, 0);
	assert_false(vm_recv(&v, &p, 0));
	vm_fini(&v);
}

static void test_refused(void **state)
{
	struct vm v;
	struct packet p;
	int fd;

	(void)state;
	vm_init(&v, 0);
	fd = vm_connect(&v, "CONNECT 99\nsome bytes that nobody reads");
	p = vm_expect(&v, PACKET_REQUEST);
	p = guest_packet(99, p.src_port, PACKET_RST);
	vm_send(&v, &p, NULL);
	assert_true(fd_ends(fd));
	close(fd);
	vm_fini(&v);
}

/* The peer of a guest's connection, its bytes and its ends both ways. */
static void test_guest_dials(void **state)
{
	struct vm v;
	struct packet p;
	char buf[16];
	int l, fd;

	(void)state;
	vm_init(&v, GUEST_EVENT_IDX);
	l = vm_listen(&v, 1001, 16);
	p = guest_packet(4000, 1001, PACKET_REQUEST);
	vm_send(&v, &p, NULL);
	p = vm_expect(&v, PACKET_RESPONSE);
	assert_int_equal(p.src_port, 1001);
	fd = accept(l, NULL, NULL);
	assert_true(fd >= 0);
	p = guest_packet(4000, 1001, PACKET_RW);
	p.len = 5;
	vm_send(&v, &p, "hello");
	p = guest_packet(4000, 1001, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_SEND;
	vm_send(&v, &p, NULL);
	assert_int_equal(
		fd_read(fd, buf, sizeof(buf)), 5); /* up to the end: half close is passed on */
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(send(fd, "bye", 3, MSG_NOSIGNAL), 3);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(vm_expect(&v, PACKET_RW).len, 3);
	/* Both directions are over now; the guest may hear of one after the other. */
	do
		p = vm_expect(&v, PACKET_SHUTDOWN);
	while (p.flags != PACKET_SHUT_BOTH);
	close(fd);
	close(l);
	vm_fini(&v);
}

/* Nobody there, and a backlog that is full: an RST at once, and the thread goes on. */
static void test_guest_dials_nobody(void **state)
{
	struct vm v;
	struct packet p;
	uint32_t port;
	unsigned resets = 0, responses = 0;
	int l, fd;

	(void)state;
	vm_init(&v, 0);
	p = guest_packet(4000, UINT32_MAX, PACKET_REQUEST);
	vm_send(&v, &p, NULL);
	vm_expect(&v, PACKET_RST);
	l = vm_listen(&v, 1001, 1);
	for (uint32_t i = 0; i < 10; i++) {
		p = guest_packet(5000 + i, 1001, PACKET_REQUEST);
		vm_send(&v, &p, NULL);
		assert_true(vm_recv(&v, &p, 20000));
		resets += p.op == PACKET_RST;
		responses += p.op == PACKET_RESPONSE;
	}
	assert_int_equal(responses, 2);
	assert_int_equal(resets, 8);
	fd = vm_open(&v, 52, &port);
	close(fd);
	close(l);
	vm_fini(&v);
}

/* A pause: lines that come in it are acted on after it, with the bytes behind them, and those whose
 * peer is at its end of file already. */
static void test_connect_while_stopped(void **state)
{
	struct vm v;
	struct packet p;
	uint32_t port;
	int open_fd, fd;

	(void)state;
	vm_init(&v, 0);
	open_fd = vm_open(&v, 52, &port);
	vm_stop(&v);
	fd = vm_connect(&v, "CONNECT 53\ndata");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	vm_wait_count(&v, 2, 2);
	assert_false(vm_recv(&v, &p, 0));
	assert_int_equal(vm_start(&v), 0);
	p = vm_expect(&v, PACKET_REQUEST);
	assert_int_equal(p.dst_port, 53);
	p = guest_packet(53, p.src_port, PACKET_RESPONSE);
	vm_send(&v, &p, NULL);
	assert_int_equal(vm_expect(&v, PACKET_RW).len, 4);
	assert_memory_equal(v.guest.last_payload, "data", 4);
	assert_int_equal(vm_expect(&v, PACKET_SHUTDOWN).flags, PACKET_SHUT_SEND);
	close(fd);
	close(open_fd);
	vm_fini(&v);
}

/* A listener that is gone but left its name behind. */
static void test_guest_dials_stale_name(void **state)
{
	struct vm v;
	struct packet p = guest_packet(4000, 1001, PACKET_REQUEST);

	(void)state;
	vm_init(&v, 0);
	close(vm_listen(&v, 1001, 1));
	vm_send(&v, &p, NULL);
	vm_expect(&v, PACKET_RST);
	vm_fini(&v);
}

/* Peers that connect while the device is stopped are served when it runs. */
static void test_connect_before_start(void **state)
{
	struct vm v;
	struct packet p;
	int fd[10], gone;

	(void)state;
	vm_init_stopped(&v, 0);
	for (unsigned i = 0; i < countof(fd); i++)
		fd[i] = vm_connect(&v, "CONNECT 52\n");
	/* One that hangs up before is forgotten; one that says nonsense is ended at once. */
	gone = vm_connect(&v, "CONNECT 52\n");
	vm_wait_count(&v, countof(fd) + 1, countof(fd) + 1);
	close(gone);
	vm_wait_count(&v, countof(fd), countof(fd));
	gone = vm_connect(&v, "CONNECT x\n");
	assert_true(fd_ends(gone));
	close(gone);
	assert_int_equal(vm_start(&v), 0);
	for (unsigned i = 0; i < countof(fd); i++) {
		char line[32];

		p = vm_expect(&v, PACKET_REQUEST);
		p = guest_packet(52, p.src_port, PACKET_RESPONSE);
		vm_send(&v, &p, NULL);
		assert_true(fd_line(fd[i], line, sizeof(line)) > 0);
	}
	for (unsigned i = 0; i < countof(fd); i++)
		close(fd[i]);
	vm_fini(&v);
}

static void test_bad_paths(void **state)
{
	char path[300], why[512];
	struct device *d = NULL;
	struct vm v;
	int fd;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[97] = '\0';
	assert_int_equal(device_new(&d, path, why, sizeof(why)), -ENAMETOOLONG);
	assert_non_null(strstr(why, "97 bytes"));
	assert_int_equal(device_new(&d, "", why, sizeof(why)), -ENAMETOOLONG);
	assert_int_equal(device_new(&d, "/nonexistent/v.sock", why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/v.sock"));
	vm_init(&v, 0);
	/* One that is served stays. */
	assert_int_equal(device_new(&d, v.path, why, sizeof(why)), -EADDRINUSE);
	snprintf(path, sizeof(path), "%s/file", v.dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(device_new(&d, path, why, sizeof(why)), -EEXIST);
	/* A stale one is replaced. */
	close(vm_listen(&v, 7, 1));
	snprintf(path, sizeof(path), "%s_7", v.path);
	assert_int_equal(device_new(&d, path, why, sizeof(why)), 0);
	device_free(d);
	vm_fini(&v);
}

/* Hostile 4 and others, with everything on: the error descriptor is signalled, peers read their
 * end, and a reset brings the device back. */
static void test_broken_and_reset(void **state)
{
	struct vm v;
	struct pollfd p;
	uint32_t port;
	int fd;

	(void)state;
	vm_init(&v, 0);
	fd = vm_open(&v, 52, &port);
	guest_set_avail_idx(
		&v.guest, GUEST_TX, (uint16_t)(v.guest.rings[GUEST_TX].avail_idx + 999));
	assert_int_equal(eventfd_write(v.kick[GUEST_TX], 1), 0);
	p = (struct pollfd){v.err[GUEST_TX], POLLIN, 0};
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_true(fd_ends(fd));
	close(fd);
	vm_stop(&v);
	guest_reset(&v.guest);
	guest_post_all(&v.guest);
	{
		struct vhost_vring_state s = {.num = 0};

		for (s.index = 0; s.index < 2; s.index++)
			assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_BASE, &s), 0);
	}
	assert_int_equal(vm_start(&v), 0);
	fd = vm_open(&v, 52, &port);
	close(fd);
	vm_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_good_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_guest_dials),
		cmocka_unit_test(test_guest_dials_nobody),
		cmocka_unit_test(test_guest_dials_stale_name),
		cmocka_unit_test(test_connect_before_start),
		cmocka_unit_test(test_connect_while_stopped),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_broken_and_reset),
	};

	return cmocka_run_group_tests_name("vsock_hybrid", tests, NULL, NULL);
}
