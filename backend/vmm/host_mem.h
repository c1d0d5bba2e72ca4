/* Memory of this host. */
#ifndef VMDECK_VMM_HOST_MEM_H
#define VMDECK_VMM_HOST_MEM_H

#include "backend/base/err.h"

struct host_mem {
	uint64_t total;     /* bytes: MemTotal and SwapTotal of /proc/meminfo */
	uint64_t available; /* what programs can still get: MemAvailable and SwapFree */
};

int host_mem_read(struct host_mem *ret, struct err *e);

#endif
