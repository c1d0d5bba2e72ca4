#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/hash.h"
#include "backend/base/str.h"
#include "backend/snapshot/disk.h"
#include "backend/snapshot/manifest.h"
#include "backend/snapshot/sparse.h"
#include "backend/snapshot/store.h"
#include "backend/snapshot/trash.h"

#define SECOND      UINT64_C(1000000000)
#define RENAMES_MAX 8
#define NO_EXCHANGE                                                                                \
	"the filesystem of '%s' cannot exchange two folders: set VMDECK_HOME to a local one such " \
	"as ext4, xfs, btrfs or tmpfs"

/* ---- what the manifest says of files -------------------------------------------------------- */

static int seal_state(struct snapshot_draft *d, struct err *e)
{
	autofree char *path = snapshot_draft_path(d, FILE_STATE);
	struct stat st;

	if (stat(path, &st) < 0 || chmod(path, 0600) < 0)
		return err_errno(e, "cannot read the VM's state '%s'", path);
	d->s.state_bytes = (uint64_t)st.st_size;
	return hash_file(path, d->s.state_sha256, e);
}

/* The time stamp is put to a whole second that has passed: any later write changes it, also where
 * the clock of time stamps is coarse or a copy keeps seconds only. */
static int seal_memory(struct snapshot_draft *d, struct err *e)
{
	autofree char *path = snapshot_draft_path(d, FILE_MEMORY);
	autofd int fd = open(path, O_RDWR | O_CLOEXEC);
	struct timespec at[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "cannot read the guest's memory '%s'", path);
	if ((uint64_t)st.st_size != store_memory_size(&d->s))
		return err_set(e, EINVAL,
			"the guest's memory '%s' has %" PRIu64 " bytes instead of %" PRIu32 " MiB",
			path, (uint64_t)st.st_size, d->s.mem_mib);
	at[1].tv_sec = (time_t)(wall_ns() / SECOND) - 1;
	if (futimens(fd, at) < 0 || store_stamp(fd, &d->s.memory_ino, &d->s.memory_mtime_ns) < 0)
		return err_errno(e, "cannot stamp '%s'", path);
	return 0;
}

static bool is_known(const struct snapshot_file *f)
{
	static const uint8_t unknown[sizeof(f->sum)];

	return memcmp(f->sum, unknown, sizeof(unknown)) != 0;
}

static int sum_file(const char *path, struct snapshot_file *f, struct meter *m, struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "cannot read '%s'", path);
	f->bytes = (uint64_t)st.st_size;
	return sparse_file_sum(fd, f->bytes, path, f->sum, m, e);
}

static int seal_disk(struct snapshot_draft *d, int n, struct meter *m, struct err *e)
{
	struct snapshot_disk *disk = &d->s.disks[n];
	autofree char *fresh = store_fresh(d->dir, n);
	int r = disk_make_empty(fresh, disk->size, e);

	if (!r)
		r = sum_file(fresh, &disk->fresh, m, e);
	for (uint32_t i = 0; !r && i < disk->layers; i++) {
		autofree char *path = store_layer(d->dir, n, i);

		if (!is_known(&disk->files[i]))
			r = sum_file(path, &disk->files[i], m, e);
	}
	return r;
}

static int write_manifest(struct snapshot_draft *d, struct err *e)
{
	autofree char *path = snapshot_draft_path(d, FILE_MANIFEST), *text = NULL;
	autofd int fd = -1;
	int r = manifest_encode(&d->s, &text, e);

	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : sparse_pwrite(fd, text, strlen(text), 0);
	return r < 0 ? store_write_failed(e, r, path) : 0;
}

/* ---- onto the disk, under its name ---------------------------------------------------------- */

static int sync_all(const char *dir, struct err *e)
{
	DIR *list = opendir(dir);
	struct dirent *en;
	int r = 0;

	if (!list)
		return err_errno(e, "cannot read '%s'", dir);
	while (!r && (en = readdir(list))) {
		autofree char *path = xasprintf("%s/%s", dir, en->d_name);

		if (en->d_name[0] != '.')
			r = path_fsync(path, e);
	}
	if (list)
		closedir(list);
	return r < 0 ? r : path_fsync(dir, e);
}

static int exists(const struct snapshot_draft *d, struct err *e)
{
	return err_set(e, EEXIST,
		"there is a snapshot '%s' already: take another name, or remove it with vmdeck rm "
		"--snapshot %s",
		d->s.name, d->s.name);
}

/* Gives the folder its name: 0; 1 when an older one was there and is d->dir now. Whoever looks sees
 * the old or the new at any moment. */
static int take_name(struct snapshot_draft *d, const char *path, bool replace, struct err *e)
{
	for (int i = 0; i < RENAMES_MAX; i++) { /* another may make or remove the name meanwhile */
		if (replace && renameat2(AT_FDCWD, d->dir, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
			return 1;
		if (replace && errno != ENOENT)
			break;
		if (renameat2(AT_FDCWD, d->dir, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			break;
		if (!replace)
			return exists(d, e);
	}
	if (errno == EINVAL || errno == ENOSYS)
		return err_set(e, EOPNOTSUPP, NO_EXCHANGE, path);
	return err_errno(e, "cannot rename '%s' to '%s'", d->dir, path);
}

static int publish_dir(struct snapshot_draft *d, bool durable, bool replace, struct err *e)
{
	autofree char *store = xasprintf("%s/" STORE_DIR, d->paths->home);
	autofree char *path = xasprintf("%s/%s", store, d->s.name);
	int r = take_name(d, path, replace, e);

	if (r < 0)
		return r;
	if (r && trash_put(d->paths, d->dir, d->s.name, &d->replaced, NULL) < 0)
		(void)tree_remove(d->dir, NULL); /* a rest goes with the next daemon's sweep */
	free(d->dir);
	d->dir = NULL;
	free(d->s.dir);
	d->s.dir = steal_ptr(&path);
	/* It has its name: a failure to sync only means that it may be lost with the power. */
	return durable ? path_fsync(store, e) : 0;
}

int snapshot_draft_publish(
	struct snapshot_draft *d, struct task *t, bool durable, bool replace, struct err *e)
{
	autofree char *source = snapshot_draft_path(d, FILE_SOURCE);
	struct meter m = {.task = t};
	int r = seal_state(d, e);

	if (!r)
		r = seal_memory(d, e);
	for (int n = 0; !r && n < d->s.disk_count; n++)
		r = seal_disk(d, n, &m, e);
	if (!r)
		r = write_manifest(d, e);
	if (!r && unlink(source) < 0 && errno != ENOENT)
		r = err_errno(e, "cannot remove '%s'", source);
	if (!r && durable)
		r = sync_all(d->dir, e);
	if (!r)
		r = meter_step(&m, 0, e);
	return r < 0 ? r : publish_dir(d, durable, replace, e);
}
