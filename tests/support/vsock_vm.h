/* A whole vsock device on real sockets for tests: what QEMU does to it (ioctls, eventfds) and a
 * guest driven by the test, against the device's own thread. */
#ifndef VMDECK_TESTS_VSOCK_VM_H
#define VMDECK_TESTS_VSOCK_VM_H

#include "backend/vsock/device.h"
#include "tests/support/vsock_guest.h"

struct vm {
	struct guest guest;
	struct device *dev;
	int kick[GUEST_QUEUES], call[GUEST_QUEUES], err[GUEST_QUEUES];
	unsigned interrupts, kicks;
	char dir[64], path[80];
};

/* A temporary directory, the device on <dir>/v.sock, set up and running. */
void vm_init(struct vm *v, unsigned flags);
/* The same, but as far as QEMU has come before the guest's driver starts. */
void vm_init_stopped(struct vm *v, unsigned flags);
/* Ends the device, checks the guard bytes, removes the directory with what it holds. */
void vm_fini(struct vm *v);

/* One ioctl; returns 0 or -errno. */
int vm_ioctl(struct vm *v, unsigned long request, void *arg);
/* The ioctls of a driver's start and of a stop, as QEMU orders them. The base of each ring is
 * handed from stop to start. */
int vm_start(struct vm *v);
void vm_stop(struct vm *v);

/* Sends a packet and kicks if the device wants it. */
void vm_send(struct vm *v, const struct packet *p, const void *payload);
void vm_kick(struct vm *v);
/* Until the device has min to max connections; fails the test after 20 s. Each look lets its thread
 * finish a pass. */
void vm_wait_count(struct vm *v, unsigned min, unsigned max);
/* Adds the interrupts that came to v->interrupts. */
void vm_count_interrupts(struct vm *v);
/* The next packet; false when none comes within ms. Its buffer is posted again by the next call. */
bool vm_recv(struct vm *v, struct packet *ret, int ms);
/* The next packet with that op; fails the test when another comes or none in 20 s. */
struct packet vm_expect(struct vm *v, enum packet_op op);

/* A host peer: connected, line sent (may be NULL). */
int vm_connect(const struct vm *v, const char *line);
/* A host peer that the guest has accepted; *ret_port: the host port. */
int vm_open(struct vm *v, uint32_t guest_port, uint32_t *ret_port);
/* A listening socket on <path>_<port>. */
int vm_listen(const struct vm *v, uint32_t port, int backlog);

/* Reads a line, or n bytes, or until the end, within 20 s; returns the bytes read, -errno. */
ssize_t fd_line(int fd, char *out, size_t n);
ssize_t fd_read(int fd, void *out, size_t n);
/* True when the peer ends the stream within 20 s, without a byte and without an error. */
bool fd_ends(int fd);

#endif
