/* The guest's RAM as the VMM has mapped it: one file, known by device and inode, whose shared
 * mappings are noted when they are made and can be made private (copy-on-write) later, in place.
 *
 * A VMM that leaves shared RAM out of its migration stream (QEMU's x-ignore-shared) must be told
 * that it is shared (share=on). Private it must be all the same, so that a snapshot's file, or the
 * file that RAM was at the moment of a snapshot, keeps its content. Only the kernel has to know.
 *
 * Fact (QEMU 7.2, strace): one PROT_NONE reservation, in it one MAP_SHARED|MAP_FIXED of the whole
 * file; then madvise HUGEPAGE, DONTFORK and MERGEABLE; no munmap or mremap up to its end. */
#ifndef VMDECK_VSOCK_RAM_H
#define VMDECK_VSOCK_RAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RAM_MAPS_MAX 4 /* QEMU makes one; more would be a machine of several memory nodes */

enum ram_state { RAM_NONE, RAM_SHARED, RAM_PRIVATE, RAM__STATES };

/* The arguments of one mmap(2). */
struct ram_call {
	void *addr;
	size_t len;
	int prot, flags, fd;
	off_t offset;
};

struct ram_map {
	uint8_t *addr;
	size_t len;
	int prot;
	off_t offset;
	bool is_private; /* by us or from the start: replacing it again would drop what it holds */
};

struct ram {
	pthread_mutex_t lock; /* everything below; QEMU maps from any thread */
	int fd;               /* our own descriptor of the file */
	dev_t dev;
	ino_t ino;
	bool privately; /* mappings to come are made private */
	unsigned n;
	struct ram_map maps[RAM_MAPS_MAX]; /* no two share a byte of the file or of memory */
};

/* fd: the file, stays the caller's. privately: shared mappings are private from the start. -errno
 * with a sentence in why. */
int ram_init(struct ram *r, int fd, bool privately, char *why, size_t why_n);
void ram_fini(struct ram *r);

/* Whether this call would share memory with that file: anything else is none of our business. */
bool ram_concerns(const struct ram *r, const struct ram_call *c);
/* The flags that the call is to be made with. */
int ram_flags(const struct ram *r, int flags);
/* Notes a mapping made at addr. -EMFILE: there are RAM_MAPS_MAX already; -EEXIST: it shares a byte
 * of the file or of memory with one of them (two private views of one byte would drift apart). The
 * caller can only end the process then. */
int ram_note(struct ram *r, const struct ram_call *c, void *addr);

/* mmap(2) with all of the above. -errno with a sentence in why: the mapping was made, but can not
 * be owned. *ret: as mmap(2), errno included. */
int ram_mmap(struct ram *r, const struct ram_call *c, void **ret, char *why, size_t why_n);

/* Replaces every noted mapping that is still shared by a private one of the same file, at the same
 * place, in one system call each; 0 at once when there is none.
 * The caller has stopped those who write, as otherwise it is chance what the file still gets. The
 * guest itself loses nothing in any case: the kernel swaps the mappings under its lock, what was
 * written before is in the file, which the new mapping shows, and what is written after goes to a
 * copy. It takes time by what is mapped in: the kernel drops a page table entry for each page that
 * QEMU has touched (256 MiB with 100 MiB touched: 5 ms; 1 GiB touched whole: 200 ms).
 * -ENXIO: nothing is mapped; others: the mapping that could not be replaced is as it was. Any
 * thread. */
int ram_make_private(struct ram *r, char *why, size_t why_n);

/* RAM_SHARED while one mapping is. */
enum ram_state ram_state(struct ram *r);
/* "none", "shared", "private" */
const char *ram_state_name(enum ram_state s);

#endif
