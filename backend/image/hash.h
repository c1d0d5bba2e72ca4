/* SHA-256 of memory and files, as 64 hex digits. */
#ifndef VMDECK_IMAGE_HASH_H
#define VMDECK_IMAGE_HASH_H

#include "backend/base/err.h"

#define HASH_HEX 65 /* with the end */

int hash_bytes(const void *data, size_t len, char out[HASH_HEX], struct err *e);
int hash_file(const char *path, char out[HASH_HEX], struct err *e);

#endif
