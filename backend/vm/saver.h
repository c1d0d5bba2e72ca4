/* Disk work that must not stop the daemon's loop: fsyncs of what was written and removal of trees,
 * in order, on one thread. */
#ifndef VMDECK_VM_SAVER_H
#define VMDECK_VM_SAVER_H

#include "backend/base/err.h"

#define SAVER_QUEUE 4096 /* jobs; a caller that meets a full queue waits for room */

struct saver;

/* trash: folder that trees are moved to before they are deleted; leftovers in it go at once. */
int saver_open(struct saver **ret, const char *trash, struct err *e);
/* Finishes what is queued, then frees. NULL is fine. */
void saver_close(struct saver *s);

/* Puts text at path by a rename: the next daemon reads it from now on, should this one be killed.
 * The fsync that makes it outlast the host's power comes in the background; its failures go to the
 * log. On an error (the disk is full) the old text stays. */
int saver_write(struct saver *s, const char *path, const char *text, struct err *e);
/* The tree's name is free when this returns; its content is deleted in the background. Queued
 * syncs below it are dropped. */
void saver_remove(struct saver *s, const char *path);

#endif
