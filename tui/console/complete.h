/* Tab behind a command: what its argument may be. */
#ifndef VMDECK_TUI_CONSOLE_COMPLETE_H
#define VMDECK_TUI_CONSOLE_COMPLETE_H

#include "tui/console/app.h"

/* Completes the last word of "COMMAND ARGUMENT" as far as it is clear; out: what is possible, or
 * help. */
void argument_complete(struct app *a, struct edit *ed, char *out, size_t n);

#endif
