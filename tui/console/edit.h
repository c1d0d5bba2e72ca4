/* One line of text being typed: for prompts and the fields of dialogs. Pure. */
#ifndef VMDECK_TUI_CONSOLE_EDIT_H
#define VMDECK_TUI_CONSOLE_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/console/keys.h"

#define EDIT_MAX 1024 /* bytes; longer input is refused */

struct edit {
	char text[EDIT_MAX]; /* UTF-8, always whole characters */
	size_t len;
	size_t at; /* cursor, bytes */
};

void edit_set(struct edit *ed, const char *text);
/* Takes an editing key (those of readline). False: it means nothing to a line of text. */
bool edit_key(struct edit *ed, console_key k);

#endif
