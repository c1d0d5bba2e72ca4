// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_vm.c
/* The device end to end under load: limits, floods both ways, slow readers, no descriptor left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "backend/base/util.h"
#include "backend/vsock/limits.h"
#include "tests/support/vsock_vm.h"

/* 1023 connections, no more; a free place is used again. */
static void test_limit(void **state)
{
	struct rlimit old, more;
	struct vm v;
	int fd[VSOCK_CONNS_MAX], extra;
	char line[32];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	more = old;
	more.rlim_cur = old.rlim_max;
	if (more.rlim_cur < 4096)
		skip();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
	vm_init(&v, 0);
	for (unsigned i = 0; i < VSOCK_CONNS_MAX; i++)
		fd[i] = vm_connect(&v, NULL);
	vm_wait_count(&v, VSOCK_CONNS_MAX, VSOCK_CONNS_MAX);
	extra = vm_connect(&v, NULL);
	assert_true(fd_ends(extra));
	close(extra);
	close(fd[0]);
	vm_wait_count(&v, 0, VSOCK_CONNS_MAX - 1);
	fd[0] = vm_connect(&v, "CONNECT 7\n");
	assert_int_equal(vm_expect(&v, PACKET_REQUEST).dst_port, 7);
	extra = vm_connect(&v, NULL);
	assert_int_equal(fd_line(extra, line, sizeof(line)), 0);
	close(extra);
	for (unsigned i = 0; i < VSOCK_CONNS_MAX; i++)
		close(fd[i]);
	vm_fini(&v);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static uint64_t thread_cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* No descriptor is left: the peer waits, the thread does not spin, and it is served later. */
static void test_no_descriptors(void **state)
{
	struct rlimit old, low;
	struct vm v;
	struct pollfd p;
	uint64_t cpu;
	int fd, top;

	(void)state;
	vm_init(&v, 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	top = dup(fd); /* the lowest free number */
	close(top);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)top;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	{
		struct sockaddr_un sa = {.sun_family = AF_UNIX};

		strcpy(sa.sun_path, v.path);
		assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
		assert_int_equal(send(fd, "CONNECT 52\n", 11, MSG_NOSIGNAL), 11);
	}
	cpu = thread_cpu_ms();
	/* Nothing can come for a second: this wait is the pause itself. */
	p = (struct pollfd){v.call[GUEST_RX], POLLIN, 0};
	while (poll(&p, 1, 300) == 1) {
		uint64_t n;

		assert_int_equal(read(v.call[GUEST_RX], &n, 8), 8);
	}
	assert_in_range(thread_cpu_ms() - cpu, 0, 100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(vm_expect(&v, PACKET_REQUEST).dst_port, 52);
	close(fd);
	vm_fini(&v);
}

/* Connections one after the other: none is lost, no descriptor leaks. */
static void test_many_in_a_row(void **state)
{
	struct vm v;
	uint32_t port, first = 0;
	struct packet p;
	int fd, before;

	(void)state;
	vm_init(&v, GUEST_EVENT_IDX);
	before = dup(0);
	close(before);
	for (uint32_t i = 0; i < 1000; i++) {
		fd = vm_open(&v, 52, &port);
		if (i == 0)
			first = port;
		assert_int_equal(port, first + i);
		close(fd);
		vm_expect(&v, PACKET_SHUTDOWN);
		p = guest_packet(52, port, PACKET_RST);
		vm_send(&v, &p, NULL);
	}
	vm_wait_count(&v, 0, 0);
	fd = dup(0);
	assert_int_equal(fd, before);
	close(fd);
	vm_fini(&v);
}

#define FLOOD (UINT64_C(24) << 20)

/* A host peer that sends a flood and checks the one that comes, with pauses in its reading. */
static void *flood_peer(void *arg)
{
	int fd = *(int *)arg;
	uint8_t *buf = malloc(200000);
	uint64_t sent = 0, got = 0;
	size_t have = 0, at = 0;

	while (got < FLOOD || sent < FLOOD) {
		struct pollfd p = {fd, POLLIN, 0};

		if (at == have && sent < FLOOD) {
			have = min_of(FLOOD - sent, UINT64_C(60000) + sent % 40000);
			for (size_t i = 0; i < have; i++)
				buf[i] = pattern_at(sent + i);
			at = 0;
		}
		p.events |= sent < FLOOD ? POLLOUT : 0;
		if (poll(&p, 1, 20000) <= 0)
			return NULL;
		if ((p.revents & POLLOUT) && sent < FLOOD) {
			ssize_t n = send(fd, buf + at, have - at, MSG_NOSIGNAL | MSG_DONTWAIT);

			if (n > 0) {
				at += (size_t)n;
				sent += (uint64_t)n;
			}
		}
		if (p.revents & (POLLIN | POLLHUP)) {
			uint8_t *in = buf + 100000;
			ssize_t n = recv(fd, in, 1 + (got * 7) % 90000, MSG_DONTWAIT);

			if (n == 0)
				break;
			for (ssize_t i = 0; i < n; i++)
				if (in[i] != pattern_at(got + (uint64_t)i))
					return NULL;
			got += n > 0 ? (uint64_t)n : 0;
		}
	}
	shutdown(fd, SHUT_WR);
	free(buf);
	return got == FLOOD ? arg : NULL;
}

struct flow {
	uint64_t sent, got;
	uint32_t port, peer_fwd, told;
};

/* The guest's half of one packet: checks bytes, gives credit back as Linux does. */
static void flood_packet(struct vm *v, struct flow *f, const struct packet *p)
{
	f->peer_fwd = p->fwd_cnt;
	if (p->op != PACKET_RW)
		return;
	for (uint32_t i = 0; i < p->len; i++)
		assert_int_equal(v->guest.last_payload[i], pattern_at(f->got + i));
	f->got += p->len;
}

static bool flood_send(struct vm *v, struct flow *f, uint8_t *buf)
{
	uint32_t credit = VSOCK_BUF_BIG - ((uint32_t)f->sent - f->peer_fwd);
	struct packet p = guest_packet(52, f->port, PACKET_RW);

	p.fwd_cnt = (uint32_t)f->got;
	p.len = (uint32_t)min_of(
		min_of((uint64_t)credit, FLOOD - f->sent), 1 + (f->sent * 13) % 65536);
	if (p.len == 0)
		return false;
	for (uint32_t i = 0; i < p.len; i++)
		buf[i] = pattern_at(f->sent + i);
	vm_send(v, &p, buf);
	f->sent += p.len;
	f->told = (uint32_t)f->got;
	return true;
}

/* Floods both ways on two connections at once; every byte arrives, in order. */
static void run_flood(unsigned flags)
{
	static uint8_t buf[65536];
	struct flow flows[2] = {{0}, {0}};
	pthread_t threads[2];
	struct vm v;
	int fd[2];

	vm_init(&v, flags);
	for (unsigned i = 0; i < 2; i++)
		fd[i] = vm_open(&v, 52, &flows[i].port);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood_peer, &fd[i]), 0);
	while (flows[0].got < FLOOD || flows[1].got < FLOOD || flows[0].sent < FLOOD ||
		flows[1].sent < FLOOD) {
		bool busy = false;
		struct packet p;

		for (unsigned i = 0; i < 2; i++) {
			struct flow *f = &flows[i];

			busy |= flood_send(&v, f, buf);
			if ((uint32_t)f->got - f->told > 100000) {
				p = guest_packet(52, f->port, PACKET_CREDIT_UPDATE);
				p.fwd_cnt = f->told = (uint32_t)f->got;
				vm_send(&v, &p, NULL);
			}
		}
		while (vm_recv(&v, &p, busy ? 0 : 20000)) {
			flood_packet(&v, &flows[p.src_port != flows[0].port], &p);
			busy = true;
		}
		assert_true(busy);
	}
	for (unsigned i = 0; i < 2; i++) {
		void *ok;

		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
		close(fd[i]);
	}
	vm_fini(&v);
}

