/* What boot, restore and the pool share on a VM's way to life: folders and listeners, the VMM, the
 * steps as events and trail, the one end. */
#ifndef VMDECK_VM_BIRTH_H
#define VMDECK_VM_BIRTH_H

#include "backend/vm/vm.h"

/* Identity, trail, waiter and state of a VM that has its spec and paths: STARTING from now on. */
void birth_begin(struct vm *vm, vm_done *done, void *user);
/* Runs steps from the first on; the VM becomes RUNNING at their end, or is gone with all it made.
 */
void birth_run(struct vm *vm, const char *name, const struct flow_step *steps, int count, int at);

/* Step: folders, serial log, listeners, disks, vm.json. */
enum flow_verdict birth_reserve(struct flow *f);
void birth_unreserve(struct flow *f);
/* Step: starts the VMM; waits for VM_FE_VMM_DONE when the step has a limit, else the next one does.
 */
enum flow_verdict birth_spawn(struct flow *f);
void birth_kill(struct flow *f);
/* Waits for VM_FE_VMM_DONE. */
enum flow_verdict birth_vmm_event(struct flow *f, int ev, void *data);
/* The same for an operation behind the start: one that failed because the VMM is gone waits for
 * VM_FE_EXIT, which comes with the reason; until it said so, the VMM must not be freed. */
enum flow_verdict birth_op_event(struct flow *f, int ev, void *data);
/* As vmm_done, for an operation of a step. */
void birth_vmm_done(struct vmm *v, int r, const struct err *e);
/* The VMM ended under way. */
enum flow_verdict birth_ended(struct flow *f, const char *detail);
/* Before the log goes with the folder: the last line a failed guest wrote on its console. */
void birth_last_words(struct vm *vm);

/* Event flow.step of any flow, for the log. */
struct json_object *flow_step_json(const struct flow *f);
/* A row for the timings: t's strings but result and phases, which come from the trail. */
void birth_timing(struct vm *vm, const char *result, const struct err *why);

#endif
