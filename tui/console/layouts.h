/* Windows kept by name: $XDG_STATE_HOME/vmdeck/layouts/NAME.json (else ~/.local/state/...). */
#ifndef VMDECK_TUI_CONSOLE_LAYOUTS_H
#define VMDECK_TUI_CONSOLE_LAYOUTS_H

#include "tui/console/windows.h"

#define LAYOUT_LAST "last" /* what :wq keeps */

/* All return 0, or -errno with a sentence. A name follows the rules for names of VMs. */
int layout_save(const struct windows *ws, const char *name, struct err *e);
/* Fills ws only when the file is good. At least one of its windows follows the list. */
int layout_load(struct windows *ws, const char *name, struct err *e);
int layout_remove(const char *name, struct err *e);
/* All names in order of the alphabet, with blanks between, cut to n bytes; how many there are, or
 * -errno. */
int layout_list(char *out, size_t n, struct err *e);

#endif
