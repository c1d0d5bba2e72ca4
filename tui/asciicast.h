/* A replay as asciicast v2: the console runs on a terminal of ours, and what it writes is kept. */
#ifndef VMDECK_TUI_ASCIICAST_H
#define VMDECK_TUI_ASCIICAST_H

#include "backend/base/err.h"
#include "tui/console/console.h"

struct asciicast_opts {
	const char *path;      /* made anew, 0600 */
	const char *recording; /* its marks become markers */
	const char *size;      /* "100x30" */
	double from, speed;    /* s; what the replay was started with */
};

/* Runs the console in a child until it ends. Returns its exit code, or -errno. */
int asciicast_write(
	const struct asciicast_opts *co, const struct console_opts *console, struct err *e);

#endif
