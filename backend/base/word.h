/* "Did you mean": how far apart two words are. Pure. */
#ifndef VMDECK_BASE_WORD_H
#define VMDECK_BASE_WORD_H

#include <stdbool.h>

#define WORD_MAX 32 /* with its end; longer words count as this far apart */

/* Edits (insert, delete, replace, swap of neighbours) between two words. */
int word_distance(const char *a, const char *b);
/* Few enough of them for "did you mean", or known begins with what is typed. */
bool word_near_enough(const char *typed, const char *known);

#endif
