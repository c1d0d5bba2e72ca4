// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_vm.c
/* The vhost ioctls: what is refused and how, and what a stop, a resume, a reset and a restore mean
 * for connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "backend/base/util.h"
#include "tests/support/vsock_vm.h"

static void test_features(void **state)
{
	struct vm v;
	uint64_t f = 0;

	(void)state;
	vm_init_stopped(&v, 0);
	assert_int_equal(vm_ioctl(&v, VHOST_GET_FEATURES, &f), 0);
	assert_true(f == ((UINT64_C(1) << VIRTIO_F_VERSION_1) |
				 (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC) |
				 (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX) |
				 (UINT64_C(1) << VHOST_F_LOG_ALL)));
	f = 2; /* SEQPACKET */
	assert_int_equal(vm_ioctl(&v, VHOST_SET_FEATURES, &f), -EOPNOTSUPP);
	f = UINT64_C(1) << VHOST_F_LOG_ALL; /* without a log */
	assert_int_equal(vm_ioctl(&v, VHOST_SET_FEATURES, &f), -EFAULT);
	assert_int_equal(vm_ioctl(&v, VHOST_GET_FEATURES, NULL), -EFAULT);
	assert_int_equal(vm_ioctl(&v, VHOST_GET_BACKEND_FEATURES, &f), -ENOTTY);
	assert_int_equal(vm_ioctl(&v, VHOST_NET_SET_BACKEND, &f), -ENOTTY);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_OWNER, NULL), -EBUSY);
	vm_fini(&v);
}

static void test_cids(void **state)
{
	static const uint64_t bad[] = {0, 1, 2, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
	struct vm v;
	uint64_t cid = UINT32_MAX - 1;

	(void)state;
	vm_init_stopped(&v, 0);
	for (unsigned i = 0; i < countof(bad); i++) {
		uint64_t c = bad[i];

		assert_int_equal(vm_ioctl(&v, VHOST_VSOCK_SET_GUEST_CID, &c), -EINVAL);
	}
	assert_int_equal(vm_ioctl(&v, VHOST_VSOCK_SET_GUEST_CID, &cid), 0);
	vm_fini(&v);
}

/* Hostile 19: a third queue, a start without memory or rings, descriptors that are none. */
static void test_bad_vring_calls(void **state)
{
	struct vhost_vring_state s = {.index = 2, .num = 64};
	struct vhost_vring_addr a = {.index = 2};
	struct vhost_vring_file f = {.index = 2, .fd = -1};
	uint32_t sizes[] = {0, 3, 65536, UINT32_MAX};
	struct vm v;
	int on = 1;

	(void)state;
	vm_init_stopped(&v, 0);
	assert_int_equal(vm_ioctl(&v, VHOST_VSOCK_SET_RUNNING, &on), -EINVAL);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_NUM, &s), -ENOBUFS);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_BASE, &s), -ENOBUFS);
	assert_int_equal(vm_ioctl(&v, VHOST_GET_VRING_BASE, &s), -ENOBUFS);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_ADDR, &a), -ENOBUFS);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_KICK, &f), -ENOBUFS);
	s.index = f.index = a.index = 0;
	for (unsigned i = 0; i < countof(sizes); i++) {
		s.num = sizes[i];
		assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_NUM, &s), -EINVAL);
	}
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_BASE, &s), -EINVAL); /* UINT32_MAX */
	f.fd = 9999;
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_CALL, &f), -EBADF);
	a.desc_user_addr = 8;
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_ADDR, &a), -EINVAL);
	a.desc_user_addr = 0;
	a.flags = 2;
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_ADDR, &a), -EOPNOTSUPP);
	/* Aligned, but nowhere: found at the start. */
	a.flags = 0;
	for (unsigned i = 0; i < 2; i++) {
		a.index = s.index = i;
		s.num = 64;
		a.desc_user_addr = 0x1000;
		a.avail_user_addr = 0x2000;
		a.used_user_addr = 0x3000;
		assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_NUM, &s), 0);
		assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_ADDR, &a), 0);
	}
	assert_int_equal(vm_ioctl(&v, VHOST_VSOCK_SET_RUNNING, &on), -EFAULT);
	/* A kick on a device that does not run does nothing. */
	f = (struct vhost_vring_file){.index = 0, .fd = v.kick[0]};
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_KICK, &f), 0);
	assert_int_equal(eventfd_write(v.kick[0], 1), 0);
	assert_int_equal(vm_start(&v), 0);
	vm_fini(&v);
}

