/* vmdeck-vsock.so: loaded into QEMU by LD_PRELOAD, it answers the vhost ioctls of one descriptor
 * (-device vhost-vsock-device,vhostfd=N, any file) from user space, and passes all others on.
 * VMDECK_VSOCK="fd=N path=PATH" says which descriptor, and where to bind the hybrid socket; without
 * the variable the library does nothing. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "backend/base/util.h"
#include "backend/vsock/device.h"

/* Global, as ioctl(2) has no other place to find it. Written once, before main. */
static struct {
	int fd;
	struct device *dev;
} preload = {.fd = -1};

int ioctl(int fd, unsigned long request, ...) __attribute__((visibility("default")));

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

/* "fd=N path=PATH"; the path is the rest. */
static int parse(const char *s, const char **ret_path)
{
	char *end;
	long fd;

	if (strncmp(s, "fd=", 3) != 0)
		return -1;
	errno = 0;
	fd = strtol(s + 3, &end, 10);
	if (errno || end == s + 3 || fd < 0 || fd > INT32_MAX || strncmp(end, " path=", 6) != 0)
		return -1;
	*ret_path = end + 6;
	return (int)fd;
}

__attribute__((constructor)) static void preload_init(void)
{
	const char *env = getenv("VMDECK_VSOCK"), *path;
	autofree char *copy = env ? strdup(env) : NULL;
	char why[512];
	int fd;

	if (!env)
		return;
	if (!copy)
		die("out of memory");
	/* Not for the processes that QEMU starts. */
	unsetenv("LD_PRELOAD");
	unsetenv("VMDECK_VSOCK");
	fd = parse(copy, &path);
	if (fd < 0) {
		snprintf(why, sizeof(why), "VMDECK_VSOCK is '%.300s', but must be 'fd=N path=PATH'",
			copy);
		die(why);
	}
	if (fcntl(fd, F_GETFD) < 0) {
		snprintf(why, sizeof(why), "descriptor %d of VMDECK_VSOCK is not open", fd);
		die(why);
	}
	if (device_new(&preload.dev, path, why, sizeof(why)) < 0)
		die(why);
	preload.fd = fd;
}
