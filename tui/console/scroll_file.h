/* The bytes under a scroll store: a ring of a fixed size, in a file without a name or in memory.
 * Offsets grow for ever; what is older than the ring's size has been written over. */
#ifndef VMDECK_TUI_CONSOLE_SCROLL_FILE_H
#define VMDECK_TUI_CONSOLE_SCROLL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scroll_file {
	int fd;          /* -1: none */
	uint8_t *memory; /* owned; instead of a file */
	uint64_t size;   /* of the ring */
	bool opened;
	char trouble[200]; /* why it is smaller than asked for; "": it is not */
};

void scroll_file_init(struct scroll_file *f, uint64_t size);
void scroll_file_fini(struct scroll_file *f);
/* Writes at an offset. When the disk is full the ring becomes smaller, down to a ring in memory:
 * then f->size says what is left of it. False: what the file held is lost (memory from now on). */
bool scroll_file_write(struct scroll_file *f, uint64_t at, const void *bytes, size_t n);
bool scroll_file_read(const struct scroll_file *f, uint64_t at, void *bytes, size_t n);

#endif
