/* Empty layers for clones to write to. */
#ifndef VMDECK_SNAPSHOT_DISK_H
#define VMDECK_SNAPSHOT_DISK_H

#include "backend/base/err.h"

/* Makes path an empty qcow2 image of `size` bytes that names no layer below it (qemu-img).
 * Blocking; -ETIMEDOUT when qemu-img does not end. */
int disk_make_empty(const char *path, uint64_t size, struct err *e);

#endif
