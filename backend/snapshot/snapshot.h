/* Snapshots on disk. Knows files, no VM and no VMM.
 *
 *   snapshots/NAME/
 *     manifest.json  what it is, with checksums of itself and of the others
 *     state          the VMM's device state
 *     memory         guest memory, sparse; clones map it copy-on-write
 *     memory.sum     digest of each SNAPSHOT_CHUNK of memory (sparse.h): 32 bytes, zeros for a hole
 *     memory.seen    of which time stamp and inode memory was last verified (only once it was)
 *     disk-N.L       layer L of disk N, 0 the lowest
 *     disk-N.new     an empty layer for clones to put on top
 *   snapshots/.creating-NAME-XXXXXX/
 *                    one being made; source.json says of which VM, and whether it ran: a daemon
 *                    that finds one (snapshot_sweep) lets that VM go on and removes it
 *   trash/NAME-XXXXXX/
 *                    one that was removed or replaced; the daemon deletes it in the background
 *
 * All of it is private (0600, 0700): memory and environment may hold secrets.
 *
 * A snapshot is complete in itself: nothing in it refers to its parent or to a VM. Layers of disks
 * that are never written again are hard links; removing one snapshot harms no other. */
#ifndef VMDECK_SNAPSHOT_SNAPSHOT_H
#define VMDECK_SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/base/err.h"
#include "backend/base/frozen.h"
#include "backend/base/path.h"
#include "backend/base/task.h"

#define SNAPSHOT_FORMAT     1
#define SNAPSHOT_ID         16 /* bytes: a UUID, never a clock */
#define SNAPSHOT_CHUNK      (1u << 20)
#define SNAPSHOT_DISKS_MAX  8
#define SNAPSHOT_LAYERS_MAX 32
#define SNAPSHOTS_MAX       1024

struct snapshot_file {
	uint64_t bytes; /* length */
	/* Over its content, holes left out (sparse.h); of a layer hard-linked from another snapshot
	 * it is that one's. */
	uint8_t sum[32];
};

struct snapshot_disk {
	uint32_t layers;     /* files disk-N.0 .. disk-N.(layers-1) */
	char lowest[8];      /* format of layer 0: "raw" or "qcow2"; the others are qcow2 */
	uint64_t size;       /* as the guest sees it, bytes */
	uint64_t file_bytes; /* sum of the layers' allocated bytes */
	/* Written and checked by this folder only. */
	struct snapshot_file files[SNAPSHOT_LAYERS_MAX], fresh /* disk-N.new */;
};

/* Strings and vectors are owned. */
struct snapshot {
	char name[64];
	uint8_t id[SNAPSHOT_ID]; /* generation */
	uint64_t created_ns;     /* wall clock */
	bool temporary;          /* made for `clone VM`: goes with its last clone */
	char source_id[16], source_name[64];
	char parent[64]; /* snapshot that the source came from, "" when it was booted */
	uint8_t parent_id[SNAPSHOT_ID];
	char vmm[16], vmm_version[64], accel[16], machine[65];
	uint32_t tsc_khz;
	char image[64], image_build[65];
	uint32_t vcpus, mem_mib;
	bool tty;
	char **argv, **env; /* NULL-ended; NULL: none */
	char **network;     /* NULL-ended: mode, ports published; NULL: no network card */
	char **health;      /* what copies are checked by, KEY=VALUE; the same */
	uint64_t state_bytes, memory_bytes /* its data, without holes */;
	uint64_t quiesce_us, pause_us; /* pause: vCPUs stopped */
	uint64_t took_us;              /* request to published */
	bool drained;                  /* the agent was quiet before the pause */
	struct snapshot_disk disks[SNAPSHOT_DISKS_MAX];
	int disk_count;
	/* Written and checked by this folder only. */
	char state_sha256[65], memory_sha256[65] /* of memory.sum */;
	uint64_t memory_mtime_ns, memory_ino; /* changed: content is checked before it is used */
	/* Not in the manifest: */
	char *dir; /* absolute */
};
void snapshot_fini(struct snapshot *s); /* zeroed is fine */

/* What a snapshot must fit to be used here. */
struct snapshot_host {
	const char *vmm, *vmm_version, *machine;
	uint32_t tsc_khz; /* may differ by 0.1 %: a guest's clock would drift more; 0: unknown */
	const char *image_build; /* of the image of that name now; NULL: there is no such image */
};

/* Reads snapshots/NAME/manifest.json: its checksum, its form, names and ranges. -ENOENT names it
 * and the next step; -EBADMSG: damaged. ret is to be ended after 0. */
int snapshot_load(const struct paths *p, const char *name, struct snapshot *ret, struct err *e);
/* Calls fn for each, in the order of names; e is NULL, or says what is wrong with a broken one
 * (then s has name and dir only). Hidden and odd names are passed over. -E2BIG behind the
 * SNAPSHOTS_MAXth. No folder of snapshots: none. */
int snapshot_each(const struct paths *p,
	void (*fn)(void *user, const struct snapshot *s, const struct err *e), void *user,
	struct err *e);
