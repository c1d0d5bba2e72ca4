/* Folders that appear whole or not at all: filled at a temporary place, synced, then renamed.
 *
 * For NAME in PARENT the temporary folders are PARENT/.NAME.tmp-XXXXXX and the lock is
 * PARENT/.NAME.lock: names of images and kernels never begin with a dot. Whoever makes or removes
 * one holds the lock. */
#ifndef VMDECK_IMAGE_PUBLISH_H
#define VMDECK_IMAGE_PUBLISH_H

#include <stdbool.h>
#include <sys/types.h>

#include "backend/base/err.h"

#define PUBLISH_PATH_MAX 768

/* Path of the lock file into out. */
void publish_lock_path(const char *parent, const char *name, char out[PUBLISH_PATH_MAX]);
/* -ENOSPC with what is needed and what is free when the filesystem of PARENT has less than need
 * bytes. */
int publish_space(const char *parent, uint64_t need, struct err *e);
/* Makes a temporary folder for NAME; its path goes to out. */
int publish_temp(const char *parent, const char *name, char out[PUBLISH_PATH_MAX], struct err *e);
/* Removes the temporary folders that killed builders and removers of NAME (NULL: of any) left. What
 * cannot be removed now is left to the next one. */
void publish_clean(const char *parent, const char *name);
/* Writes a new file DIR/NAME. No space is an error that says so. sync: false only for what is
 * checked by a hash before it is used, and made again when it was torn by a power cut. */
int publish_file(
	const char *dir, const char *name, const void *data, size_t len, bool sync, struct err *e);
/* Makes the filled folder tmp (files already synced) PARENT/NAME: by rename, or, where an old one
 * is, by exchanging the two and removing the old. On failure tmp is still there. */
int publish_dir(const char *tmp, const char *parent, const char *name, struct err *e);
/* Takes PARENT/NAME away at once, then deletes it. -ENOENT when it is not there. */
int publish_remove(const char *parent, const char *name, struct err *e);

#endif
