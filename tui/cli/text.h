/* Text for people: display width, cutting, colours, aligned tables. */
#ifndef VMDECK_CLI_TEXT_H
#define VMDECK_CLI_TEXT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/util.h"

enum tint {
	TINT_NONE,
	TINT_HEAD,
	TINT_GOOD,
	TINT_WARN,
	TINT_BAD,
	TINT_BUSY,
	TINT_DIM,
	TINT__COUNT
};

/* SGR sequence of a tint, "" when color is false; tint_off ends any. */
const char *tint_on(enum tint t, bool color);
const char *tint_off(bool color);
/* How a VM's or an image's state, or a VM's health, is shown. */
enum tint tint_of_state(const char *state);

/* Widths are counted by the C.UTF-8 character type tables; call once before the functions below. */
void text_init(void);
/* Whether the user's locale (LC_ALL, LC_CTYPE, LANG) is one of another character set. None set: no.
 */
bool text_ascii(void);
/* Columns that s takes on a terminal; what is no character counts one a byte. */
int text_width(const char *s);
/* Copies as much of s as fits cols columns (and n bytes), with an ellipsis when it is cut. */
char *text_cut(char *out, size_t n, const char *s, int cols);

/* "3.2 s" since a wall clock time in ns; "-" for 0. */
char *text_age(char *out, size_t n, uint64_t since_wall_ns);
/* "2026-01-02 03:04:05.678" in local time. */
char *text_time(char *out, size_t n, uint64_t wall_ns);
/* Fields of an event: `k=v k2="with space"`, hostile bytes escaped, into out (cut with "..."). */
char *text_fields(char *out, size_t n, struct json_object *fields);

#define TABLE_COLS_MAX 16

struct table;
/* heads: cols borrowed strings. */
struct table *table_new(const char *const *heads, int cols);
void table_free(struct table *t);
void table_row(struct table *t);
/* Next cell of the last row; control bytes in it become visible. */
void table_cell(struct table *t, enum tint tint, const char *fmt, ...) printf_like(3, 4);
/* width: columns of the terminal, 0: never cut. Trailing blanks are not written. */
void table_print(const struct table *t, FILE *f, int width, bool color);

#endif
