/* Pre-started VMMs: for a snapshot that the operator chose, so many VMs wait loaded and paused, one
 * `cont` away from their first instruction. Off until it is asked for; bounded in number and by the
 * memory that the waiting ones take together. What it holds is no VM of the operator's: not listed,
 * gone with the daemon, gone when the snapshot goes. Made one at a time, behind the restores that
 * somebody waits for. */
#ifndef VMDECK_VM_POOL_H
#define VMDECK_VM_POOL_H

#include "backend/vm/vm.h"

#define POOL_MAX         64  /* waiting VMs of all snapshots */
#define POOL_MAX_MIB     512 /* default for the memory of all that wait */
#define POOL_SNAPSHOTS   32  /* that can have a pool */
#define POOL_RETRY_LIMIT 3   /* failures in a row after which a snapshot's pool is turned off */

struct pool_info {
	int wanted, ready;
	uint64_t idle_bytes; /* PSS of the waiting ones */
	char why[400];       /* it is smaller than wanted: the reason; else "" */
};

/* Reads home/pools.json and begins to fill. */
struct pool *pool_open(struct vm_host *h);
/* Ends those that wait. NULL is fine. */
void pool_close(struct pool *p);
/* count 0: off. max_mib 0: as it is. */
int pool_set(struct pool *p, const struct snapshot *s, int count, uint32_t max_mib, struct err *e);
/* One that waits for this snapshot, in the registry under its new name; NULL: none. */
struct vm *pool_take(struct pool *p, const uint8_t id[SNAPSHOT_ID], const char *name);
/* The snapshot is about to go: its pool is ended and forgotten. */
void pool_drop(struct pool *p, const uint8_t id[SNAPSHOT_ID]);
void pool_info(const struct pool *p, const uint8_t id[SNAPSHOT_ID], struct pool_info *ret);
/* A restore ended: there may be time for the pool. */
void pool_kick(struct pool *p);
/* The VMM of one that waits ended by itself; frees vm. */
void pool_lost(struct vm *vm, const char *detail);

#endif
