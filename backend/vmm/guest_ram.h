/* How a VMM process maps the file that is its guest's memory, as the kernel tells it. Nothing here
 * trusts the process: what it says of itself is not asked. The pid must be known to be alive after
 * the call too (its pidfd), else it may have been another process. */
#ifndef VMDECK_VMM_GUEST_RAM_H
#define VMDECK_VMM_GUEST_RAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "backend/base/err.h"

struct guest_ram {
	uint64_t start; /* address in the process */
	uint64_t size;
	bool shared; /* the process can change the file */
};

/* Opens the file behind the process' descriptor number nr, for reading. */
int guest_ram_open(pid_t pid, int nr, int *ret_fd, struct err *e);

/* Finds the mapping of all `size` bytes of fd's file. shared when there is any writable shared
 * mapping of it, whatever its size. -ENOENT: not mapped as a whole. */
int guest_ram_find(pid_t pid, int fd, uint64_t size, struct guest_ram *ret, struct err *e);

#endif
