/* Disks of VMs: made at boot, given to clones, captured by snapshots. */
#ifndef VMDECK_VM_DISKS_H
#define VMDECK_VM_DISKS_H

#include "backend/vm/vm.h"

/* Step of a boot: makes the disks of spec.disks in the VM's folder; copies images on a thread. */
enum flow_verdict vm_disks_enter(struct flow *f);
enum flow_verdict vm_disks_event(struct flow *f, int ev, void *data);
void vm_disks_undo(struct flow *f);
/* Of a restored VM: its own layers upon the snapshot's. A booted one: nothing. */
int vm_disks_clone(struct vm *vm, struct err *e);
/* In the pause of a snapshot, on a thread: the disks as they are now. */
int vm_disks_capture(const struct vm *vm, struct snapshot_draft *d, struct task *t, struct err *e);
void vm_disks_config(struct vm *vm);                     /* vm->vmm_disks */
struct json_object *vm_disks_json(const struct vm *vm);  /* for clients; the caller's */
struct json_object *vm_disks_store(const struct vm *vm); /* for vm.json; the caller's */
int vm_disks_load(struct vm *vm, struct json_object *a, struct err *e);
void vm_disks_fini(struct vm *vm);
/* Whether each of them could be a disk: a size ("2G") or an absolute path of a file. */
int vm_disks_check(char *const *disks, struct err *e);

#endif
