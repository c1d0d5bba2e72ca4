/* Kernel modules: what they need (from their .modinfo, as depmod does), and the order to load them.
 */
#ifndef VMDECK_IMAGE_MODULES_H
#define VMDECK_IMAGE_MODULES_H

#include <stdbool.h>

#include "backend/base/buf.h"
#include "backend/base/err.h"

#define MODULES_MAX      128
#define MODULE_NAME_MAX  64
#define MODULE_BYTES_MAX (32u * 1024 * 1024)

struct module {
	char name[MODULE_NAME_MAX]; /* with '_' for '-', as the kernel calls it */
	char path[256];             /* below lib/modules/RELEASE: "kernel/net/vmw_vsock/vsock.ko" */
	uint8_t *data;              /* owned */
	size_t len;
};

struct modules {
	struct module v[MODULES_MAX];
	size_t n;
};

/* Frees the data; accepts NULL and zeroed. */
void modules_fini(struct modules *m);

/* The kernel's name of a module file or name: folder and ".ko" off, '-' is '_'. -EINVAL: no module
 * file name or too long. */
int modules_name(const char *file, char out[MODULE_NAME_MAX]);
/* NULL when it is not there. */
struct module *modules_find(struct modules *m, const char *name);
/* Adds an empty one of len bytes to be filled. path: hostile; letters, digits and "_-+./" only, no
 * "..". */
int modules_add(
	struct modules *m, const char *path, size_t len, struct module **ret, struct err *e);

/* The next value of key in the .modinfo section (NUL-ended, in m->data) after prev (NULL: the
 * first), or NULL. Hostile bytes. */
const char *modules_info(const struct module *m, const char *key, const char *prev);

/* Calls fn for each module that m says it needs; stops at the first value that isn't 0. */
int modules_depends(const struct module *m, int (*fn)(void *user, const char *name), void *user);

/* wanted (ended by NULL) and what they need, dependencies first, each once, as indices into m->v;
 * *ret_n of them. Names that are not in m are taken as built into the kernel. -ELOOP: they need one
 * another. */
int modules_order(struct modules *m, const char *const *wanted, size_t order[MODULES_MAX],
	size_t *ret_n, struct err *e);

/* Bytes of the module without the signature behind it. Checking signatures is most of the time that
 * loading takes under emulation (6 modules: 63 ms with, 41 ms without), and the initramfs comes
 * from the host anyway. */
size_t modules_unsigned_len(const struct module *m);

/* modules.dep and modules.alias for modprobe. */
int modules_put_dep(struct modules *m, struct buf *out);
int modules_put_alias(struct modules *m, struct buf *out);

#endif
