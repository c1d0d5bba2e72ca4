#include "backend/image/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/image/extract.h"
#include "backend/image/publish.h"
#include "backend/image/vmlinux.h"

#define FORMAT       1 /* of the manifest and what is in the folder */
#define MANIFEST_MAX (256 * 1024)
#define SPACE        (200ull << 20) /* the package, the kernel unpacked, a margin */
#define TEMP_NAME    "kernel"       /* one temporary name for all releases: any builder tidies up */
#define KEEP         2              /* cached kernels: the newest and the one before */

/* All that any image loads; what these need comes along. */
static const char *const wanted[] = {
	"virtio_ring",
	"virtio",
	"virtio_mmio",
	"vsock",
	"vmw_vsock_virtio_transport_common",
	"vmw_vsock_virtio_transport",
	"virtio_blk",
	"failover",
	"net_failover",
	"virtio_net",
	"inet_diag",
	"tcp_diag",
	"virtio_rng",
	"virtio_balloon",
	NULL,
};

void kernel_folder(const struct paths *p, char *out, size_t n)
{
	snprintf(out, n, "%s/kernels", p->home);
}

void kernel_lock_path(const struct paths *p, char *out, size_t n)
{
	snprintf(out, n, "%s/kernels/.%s.lock", p->home, TEMP_NAME);
}

void kernel_fini(struct kernel *k)
{
	if (k)
		modules_fini(&k->modules);
}

/* The wanted modules as one text: a cached kernel made for others is made again. */
static char *wanted_text(void)
{
	char *text = xstrdup("");

	for (size_t i = 0; wanted[i]; i++) {
		char *more = xasprintf("%s%s%s", text, *text ? " " : "", wanted[i]);

		free(text);
		text = more;
	}
	return text;
}

/* ---- load -------------------------------------------------------------------------------------
 */

static int damaged(struct err *e, const char *release, const char *what)
{
	return err_set(e, EBADMSG, "the cached kernel %s is damaged: %s", release, what);
}

static int load_module(const char *dir, struct json_object *o, struct kernel *k, struct err *e)
{
	const char *path = jsonx_str(o, "path"), *sha = jsonx_str(o, "sha256");
	int64_t size = jsonx_int(o, "size", -1);
	autofree char *file = NULL, *data = NULL;
	char sum[HASH_HEX];
	struct module *mod;
	size_t len;
	int r;

	if (!path || !sha || size < 0 || size > (int64_t)MODULE_BYTES_MAX)
		return damaged(e, k->release, "manifest.json");
	r = modules_add(&k->modules, path, (size_t)size, &mod, e);
	if (r < 0)
		return r;
	file = xasprintf("%s/modules/%s.ko", dir, mod->name);
	r = file_read(file, MODULE_BYTES_MAX, &data, &len, e);
	if (!r)
		r = hash_bytes(data, len, sum, e);
	if (r < 0)
		return r;
	if (len != mod->len || strcmp(sum, sha) != 0)
		return damaged(e, k->release, mod->name);
	memcpy(mod->data, data, len);
	return 0;
}

static int load_manifest(const char *dir, struct json_object *m, struct kernel *k, struct err *e)
{
	struct json_object *mods = jsonx_get(m, "modules"), *vml = jsonx_get(m, "vmlinux");
	const char *version = jsonx_str(m, "package_version"), *deb = jsonx_str(m, "deb_sha256"),
		   *sha = jsonx_str(vml, "sha256");
	char sum[HASH_HEX];
	int r = 0;

	if (jsonx_int(m, "format", 0) != FORMAT || !version || !deb || !sha ||
		!json_object_is_type(mods, json_type_array))
		return damaged(e, k->release, "manifest.json");
	snprintf(k->version, sizeof(k->version), "%s", version);
	snprintf(k->deb_sha256, sizeof(k->deb_sha256), "%s", deb);
	snprintf(k->vmlinux_sha256, sizeof(k->vmlinux_sha256), "%s", sha);
	k->vmlinux_size = (uint64_t)jsonx_int(vml, "size", 0);
	snprintf(k->vmlinux, sizeof(k->vmlinux), "%s/vmlinux", dir);
	for (size_t i = 0; !r && i < json_object_array_length(mods); i++)
		r = load_module(dir, json_object_array_get_idx(mods, i), k, e);
	if (!r)
		r = hash_file(k->vmlinux, sum, e);
	if (!r && strcmp(sum, sha) != 0)
		r = damaged(e, k->release, "vmlinux");
	return r;
}

