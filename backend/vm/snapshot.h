/* Taking snapshots, and removing them. */
#ifndef VMDECK_VM_SNAPSHOT_H
#define VMDECK_VM_SNAPSHOT_H

#include "backend/vm/vm.h"

struct snap;

/* r: 0 with the name of the snapshot that is on disk now. */
typedef void snap_done(void *user, const char *name, int r, const struct err *e);

struct snap_request {
	const char *name;
	bool replace;   /* a snapshot of that name goes, when no VM uses it */
	bool temporary; /* for clones of a VM: not synced to disk, goes with its last clone */
};

/* Takes a snapshot of a running or paused VM; the VM goes on as it was. done is called once,
 * perhaps before this returns 0; not after an error. */
int snap_take(
	struct vm *vm, const struct snap_request *req, snap_done *done, void *user, struct err *e);
/* Whether the snapshot has the VM still (from draft to thaw): other operations wait or are refused
 * with the sentence. */
bool snap_holds(const struct vm *vm, struct err *e);
/* The VM's monitor answered this daemon: a snapshot that waited for it begins. */
void snap_adopted(struct vm *vm);
/* Whether the VM stands still for its snapshot only: what can wait so long need not be refused. */
bool snap_pauses(const struct vm *vm);
/* What the VM's parts tell. */
void snap_vmm_gone(struct vm *vm, const char *detail);
/* The VM leaves the registry; its snapshot is finished without it when its memory was frozen. */
void snap_forget_vm(struct vm *vm);
/* The daemon ends: what is not on disk is undone; the next one lets the VMs go on. */
void snaps_close(struct vm_host *h);

/* Progress as in a VM's json: {vm, name, step{...}, done, total}; the caller's. */
struct json_object *snap_to_json(const struct snap *s);
const struct snap *snap_next(const struct vm_host *h, const struct snap *after);
const char *snap_name(const struct snap *s);

/* The first live VM (not of the pool) that maps this snapshot, after `after` (NULL: from the
 * start); NULL: none. */
const struct vm *snap_user(
	const struct vm_host *h, const uint8_t id[SNAPSHOT_ID], const struct vm *after);
/* -EBUSY with the names of the VMs that map it. */
int snap_check_unused(
	const struct vm_host *h, const char *name, const uint8_t id[SNAPSHOT_ID], struct err *e);
/* -EBUSY while a snapshot of this name is being made: what is mapped now would be replaced. */
int snap_check_at_rest(const struct vm_host *h, const char *name, struct err *e);
/* Removes it when no live VM maps it; ends its pool. */
int snap_remove(struct vm_host *h, const char *name, struct err *e);
/* A VM that mapped a temporary snapshot has ended: the last one takes it along. */
void snap_drop_temporary(struct vm_host *h, const char *name, const uint8_t id[SNAPSHOT_ID]);
/* The same by name: it was made for clones, and none came to life. */
void snap_drop_if_temporary(struct vm_host *h, const char *name);
/* What an earlier daemon left: unfinished ones (their VMs are marked to go on), unused temporary
 * ones. Before VMs are adopted: marks is called; after: sweep. */
void snap_sweep(struct vm_host *h);

#endif
