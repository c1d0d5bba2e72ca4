/* A ring in a file without a name, or in memory. No fsync: it ends with this process. */
#include "tui/console/scroll_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/util.h"
#include "tui/console/scroll_store.h"

#define WORTH_KEEPING SCROLL_MEMORY /* a smaller file is no better than memory */

void scroll_file_init(struct scroll_file *f, uint64_t size)
{
	*f = (struct scroll_file){.fd = -1, .size = size};
}

void scroll_file_fini(struct scroll_file *f)
{
	close_fd(&f->fd);
	free(f->memory);
	f->memory = NULL;
}

static int open_in(const char *dir)
{
	char name[4200];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	/* A file system that can't: a name for a moment. */
	if ((size_t)snprintf(name, sizeof(name), "%s/vmdeck-XXXXXX", dir) >= sizeof(name))
		return -1;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

static int open_file(void)
{
	const char *run = getenv("XDG_RUNTIME_DIR"), *tmp = getenv("TMPDIR");
	char own[4100] = "";
	const char *dirs[] = {own, tmp, "/var/tmp", "/tmp"};
	int fd = -1;

	if (run && *run == '/' &&
		(size_t)snprintf(own, sizeof(own), "%s/vmdeck", run) < sizeof(own))
		(void)mkdir(own, 0700);
	for (size_t i = 0; i < countof(dirs) && fd < 0; i++)
		if (dirs[i] && *dirs[i] == '/')
			fd = open_in(dirs[i]);
	return fd;
}

static bool write_at(int fd, uint64_t at, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		ssize_t r = pwrite(fd, bytes, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			errno = r == 0 ? ENOSPC : errno;
			return false;
		}
		bytes += r;
		at += (uint64_t)r;
		n -= (size_t)r;
	}
	return true;
}

static bool read_at(int fd, uint64_t at, uint8_t *bytes, size_t n)
{
	while (n > 0) {
		ssize_t r = pread(fd, bytes, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		bytes += r;
		at += (uint64_t)r;
		n -= (size_t)r;
	}
	return true;
}

/* Both parts of a range that may go over the ring's end. */
static bool ring_do(const struct scroll_file *f, uint64_t at, uint8_t *bytes, size_t n, bool write)
{
	while (n > 0) {
		uint64_t place = at % f->size;
		size_t part = (size_t)min_of((uint64_t)n, f->size - place);

		if (f->memory && write)
			memcpy(f->memory + place, bytes, part);
		else if (f->memory)
			memcpy(bytes, f->memory + place, part);
		else if (!(write ? write_at(f->fd, place, bytes, part)
				 : read_at(f->fd, place, bytes, part)))
			return false;
		at += part;
		bytes += part;
		n -= part;
	}
	return true;
}

static void to_memory(struct scroll_file *f, int why, bool had)
{
	snprintf(f->trouble, sizeof(f->trouble),
		had ? "older lines of this pane are lost: its file: %s; new ones are kept in memory"
		    : "no temporary file for older lines (%s): %u KiB of a pane are kept in memory",
		strerror(why), SCROLL_MEMORY / 1024);
	close_fd(&f->fd);
	f->size = SCROLL_MEMORY;
	f->memory = xcalloc(1, SCROLL_MEMORY);
}

bool scroll_file_write(struct scroll_file *f, uint64_t at, const void *bytes, size_t n)
{
	/* Only read when it is written. */
	uint8_t *from = (uint8_t *)(uintptr_t)bytes;

	if (!f->opened) {
		f->opened = true;
		f->fd = open_file();
		if (f->fd < 0)
			to_memory(f, errno, false);
	}
	if (ring_do(f, at, from, n, true))
		return true;
	/* Full before it went round once: what it has is the ring from now on, and the places in
	 * it stay what they are. */
	if (at < f->size && at >= WORTH_KEEPING) {
		f->size = at;
		snprintf(f->trouble, sizeof(f->trouble),
			"the disk is full (%s): %llu KiB of this pane's older lines are kept",
			strerror(errno), (unsigned long long)at / 1024);
		if (ring_do(f, at, from, n, true))
			return true;
	}
	to_memory(f, errno, true);
	(void)ring_do(f, at, from, n, true);
	return false;
}

bool scroll_file_read(const struct scroll_file *f, uint64_t at, void *bytes, size_t n)
{
	return (f->fd >= 0 || f->memory) && ring_do(f, at, bytes, n, false);
}
