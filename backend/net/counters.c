/* Traffic of a VM, from its namespace as its VMM's /proc shows it: no namespace is entered. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/net/net.h"

#define DEV_MAX (64u << 10)

/* The tap's view is the guest's the other way round. proc(5) /proc/net/dev: rx bytes packets errs
 * drop fifo frame compressed multicast, tx the same first four. */
static int read_line(const char *line, struct net_counters *ret)
{
	uint64_t skip;

	return sscanf(line,
		       "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		       " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		       &ret->tx_bytes, &ret->tx_packets, &skip, &ret->tx_drops, &skip, &skip, &skip,
		       &skip, &ret->rx_bytes, &ret->rx_packets, &skip, &ret->rx_drops) == 12
		       ? 0
		       : -EINVAL;
}

int net_counters_read(int pid, struct net_counters *ret, struct err *e)
{
	autofree char *path = xasprintf("/proc/%d/net/dev", pid);
	autofree char *text = NULL;
	const char *at;
	int r = file_read(path, DEV_MAX, &text, NULL, e);

	*ret = (struct net_counters){0};
	if (r < 0)
		return r;
	at = strstr(text, "tap0:");
	if (!at || read_line(at + strlen("tap0:"), ret) < 0)
		return err_set(e, ENOENT, "the VM's namespace has no tap");
	return 0;
}
