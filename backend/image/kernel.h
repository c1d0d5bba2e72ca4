/* Kernels unpacked for guests: home/kernels/RELEASE/{vmlinux, config, modules/NAME.ko,
 * manifest.json}, made once from Debian's package and never changed after. */
#ifndef VMDECK_IMAGE_KERNEL_H
#define VMDECK_IMAGE_KERNEL_H

#include "backend/base/hash.h"
#include "backend/image/job.h"
#include "backend/image/modules.h"

struct kernel {
	char release[64]; /* as uname -r in the guest */
	char version[64]; /* of the package */
	char deb_sha256[HASH_HEX], vmlinux_sha256[HASH_HEX];
	uint64_t vmlinux_size;
	char vmlinux[768]; /* absolute path */
	struct modules modules;
};

/* Path of the folder and of its lock into out. */
void kernel_folder(const struct paths *p, char *out, size_t n);
void kernel_lock_path(const struct paths *p, char *out, size_t n);

/* The newest kernel for guests: from the cache when it is the one that apt or $VMDECK_KERNEL_DEB
 * names, else downloaded and unpacked. Without apt's lists or without network the newest cached one
 * does. The lock is held by the caller. ret: end it by kernel_fini, also after a failure. */
int kernel_get(struct job *j, struct kernel *ret, struct err *e);
/* Accepts NULL and zeroed. */
void kernel_fini(struct kernel *k);

/* Loads home/kernels/RELEASE and checks every byte by its hash. -ENOENT; -EBADMSG: damaged;
 * -ESTALE: made by another vmdeck, for other modules. */
int kernel_load(const struct paths *p, const char *release, struct kernel *ret, struct err *e);

#endif