static void test_flood(void **state)
{
	(void)state;
	run_flood(0);
	run_flood(GUEST_EVENT_IDX);
	run_flood(GUEST_EVENT_IDX | GUEST_INDIRECT);
}

/* One interrupt and few kicks for many packets. */
static void test_few_notifications(void **state)
{
	static uint8_t bytes[200000];
	struct vm v;
	struct packet p;
	uint32_t port;
	unsigned before, n = 0;
	uint64_t got = 0;
	int fd;

	(void)state;
	vm_init(&v, GUEST_EVENT_IDX);
	fd = vm_open(&v, 52, &port);
	vm_stop(&v); /* so that all is there at once */
	assert_int_equal(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	before = v.interrupts;
	assert_int_equal(vm_start(&v), 0);
	while (got < sizeof(bytes)) {
		assert_true(vm_recv(&v, &p, 20000));
		got += p.len;
		n++;
	}
	assert_true(n >= sizeof(bytes) / 3732);
	vm_count_interrupts(&v);
	assert_in_range(v.interrupts - before, 1, n / 2);
	close(fd);
	vm_fini(&v);
}

/* The guest closes: the reader that sleeps gets all of it, then the end. */
static void test_slow_reader(void **state)
{
	static uint8_t bytes[65536], back[65536];
	struct vm v;
	struct packet p;
	uint32_t port;
	int fd;

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern_at(i);
	vm_init(&v, 0);
	fd = vm_open(&v, 52, &port);
	for (unsigned i = 0; i < 6; i++) { /* more than the socket holds */
		p = guest_packet(52, port, PACKET_RW);
		p.len = sizeof(bytes);
		vm_send(&v, &p, bytes);
	}
	p = guest_packet(52, port, PACKET_SHUTDOWN);
	p.flags = PACKET_SHUT_BOTH;
	vm_send(&v, &p, NULL);
	do
		assert_true(vm_recv(&v, &p, 20000)); /* CREDIT_UPDATEs; RST after 2 s */
	while (p.op != PACKET_RST);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(fd_read(fd, back, sizeof(back)), sizeof(back));
		assert_memory_equal(back, bytes, sizeof(bytes));
	}
	assert_true(fd_ends(fd));
	close(fd);
	vm_wait_count(&v, 0, 0);
	vm_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_many_in_a_row),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_few_notifications),
		cmocka_unit_test(test_slow_reader),
	};

	return cmocka_run_group_tests_name("vsock_load", tests, NULL, NULL);
}
