/* Guest memory as a driver froze it for a snapshot: a file whose content changes no more, and the
 * pages that differ from it. Reading it needs no running VM, and disturbs none. */
#ifndef VMDECK_BASE_FROZEN_H
#define VMDECK_BASE_FROZEN_H

#include <stdint.h>
#include <stdlib.h>

#include "backend/base/util.h"

struct frozen_run {
	uint64_t offset; /* in guest memory, bytes; ascending, multiples of the page size */
	uint64_t len;
};

struct frozen {
	uint64_t size;           /* of guest memory, bytes */
	int base_fd;             /* size bytes, sparse; -1: not filled */
	int pages_fd;            /* the runs' bytes one behind the other; -1: there are none */
	struct frozen_run *runs; /* owned */
	size_t run_count;
};

#define FROZEN_NONE                                                                                \
	{                                                                                          \
		.base_fd = -1, .pages_fd = -1                                                      \
	}

/* NONE and ended ones are fine. */
static inline void frozen_fini(struct frozen *f)
{
	close_fd(&f->base_fd);
	close_fd(&f->pages_fd);
	free(f->runs);
	*f = (struct frozen)FROZEN_NONE;
}

#endif
