/* The VMM's side of the vhost ioctls, and helpers for host peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "backend/base/util.h"
#include "tests/support/vsock_vm.h"

#define DEADLINE_MS 20000

int vm_ioctl(struct vm *v, unsigned long request, void *arg)
{
	return device_ioctl(v->dev, request, arg);
}

static void must(struct vm *v, unsigned long request, void *arg)
{
	assert_int_equal(vm_ioctl(v, request, arg), 0);
}

static void set_mem_table(struct vm *v)
{
	struct vhost_memory *t = calloc(1, sizeof(*t) + 2 * sizeof(t->regions[0]));

	assert_non_null(t);
	t->nregions = v->guest.mem.n;
	for (unsigned i = 0; i < t->nregions; i++) {
		t->regions[i].guest_phys_addr = v->guest.mem.regions[i].gpa;
		t->regions[i].memory_size = v->guest.mem.regions[i].size;
		t->regions[i].userspace_addr = v->guest.mem.regions[i].user;
	}
	must(v, VHOST_SET_MEM_TABLE, t);
	free(t);
}

void vm_init_stopped(struct vm *v, unsigned flags)
{
	uint64_t cid = GUEST_CID, features;
	char why[256];

	memset(v, 0, sizeof(*v));
	strcpy(v->dir, "/tmp/vmdeck-vsock-XXXXXX");
	assert_non_null(mkdtemp(v->dir));
	snprintf(v->path, sizeof(v->path), "%s/v.sock", v->dir);
	guest_init(&v->guest, 128, 3776, flags);
	guest_post_all(&v->guest);
	assert_int_equal(device_new(&v->dev, v->path, why, sizeof(why)), 0);
	must(v, VHOST_SET_OWNER, NULL);
	must(v, VHOST_GET_FEATURES, &features);
	assert_true(features & (UINT64_C(1) << VHOST_F_LOG_ALL));
	for (unsigned i = 0; i < GUEST_QUEUES; i++) {
		struct vhost_vring_file f = {.index = i};

		v->kick[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		v->call[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		v->err[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		f.fd = v->call[i];
		must(v, VHOST_SET_VRING_CALL, &f);
		f.fd = v->err[i];
		must(v, VHOST_SET_VRING_ERR, &f);
	}
	must(v, VHOST_VSOCK_SET_GUEST_CID, &cid);
}

void vm_init(struct vm *v, unsigned flags)
{
	vm_init_stopped(v, flags);
	assert_int_equal(vm_start(v), 0);
}

int vm_start(struct vm *v)
{
	uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1;
	int on = 1;

	if (v->guest.flags & GUEST_EVENT_IDX)
		features |= 1u << VIRTIO_RING_F_EVENT_IDX;
	if (v->guest.flags & GUEST_INDIRECT)
		features |= 1u << VIRTIO_RING_F_INDIRECT_DESC;
	must(v, VHOST_SET_FEATURES, &features);
	set_mem_table(v);
	for (unsigned i = 0; i < GUEST_QUEUES; i++) {
		struct ring_layout l = guest_layout(&v->guest, i);
		struct vhost_vring_state s = {.index = i, .num = l.num};
		struct vhost_vring_addr a = {.index = i,
			.desc_user_addr = l.desc,
			.avail_user_addr = l.avail,
			.used_user_addr = l.used};
		struct vhost_vring_file f = {.index = i, .fd = v->kick[i]};

		must(v, VHOST_SET_VRING_NUM, &s);
		/* QEMU hands on what GET_VRING_BASE said, 0 after a reset. */
		s.num = v->guest.start;
		if (v->guest.rings[i].avail_idx != v->guest.start)
			must(v, VHOST_GET_VRING_BASE, &s);
		must(v, VHOST_SET_VRING_BASE, &s);
		must(v, VHOST_SET_VRING_ADDR, &a);
		must(v, VHOST_SET_VRING_KICK, &f);
		f.fd = v->call[i];
		must(v, VHOST_SET_VRING_CALL, &f);
	}
	return vm_ioctl(v, VHOST_VSOCK_SET_RUNNING, &on);
}

void vm_stop(struct vm *v)
{
	int off = 0;

	must(v, VHOST_VSOCK_SET_RUNNING, &off);
	for (unsigned i = 0; i < GUEST_QUEUES; i++) {
		struct vhost_vring_state s = {.index = i};

		must(v, VHOST_GET_VRING_BASE, &s);
	}
}

static void remove_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char name[512];

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		assert_int_equal(unlink(name), 0);
	}
	closedir(d);
	assert_int_equal(rmdir(path), 0);
}

