/* Where removed snapshots wait to be deleted: leaving a name is quick, deleting memory is not. */
#ifndef VMDECK_SNAPSHOT_TRASH_H
#define VMDECK_SNAPSHOT_TRASH_H

#include "backend/base/err.h"
#include "backend/base/path.h"

/* Moves the folder to home/trash/NAME-XXXXXX; *ret_path (may be NULL) is malloc'd. -ENOENT. */
int trash_put(
	const struct paths *p, const char *dir, const char *name, char **ret_path, struct err *e);

#endif
