/* Guest memory as the device sees it: a table of regions. The rings come as addresses of the VMM's
 * user space, buffers as guest-physical ones; nothing outside a region is ever touched. */
#ifndef VMDECK_VSOCK_MEM_H
#define VMDECK_VSOCK_MEM_H

#include <stdint.h>
#include <sys/uio.h>

#define MEM_REGIONS_MAX 64   /* the kernel's vhost default; QEMU asks for at most so many */
#define MEM_PAGE        4096 /* page of the dirty log (VHOST_PAGE_SIZE) */

struct mem_region {
	uint64_t gpa;  /* guest-physical address */
	uint64_t user; /* the same memory in the VMM's address space */
	uint64_t size;
	uint8_t *host; /* the same memory in ours */
};

struct mem {
	unsigned n;
	struct mem_region regions[MEM_REGIONS_MAX];
	uint64_t *log; /* dirty bitmap of the VMM, a bit a page from address 0, or NULL; borrowed */
};

/* Replaces the table. -E2BIG: more than MEM_REGIONS_MAX; -EINVAL: an empty region, one that passes
 * the end of the address space, or two that overlap. The old table stays then. */
int mem_set(struct mem *m, const struct mem_region *regions, unsigned n);

/* A user address range, whole in one region, as a pointer of ours; NULL otherwise. */
void *mem_user(const struct mem *m, uint64_t addr, uint64_t len);

/* A guest-physical range as a pointer of ours when it is whole in one region; NULL otherwise. */
void *mem_gpa(const struct mem *m, uint64_t gpa, uint64_t len);

/* A guest-physical range as segments (more than one where it crosses from a region into the next
 * one). Returns their number; -EFAULT: a part of it is in no region; -E2BIG: more than max. */
int mem_iov(const struct mem *m, uint64_t gpa, uint64_t len, struct iovec *iov, unsigned max);

/* Notes that [p, p + len) (memory of the table) was written; free of cost without a log. */
void mem_mark(const struct mem *m, const void *p, uint64_t len);

#endif
