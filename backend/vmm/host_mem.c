#include "backend/vmm/host_mem.h"

#include <errno.h>
#include <stdbool.h>

static bool read_line(const char *line, struct host_mem *m)
{
	unsigned long long kib;

	if (sscanf(line, "MemTotal: %llu", &kib) == 1 || sscanf(line, "SwapTotal: %llu", &kib) == 1)
		m->total += kib * 1024;
	else if (sscanf(line, "MemAvailable: %llu", &kib) == 1 ||
		 sscanf(line, "SwapFree: %llu", &kib) == 1)
		m->available += kib * 1024;
	else
		return false;
	return true;
}

int host_mem_read(struct host_mem *ret, struct err *e)
{
	autofile FILE *f = fopen("/proc/meminfo", "re");
	struct host_mem m = {0};
	char line[128];
	int found = 0;

	if (!f)
		return err_errno(e, "cannot read '/proc/meminfo'");
	while (fgets(line, sizeof(line), f))
		found += read_line(line, &m);
	if (!m.total || found < 2)
		return err_set(e, ENODATA, "'/proc/meminfo' does not tell what is available");
	*ret = m;
	return 0;
}
