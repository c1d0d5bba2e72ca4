/* Sans-I/O writer of a newc cpio archive: what the kernel unpacks as its first root. The same
 * entries give the same bytes: sorted, mtime 0, owner root. */
#ifndef VMDECK_IMAGE_CPIO_H
#define VMDECK_IMAGE_CPIO_H

#include <sys/types.h>

#include "backend/base/buf.h"
#include "backend/base/err.h"

#define CPIO_MAX (256u * 1024 * 1024)

struct cpio_entry;

struct cpio {
	struct cpio_entry *v; /* owned */
	size_t n, cap;
};

void cpio_init(struct cpio *c);
/* Accepts NULL and zeroed. */
void cpio_fini(struct cpio *c);

/* Paths are relative ("etc/passwd") and copied, and so is a link's target; data is borrowed until
 * cpio_write. mode: permission bits only. */
void cpio_dir(struct cpio *c, const char *path, mode_t mode);
void cpio_file(struct cpio *c, const char *path, mode_t mode, const void *data, size_t len);
void cpio_link(struct cpio *c, const char *path, const char *target);
void cpio_chardev(struct cpio *c, const char *path, mode_t mode, uint32_t major, uint32_t minor);

/* Writes the archive into out (empty). -EINVAL: two entries of one path, or an entry whose folder
 * is missing (named); -EFBIG: over CPIO_MAX or out's limit. */
int cpio_write(struct cpio *c, struct buf *out, struct err *e);

#endif
