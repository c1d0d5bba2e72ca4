/* The QEMU driver with a real QEMU, on a kernel of a few bytes (pvh.h), for cmocka tests:
 * everything a VM says is counted, every wait has a deadline that fails the test. */
#ifndef VMDECK_TESTS_QEMU_VM_H
#define VMDECK_TESTS_QEMU_VM_H

#include "backend/vmm/vmm.h"
#include "tests/support/pvh.h"

struct qemu_vm {
	char base[64], dir[96], run[96], vsock[128], kernel[128];
	struct ev_loop *loop;
	struct vmm_config config; /* may be changed before the start */
	struct vmm *v;
	int dones, result; /* calls of done and the last one's r */
	struct err why;
	int events[VMM_EV_EXIT + 1];
	char detail[400]; /* of the last event */
	int spawns, calls;
	bool destroy_in_done;
	bool (*until)(struct qemu_vm *vm);
};

/* Skips the test without QEMU or vmdeck-vsock.so (said on stderr). Finds the latter beside this
 * build's programs, unless VMDECK_LIBEXEC says where. */
void qemu_vm_need(void);

/* Makes folders, kernel, loop and an unstarted vmm; teardown ends it all and reaps. */
void qemu_vm_setup(struct qemu_vm *vm, enum pvh_guest guest);
void qemu_vm_teardown(struct qemu_vm *vm);
/* Another vmm on the same folders, with counts at 0: what a new daemon has. */
void qemu_vm_renew(struct qemu_vm *vm);

int qemu_vm_start(struct qemu_vm *vm);
void qemu_vm_start_well(struct qemu_vm *vm); /* to RUNNING, or fails the test */
void qemu_vm_on_done(struct vmm *v, int r, const struct err *e);

/* Runs the loop until the condition holds. */
void qemu_vm_wait(struct qemu_vm *vm, bool (*until)(struct qemu_vm *vm));
bool qemu_vm_done(struct qemu_vm *vm);
bool qemu_vm_exited(struct qemu_vm *vm);
void qemu_vm_wake(struct qemu_vm *vm); /* asks the condition again */

/* Both folders are empty. */
void qemu_vm_nothing_left(struct qemu_vm *vm);

#endif
