/* The views by name, and words they share. */
#ifndef VMDECK_TUI_CONSOLE_VIEWS_H
#define VMDECK_TUI_CONSOLE_VIEWS_H

#include "tui/console/table.h"

extern const struct view view_vms, view_snapshots, view_restores, view_images, view_events;

enum role state_role(enum deck_state s);
enum glyph state_glyph(enum deck_state s);
/* "memory 40 %", "pause". */
void making_text(const struct deck_making *mk, char *out, size_t n);

#endif
