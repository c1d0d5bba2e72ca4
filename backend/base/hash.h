/* SHA-256 of memory and files: 32 bytes, or 64 hex digits. */
#ifndef VMDECK_BASE_HASH_H
#define VMDECK_BASE_HASH_H

#include <sys/uio.h>

#include "backend/base/err.h"

#define HASH_BYTES 32
#define HASH_HEX   65 /* with the end */

/* -EIO when libcrypto has no SHA-256 (a system that forbids it), or a file cannot be read. */
int hash_raw(const void *data, size_t len, uint8_t out[HASH_BYTES], struct err *e);
/* Of parts, one behind the other. */
int hash_parts(const struct iovec *parts, size_t count, uint8_t out[HASH_BYTES], struct err *e);
int hash_bytes(const void *data, size_t len, char out[HASH_HEX], struct err *e);
int hash_file(const char *path, char out[HASH_HEX], struct err *e);

#endif
