/* Curses key codes to keys of the console. */
#ifndef VMDECK_TUI_CONSOLE_TERM_INPUT_H
#define VMDECK_TUI_CONSOLE_TERM_INPUT_H

#include <stdbool.h>

#include "tui/console/keys.h"

/* Teaches curses the sequences it doesn't know (bracketed paste, mouse). K_MOUSE: a report begins.
 */
void term_input_setup(void);
/* special: what get_wch gave is a key code, not a character. K_NONE: a key the console has no name
 * for. */
console_key term_input_key(bool special, unsigned code);

#endif
