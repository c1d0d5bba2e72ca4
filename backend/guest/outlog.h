/* The stored output stream of a VM: numbered bytes in segment files of its state folder.
 *
 * Files output-<16 hex digits of the first byte's offset>.log, OUTLOG_SEGMENT bytes each; the
 * oldest are deleted above OUTLOG_TOTAL. File names and sizes are the whole index, so a new daemon
 * finds the end by looking. output.json keeps the stream id. A write is "stored" when write(2)
 * returned: it survives the daemon, not the host's power. */
#ifndef VMDECK_GUEST_OUTLOG_H
#define VMDECK_GUEST_OUTLOG_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/wire.h"
#include "backend/base/err.h"

#define OUTLOG_SEGMENT      (64u * 1024 * 1024)
#define OUTLOG_TOTAL        (1024ull * 1024 * 1024)
#define OUTLOG_SEGMENTS_MAX 64           /* files; gaps make short ones */
#define OUTLOG_OFFSET_MAX   (1ull << 62) /* no number of ours or of a guest gets there */

struct outlog;

/* Opens the stream in dir, finding what an earlier daemon stored. */
int outlog_open(struct outlog **ret, const char *dir, struct err *e);
void outlog_close(struct outlog *o); /* NULL is fine */
/* Other sizes than OUTLOG_SEGMENT and OUTLOG_TOTAL, for a host with little room. */
void outlog_set_limits(struct outlog *o, uint64_t segment, uint64_t total);

/* A guest (re)connected with this stream id, its ring holding first..next. A new id (the guest
 * booted anew), or one that has gone back in time (next below what is stored: an older state of
 * that guest was loaded), goes on at our end: the guest's `first` gets our next number; persisted
 * before it returns 1. 0: the stream known so far goes on. -EPROTO: the guest's numbers make no
 * sense; others
 * (-ENOSPC, ...): the disk. */
int outlog_stream(struct outlog *o, const uint8_t stream[WIRE_ID], uint64_t first, uint64_t next,
	struct err *e);
/* The offset, in the guest's numbering, of the first byte we do not have. */
uint64_t outlog_guest_next(const struct outlog *o);
/* Stores bytes that the guest numbered from guest_offset. Bytes already stored are skipped; a hole
 * (offset beyond the next) is stored as a gap: *ret_lost says how many bytes are missing, and our
 * numbering jumps over them. After an error some of the bytes may be stored: call it again with the
 * same ones. -EPROTO: offset makes no sense; others (-ENOSPC, ...): the disk. */
int outlog_append(struct outlog *o, uint64_t guest_offset, const void *data, size_t n,
	uint64_t *ret_lost, struct err *e);

/* Our own numbering: first byte still kept, end. */
uint64_t outlog_first(const struct outlog *o);
uint64_t outlog_end(const struct outlog *o);
/* The first stored byte at or after offset: jumps over gaps and what was deleted; the end when
 * there is none. */
uint64_t outlog_seek(const struct outlog *o, uint64_t offset);
/* Reads at most n stored bytes at offset; 0 at the end; -ERANGE before the first kept byte and in a
 * gap (outlog_seek gets past it). */
ssize_t outlog_read(struct outlog *o, uint64_t offset, void *out, size_t n, struct err *e);

#endif
