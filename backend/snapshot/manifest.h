/* manifest.json: {"manifest": {...}, "sha256": "..."}, the checksum over the plain JSON text of the
 * inner object. Whoever reads it takes it for hostile. */
#ifndef VMDECK_SNAPSHOT_MANIFEST_H
#define VMDECK_SNAPSHOT_MANIFEST_H

#include "backend/snapshot/snapshot.h"

#define MANIFEST_MAX (1u << 20) /* bytes: command and environment are the large part */

/* Text of s, malloc'd. -EINVAL: it would not be read back the same: names what is wrong. */
int manifest_encode(const struct snapshot *s, char **ret, struct err *e);

/* The inverse; s->dir is not touched. name: what the folder is called, which the manifest must say
 * too; NULL: any. -EBADMSG with a clause without a name ("its manifest.json ..."). ret is ended on
 * failure. */
int manifest_decode(
	const char *text, size_t len, const char *name, struct snapshot *ret, struct err *e);

/* Reads <dir>/manifest.json; as manifest_decode. */
int manifest_read(const char *dir, const char *name, struct snapshot *ret, struct err *e);

#endif
