/* Asks a program for its version, and remembers the answer for as long as the file is the same. */
#ifndef VMDECK_VMM_PROBE_H
#define VMDECK_VMM_PROBE_H

#include <sys/types.h>
#include <time.h>

#include "backend/base/err.h"

struct probe_cache {
	char path[256];
	struct timespec mtime;
	ino_t inode;
	char line[128]; /* first line of `path --version`, control bytes made visible */
};

/* Runs `path --version` unless c has the answer already: blocks for as long as the program takes
 * (tens of ms), at most 5 s. 0 and the first line in c->line. */
int probe_version(struct probe_cache *c, const char *path, struct err *e);

/* First "N.N[.N]" of text, as 1000000 * N + 1000 * N + N; the text itself goes to out. -EINVAL when
 * there is none. */
int probe_parse_version(const char *text, char *out, size_t n);

#endif
