#include "backend/image/build.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "backend/image/kernel.h"
#include "backend/image/manifest.h"
#include "backend/image/mini.h"
#include "backend/image/publish.h"

/* Theory of operation: under the image's lock the image is looked at again (another builder may have
 * made it meanwhile); what killed builders left is removed; the image is filled in a temporary folder
 * and takes its place by one rename. So a kill at any moment leaves the old image, the new one, or
 * none, and at most one temporary folder that the next builder removes. The kernel is made the same
 * way in its own folder under its own lock, so images that need it at the same time share it. */

#define SPACE_KERNEL (200ull << 20) /* package, kernel unpacked, modules, initramfs, margin */
#define SPACE_IMAGE  (16ull << 20)  /* with the kernel at hand: the kernel is a hard link */

struct build {
	struct job *job;
	const char *name;
	char folder[PUBLISH_PATH_MAX]; /* home/images */
	struct kernel *kernel;	       /* heap: large */
};

bool build_knows(const char *name)
{
	return strcmp(name, "mini") == 0;
}

const char *build_names(void)
{
	return "mini";
}

/* ---- locks and space -------------------------------------------------------------------------- */

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

static bool has_kernel(const struct paths *p)
{
	char dir[PUBLISH_PATH_MAX];
	autofree char *any = NULL;

	kernel_folder(p, dir, sizeof(dir));
	any = kernel_newest(p);
	return any != NULL;
}

static int check_space(struct build *b, struct err *e)
{
	uint64_t need = has_kernel(b->job->paths) ? SPACE_IMAGE : SPACE_KERNEL, have;
	char need_text[32], have_text[32];
	int r = fs_free_bytes(b->folder, &have, e);

	if (r < 0 || have >= need)
		return r;
	return err_set(e, ENOSPC,
		"no space to build image '%s' in '%s': %s needed, %s free; free some or set VMDECK_HOME "
		"to another filesystem",
		b->name, b->folder, str_bytes(need_text, sizeof(need_text), need),
		str_bytes(have_text, sizeof(have_text), have));
}
