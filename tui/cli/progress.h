/* One line on stderr that is redrawn in place: the steps of a long operation, or a bar. Off a
 * terminal it draws nothing. */
#ifndef VMDECK_CLI_PROGRESS_H
#define VMDECK_CLI_PROGRESS_H

#include <ev.h>
#include <stdbool.h>

#include "backend/base/util.h"

#define PROGRESS_STEPS 12

struct progress {
	struct ev_loop *loop;
	bool on;  /* draws */
	bool bar; /* steps count bytes and have one line, else they line up with their times */
	char title[100];
	struct {
		char name[40];
		uint64_t begin_ns, end_ns; /* monotonic */
	} steps[PROGRESS_STEPS];
	int count;
	uint64_t done, total; /* of the last step */
	int n, of;            /* of the last step, when it is a wait: its place among them */
	double limit;         /* s, 0: none */
	ev_timer tick;        /* the clock of the running step is part of the line */
};

void progress_init(struct progress *p, struct ev_loop *loop, bool on, bool bar);
void progress_title(struct progress *p, const char *title);
/* A step began at the monotonic time; the one before it ended then. The same name again only moves
 * done and total (total 0: unknown). */
void progress_step(
	struct progress *p, const char *name, uint64_t mono, uint64_t done, uint64_t total);
/* The n-th of so many steps began, in which something is waited for up to limit s: from now on the
 * line shows only the last one. */
void progress_wait(
	struct progress *p, const char *name, uint64_t mono, int n, int of, double limit);
/* Writes the line as it would be drawn in cols columns (n bytes). */
char *progress_line(const struct progress *p, char *out, size_t n, int cols, uint64_t now_ns);
/* Clears the line; stops. */
void progress_fini(struct progress *p);

#endif
