/* vmdeck-vsock.so: loaded into QEMU by LD_PRELOAD, it answers the vhost ioctls of one descriptor
 * (-device vhost-vsock-device,vhostfd=N, any file) from user space, and keeps the mapping of guest
 * memory (ram.h); all other calls are passed on. VMDECK_VSOCK (env.h) says which descriptors, and
 * where to bind the hybrid socket; without the variable the library does nothing. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "backend/base/util.h"
#include "backend/vsock/device.h"
#include "backend/vsock/env.h"
#include "backend/vsock/ram.h"

#define USAGE "'fd=N [ram=N] [private=0|1] path=PATH'"

/* Global, as ioctl(2) and mmap(2) have no other place to find it. Written once, before main. */
static struct {
	int fd;
	struct device *dev;
	bool has_ram;
	struct ram ram;
} preload = {.fd = -1};

int ioctl(int fd, unsigned long request, ...) __attribute__((visibility("default")));
void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
	__attribute__((visibility("default")));
/* What a program built for large files calls; the same here, as off_t has 64 bits. */
void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t offset)
	__attribute__((visibility("default"), alias("mmap")));
_Static_assert(sizeof(off_t) == sizeof(off64_t), "mmap is mmap64");

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int r;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!preload.dev || fd != preload.fd || _IOC_TYPE(request) != VHOST_VIRTIO)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	r = device_ioctl(preload.dev, request, arg);
	if (r < 0) {
		errno = -r;
		return -1;
	}
	return 0;
}

__attribute__((noreturn)) static void die(const char *sentence)
{
	fprintf(stderr, "vmdeck-vsock: %s\n", sentence);
	_exit(1);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	const struct ram_call c = {addr, len, prot, flags, fd, offset};
	char why[256];
	void *p;

	if (!preload.has_ram)
		return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
	/* A second view of guest memory that nobody keeps would make a snapshot wrong in silence.
	 */
	if (ram_mmap(&preload.ram, &c, &p, why, sizeof(why)) < 0)
		die(why);
	return p;
}

__attribute__((constructor)) static void preload_init(void)
{
	const char *text = getenv("VMDECK_VSOCK");
	struct env env;
	char copy[512], why[512];

	if (!text)
		return;
	/* Ours, as the variable goes; one that is cut off has a path that is too long anyway. */
	snprintf(copy, sizeof(copy), "%s", text);
	/* Not for the processes that QEMU starts. */
	unsetenv("LD_PRELOAD");
	unsetenv("VMDECK_VSOCK");
	if (!env_parse(copy, &env)) {
		snprintf(why, sizeof(why), "VMDECK_VSOCK is '%.300s', but must be " USAGE, copy);
		die(why);
	}
	if (fcntl(env.fd, F_GETFD) < 0) {
		snprintf(why, sizeof(why), "descriptor %d of VMDECK_VSOCK is not open", env.fd);
		die(why);
	}
	if (env.ram >= 0 && ram_init(&preload.ram, env.ram, env.privately, why, sizeof(why)) < 0)
		die(why);
	if (device_new(&preload.dev, env.path, why, sizeof(why)) < 0)
		die(why);
	preload.fd = env.fd;
	preload.has_ram = env.ram >= 0;
	if (preload.has_ram)
		device_set_ram(preload.dev, &preload.ram);
}
