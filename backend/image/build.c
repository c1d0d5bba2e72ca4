#include "backend/image/build.h"

#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "backend/image/cpio.h"
#include "backend/image/kernel.h"
#include "backend/image/manifest.h"
#include "backend/image/mini.h"
#include "backend/image/publish.h"
#include "backend/image/vmlinux.h"

/* Theory of operation: under the image's lock the image is looked at again (another builder may
 * have made it meanwhile); what killed builders left is removed; the image is filled in a temporary
 * folder and takes its place by one rename. So a kill at any moment leaves the old image, the new
 * one, or none, and at most one temporary folder that the next builder removes. The kernel is made
 * the same way in its own folder under its own lock, so images that need it at the same time share
 * it. */

#define SPACE (16ull << 20) /* initramfs and margin: the kernel is a hard link */

struct build {
	struct job *job;
	const char *name;
	char folder[PUBLISH_PATH_MAX];  /* home/images */
	char kernels[PUBLISH_PATH_MAX]; /* home/kernels */
	struct kernel *kernel;          /* owned; large */
	struct mini mini;
};

bool build_knows(const char *name)
{
	return strcmp(name, "mini") == 0;
}

const char *build_names(void)
{
	return "mini";
}

/* Waits for another holder, which is told as step "lock", 0 of 1. */
static int lock(struct job *j, const char *path, int *ret_fd, struct err *e)
{
	int r = lock_take(path, false, ret_fd, NULL, e);

	if (r == -EAGAIN) {
		r = job_report(j, "lock", 0, 1, e);
		if (!r)
			r = lock_take(path, true, ret_fd, NULL, e);
	}
	return r < 0 ? r : job_report(j, "lock", 1, 1, e);
}

static bool is_ready(const struct build *b)
{
	struct image im;
	char why[160];

	return image_load(b->job->paths, b->name, &im, NULL) == 0 &&
	       !image_is_stale(&im, why, sizeof(why));
}

/* ---- the image's folder -----------------------------------------------------------------------
 */

/* The same file as the cached kernel's where the filesystem allows: no second copy in the page
 * cache either. */
static int put_kernel(const struct build *b, const char *tmp, struct err *e)
{
	autofree char *path = xasprintf("%s/" MANIFEST_KERNEL, tmp), *data = NULL;
	size_t len;
	int r;

	if (link(b->kernel->vmlinux, path) == 0)
		return 0;
	if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP)
		return err_errno(e, "cannot link '%s' to '%s'", b->kernel->vmlinux, path);
	r = file_read(b->kernel->vmlinux, VMLINUX_MAX, &data, &len, e);
	return r < 0 ? r : publish_file(tmp, MANIFEST_KERNEL, data, len, true, e);
}

static int put_initrd(
	struct build *b, const char *tmp, size_t *ret_len, char sum[HASH_HEX], struct err *e)
{
	struct buf out;
	int r;

	buf_init(&out, CPIO_MAX);
	r = mini_write(&b->mini, b->kernel, &out, e);
	if (!r)
		r = job_report(b->job, "initramfs", out.len / 2, out.len, e);
	if (!r)
		r = publish_file(tmp, MANIFEST_INITRD, buf_peek(&out), out.len, true, e);
	if (!r)
		r = hash_bytes(buf_peek(&out), out.len, sum, e);
	if (!r)
		r = job_report(b->job, "initramfs", out.len, out.len, e);
	*ret_len = out.len;
	buf_fini(&out);
	return r;
}

/* The initramfs' hash covers modules, busybox, agent and boot configuration. */
static int put_manifest(const struct build *b, const char *tmp, size_t initrd_len,
	const char *initrd_sum, struct err *e)
{
	autofree char *all = xasprintf("%s %s", b->kernel->vmlinux_sha256, initrd_sum),
		      *text = NULL;
	struct image im = {.created_ns = wall_ns()};
	int r;

	snprintf(im.name, sizeof(im.name), "%s", b->name);
	snprintf(im.kernel_version, sizeof(im.kernel_version), "%s", b->kernel->release);
	r = hash_bytes(b->mini.agent, b->mini.agent_len, im.agent_sha256, e);
	if (!r)
		r = mini_config(im.config, e);
	if (!r)
		r = hash_bytes(all, strlen(all), im.build_id, e);
	if (r < 0)
		return r;
	text = manifest_text(&im, b->kernel->vmlinux_size, initrd_len);
	return publish_file(tmp, "manifest.json", text, strlen(text), true, e);
}

