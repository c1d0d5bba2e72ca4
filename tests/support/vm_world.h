/* A registry of VMs in a temporary home, with the driver of vmm_script.h. */
#ifndef VMDECK_TESTS_VM_WORLD_H
#define VMDECK_TESTS_VM_WORLD_H

#include <sys/types.h>

#include "backend/vm/vm.h"
#include "tests/support/looptest.h"
#include "tests/support/vmm_script.h"

extern struct vm_host w_host;

/* cmocka setup and teardown: those of looptest.h, and the registry. */
int w_setup(void **state);
int w_teardown(void **state);
/* The daemon goes, and comes again. */
void w_close(void);
void w_open(void);

/* What a caller was told. */
struct told {
	int times, r;
	bool with_vm;
	char text[420];
	bool remove; /* like rm -f: removes the VM when told */
};
void w_tell(void *user, struct vm *vm, int r, const struct err *e);

/* Begins a boot; its VM is starting and waits for the driver. */
struct vm *w_boot(const char *name, struct told *t);
/* The agent answered. */
void w_ready(struct vm *vm);
struct vm *w_running(const char *name);
struct vm *w_paused(const char *name);

/* Writes the folder of a VM that an earlier daemon left. proc: its VMM, or 0. */
void w_leave(const char *id, const char *vm_json, pid_t proc);
/* vm.json of a VM in this state; valid until the next call. */
const char *w_json(const char *name, const char *state);
/* A process that does nothing, in place of a VMM; ended by w_end_process. */
pid_t w_process(void);
void w_end_process(pid_t pid);

#endif
