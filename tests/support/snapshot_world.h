/* A home with snapshots made by the real store from memory and disks that a seed decides. */
#ifndef VMDECK_TESTS_SNAPSHOT_WORLD_H
#define VMDECK_TESTS_SNAPSHOT_WORLD_H

#include "backend/snapshot/snapshot.h"

#define WORLD_STATE_BYTES 120000

struct snap_world {
	char dir[64];
	struct paths paths;
};

void snap_world_init(struct snap_world *w);
/* Removes everything below; accepts a zeroed one. */
void snap_world_fini(struct snap_world *w);
/* "<home>/<rest>", malloc'd. */
char *snap_path(const struct snap_world *w, const char *rest);
/* Names in home/<folder>, "." and ".." not counted; 0 when there is none. mark: only those that
 * hold it; NULL: all. */
int snap_count(const struct snap_world *w, const char *folder, const char *mark);

/* Small generator: the same numbers from the same seed. */
struct rng {
	uint64_t x;
};
uint64_t rng_next(struct rng *r);
void rng_fill(struct rng *r, void *p, size_t n);

/* Frozen memory of mib MiB: a memfd with `pages` random pages at random places, of which some hold
 * zeros; `over` further ones as runs. image (may be NULL; mib MiB) gets what the guest would see.
 */
void snap_frozen(struct frozen *f, uint32_t mib, unsigned pages, unsigned over, uint64_t seed,
	uint8_t *image);

struct snap_spec {
	const char *name;
	uint64_t seed; /* of its content */
	uint64_t mark; /* kept as pause_us, to be told by; 0: the seed */
	uint32_t mib;
	const struct snapshot_disk_source *disk; /* NULL: none */
	bool durable, replace;
};
/* Fills what a VM would: begin, state, disk, memory. 0, or what failed first (all abandoned). */
int snap_draft(struct snap_world *w, struct snapshot_draft *d, const struct snap_spec *spec,
	struct err *e);
/* The whole way to a published snapshot. */
int snap_make(struct snap_world *w, const struct snap_spec *spec, struct err *e);

/* A host that fits every snapshot made here. */
extern const struct snapshot_host snap_host;

/* load, check, verify: 0 when all pass; else what the first says. */
int snap_good(const struct snap_world *w, const char *name, struct err *e);

/* Changes one byte of a file. */
void snap_flip(const char *path, uint64_t offset, uint8_t mask);
/* Whole small file, malloc'd. */
uint8_t *snap_slurp(const char *path, size_t *ret_len);

/* Makes a folder the only user of a btrfs of its own: a child's mount namespace, a loop device that
 * the kernel frees with the mount. false: not allowed here, or no mkfs.btrfs. */
bool snap_mount_btrfs(const struct snap_world *w, const char *dir);
/* A tmpfs of `options` over dir, in a mount namespace of its own. */
bool snap_mount_tmpfs(const char *dir, const char *options);

/* Runs fn in a child: its result, 0..250; 77 by custom: not allowed here. */
int snap_child(int (*fn)(struct snap_world *w), struct snap_world *w);

/* For children: the line of what went wrong as exit code. */
#define SNAP_CHECK(x)                                                                              \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

#endif
