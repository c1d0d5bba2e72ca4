/* Files that matter: written to a temporary name, fsynced, renamed; locks that are never unlinked.
 */
#ifndef VMDECK_BASE_FILE_H
#define VMDECK_BASE_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "backend/base/err.h"

/* Writes data to path by a temporary name in the same directory, fsync, rename, fsync of the
 * directory. On failure the old file stays as it was and no temporary name is left. */
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e);

/* Whole file into *ret (malloc'd, NUL-ended), refused with -E2BIG above max bytes. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *e);

/* Makes the directory and its parents, mode for the last (and for parents it makes). */
int dir_make(const char *path, mode_t mode, struct err *e);

/* Removes a tree; a path that is not there is done. Does not follow symbolic links. */
int tree_remove(const char *path, struct err *e);

/* fsync of a file or a directory by path. */
int path_fsync(const char *path, struct err *e);

/* Opens (makes) the lock file and takes an exclusive flock: 0 and *ret_fd (closing it gives the
 * lock back), -EAGAIN when wait is false and another holds it. Never unlinks the file. The holder's
 * pid is written into the file, for messages only; *ret_holder (may be NULL) gets it. */
int lock_take(const char *path, bool wait, int *ret_fd, pid_t *ret_holder, struct err *e);

/* mkdtemp-like "<path>.tmp-XXXXXX" beside path; the name goes to out (n bytes). */
int dir_temp_beside(const char *path, char *out, size_t n, struct err *e);

/* Free bytes on the filesystem that holds path. */
int fs_free_bytes(const char *path, uint64_t *ret, struct err *e);

#endif
