/* A stream read into memory, bounded: for commands that show a few lines of it. */
#ifndef VMDECK_CLI_GRAB_H
#define VMDECK_CLI_GRAB_H

#include "backend/base/buf.h"
#include "tui/cli/cli.h"

#define GRAB_MAX 65536

struct grab {
	struct buf text; /* stdout, stderr or output, at most GRAB_MAX bytes of it, NUL-ended */
	int lines;       /* line ends in text */
	bool exited;
	uint8_t how;
	int value;
};

/* Opens a stream (takes params), reads it to its end or until max_lines (0: any) lines are there,
 * at most limit s. -EINTR when a signal was caught. grab_fini either way. */
int grab_run(struct grab *g, struct cli *c, const char *method, struct json_object *params,
	int max_lines, double limit, struct err *e);
void grab_fini(struct grab *g);

#endif
