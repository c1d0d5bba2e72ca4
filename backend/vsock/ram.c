/* Which mappings are the guest's RAM, and the change from shared to private. */
#include "backend/vsock/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "backend/base/util.h"

static const char *const state_names[] = {
	[RAM_NONE] = "none",
	[RAM_SHARED] = "shared",
	[RAM_PRIVATE] = "private",
};
_Static_assert(countof(state_names) == RAM__STATES, "a name for each state");

/* Not mmap(): that is what the preload layer puts before this. */
static void *map(const struct ram_call *c, int flags)
{
	/* The kernel's word for an address: it is none of ours to keep. */
	return (void *)syscall(SYS_mmap, c->addr, c->len, c->prot, flags, c->fd, c->offset);
}

int ram_init(struct ram *r, int fd, bool privately, char *why, size_t why_n)
{
	struct stat st;
	int e;

	*r = (struct ram){.fd = -1, .privately = privately};
	pthread_mutex_init(&r->lock, NULL);
	if (fstat(fd, &st) < 0) {
		e = errno;
		snprintf(why, why_n, "guest memory on descriptor %d: %s", fd, strerror(e));
		return -e;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, why_n, "guest memory on descriptor %d is not a regular file", fd);
		return -EINVAL;
	}
	r->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (r->fd < 0) {
		e = errno;
		snprintf(why, why_n, "guest memory on descriptor %d: cannot be kept: %s", fd,
			strerror(e));
		return -e;
	}
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	return 0;
}

void ram_fini(struct ram *r)
{
	if (!r)
		return;
	cleanup_fd(&r->fd);
	pthread_mutex_destroy(&r->lock);
}

static bool is_shared(int flags)
{
	int type = flags & MAP_TYPE;

	return type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
}

bool ram_concerns(const struct ram *r, const struct ram_call *c)
{
	struct stat st;

	/* The device's and inode's numbers, as QEMU opens the file anew through /proc. */
	return c->fd >= 0 && !(c->flags & MAP_ANONYMOUS) && is_shared(c->flags) &&
	       fstat(c->fd, &st) == 0 && st.st_dev == r->dev && st.st_ino == r->ino;
}

int ram_flags(const struct ram *r, int flags)
{
	return r->privately && is_shared(flags) ? (flags & ~MAP_TYPE) | MAP_PRIVATE : flags;
}

/* [a, a + n) and [b, b + k) share a byte; neither passes the end. */
static bool overlap(uint64_t a, uint64_t n, uint64_t b, uint64_t k)
{
	return a < b ? b - a < n : a - b < k;
}

int ram_note(struct ram *r, const struct ram_call *c, void *addr)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct ram_map *m = &r->maps[i];

		if (overlap((uint64_t)c->offset, c->len, (uint64_t)m->offset, m->len) ||
			overlap((uintptr_t)addr, c->len, (uintptr_t)m->addr, m->len))
			return -EEXIST;
	}
	if (r->n == RAM_MAPS_MAX)
		return -EMFILE;
	r->maps[r->n++] = (struct ram_map){addr, c->len, c->prot, c->offset, r->privately};
	return 0;
}

int ram_mmap(struct ram *r, const struct ram_call *c, void **ret, char *why, size_t why_n)
{
	int n = 0;

	if (!ram_concerns(r, c)) {
		*ret = map(c, c->flags);
		return 0;
	}
	pthread_mutex_lock(&r->lock);
	*ret = map(c, ram_flags(r, c->flags));
	if (*ret != MAP_FAILED)
		n = ram_note(r, c, *ret);
	pthread_mutex_unlock(&r->lock);
	if (n == -EMFILE)
		snprintf(why, why_n, "guest memory is mapped in more than %d places", RAM_MAPS_MAX);
	else if (n < 0)
		snprintf(why, why_n,
			"%zu bytes of guest memory from offset %lld are mapped a second time",
			c->len, (long long)c->offset);
	return n;
}

static int make_private(const struct ram *r, struct ram_map *m, char *why, size_t why_n)
{
	const struct ram_call c = {m->addr, m->len, m->prot, 0, r->fd, m->offset};
	int e;

	if (m->is_private)
		return 0;
	/* One call: a thread of the VMM that touches the memory meanwhile waits in the kernel,
	 * there is no moment without a mapping. */
	if (map(&c, MAP_PRIVATE | MAP_FIXED) == MAP_FAILED) {
		e = errno;
		snprintf(why, why_n, "%zu bytes of guest memory cannot be made private: %s", m->len,
			strerror(e));
		/* Kernels before 6.12 take the old mapping away before they find that there is no
		 * memory for the new one. */
		if (map(&c, MAP_SHARED | MAP_FIXED) == MAP_FAILED)
			abort();
		return -e;
	}
	m->is_private = true;
	/* As QEMU has set it for all guest memory. Its other two advices mean nothing for a file's
	 * private pages (HUGEPAGE), or are not wanted (MERGEABLE: KSM). */
	(void)madvise(m->addr, m->len, MADV_DONTFORK);
	return 0;
}

int ram_make_private(struct ram *r, char *why, size_t why_n)
{
	int n = 0;

	pthread_mutex_lock(&r->lock);
	if (r->n == 0) {
		snprintf(why, why_n, "no guest memory is mapped");
		n = -ENXIO;
	}
	for (unsigned i = 0; i < r->n && n == 0; i++)
		n = make_private(r, &r->maps[i], why, why_n);
	r->privately |= n == 0;
	pthread_mutex_unlock(&r->lock);
	return n;
}

enum ram_state ram_state(struct ram *r)
{
	enum ram_state s = RAM_NONE;

	pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < r->n && s != RAM_SHARED; i++)
		s = r->maps[i].is_private ? RAM_PRIVATE : RAM_SHARED;
	pthread_mutex_unlock(&r->lock);
	return s;
}

const char *ram_state_name(enum ram_state s)
{
	return state_names[s];
}