static void test_bad_memory(void **state)
{
	struct vhost_memory *t = calloc(1, sizeof(*t) + 65 * sizeof(t->regions[0]));
	struct vm v;

	(void)state;
	assert_non_null(t);
	vm_init_stopped(&v, 0);
	t->padding = 1;
	assert_int_equal(vm_ioctl(&v, VHOST_SET_MEM_TABLE, t), -EOPNOTSUPP);
	t->padding = 0;
	t->nregions = 65;
	assert_int_equal(vm_ioctl(&v, VHOST_SET_MEM_TABLE, t), -E2BIG);
	t->nregions = UINT32_MAX;
	assert_int_equal(vm_ioctl(&v, VHOST_SET_MEM_TABLE, t), -E2BIG);
	t->nregions = 1; /* of size 0 */
	assert_int_equal(vm_ioctl(&v, VHOST_SET_MEM_TABLE, t), -EINVAL);
	free(t);
	vm_fini(&v);
}

static void test_running_is_busy(void **state)
{
	struct vhost_vring_state s = {.index = 0, .num = 64};
	struct vhost_vring_addr a = {.index = 0, .desc_user_addr = 0x1000};
	struct ring_layout l;
	struct vm v;

	(void)state;
	vm_init(&v, 0);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_NUM, &s), -EBUSY);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_BASE, &s), -EBUSY);
	assert_int_equal(vm_ioctl(&v, VHOST_GET_VRING_BASE, &s), -EBUSY);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_ADDR, &a), -EBUSY);
	/* The same again, with the log flag, is how a migration begins. */
	l = guest_layout(&v.guest, 0);
	a.desc_user_addr = l.desc;
	a.avail_user_addr = l.avail;
	a.used_user_addr = l.used;
	a.flags = 1;
	assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_ADDR, &a), 0);
	vm_fini(&v);
}

/* Memory goes away under a running device: it stops and says so on the error descriptor. */
static void test_memory_removed(void **state)
{
	struct vhost_memory *t = calloc(1, sizeof(*t) + sizeof(t->regions[0]));
	struct pollfd p;
	struct vm v;
	uint32_t port;
	int fd;

	(void)state;
	assert_non_null(t);
	vm_init(&v, 0);
	fd = vm_open(&v, 52, &port);
	t->nregions = 1;
	t->regions[0] = (struct vhost_memory_region){.guest_phys_addr = GUEST_GPA2,
		.memory_size = GUEST_MEM2,
		.userspace_addr = (uint64_t)(uintptr_t)v.guest.base[1]};
	assert_int_equal(vm_ioctl(&v, VHOST_SET_MEM_TABLE, t), 0);
	p = (struct pollfd){v.err[GUEST_RX], POLLIN, 0};
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_true(fd_ends(fd));
	close(fd);
	free(t);
	vm_fini(&v);
}

static void send_data(struct vm *v, uint32_t host_port, const char *text)
{
	struct packet p = guest_packet(52, host_port, PACKET_RW);

	p.len = (uint32_t)strlen(text);
	vm_send(v, &p, text);
}

/* stop, cont: connections live on, and what was sent meanwhile arrives. */
static void test_stop_cont(void **state)
{
	struct vm v;
	uint32_t port;
	char buf[8];
	struct packet p;
	int fd;

	(void)state;
	vm_init(&v, GUEST_EVENT_IDX);
	fd = vm_open(&v, 52, &port);
	for (unsigned i = 0; i < 20; i++) {
		vm_stop(&v);
		assert_int_equal(send(fd, "to guest", 8, MSG_NOSIGNAL), 8);
		send_data(&v, port, "to host"); /* waits in the ring */
		assert_int_equal(vm_start(&v), 0);
		p = vm_expect(&v, PACKET_RW);
		assert_int_equal(p.len, 8);
		assert_int_equal(fd_read(fd, buf, 7), 7);
		assert_memory_equal(buf, "to host", 7);
	}
	assert_int_equal(device_count(v.dev), 1);
	close(fd);
	vm_fini(&v);
}

