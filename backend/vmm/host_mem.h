/* Memory of this host. */
#ifndef VMDECK_VMM_HOST_MEM_H
#define VMDECK_VMM_HOST_MEM_H

#include "backend/base/err.h"

/* Bytes that programs can still get: MemAvailable and SwapFree of /proc/meminfo. */
int host_mem_available(uint64_t *ret, struct err *e);

#endif
