/* manifest.json of an image: what it was made from, and the sizes of its files. */
#ifndef VMDECK_IMAGE_MANIFEST_H
#define VMDECK_IMAGE_MANIFEST_H

#include "backend/image/image.h"

#define MANIFEST_KERNEL "vmlinux"
#define MANIFEST_INITRD "initrd.cpio"

/* Text of the manifest (caller frees). */
char *manifest_text(const struct image *im, uint64_t kernel_bytes, uint64_t initrd_bytes);
/* Fills all of im from folder/manifest.json and checks that the files have the sizes it says.
 * -ENOENT: no such folder; -EBADMSG: damaged, with what to do. */
int image_manifest_read(const char *folder, const char *name, struct image *im, struct err *e);

#endif