/* After SET_RUNNING(0) guest memory stays as it is, whatever host peers do. */
static void test_stopped_touches_nothing(void **state)
{
	struct vm v;
	uint8_t *copy = malloc(GUEST_MEM);
	uint32_t port;
	int fd, other;

	(void)state;
	assert_non_null(copy);
	vm_init(&v, 0);
	fd = vm_open(&v, 52, &port);
	vm_stop(&v);
	memcpy(copy, v.guest.base[0], GUEST_MEM);
	assert_int_equal(send(fd, "bytes", 5, MSG_NOSIGNAL), 5);
	other = vm_connect(&v, "CONNECT 53\n");
	assert_int_equal(eventfd_write(v.kick[1], 1), 0);
	/* Answered by the thread once it has had the events before: the gate is behind them. */
	for (unsigned i = 0; i < 50; i++)
		device_count(v.dev);
	assert_memory_equal(copy, v.guest.base[0], GUEST_MEM);
	assert_int_equal(vm_start(&v), 0);
	vm_expect(&v, PACKET_RW);
	assert_int_equal(vm_expect(&v, PACKET_REQUEST).dst_port, 53);
	close(fd);
	close(other);
	free(copy);
	vm_fini(&v);
}

/* A reset of the guest: its connections are gone, their host peers read an end. */
static void test_guest_reset(void **state)
{
	struct vm v;
	uint32_t port, again;
	int fd;

	(void)state;
	vm_init(&v, GUEST_EVENT_IDX);
	fd = vm_open(&v, 52, &port);
	vm_stop(&v);
	guest_reset(&v.guest);
	assert_int_equal(vm_start(&v), 0);
	guest_post_all(&v.guest);
	vm_kick(&v);
	assert_true(fd_ends(fd));
	close(fd);
	fd = vm_open(&v, 52, &again);
	assert_int_equal(again, port + 1); /* host ports go on */
	close(fd);
	vm_fini(&v);
}

/* A fresh process with rings in mid-air is a restored guest: host ports start anywhere. */
static void test_restored(void **state)
{
	struct vm v;
	uint32_t port;
	int fd;

	(void)state;
	vm_init_stopped(&v, GUEST_EVENT_IDX);
	guest_fini(&v.guest);
	guest_init_at(&v.guest, 128, GUEST_EVENT_IDX, 777);
	guest_post_all(&v.guest);
	for (unsigned i = 0; i < 2; i++) {
		struct vhost_vring_state s = {.index = i, .num = 777};

		assert_int_equal(vm_ioctl(&v, VHOST_SET_VRING_BASE, &s), 0);
	}
	assert_int_equal(vm_start(&v), 0);
	fd = vm_open(&v, 52, &port);
	assert_in_range(port, 1u << 30, (1u << 31) - 1);
	assert_int_not_equal(port, 1u << 30); /* by chance: 1 of 2^29 */
	close(fd);
	vm_fini(&v);
}

/* Logging on: what the device writes is in the bitmap. */
static void test_dirty_log(void **state)
{
	uint64_t log[64] = {0}, base = (uint64_t)(uintptr_t)log, f;
	struct vm v;
	uint32_t port;
	bool any = false;
	int fd, none = -1;

	(void)state;
	vm_init(&v, 0);
	fd = vm_open(&v, 52, &port);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_LOG_BASE, &base), 0);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_LOG_FD, &none), 0);
	f = (UINT64_C(1) << VIRTIO_F_VERSION_1) | (UINT64_C(1) << VHOST_F_LOG_ALL);
	assert_int_equal(vm_ioctl(&v, VHOST_SET_FEATURES, &f), 0);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	vm_expect(&v, PACKET_RW);
	vm_stop(&v);
	for (unsigned i = 0; i < 64; i++)
		any |= log[i] != 0;
	assert_true(any);
	f = (uint64_t)(v.guest.last_payload - v.guest.base[0] + GUEST_GPA) / 4096;
	assert_true(log[f / 64] & (UINT64_C(1) << (f % 64)));
	close(fd);
	vm_fini(&v);
}

static void test_reset_owner(void **state)
{
	struct vm v;
	uint32_t port;
	int fd;

	(void)state;
	vm_init(&v, 0);
	fd = vm_open(&v, 52, &port);
	assert_int_equal(vm_ioctl(&v, VHOST_RESET_OWNER, NULL), 0);
	assert_true(fd_ends(fd));
	assert_int_equal(vm_ioctl(&v, VHOST_SET_OWNER, NULL), 0);
	close(fd);
	vm_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_cids),
		cmocka_unit_test(test_bad_vring_calls),
		cmocka_unit_test(test_bad_memory),
		cmocka_unit_test(test_running_is_busy),
		cmocka_unit_test(test_memory_removed),
		cmocka_unit_test(test_stop_cont),
		cmocka_unit_test(test_stopped_touches_nothing),
		cmocka_unit_test(test_guest_reset),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_dirty_log),
		cmocka_unit_test(test_reset_owner),
	};

	return cmocka_run_group_tests_name("vsock_device", tests, NULL, NULL);
}