static int fill(struct build *b, const char *tmp, struct err *e)
{
	char sum[HASH_HEX];
	size_t len = 0;
	int r = put_kernel(b, tmp, e);

	if (!r)
		r = put_initrd(b, tmp, &len, sum, e);
	if (!r)
		r = put_manifest(b, tmp, len, sum, e);
	return r < 0 ? r : job_report(b->job, "publish", 0, 1, e);
}

static int make_image(struct build *b, struct err *e)
{
	char tmp[PUBLISH_PATH_MAX];
	int r = publish_space(b->folder, SPACE, e);

	if (!r)
		r = publish_temp(b->folder, b->name, tmp, e);
	if (r < 0)
		return r;
	r = fill(b, tmp, e);
	if (!r)
		r = publish_dir(tmp, b->folder, b->name, e);
	if (r < 0)
		(void)tree_remove(tmp, NULL);
	else
		(void)job_report(b->job, "publish", 1, 1, NULL); /* too late to stop */
	return r;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

/* Removes what killed builders left, also when there is nothing to build: a kernel that somebody is
 * making now is theirs to tidy up. */
static void tidy(const struct build *b)
{
	char path[PUBLISH_PATH_MAX];
	autofd int fd = -1;

	publish_clean(b->folder, b->name);
	kernel_lock_path(b->job->paths, path, sizeof(path));
	if (lock_take(path, false, &fd, NULL, NULL) == 0)
		publish_clean(b->kernels, NULL);
}

static int make(struct build *b, struct err *e)
{
	char path[PUBLISH_PATH_MAX];
	autofd int fd = -1;
	int r;

	kernel_lock_path(b->job->paths, path, sizeof(path));
	r = lock(b->job, path, &fd, e);
	if (!r)
		r = job_catch(b->job, e);
	if (r < 0)
		return r;
	publish_clean(b->kernels, NULL); /* a holder that was waited for may have been killed */
	/* What is wrong on this host shows before the download. */
	r = mini_load(b->job, &b->mini, e);
	if (!r)
		r = kernel_get(b->job, b->kernel, e);
	close_fd(&fd);
	return r < 0 ? r : make_image(b, e);
}

int build_run(struct job *j, const char *name, bool force, struct err *e)
{
	struct build b = {.job = j, .name = name};
	char path[PUBLISH_PATH_MAX];
	autofd int fd = -1;
	int r = str_check_name("image name", name, e);

	if (r < 0)
		return r;
	if (!build_knows(name))
		return err_set(e, ENOENT, "vmdeck cannot build image '%s': it knows %s", name,
			build_names());
	snprintf(b.folder, sizeof(b.folder), "%s/images", j->paths->home);
	kernel_folder(j->paths, b.kernels, sizeof(b.kernels));
	r = dir_make(b.folder, 0700, e);
	if (!r)
		r = dir_make(b.kernels, 0700, e);
	if (r < 0)
		return r;
	publish_lock_path(b.folder, name, path);
	r = lock(j, path, &fd, e);
	if (r < 0)
		return r;
	tidy(&b);
	if (!force && is_ready(&b))
		return 0;
	b.kernel = xcalloc(1, sizeof(*b.kernel));
	r = make(&b, e);
	kernel_fini(b.kernel);
	free(b.kernel);
	mini_fini(&b.mini);
	return r < 0 ? err_wrap(e, r, "image '%s'", name) : 0;
}

int image_build(const struct paths *p, const char *name, bool force, image_progress *fn, void *user,
	struct err *e)
{
	struct job j;
	int r;

	job_init(&j, p, fn, user);
	r = build_run(&j, name, force, e);
	job_fini(&j);
	return r;
}