void vm_fini(struct vm *v)
{
	device_free(v->dev);
	for (unsigned i = 0; i < GUEST_QUEUES; i++) {
		close(v->kick[i]);
		close(v->call[i]);
		close(v->err[i]);
	}
	guest_fini(&v->guest);
	remove_dir(v->dir);
}

void vm_kick(struct vm *v)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < GUEST_QUEUES; i++) {
		if (!guest_wants_kick(&v->guest, i))
			continue;
		assert_int_equal(write(v->kick[i], &one, 8), 8);
		v->kicks++;
	}
}

void vm_wait_count(struct vm *v, unsigned min, unsigned max)
{
	struct timespec start, now;
	unsigned n;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while ((n = device_count(v->dev)) < min || n > max) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		assert_true(now.tv_sec - start.tv_sec < DEADLINE_MS / 1000);
		sched_yield();
	}
}

void vm_count_interrupts(struct vm *v)
{
	uint64_t n;

	for (unsigned i = 0; i < GUEST_QUEUES; i++)
		if (read(v->call[i], &n, 8) == 8)
			v->interrupts += (unsigned)n;
}

/* Sleeps until the device interrupts; false after ms. */
static bool wait_interrupt(struct vm *v, int ms)
{
	struct pollfd p[] = {{v->call[GUEST_RX], POLLIN, 0}, {v->call[GUEST_TX], POLLIN, 0}};

	if (poll(p, 2, ms) <= 0)
		return false;
	vm_count_interrupts(v);
	return true;
}

void vm_send(struct vm *v, const struct packet *p, const void *payload)
{
	for (;;) {
		guest_reclaim(&v->guest);
		if (guest_send(&v->guest, p, payload))
			break;
		guest_irq(&v->guest, GUEST_TX, true);
		if (guest_reclaim(&v->guest) == 0)
			assert_true(wait_interrupt(v, DEADLINE_MS));
	}
	vm_kick(v);
}

bool vm_recv(struct vm *v, struct packet *ret, int ms)
{
	/* The buffer of the last packet is the test's until now. */
	guest_post_all(&v->guest);
	vm_kick(v);
	for (;;) {
		guest_irq(&v->guest, GUEST_RX, true);
		if (guest_recv(&v->guest, ret))
			return true;
		if (!wait_interrupt(v, ms))
			return false;
	}
}

struct packet vm_expect(struct vm *v, enum packet_op op)
{
	struct packet p = {0};

	assert_true(vm_recv(v, &p, DEADLINE_MS));
	assert_string_equal(packet_op_name(p.op), packet_op_name((uint16_t)op));
	return p;
}

int vm_connect(const struct vm *v, const char *line)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(sa.sun_path, v->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (line)
		assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	return fd;
}

int vm_open(struct vm *v, uint32_t guest_port, uint32_t *ret_port)
{
	char line[64], want[64];
	struct packet p;
	int fd;

	snprintf(line, sizeof(line), "CONNECT %u\n", guest_port);
	fd = vm_connect(v, line);
	p = vm_expect(v, PACKET_REQUEST);
	assert_int_equal(p.dst_port, guest_port);
	*ret_port = p.src_port;
	p = guest_packet(guest_port, p.src_port, PACKET_RESPONSE);
	vm_send(v, &p, NULL);
	assert_true(fd_line(fd, line, sizeof(line)) > 0);
	snprintf(want, sizeof(want), "OK %u\n", *ret_port);
	assert_string_equal(line, want);
	return fd;
}

int vm_listen(const struct vm *v, uint32_t port, int backlog)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s_%u", v->path, port);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static ssize_t read_some(int fd, void *out, size_t n)
{
	struct pollfd p = {fd, POLLIN, 0};
	ssize_t r;

	if (poll(&p, 1, DEADLINE_MS) <= 0)
		return -ETIMEDOUT;
	r = recv(fd, out, n, MSG_DONTWAIT);
	return r < 0 ? -errno : r;
}

ssize_t fd_line(int fd, char *out, size_t n)
{
	size_t at = 0;

	while (at + 1 < n && (at == 0 || out[at - 1] != '\n')) {
		ssize_t r = read_some(fd, out + at, 1);

		if (r <= 0)
			return r < 0 ? r : (ssize_t)at;
		at++;
	}
	out[at] = '\0';
	return (ssize_t)at;
}

ssize_t fd_read(int fd, void *out, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t r = read_some(fd, (char *)out + at, n - at);

		if (r < 0)
			return r;
		if (r == 0)
			break;
		at += (size_t)r;
	}
	return (ssize_t)at;
}

bool fd_ends(int fd)
{
	char c;

	return read_some(fd, &c, 1) == 0;
}
