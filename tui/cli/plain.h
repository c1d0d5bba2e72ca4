/* Line mode, for screen readers and logs: the state once, then a line an event in plain words;
 * commands are read from stdin, a line each. Never writes an escape sequence. */
#ifndef VMDECK_CLI_PLAIN_H
#define VMDECK_CLI_PLAIN_H

#include "tui/cli/cli.h"

#define PLAIN_WORDS_MAX 64

/* Until quit, Ctrl-C, or the end of a stdin that had commands in it (one that had none is a log's:
 * events go on). Returns the exit code. */
int plain_main(struct cli *c);

/* "12:03:04 web: running after 1.2 s" without a line end; false: the event is not told. */
bool plain_event(struct json_object *event, char *out, size_t n);
/* Splits a line in place into words: blanks, '...' and "..." as a shell. Number of words, or
 * -EINVAL: a quote is open, or there are too many. */
int plain_words(char *line, char *words[PLAIN_WORDS_MAX], struct err *e);

#endif
