/* Freezes the memory of a paused QEMU's guest, while its device state is being saved. Still shared
 * with its file: the preloaded library makes it private, and the file is the frozen memory, for the
 * price of one system call; where that fails, the file's data is copied. Private already (a clone,
 * a second snapshot): the file has not changed since, and the pages that differ are copied. */
#ifndef VMDECK_VMM_QEMU_FREEZE_H
#define VMDECK_VMM_QEMU_FREEZE_H

#include "backend/base/frozen.h"
#include "backend/base/task.h"
#include "backend/vmm/qemu.h"
#include "backend/vmm/ram_ask.h"

/* Once: 0 and memory is filled, or -errno with e. */
typedef void qemu_freeze_done(void *user, int r, const struct err *e);

struct qemu_freeze {
	struct qemu *q;
	struct frozen memory;
	struct ram_ask ask;
	struct task task;
	uint64_t begin_ns;
	qemu_freeze_done *done;
	void *user;
};

/* f is zeroed. An error here is the end: done is not called. */
int qemu_freeze_start(
	struct qemu_freeze *f, struct qemu *q, qemu_freeze_done *done, void *user, struct err *e);
/* Ends what is under way and frees the memory that was not taken. Zeroed is fine. */
void qemu_freeze_fini(struct qemu_freeze *f);

#endif
