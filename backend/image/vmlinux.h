/* Takes the uncompressed kernel (an ELF file with a PVH entry) out of a bzImage. Sans-I/O. */
#ifndef VMDECK_IMAGE_VMLINUX_H
#define VMDECK_IMAGE_VMLINUX_H

#include "backend/base/err.h"

#define VMLINUX_MAX (512u * 1024 * 1024)

/* zimage: the whole vmlinuz, untrusted. *ret (malloc'd) is the ELF file. -ENOEXEC: no bzImage, no
 * x86-64 ELF in it or none that boots by PVH; -EOPNOTSUPP: compressed by something else than LZ4
 * (named); -EBADMSG: damaged. */
int vmlinux_unpack(
	const uint8_t *zimage, size_t len, uint8_t **ret, size_t *ret_len, struct err *e);

#endif