int kernel_load(const struct paths *p, const char *release, struct kernel *ret, struct err *e)
{
	autofree char *now_wanted = wanted_text();
	autofree char *dir = xasprintf("%s/kernels/%s", p->home, release);
	autofree char *path = xasprintf("%s/manifest.json", dir), *text = NULL;
	autojson struct json_object *m = NULL;
	const char *made_for;
	size_t len;
	int r;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->release, sizeof(ret->release), "%s", release);
	r = file_read(path, MANIFEST_MAX, &text, &len, e);
	if (!r)
		r = jsonx_parse(text, len, &m, e);
	if (r < 0)
		return r;
	made_for = jsonx_str(m, "wanted");
	if (!made_for || strcmp(made_for, now_wanted) != 0)
		return err_set(e, ESTALE, "the cached kernel %s has other modules", release);
	return load_manifest(dir, m, ret, e);
}

/* ---- make -------------------------------------------------------------------------------------
 */

static struct json_object *file_json(const char *sha, size_t size)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_int(o, "size", (int64_t)size);
	jsonx_add_str(o, "sha256", sha);
	return o;
}

static int put_vmlinux(
	struct job *j, const char *tmp, const struct blob *z, struct json_object *m, struct err *e)
{
	autofree uint8_t *elf = NULL;
	char sum[HASH_HEX];
	size_t len = 0;
	int r = job_report(j, "vmlinux", 0, 0, e);

	if (!r)
		r = vmlinux_unpack(z->data, z->len, &elf, &len, e);
	if (!r)
		r = job_report(j, "vmlinux", len / 2, len, e);
	if (!r)
		r = publish_file(tmp, "vmlinux", elf, len, true, e);
	if (!r)
		r = hash_bytes(elf, len, sum, e);
	if (r < 0)
		return r;
	json_object_object_add(m, "vmlinux", file_json(sum, len));
	return job_report(j, "vmlinux", len, len, e);
}

static int put_modules(struct job *j, const char *tmp, const struct modules *mods,
	struct json_object *m, struct err *e)
{
	autofree char *dir = xasprintf("%s/modules", tmp);
	struct json_object *list = json_object_new_array();
	int r = dir_make(dir, 0700, e);

	json_object_object_add(m, "modules", list);
	for (size_t i = 0; i < mods->n && !r; i++) {
		const struct module *mod = &mods->v[i];
		autofree char *name = xasprintf("%s.ko", mod->name);
		struct json_object *o;
		char sum[HASH_HEX];

		r = publish_file(dir, name, mod->data, mod->len, false, e);
		if (!r)
			r = hash_bytes(mod->data, mod->len, sum, e);
		if (r < 0)
			break;
		o = file_json(sum, mod->len);
		jsonx_add_str(o, "path", mod->path);
		json_object_array_add(list, o);
		r = job_report(j, "modules", i + 1, mods->n, e);
	}
	return r;
}

