#include "backend/vmm/guest_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define REGIONS_MAX  1024          /* of one PAGEMAP_SCAN */
#define WORDS_MAX    8192          /* pagemap words of one read: 32 MiB of guest memory */
#define COPY_MAX     (256u * 1024) /* bytes copied at once: they stay in the processor's cache */
#define IOV_PER_COPY 64

/* linux/fs.h of 6.7, which the oldest supported system's headers do not have. */
struct region {
	uint64_t start, end, categories;
};
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN         _IOWR('f', 16, struct scan)
#define SCAN_FILE    (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)

/* Documentation/admin-guide/mm/pagemap.rst */
#define BIT_FILE    (UINT64_C(1) << 61)
#define BIT_SWAPPED (UINT64_C(1) << 62)
#define BIT_PRESENT (UINT64_C(1) << 63)

/* ---- which pages ---------------------------------------------------------------------------- */

/* Appends in ascending order; neighbours become one run. */
static int add_run(struct frozen *f, uint64_t offset, uint64_t len, size_t *cap, struct err *e)
{
	struct frozen_run *last = f->run_count ? &f->runs[f->run_count - 1] : NULL, *runs;

	if (last && last->offset + last->len == offset) {
		last->len += len;
		return 0;
	}
	if (!f->runs || f->run_count == *cap) {
		*cap = *cap ? *cap * 2 : 256;
		runs = realloc(f->runs, *cap * sizeof(*runs));
		if (!runs)
			return err_set(e, ENOMEM, "no memory for the list of changed pages");
		f->runs = runs;
	}
	f->runs[f->run_count++] = (struct frozen_run){offset, len};
	return 0;
}

static int open_pagemap(pid_t pid, struct err *e)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "cannot open '%s'", path) : fd;
}

static void forget_runs(struct frozen *f)
{
	free(f->runs);
	f->runs = NULL;
	f->run_count = 0;
}

int guest_pages_find_ioctl(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e)
{
	autofree struct region *regions = xcalloc(REGIONS_MAX, sizeof(*regions));
	autofd int fd = open_pagemap(pid, e);
	struct scan scan = {.size = sizeof(scan),
		.start = ram->start,
		.end = ram->start + ram->size,
		.vec = (uintptr_t)regions,
		.vec_len = REGIONS_MAX,
		.category_inverted = SCAN_FILE,
		.category_mask = SCAN_FILE,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_FILE};
	size_t cap = 0;
	int n, r = 0;

	if (fd < 0)
		return fd;
	forget_runs(f);
	while (scan.start < scan.end && r == 0) {
		n = ioctl(fd, SCAN, &scan);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "cannot scan the pages of process %d", (int)pid);
		for (int i = 0; i < n && r == 0; i++)
			r = add_run(f, regions[i].start - ram->start,
				regions[i].end - regions[i].start, &cap, e);
		scan.start = scan.walk_end;
	}
	return r;
}

int guest_pages_find_bits(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e)
{
	autofree uint64_t *words = xcalloc(WORDS_MAX, sizeof(*words));
	autofd int fd = open_pagemap(pid, e);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at = 0;
	size_t cap = 0;
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return fd;
	forget_runs(f);
	while (at < ram->size) {
		n = pread(fd, words,
			sizeof(*words) * min_of((ram->size - at) / page, (uint64_t)WORDS_MAX),
			(off_t)((ram->start + at) / page * sizeof(*words)));
		if (n < (ssize_t)sizeof(*words))
			return n < 0 ? err_errno(e, "cannot read the pages of process %d", (int)pid)
				     : err_set(e, ESRCH, "process %d has ended", (int)pid);
		for (size_t i = 0; i < (size_t)n / sizeof(*words) && r == 0; i++, at += page)
			if ((words[i] & (BIT_PRESENT | BIT_SWAPPED)) && !(words[i] & BIT_FILE))
				r = add_run(f, at, page, &cap, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int guest_pages_find(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e)
{
	int r = guest_pages_find_ioctl(pid, ram, f, e);

	return r == -ENOTTY ? guest_pages_find_bits(pid, ram, f, e) : r;
}

/* ---- copies --------------------------------------------------------------------------------- */

static int make_file(const char *name, int *ret_fd, struct err *e)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "cannot make a file in memory for the guest's pages");
	*ret_fd = fd;
	return 0;
}

static int write_at(int fd, const char *data, size_t n, uint64_t at, struct err *e)
{
	while (n) {
		ssize_t w = pwrite(fd, data, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_errno(e, "cannot copy the guest's pages");
		data += w;
		n -= (size_t)w;
		at += (uint64_t)w;
	}
	return 0;
}

/* A place in the list of runs. */
struct cursor {
	size_t run;
	uint64_t done; /* bytes of it */
};

/* The next pieces of the runs, COPY_MAX bytes together at most; returns how many there are. */
static size_t next_pieces(const struct frozen *f, uint64_t start, struct cursor *c,
	struct iovec pieces[IOV_PER_COPY], size_t *ret_bytes)
{
	size_t n = 0, room = COPY_MAX;

	while (c->run < f->run_count && n < IOV_PER_COPY && room) {
		const struct frozen_run *run = &f->runs[c->run];
		size_t len = min_of(run->len - c->done, (uint64_t)room);

		pieces[n++] =
			(struct iovec){(void *)(uintptr_t)(start + run->offset + c->done), len};
		room -= len;
		c->done += len;
		if (c->done == run->len)
			*c = (struct cursor){.run = c->run + 1};
	}
	*ret_bytes = COPY_MAX - room;
	return n;
}

int guest_pages_copy(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e)
{
	autofree char *chunk = xcalloc(1, COPY_MAX);
	struct iovec pieces[IOV_PER_COPY], local = {.iov_base = chunk};
	struct cursor at = {0};
	uint64_t copied = 0;
	ssize_t got;
	size_t n;
	int r = f->run_count ? make_file("vmdeck-pages", &f->pages_fd, e) : 0;

	while (r == 0 && (n = next_pieces(f, ram->start, &at, pieces, &local.iov_len)) > 0) {
		got = process_vm_readv(pid, &local, 1, pieces, n, 0);
		if (got < 0)
			return err_errno(e, "cannot read the memory of process %d", (int)pid);
		if ((size_t)got != local.iov_len)
			return err_set(
				e, EFAULT, "the memory of process %d was not there", (int)pid);
		r = write_at(f->pages_fd, chunk, local.iov_len, copied, e);
		copied += local.iov_len;
	}
	return r;
}

int guest_pages_copy_file(int fd, uint64_t size, struct frozen *f, struct err *e)
{
	char *from = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	off_t data = 0, hole;
	int r;

	if (from == MAP_FAILED)
		return err_errno(e, "cannot map the guest's memory file");
	r = make_file("vmdeck-memory", &f->base_fd, e);
	if (r == 0 && ftruncate(f->base_fd, (off_t)size) < 0)
		r = err_errno(e, "cannot size a copy of the guest's memory");
	while (r == 0 && (data = lseek(fd, data, SEEK_DATA)) >= 0 && (uint64_t)data < size) {
		hole = lseek(fd, data, SEEK_HOLE);
		hole = hole < 0 || (uint64_t)hole > size ? (off_t)size : hole;
		r = write_at(f->base_fd, from + data, (size_t)(hole - data), (uint64_t)data, e);
		data = hole;
	}
	if (r == 0 && data < 0 && errno != ENXIO)
		r = err_errno(e, "cannot look for data in the guest's memory file");
	munmap(from, size);
	return r;
}
