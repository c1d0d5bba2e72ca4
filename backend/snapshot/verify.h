/* Whether memory is as it was when it was written or last read in whole: by time stamp and inode.
 */
#ifndef VMDECK_SNAPSHOT_VERIFY_H
#define VMDECK_SNAPSHOT_VERIFY_H

#include "backend/snapshot/snapshot.h"

/* ino, mtime_ns: of the file now. */
bool verify_seen(const struct snapshot *s, uint64_t ino, uint64_t mtime_ns);

/* Holds the state, already in memory or in its file, against its checksum. */
int verify_state(const struct snapshot *s, struct err *e);

#endif
