/* The newest values of a figure, for graphs. Pure. */
#ifndef VMDECK_TUI_CONSOLE_RING_H
#define VMDECK_TUI_CONSOLE_RING_H

#include <stdbool.h>
#include <stddef.h>

#define RING_SIZE 60

struct ring {
	double v[RING_SIZE];
	int next, count;
};

/* Adds a value; the oldest goes. One that is not known (< 0, no number) is left out. */
void ring_add(struct ring *r, double v);
/* The value `back` places before the newest (0); < 0: there is none. */
double ring_at(const struct ring *r, int back);
double ring_min(const struct ring *r);
double ring_max(const struct ring *r);
/* The newest w values as a line of w columns, the newest at its right end, 0 to top from low to
 * high; what is not there yet is blank. top 0: the largest of them. */
char *ring_spark(const struct ring *r, int w, double top, bool ascii, char *out, size_t n);
/* One of `rows` lines (0: the top one) of a graph that is so high; else the same. */
char *ring_graph(const struct ring *r, int w, double top, int row, int rows, bool ascii, char *out,
	size_t n);

#endif
