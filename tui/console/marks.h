/* Marked rows of a list, by key: they outlive the coming and going of rows. Pure. */
#ifndef VMDECK_TUI_CONSOLE_MARKS_H
#define VMDECK_TUI_CONSOLE_MARKS_H

#include <stdbool.h>

struct lh_table;

struct marks {
	struct lh_table *set; /* owned; NULL: never marked one */
	char last[80];        /* key that was marked last: a range begins there */
};

void marks_fini(struct marks *m);
int marks_count(const struct marks *m);
bool marks_has(const struct marks *m, const char *key);
void marks_set(struct marks *m, const char *key, bool on);
void marks_clear(struct marks *m);
/* Makes to hold what from holds. */
void marks_copy(struct marks *to, const struct marks *from);
bool marks_same(const struct marks *a, const struct marks *b);
/* Calls fn for each key, in the order they were marked. */
void marks_each(const struct marks *m, void (*fn)(void *user, const char *key), void *user);

#endif
