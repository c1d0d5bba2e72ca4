/* The filter of a list: terms with spaces between, all of which a row must meet. Pure.
 *   web         contains the text, in any case
 *   /^web-[12]  POSIX extended regular expression, in any case; also without the slash when it
 *               has signs of one (^ $ * + ? | ( [ { \)
 *   ~wb1        these characters in this order; the best hits come first
 *   !TERM       rows that do not meet the term
 *   key=value, key!=value   the column is the value, in any case; * stands for any text */
#ifndef VMDECK_TUI_CONSOLE_FILTER_H
#define VMDECK_TUI_CONSOLE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/base/err.h"

#define FILTER_MAX   256 /* bytes with the end */
#define FILTER_TERMS 16

/* What a row says. Fields 0 to searched - 1 are looked through by terms without a key. */
struct filter_source {
	const void *user;
	int searched;
	/* The number of the field with this name, or -1. */
	int (*field)(const void *user, const char *name, size_t n);
	/* Text of a field: in the row, or written to buf. */
	const char *(*text)(const void *user, const void *row, int field, char *buf, size_t n);
	/* Names there are, for the message. */
	void (*names)(const void *user, char *out, size_t n);
};

struct filter;

/* Compiles text; NULL in *ret when it is empty. -EINVAL: e says what is wrong with it. */
int filter_new(
	struct filter **ret, const char *text, const struct filter_source *src, struct err *e);
void filter_free(struct filter *f); /* NULL is fine */
/* How well the row meets it; < 0: it does not. src: as the filter was made with. */
int filter_score(const struct filter *f, const struct filter_source *src, const void *row);
/* Whether rows are ordered by their scores. */
bool filter_is_fuzzy(const struct filter *f);

#endif