static int put_all(struct job *j, const char *tmp, const struct package *p,
	const struct extract *ex, struct err *e)
{
	autofree char *made_for = wanted_text();
	autojson struct json_object *m = json_object_new_object();
	const char *line;
	int r;

	jsonx_add_int(m, "format", FORMAT);
	jsonx_add_str(m, "release", p->release);
	jsonx_add_str(m, "package_version", p->version);
	jsonx_add_str(m, "deb_sha256", p->sha256);
	jsonx_add_str(m, "wanted", made_for);
	r = put_vmlinux(j, tmp, &ex->vmlinuz, m, e);
	if (!r)
		r = put_modules(j, tmp, &ex->modules, m, e);
	if (!r)
		r = publish_file(tmp, "config", ex->config.data, ex->config.len, true, e);
	if (r < 0)
		return r;
	line = jsonx_line(m);
	return publish_file(tmp, "manifest.json", line, strlen(line), true, e);
}

static int fill(struct job *j, const char *tmp, struct package *p, struct err *e)
{
	struct extract *ex = xcalloc(1, sizeof(*ex));
	int r = package_fetch(j, p, tmp, e);

	if (!r)
		r = extract_kernel(j, p, wanted, ex, e);
	if (!r && strncmp(p->file, tmp, strlen(tmp)) == 0 && unlink(p->file) < 0)
		r = err_errno(e, "cannot remove '%s'", p->file);
	if (!r)
		r = put_all(j, tmp, p, ex, e);
	extract_fini(ex);
	free(ex);
	return r;
}

static int make(struct job *j, struct package *p, struct err *e)
{
	char folder[PUBLISH_PATH_MAX], tmp[PUBLISH_PATH_MAX];
	int r;

	kernel_folder(j->paths, folder, sizeof(folder));
	r = publish_space(folder, SPACE, e);
	if (!r)
		r = publish_temp(folder, TEMP_NAME, tmp, e);
	if (r < 0)
		return r;
	r = fill(j, tmp, p, e);
	if (!r)
		r = publish_dir(tmp, folder, p->release, e);
	if (r < 0)
		(void)tree_remove(tmp, NULL);
	return r;
}

/* ---- choose -----------------------------------------------------------------------------------
 */

static int is_release(const struct dirent *en)
{
	return str_check_name("kernel", en->d_name, NULL) == 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*b)->d_name, (*a)->d_name);
}

static void prune(const char *folder, const char *keep)
{
	struct dirent **list;
	int n = scandir(folder, &list, is_release, newest_first), left = KEEP - 1;

	for (int i = 0; i < n; i++) {
		if (strcmp(list[i]->d_name, keep) != 0 && left-- <= 0)
			(void)publish_remove(folder, list[i]->d_name, NULL);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

/* The newest cached kernel that loads. */
static int any_cached(const struct paths *p, const char *folder, struct kernel *ret)
{
	struct dirent **list;
	int n = scandir(folder, &list, is_release, newest_first), r = -ENOENT;

	for (int i = 0; i < n; i++) {
		if (r < 0) {
			kernel_fini(ret);
			r = kernel_load(p, list[i]->d_name, ret, NULL);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return r;
}

static bool only_unreachable(int r)
{
	return r == -ENOENT || r == -EIO || r == -ETIMEDOUT;
}

int kernel_get(struct job *j, struct kernel *ret, struct err *e)
{
	char folder[PUBLISH_PATH_MAX];
	struct package pkg;
	int r = package_find(j, &pkg, e);

	memset(ret, 0, sizeof(*ret));
	kernel_folder(j->paths, folder, sizeof(folder));
	if (!r) {
		if (kernel_load(j->paths, pkg.release, ret, NULL) == 0 &&
			strcmp(ret->deb_sha256, pkg.sha256) == 0)
			return 0;
		kernel_fini(ret);
		r = make(j, &pkg, e);
		if (!r)
			r = kernel_load(j->paths, pkg.release, ret, e);
		if (!r)
			prune(folder, pkg.release);
	}
	/* Offline: what is here will do, unless a package was asked for by name. */
	if (only_unreachable(r) && !getenv(PACKAGE_ENV) && any_cached(j->paths, folder, ret) == 0)
		return 0;
	return r;
}
