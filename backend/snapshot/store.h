/* What the files of this folder share: names on disk, sentences, progress. */
#ifndef VMDECK_SNAPSHOT_STORE_H
#define VMDECK_SNAPSHOT_STORE_H

#include "backend/snapshot/snapshot.h"

#define STORE_DIR       "snapshots"
#define STORE_TRASH     "trash"
#define STORE_TEMP      ".creating-"
#define STORE_TEMP_TAIL "-XXXXXX"

#define FILE_MANIFEST "manifest.json"
#define FILE_STATE    "state"
#define FILE_MEMORY   "memory"
#define FILE_SUMS     "memory.sum"
#define FILE_SEEN     "memory.seen"
#define FILE_SOURCE   "source.json"

#define STORE_NO_SPACE "free some or set VMDECK_HOME to another filesystem"

/* "<s->dir>/FILE", layer `layer` of disk n, its empty layer: malloc'd. */
char *store_file(const struct snapshot *s, const char *file);
char *store_layer(const char *dir, int n, uint32_t layer);
char *store_fresh(const char *dir, int n);

/* -EBADMSG: "snapshot 'x' is damaged: ...; remove it and take it again". */
int store_damaged(struct err *e, const struct snapshot *s, const char *fmt, ...) printf_like(3, 4);
/* "cannot write 'path': why", with the next step when there is no space. r: -errno; returns it. */
int store_write_failed(struct err *e, int r, const char *path);

/* Opens a regular file of s for reading, which must have exactly `bytes` bytes: the fd, or -EBADMSG
 * with what it is instead. ret_ino, ret_mtime_ns may be NULL. */
int store_open(const struct snapshot *s, const char *file, uint64_t bytes, uint64_t *ret_ino,
	uint64_t *ret_mtime_ns, struct err *e);
/* Inode and modification time of an open file. */
int store_stamp(int fd, uint64_t *ret_ino, uint64_t *ret_mtime_ns);

static inline uint64_t store_memory_size(const struct snapshot *s)
{
	return (uint64_t)s->mem_mib << 20;
}

static inline uint64_t store_sums_size(uint64_t memory)
{
	return (memory + SNAPSHOT_CHUNK - 1) / SNAPSHOT_CHUNK * 32;
}

/* Long work of a task: how far it is, and whether it is still wanted. */
struct meter {
	struct task *task; /* NULL: cannot be cancelled */
	snapshot_progress *fn;
	void *user;
	uint64_t done, total; /* bytes */
};
/* n more bytes are done: 0, -ECANCELED. */
int meter_step(struct meter *m, uint64_t n, struct err *e);

#endif
