/* The region table: look-ups that cannot overflow, and the dirty log of a live migration. */
#include "backend/vsock/mem.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "backend/base/util.h"

/* [a, a + n) and [b, b + k) share a byte; neither range passes the end of the address space. */
static bool overlap(uint64_t a, uint64_t n, uint64_t b, uint64_t k)
{
	return a < b ? b - a < n : a - b < k;
}

static int check_region(const struct mem_region *r, const struct mem_region *before, unsigned n)
{
	if (r->size == 0 || r->gpa > UINT64_MAX - r->size || r->user > UINT64_MAX - r->size)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		if (overlap(r->gpa, r->size, before[i].gpa, before[i].size))
			return -EINVAL;
	return 0;
}

int mem_set(struct mem *m, const struct mem_region *regions, unsigned n)
{
	if (n > MEM_REGIONS_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < n; i++) {
		int r = check_region(&regions[i], regions, i);

		if (r < 0)
			return r;
	}
	memcpy(m->regions, regions, n * sizeof(*regions));
	m->n = n;
	return 0;
}

void *mem_user(const struct mem *m, uint64_t addr, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct mem_region *r = &m->regions[i];

		if (addr >= r->user && addr - r->user < r->size)
			return len <= r->size - (addr - r->user) ? r->host + (addr - r->user)
								 : NULL;
	}
	return NULL;
}

static const struct mem_region *find_gpa(const struct mem *m, uint64_t gpa)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct mem_region *r = &m->regions[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size)
			return r;
	}
	return NULL;
}

void *mem_gpa(const struct mem *m, uint64_t gpa, uint64_t len)
{
	const struct mem_region *r = find_gpa(m, gpa);

	if (!r || len > r->size - (gpa - r->gpa))
		return NULL;
	return r->host + (gpa - r->gpa);
}

int mem_iov(const struct mem *m, uint64_t gpa, uint64_t len, struct iovec *iov, unsigned max)
{
	unsigned n = 0;

	while (len > 0) {
		const struct mem_region *r = find_gpa(m, gpa);
		uint64_t k;

		if (!r)
			return -EFAULT;
		if (n == max)
			return -E2BIG;
		k = min_of(len, r->size - (gpa - r->gpa));
		iov[n++] = (struct iovec){r->host + (gpa - r->gpa), k};
		gpa += k; /* at most the region's end, which is in the address space */
		len -= k;
	}
	return (int)n;
}

static void mark_pages(uint64_t *log, uint64_t gpa, uint64_t len)
{
	for (uint64_t page = gpa / MEM_PAGE; page <= (gpa + len - 1) / MEM_PAGE; page++)
		__atomic_fetch_or(&log[page / 64], UINT64_C(1) << (page % 64), __ATOMIC_RELAXED);
}

void mem_mark(const struct mem *m, const void *p, uint64_t len)
{
	uintptr_t q = (uintptr_t)p;

	if (!m->log || len == 0)
		return;
	for (unsigned i = 0; i < m->n; i++) {
		const struct mem_region *r = &m->regions[i];

		if (q >= (uintptr_t)r->host && q - (uintptr_t)r->host < r->size) {
			mark_pages(m->log, r->gpa + (q - (uintptr_t)r->host), len);
			return;
		}
	}
}
