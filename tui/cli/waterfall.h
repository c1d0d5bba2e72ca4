/* A TIMING of the daemon as text: a row for each phase, with what is usual beside it. */
#ifndef VMDECK_CLI_WATERFALL_H
#define VMDECK_CLI_WATERFALL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#define WATERFALL_COLS 80 /* when it is no terminal that is written to */

struct waterfall {
	int cols;   /* of the screen; narrower than 60: some columns go */
	bool ascii; /* no block elements */
	bool color;
	bool no_time; /* when it began is left out */
};

/* timing: a TIMING with or without `usual`; whatever is missing in it or odd is left out. */
void waterfall_print(FILE *f, struct json_object *timing, const struct waterfall *w);

/* "0.42 ms", "9.87 ms", "124 ms", "3.2 s"; n bytes. */
char *waterfall_ms(char *out, size_t n, double ms);
/* A number of an object, 0 when there is none or it is negative or no number. */
double waterfall_num(struct json_object *o, const char *key);

#endif
