/* The console: one screen over the host's VMs. A client like any other: killing it changes nothing.
 */
#ifndef VMDECK_TUI_CONSOLE_CONSOLE_H
#define VMDECK_TUI_CONSOLE_CONSOLE_H

#include <stdbool.h>
#include <stdio.h>

struct console_opts {
	const char *theme; /* name or file; NULL: VMDECK_THEME, else "default" */
	bool no_color;     /* attributes only, as NO_COLOR asks for */
	bool ascii;        /* no character above 127 of our own */
	bool replay;       /* the daemon of VMDECK_RUNTIME is a vmdeck-replay */
	bool quit_at_end;  /* of the recording */
};

/* Runs the console on stdin and stdout, which must be a terminal, until the operator leaves.
 * Returns the exit code; a reason has been written to stderr when it isn't 0. */
int console_main(const struct console_opts *o);
/* All keys as a Markdown table: the README's. */
void console_keys_markdown(FILE *f);

#endif
