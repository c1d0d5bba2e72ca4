/* Copies of a stopped guest's memory. Everything here blocks, for milliseconds: for a thread. */
#ifndef VMDECK_VMM_GUEST_PAGES_H
#define VMDECK_VMM_GUEST_PAGES_H

#include "backend/base/frozen.h"
#include "backend/vmm/guest_ram.h"

/* Fills runs and run_count: the pages of a private mapping that the process has written, in memory
 * or swapped out. By PAGEMAP_SCAN (Linux 6.7), else from the bits of /proc/PID/pagemap; `ioctl`
 * and `bits` are the two ways, and -ENOTTY says that the kernel has not the first. */
int guest_pages_find(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e);
int guest_pages_find_ioctl(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e);
int guest_pages_find_bits(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e);

/* Copies the runs into a new file in memory: pages_fd (stays -1 when there are none). */
int guest_pages_copy(pid_t pid, const struct guest_ram *ram, struct frozen *f, struct err *e);

/* Copies what fd holds of `size` bytes, without its holes, into a new file in memory: base_fd. */
int guest_pages_copy_file(int fd, uint64_t size, struct frozen *f, struct err *e);

#endif
