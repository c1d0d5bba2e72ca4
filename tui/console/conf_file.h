/* A file of [section] and `name = value` lines, with what is wrong told by file and line. */
#ifndef VMDECK_TUI_CONSOLE_CONF_FILE_H
#define VMDECK_TUI_CONSOLE_CONF_FILE_H

#include <stddef.h>

#include "backend/base/util.h"

/* A sentence "FILE:LINE: what", safe to be shown. */
typedef void conf_complain_fn(void *user, const char *text);

/* The file while it is read. */
struct conf_file {
	const char *path, *at; /* at: the next line */
	int line;              /* of the pair that is read */
	conf_complain_fn *fn;  /* NULL: complaints are only counted */
	void *user;
	int complaints;
};

/* NAME in $XDG_CONFIG_HOME/vmdeck or ~/.config/vmdeck; "": the folder. */
void conf_path(char *out, size_t n, const char *name);
/* Hands all pairs on; a file that is not there has none. pair returns 1. expected: what a line may
 * be, for the complaint about another one. */
void conf_read(struct conf_file *c, size_t max,
	int (*pair)(void *user, const char *section, const char *name, const char *value),
	void *user, const char *expected);
void conf_complain(struct conf_file *c, int line, const char *fmt, ...) printf_like(3, 4);

#endif
