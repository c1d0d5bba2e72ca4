/* Sans-I/O line framing for JSON-lines protocols (RPC, QMP): bytes in, whole lines out. */
#ifndef VMDECK_BASE_LINES_H
#define VMDECK_BASE_LINES_H

#include "backend/base/buf.h"

#define LINE_MAX_BYTES (1024 * 1024)

/* Takes a whole line off the front of b. 1: *ret_line is NUL-ended, without "\n" or "\r\n",
 * *ret_len its length (the line may hold NUL bytes); it stays valid until b is next appended to or
 * read into. 0: no whole line yet. -E2BIG: the line under way passes max bytes: give the peer up.
 */
int lines_next(struct buf *b, size_t max, char **ret_line, size_t *ret_len);

#endif
