/* Takes what a guest needs out of a kernel package, in memory: vmlinuz, config, wanted modules with
 * all they depend on. */
#ifndef VMDECK_IMAGE_EXTRACT_H
#define VMDECK_IMAGE_EXTRACT_H

#include "backend/image/modules.h"
#include "backend/image/package.h"

#define EXTRACT_VMLINUZ_MAX (128u * 1024 * 1024)
#define EXTRACT_TEXT_MAX    (4u * 1024 * 1024)

struct blob {
	uint8_t *data; /* owned; NULL: was not there */
	size_t len;
};

struct extract {
	struct blob vmlinuz, config, builtin;
	struct modules modules;
};

/* wanted: names, ended by NULL. ex is filled; end it by extract_fini also after a failure. -ENOENT:
 * the package lacks the kernel or a module (named). */
int extract_kernel(struct job *j, const struct package *p, const char *const *wanted,
	struct extract *ex, struct err *e);
/* Accepts NULL and zeroed. */
void extract_fini(struct extract *ex);

#endif
