/* What /dev/vhost-vsock is to a VMM, in user space: the vhost ioctls (linux/vhost.h) as one
 * function over a hybrid device. Guest memory is the caller's own, so user addresses are pointers.
 */
#ifndef VMDECK_VSOCK_DEVICE_H
#define VMDECK_VSOCK_DEVICE_H

#include <stddef.h>

struct device;
struct ram;

/* Binds the hybrid socket. On failure -errno, and why holds a sentence. */
int device_new(struct device **ret, const char *path, char *why, size_t why_n);
void device_free(struct device *d);

/* What MEMORY lines of host peers act on (borrowed). */
void device_set_ram(struct device *d, struct ram *ram);

/* Answers one ioctl of type VHOST_VIRTIO (0xAF); arg as ioctl(2) has it. 0 or -errno, -ENOTTY for a
 * request that vhost-vsock does not have. When SET_RUNNING(0) returns, guest memory is not touched
 * any more and every byte taken from the guest is on its way to its host peer. Any thread. */
int device_ioctl(struct device *d, unsigned long request, void *arg);

/* Connections in any state (for tests). */
unsigned device_count(struct device *d);

#endif
