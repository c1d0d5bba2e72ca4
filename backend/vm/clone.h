/* Several new VMs at once from a VM or a snapshot. */
#ifndef VMDECK_VM_CLONE_H
#define VMDECK_VM_CLONE_H

#include "backend/vm/vm.h"

#define CLONES_MAX 256 /* of one request */

struct clone_result {
	char name[64];
	char id[VM_ID_CHARS + 1]; /* "" when it failed */
	struct err why;
};

/* n results, in the order of the names; valid during the call. snapshot: what they were made from.
 * r < 0: there was no snapshot to clone from, and no result. */
typedef void clone_done(void *user, const char *snapshot, const struct clone_result *results, int n,
	int r, const struct err *e);

/* from: a VM (by way of a temporary snapshot that goes with its last clone) or a snapshot. prefix
 * NULL: the name of what is cloned; names are PREFIX-1 and so on, those in use left out. done is
 * called once, perhaps before this returns 0; not after an error. */
int vm_clone(struct vm_host *h, const char *from, const char *prefix, int count,
	const struct net_wish *network, clone_done *done, void *user, struct err *e);

#endif
