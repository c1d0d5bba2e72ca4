/* Asks vmdeck-vsock.so, in the VMM, to make the guest's memory private: from then on the file that
 * was the memory keeps its content. One line over the hybrid vsock socket, "MEMORY private", which
 * is answered by "OK private" or a line with the reason. Fact: it takes
 * the time to drop a page table entry for each page that was touched: 5 ms for 100 MiB, 200 ms for
 * 1 GiB (QEMU 7.2, Linux 6.18). */
#ifndef VMDECK_VMM_RAM_ASK_H
#define VMDECK_VMM_RAM_ASK_H

#include <ev.h>

#include "backend/base/err.h"

#define RAM_ASK_LIMIT 2. /* s; normal: 0.001 */

/* Once: 0, or -errno with e. */
typedef void ram_ask_done(void *user, int r, const struct err *e);

struct ram_ask {
	struct ev_loop *loop; /* NULL: idle */
	int fd;
	ev_io readable;
	ev_timer limit;
	char line[300];
	size_t len;
	ram_ask_done *done;
	void *user;
};

int ram_ask_start(struct ram_ask *a, struct ev_loop *loop, const char *vsock_path,
	ram_ask_done *done, void *user, struct err *e);
/* Zeroed and idle are fine. */
void ram_ask_stop(struct ram_ask *a);

#endif
