/* Disk work that must not stop the daemon's loop: fsynced atomic writes and removal of trees, in
 * order, on one thread. */
#ifndef VMDECK_VM_SAVER_H
#define VMDECK_VM_SAVER_H

#include "backend/base/err.h"

#define SAVER_QUEUE 4096 /* jobs; a caller that meets a full queue waits for room */

struct saver;

/* trash: folder that trees are moved to before they are deleted; leftovers in it go at once. */
int saver_open(struct saver **ret, const char *trash, struct err *e);
/* Finishes what is queued, then frees. NULL is fine. */
void saver_close(struct saver *s);

/* Writes text to path by file_write_atomic; a queued older write of the same path is replaced.
 * Failures go to the log. */
void saver_write(struct saver *s, const char *path, const char *text);
/* The tree's name is free when this returns; its content is deleted in the background. Queued
 * writes below it are dropped. */
void saver_remove(struct saver *s, const char *path);

#endif
