/* The console: one screen over the host's VMs. A client like any other: killing it changes nothing.
 */
#ifndef VMDECK_TUI_CONSOLE_CONSOLE_H
#define VMDECK_TUI_CONSOLE_CONSOLE_H

#include <stdbool.h>
#include <stdio.h>

struct console_opts {
	const char *theme;  /* name or file; NULL: VMDECK_THEME, else "default" */
	const char *layout; /* windows to begin with, or NULL */
	bool no_color;      /* attributes only, as NO_COLOR asks for */
	bool ascii;         /* no character above 127 of our own */
	bool read_only;     /* refuses all that changes something, and has the daemon refuse it */
	bool replay;        /* the daemon of VMDECK_RUNTIME is a vmdeck-replay */
	bool quit_at_end;   /* of the recording */
};

/* Runs the console on stdin and stdout, which must be a terminal, until the operator leaves.
 * Returns the exit code; a reason has been written to stderr when it isn't 0. */
int console_main(const struct console_opts *o);
/* The keys in force, as text or JSON; what is wrong in keys.conf goes to stderr. Returns the exit
 * code: 1 when anything is. */
int console_keys_print(FILE *f, bool json);
/* The options as they are in force with these flags; file: instead of the user's vmdeck.conf, or
 * NULL. What is wrong in it goes to stderr. Returns the exit code: 1 when anything is. */
enum config_form { CONFIG_TEXT, CONFIG_JSON, CONFIG_CHECK /* prints nothing else */ };
int console_config_print(
	FILE *f, const struct console_opts *flags, const char *file, enum config_form form);
/* All keys as a Markdown table: the README's. */
void console_keys_markdown(FILE *f);

#endif
