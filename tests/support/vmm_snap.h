/* Snapshots of the VMs of qemu_vm.h and clones made of them, as files in a temporary folder. */
#ifndef VMDECK_TESTS_VMM_SNAP_H
#define VMDECK_TESTS_VMM_SNAP_H

#include "tests/support/qemu_vm.h"

struct snap {
	char dir[64], state[96], memory[96];
	struct vmm_incoming incoming;
	struct frozen frozen; /* as save filled it */
	double save_ms;       /* from the call to done */
	char sum[65];         /* SHA-256 of memory when it was written */
};

/* Makes the folder; forget removes it. */
void snap_init(struct snap *s);
void snap_forget(struct snap *s);

/* One operation to its end; fails the test when it fails. Returns ms. */
double snap_load(struct qemu_vm *vm);
double snap_pause(struct qemu_vm *vm);
double snap_resume(struct qemu_vm *vm);
/* The VM is paused: its state to s->state, its memory into s->frozen. */
void snap_save(struct snap *s, struct qemu_vm *vm);
/* s->frozen as a whole file. */
void snap_write(struct snap *s);
/* Pause, save, resume, write. */
void snap_take(struct snap *s, struct qemu_vm *vm);
/* The memory file is what it was when it was written. */
void snap_is_untouched(const struct snap *s);

/* A vmm in folders of its own, configured as the source, that waits to be started from s. */
void snap_clone_setup(struct snap *s, struct qemu_vm *clone, const struct vmm_config *source);
/* The same, started and loaded; paused. Returns ms of the start. */
double snap_clone(struct snap *s, struct qemu_vm *clone, const struct vmm_config *source);

#endif
