/* Private to snapshot.c and snapshot_steps.c: a snapshot under way. */
#ifndef VMDECK_VM_SNAP_H
#define VMDECK_VM_SNAP_H

#include <stdatomic.h>

#include "backend/vm/snapshot.h"

struct snap {
	struct vm_host *host;
	struct snap *next;
	struct vm *vm; /* NULL: it has gone meanwhile */
	char vm_id[VM_ID_CHARS + 1], vm_name[64], name[64], vmm[16];
	bool replace, temporary;
	bool running;  /* the VM's vCPUs ran before: they go on */
	bool paused;   /* by us, not resumed yet */
	bool quiesced; /* asked, not thawed yet */
	bool parted;   /* the memory is frozen and the VM goes on: what follows needs no VM */
	bool replaces; /* there was one of that name, with this id */
	uint8_t replaced_id[SNAPSHOT_ID];
	uint64_t pause_begin_ns, quiesce_begin_ns;
	struct flow flow;
	struct trail trail;
	struct ticket ticket;
	struct task task;
	struct snapshot_draft draft;
	struct frozen memory;
	atomic_ullong done_bytes, total_bytes; /* of the writing, told by the task's thread */
	ev_async moved;
	uint64_t moved_ns;
	snap_done *done;
	void *user;
};

extern const struct flow_step snap_steps[];
extern const int snap_step_count;

void snap_log(struct snap *s, const char *name, struct json_object *fields);
/* Ends the pause; for undo and for a daemon that goes: nobody waits for the answer. */
void snap_wake_vm(struct snap *s);
/* What the manifest says of the VM. */
int snap_describe(struct snap *s, struct err *e);

#endif
