/* Shared by the tour's files. */
#ifndef VMDECK_CLI_TOUR_H
#define VMDECK_CLI_TOUR_H

#include "tui/cli/cli.h"

#define TOUR_CLONES 3

struct tour {
	struct cli *c;
	char vm[32]; /* with a number behind: its clones */
	char snapshot[40];
	bool booted, snapped, cloned; /* asked for: must be removed */
};

/* A line, and the lines of a text (which is cut up), with the tour's margin. */
void tour_say(const struct tour *t, const char *fmt, ...) printf_like(2, 3);
void tour_say_lines(const struct tour *t, char *text);
/* Runs a shell command in a VM and shows what it prints. */
int tour_command(struct tour *t, const char *vm, const char *command, struct err *e);
int tour_remove(struct tour *t, const char *vm, struct err *e);

/* tour_clones.c: steps. */
int tour_snapshot(struct tour *t, struct err *e);
int tour_clone(struct tour *t, struct err *e);
int tour_timeline(struct tour *t, struct err *e);
int tour_restores(struct tour *t, struct err *e);
/* Clones and snapshot, as far as they were asked for; 0 when there are none. */
int tour_remove_clones(struct tour *t, struct err *e);

#endif
