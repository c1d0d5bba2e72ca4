/* Images on disk: images/NAME/{manifest.json, vmlinux, initrd.cpio}; builds by a worker process. */
#ifndef VMDECK_IMAGE_IMAGE_H
#define VMDECK_IMAGE_IMAGE_H

#include <stdbool.h>

#include "backend/base/err.h"
#include "backend/base/path.h"

struct image {
	char name[64];
	char kernel_version[64];
	char agent_sha256[65];
	char config[65];   /* hash of the boot configuration it was made with */
	char build_id[65]; /* hash over kernel, modules, busybox, agent, boot configuration */
	uint64_t created_ns, bytes;
	char kernel[600], initrd[600]; /* absolute paths */
};

/* Reads images/NAME; checks that the files are there with the sizes of the manifest. -ENOENT:
 * "image 'x' does not exist: build it with vmdeck image build x" (or, for an unknown name, what
 * there is). */
int image_load(const struct paths *p, const char *name, struct image *ret, struct err *e);
/* Whether it was made from another agent or boot configuration than this program's; why (n bytes)
 * says what differs, or is empty. */
bool image_is_stale(const struct image *im, char *why, size_t n);
/* Calls fn for each image folder; broken ones with e set. */
int image_each(const struct paths *p,
	void (*fn)(void *user, const struct image *im, const struct err *e), void *user,
	struct err *e);
/* Removes images/NAME (rename first, then delete). */
int image_remove(const struct paths *p, const char *name, struct err *e);

/* Progress of a build. total 0: unknown. */
typedef void image_progress(void *user, const char *step, uint64_t done, uint64_t total);
/* Builds images/NAME under the lock (waits for another builder, says so as step "lock", re-checks
 * after the lock: an image that is ready and not stale is not built again unless force). Blocking:
 * for the worker process. Leaves the old image or the new one, whole, at any kill -9; a new builder
 * removes what a killed one left. */
int image_build(const struct paths *p, const char *name, bool force, image_progress *fn, void *user,
	struct err *e);

/* main() of `vmdeckd --worker image-build NAME [--force]` (argv as it is there): image_build with
 * progress as JSON lines on stdout: {"step","done","total"} and last {"ok":true} or
 * {"error":"..."}; returns the exit code. Steps: lock, lookup, download, extract, vmlinux, modules,
 * initramfs, publish (bytes; modules: files; lock: 0 of 1 while it waits; lookup: 0 of 1 while apt
 * is asked which kernel is the newest). Stops in order, with
 * nothing left behind, on SIGTERM, SIGINT, SIGHUP, and when its parent dies or stops reading.
 * Processes only, not threads: it takes signals for itself. */
int image_worker_main(int argc, char **argv);

#endif
