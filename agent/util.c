#include "agent/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__attribute__((format(printf, 2, 0))) static void say(
	const char *prefix, const char *fmt, va_list ap)
{
	char line[512];
	size_t n = (size_t)snprintf(line, sizeof(line) / 2, "vmdeck-agent: %s", prefix);
	size_t room = sizeof(line) - n - 1;
	int r = vsnprintf(line + n, room, fmt, ap);

	if (r > 0)
		n += min_of((size_t)r, room - 1);
	line[n++] = '\n';
	/* A console that takes nothing must not stop the agent: what it refuses is lost. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void say_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void say_step(const char *fmt, ...)
{
	char at[32];
	va_list ap;

	if (!agent_debug)
		return;
	snprintf(at, sizeof(at), "%.3f s: ", (double)boot_ns() / 1e9);
	va_start(ap, fmt);
	say(at, fmt, ap);
	va_end(ap);
}

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

ssize_t file_slurp(const char *path, char *buf, size_t cap)
{
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf + len, cap - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && len < cap - 1);
	n = n < 0 ? -errno : (ssize_t)len;
	buf[len] = 0;
	close(fd);
	return n;
}

int file_replace(const char *path, const char *text)
{
	char tmp[PATH_MAX];
	size_t n = strlen(text);
	int fd, r = 0;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
	if (fd < 0)
		return -errno;
	if (write(fd, text, n) != (ssize_t)n)
		r = errno ? -errno : -EIO;
	close(fd);
	if (!r && rename(tmp, path) < 0)
		r = -errno;
	if (r)
		unlink(tmp);
	return r;
}
