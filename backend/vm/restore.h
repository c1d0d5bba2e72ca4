/* Restores, between the files of this folder. */
#ifndef VMDECK_VM_RESTORE_H
#define VMDECK_VM_RESTORE_H

#include "backend/vm/vm.h"

#define RESTORE_LOADED                                                                             \
	6 /* index of the step behind which the state is loaded: what the pool does */

/* A VM of the snapshot's making with paths, not begun; takes s' insides. */
int restore_new(
	struct vm_host *h, struct snapshot *s, const char *name, struct vm **ret, struct err *e);
/* Whether the snapshot fits this host now (snapshot_check). */
int restore_check(struct vm *vm, bool *ret_verify, struct err *e);

/* Steps that the pool's flow shares. */
enum flow_verdict restore_check_step(struct flow *f);
enum flow_verdict restore_check_event(struct flow *f, int ev, void *data);
void restore_check_undo(struct flow *f);
enum flow_verdict restore_api_step(struct flow *f);
enum flow_verdict restore_load_step(struct flow *f);

#endif
