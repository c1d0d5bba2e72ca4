#include "backend/vmm/host_mem.h"

#include <errno.h>

int host_mem_available(uint64_t *ret, struct err *e)
{
	autofile FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib, sum = 0;
	char line[128];
	int found = 0;

	if (!f)
		return err_errno(e, "cannot read '/proc/meminfo'");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1 ||
			sscanf(line, "SwapFree: %llu", &kib) == 1) {
			sum += kib;
			found++;
		}
	if (!found)
		return err_set(e, ENODATA, "'/proc/meminfo' does not tell what is available");
	*ret = sum * 1024;
	return 0;
}
