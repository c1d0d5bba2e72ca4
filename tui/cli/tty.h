/* The operator's terminal: size, raw mode, and its restoration on every way out. */
#ifndef VMDECK_CLI_TTY_H
#define VMDECK_CLI_TTY_H

#include <stdbool.h>

#include "backend/base/err.h"

/* Rows and columns of the terminal on fd; false when it is none or does not know. */
bool tty_size(int fd, uint16_t *rows, uint16_t *cols);
/* Columns of standard output, 0 when it is no terminal. */
int tty_width(void);

/* Raw mode on fd. keep_output: line feeds still become new lines (the guest has no terminal that
 * does it). The first call saves the terminal's settings and sees to it that exit(3) and crashes
 * restore them. */
int tty_raw(int fd, bool keep_output, struct err *e);
/* Undoes tty_raw; no-op when it is not in force. Safe in signal handlers. */
void tty_restore(void);

#endif
