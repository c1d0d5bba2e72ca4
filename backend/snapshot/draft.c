#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/snapshot/manifest.h"
#include "backend/snapshot/snapshot.h"
#include "backend/snapshot/sparse.h"
#include "backend/snapshot/store.h"

/* ---- the folder ----------------------------------------------------------------------------- */

/* Not synced: it is for a daemon that was killed; a host that lost power has no VM to wake. */
static int write_source(const struct snapshot_draft *d, bool running, struct err *e)
{
	autofree char *path = snapshot_draft_path(d, FILE_SOURCE);
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	autojson struct json_object *o = json_object_new_object();
	const char *text;
	int r;

	jsonx_add_str(o, "name", d->s.name);
	jsonx_add_str(o, "source_id", d->s.source_id);
	jsonx_add_bool(o, "running", running);
	text = jsonx_line(o);
	r = fd < 0 ? -errno : sparse_pwrite(fd, text, strlen(text), 0);
	return r < 0 ? store_write_failed(e, r, path) : 0;
}

static void new_uuid(uint8_t id[SNAPSHOT_ID])
{
	random_bytes(id, SNAPSHOT_ID);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* RFC 9562: version 4, variant 10 */
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

int snapshot_draft_begin(struct snapshot_draft *d, const struct paths *p, const char *name,
	const char *source_id, bool running, struct err *e)
{
	autofree char *store = xasprintf("%s/" STORE_DIR, p->home);
	autofree char *dir = xasprintf("%s/" STORE_TEMP "%s" STORE_TEMP_TAIL, store, name);
	int r = str_check_name("snapshot name", name, e);

	*d = (struct snapshot_draft){.paths = p};
	if (!r)
		r = str_check_name("VM id", source_id, e);
	if (!r && strlen(source_id) >= sizeof(d->s.source_id))
		r = err_set(e, EINVAL, "VM id '%s' is too long", source_id);
	if (!r)
		r = dir_make(store, 0700, e);
	if (r < 0)
		return r;
	if (!mkdtemp(dir))
		return store_write_failed(e, -errno, dir);
	d->dir = steal_ptr(&dir);
	snprintf(d->s.name, sizeof(d->s.name), "%s", name);
	snprintf(d->s.source_id, sizeof(d->s.source_id), "%s", source_id);
	new_uuid(d->s.id);
	d->s.created_ns = wall_ns();
	r = write_source(d, running, e);
	if (r < 0)
		snapshot_draft_abandon(d);
	return r;
}

char *snapshot_draft_path(const struct snapshot_draft *d, const char *file)
{
	return xasprintf("%s/%s", d->dir, file);
}

void snapshot_draft_part(const struct snapshot_draft *d)
{
	autofree char *path = snapshot_draft_path(d, FILE_SOURCE);

	unlink(path);
}

void snapshot_draft_abandon(struct snapshot_draft *d)
{
	if (d->dir)
		(void)tree_remove(d->dir, NULL); /* a rest goes with the next daemon's sweep */
	free(d->dir);
	free(d->replaced);
	snapshot_fini(&d->s);
	*d = (struct snapshot_draft){0};
}

/* ---- disks ---------------------------------------------------------------------------------- */

/* Of the snapshot that lower layers are linked from: their checksums are known there. */
struct origin {
	char *dir; /* owned; NULL: none looked at yet */
	bool readable;
	struct snapshot s;
};

static void origin_fini(struct origin *o)
{
	snapshot_fini(&o->s);
	free(o->dir);
}

/* Takes the sum of a linked layer from its snapshot, so that a large image is hashed once and not
 * with each generation. Of a file that belongs to none it stays zeros: publish reads it. */
static void take_known_sum(struct origin *o, const char *path, struct snapshot_file *f)
{
	autofree char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	unsigned n, layer;
	int end = 0;

	if (!slash || sscanf(slash + 1, "disk-%1u.%2u%n", &n, &layer, &end) != 2 || slash[1 + end])
		return;
	*slash = '\0';
	if (!o->dir || strcmp(o->dir, dir) != 0) {
		origin_fini(o);
		*o = (struct origin){.dir = steal_ptr(&dir)};
		o->readable = manifest_read(o->dir, NULL, &o->s, NULL) == 0;
	}
	if (!o->readable || (int)n >= o->s.disk_count || layer >= o->s.disks[n].layers ||
		o->s.disks[n].files[layer].bytes != f->bytes)
		return;
	memcpy(f->sum, o->s.disks[n].files[layer].sum, sizeof(f->sum));
}

static int keep_layer(const char *from, const char *to, bool top, bool *ret_linked, struct meter *m,
	struct err *e)
{
	autofd int fd = -1;

	/* Not linked: another filesystem, or the kernel protects links of others' files. */
	*ret_linked = !top && link(from, to) == 0;
	if (*ret_linked)
		return 0;
	fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, "cannot read disk layer '%s'", from);
	return sparse_copy(fd, to, m, e);
}

static int measure(const char *path, struct snapshot_disk *d, uint32_t layer, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_errno(e, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return err_set(e, EINVAL, "disk layer '%s' is not a file with content", path);
	d->files[layer].bytes = (uint64_t)st.st_size;
	d->file_bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

static int check_source(
	const struct snapshot_draft *d, const struct snapshot_disk_source *src, struct err *e)
{
	if (d->s.disk_count >= SNAPSHOT_DISKS_MAX)
		return err_set(e, E2BIG, "a snapshot holds at most %d disks", SNAPSHOT_DISKS_MAX);
	if (src->count < 1 || src->count > SNAPSHOT_LAYERS_MAX)
		return err_set(e, E2BIG,
			"disk %d has %d layers, a snapshot holds 1 to %d: boot a VM from the image "
			"instead of a clone of clones",
			d->s.disk_count, src->count, SNAPSHOT_LAYERS_MAX);
	if (strcmp(src->lowest, "raw") != 0 && strcmp(src->lowest, "qcow2") != 0)
		return err_set(e, EINVAL, "disk %d has a layer of unknown format", d->s.disk_count);
	return 0;
}

int snapshot_draft_disk(struct snapshot_draft *d, struct task *t,
	const struct snapshot_disk_source *src, struct err *e)
{
	struct snapshot_disk *disk = &d->s.disks[min_of(d->s.disk_count, SNAPSHOT_DISKS_MAX - 1)];
	struct meter m = {.task = t};
	struct origin origin = {0};
	int r = check_source(d, src, e);

	if (r < 0)
		return r;
	*disk = (struct snapshot_disk){.layers = (uint32_t)src->count, .size = src->size};
	snprintf(disk->lowest, sizeof(disk->lowest), "%s", src->lowest);
	for (int i = 0; !r && i < src->count; i++) {
		uint32_t layer = (uint32_t)(src->count - 1 - i);
		autofree char *to = store_layer(d->dir, d->s.disk_count, layer);
		bool linked;

		r = keep_layer(src->layers[i], to, i == 0, &linked, &m, e);
		if (!r)
			r = measure(to, disk, layer, e);
		if (!r && linked)
			take_known_sum(&origin, src->layers[i], &disk->files[layer]);
	}
	origin_fini(&origin);
	if (!r)
		d->s.disk_count++;
	return r;
}
