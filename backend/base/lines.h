/* Sans-I/O line framing for JSON-lines protocols (RPC, QMP): bytes in, whole lines out. */
#ifndef VMDECK_BASE_LINES_H
#define VMDECK_BASE_LINES_H

#include "backend/base/buf.h"

#define LINE_MAX_BYTES (1024 * 1024)

/* Looks for a whole line at the front of b. 1: *ret_line points into b, NUL-terminated, without
 * "\n" or "\r\n", *ret_len its length; call lines_done(b, *ret_len... ) by lines_pop when used.
 * 0: no whole line yet. -E2BIG: the line under way passes max bytes: give the peer up. */
int lines_next(struct buf *b, size_t max, char **ret_line, size_t *ret_len);
/* Drops the line that lines_next returned, with its line end. */
void lines_pop(struct buf *b);

#endif
