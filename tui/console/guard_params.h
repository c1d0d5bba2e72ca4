/* Control sequences with more parameters than libvterm 0.1.4 has room for: it writes behind the end
 * of its array. Pure. */
#ifndef VMDECK_TUI_CONSOLE_GUARD_PARAMS_H
#define VMDECK_TUI_CONSOLE_GUARD_PARAMS_H

#include "tui/console/guard.h"

#define GUARD_PARAMS 16

/* Hands on a whole sequence, ESC [ to its last byte: colours in several of at most GUARD_PARAMS
 * parameters; of any other one the first GUARD_PARAMS, as other terminals do. */
void guard_params(const char *seq, size_t n, guard_emit *emit, void *user);

#endif
