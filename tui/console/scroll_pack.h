/* Lines of cells to compact bytes and back: runs of one style with UTF-8 text in between. */
#ifndef VMDECK_TUI_CONSOLE_SCROLL_PACK_H
#define VMDECK_TUI_CONSOLE_SCROLL_PACK_H

#include <stddef.h>

#include "tui/console/cell.h"

/* Bytes that n cells take at most. */
#define SCROLL_PACK_MAX(n) ((size_t)(n)*36 + 16)

/* Bytes written into out. */
size_t scroll_pack(uint8_t *out, const struct cell *cells, int cols);
/* Cells out of n bytes, at most max of them; the number. Takes any bytes. */
int scroll_unpack(const uint8_t *in, size_t n, struct cell *cells, int max);

#endif