/* Refuses, before any process is started, with the reason and the next step. -ESTALE: another VMM,
 * version or machine, another time stamp counter, another image build or no such image. -EBADMSG:
 * a missing file, one of another size, the state's checksum. Costs < 2 ms. *ret_verify: memory was
 * touched since it was written or last verified (time stamp, inode): snapshot_verify_memory must
 * pass before it is used. */
int snapshot_check(const struct snapshot *s, const struct snapshot_host *host, bool *ret_verify,
	struct err *e);
/* Progress of what takes time, in bytes; may be NULL. Called on the thread of the task. */
typedef void snapshot_progress(void *user, uint64_t done, uint64_t total);
/* Reads everything against the checksums: blocking, for a task (t may be NULL: not to be
 * cancelled). -EBADMSG says which file, of memory also which bytes. */
int snapshot_verify(
	struct task *t, const struct snapshot *s, snapshot_progress *fn, void *user, struct err *e);
/* The same for memory only. When it passes (in both), the time stamp and inode that memory had
 * before the reading are kept in memory.seen, so that the next use need not read it again. Not by
 * putting the time stamp back: that would hide a write made meanwhile, and no call puts an inode
 * back after the folder was copied. */
int snapshot_verify_memory(struct task *t, const struct snapshot *s, struct err *e);

/* ---- making one ---- */

struct snapshot_draft {
	const struct paths *paths;
	char *dir;      /* .creating-...; NULL: none */
	char *replaced; /* published: where in the trash the older one is; NULL: there was none */
	struct snapshot s;
};

/* Makes the folder and source.json, and fills s's name, id (a new UUID), created_ns and source_id;
 * the rest of s is the caller's to fill before publishing. Whether name is in use is for the caller
 * to know early (publish is what decides). running: the VM is to go on should the daemon die. */
int snapshot_draft_begin(struct snapshot_draft *d, const struct paths *p, const char *name,
	const char *source_id, bool running, struct err *e);
/* "<dir>/FILE", malloc'd: the caller's to free. The state goes to "state". */
char *snapshot_draft_path(const struct snapshot_draft *d, const char *file);
/* The VM goes on: a draft that is found later says no more that it is to be woken. */
void snapshot_draft_part(const struct snapshot_draft *d);
/* In the pause, blocking (task): the disks as they are now. layers of disk n, top first; the top
 * one is copied (reflink where the filesystem can, else its data extents), those below are
 * hard-linked (copied where that fails). */
struct snapshot_disk_source {
	const char *layers[SNAPSHOT_LAYERS_MAX]; /* top first */
	int count;
	char lowest[8];
	uint64_t size;
};
int snapshot_draft_disk(struct snapshot_draft *d, struct task *t,
	const struct snapshot_disk_source *src, struct err *e);
/* After the pause, blocking (task): memory and memory.sum from the frozen memory: reflink of its
 * base where the filesystem can, else its data extents; pages of zeros become holes. */
int snapshot_draft_memory(struct snapshot_draft *d, struct task *t, const struct frozen *memory,
	snapshot_progress *fn, void *user, struct err *e);
/* Blocking (task), with the VM running again: checksums of the state and of disks, empty layers for
 * clones (qemu-img), the manifest; with durable everything is fsynced; then the folder gets its
 * name. replace: a snapshot of that name is exchanged atomically and then moved into `trash` (a
 * folder of the home; the caller deletes what is there in the background); without: -EEXIST. After
 * 0 the folder is the draft's no more, and d->s is the published snapshot until
 * snapshot_draft_abandon. -EINVAL: s could not be read back (a name or a text that is not one). */
int snapshot_draft_publish(
	struct snapshot_draft *d, struct task *t, bool durable, bool replace, struct err *e);
/* Removes what was made and frees s. Accepts zeroed ones; of a published one only s is freed. */
void snapshot_draft_abandon(struct snapshot_draft *d);

/* snapshots/NAME leaves its name at once, broken ones too (into home/trash, *ret_trash: its path
 * there, malloc'd; the caller deletes it in the background). -ENOENT. */
int snapshot_remove(const struct paths *p, const char *name, char **ret_trash, struct err *e);

/* For a new daemon: each .creating-* of an earlier one is told (the VM may need to go on), then
 * removed. running: as draft_begin was told. One without a readable source.json is removed without
 * a word: killed before its VM was paused, or after it went on. */
int snapshot_sweep(const struct paths *p,
	void (*fn)(void *user, const char *name, const char *source_id, bool running), void *user,
	struct err *e);

/* Copies a file to a new one, by reflink where the filesystem can, else its data extents: blocking
 * (task). Leaves no half file. */
int snapshot_copy_file(struct task *t, const char *from, const char *to, struct err *e);

/* ---- using one ---- */

/* Gives a new VM its disk n in `dir` (its state folder): disk-N.qcow2, an empty layer; the layers
 * below are s's files. No layer names the one below: who opens them gives the chain. Quick. Fills
 * layers (top first, malloc'd paths: the caller's). -E2BIG: the chain is too long. */
int snapshot_clone_disk(const struct snapshot *s, int n, const char *dir,
	char *layers[SNAPSHOT_LAYERS_MAX], int *ret_count, struct err *e);

#endif
