/* Bells, titles and clipboards of guests, as far as vmdeck.conf allows them. */
#ifndef VMDECK_TUI_CONSOLE_GUEST_SIGNS_H
#define VMDECK_TUI_CONSOLE_GUEST_SIGNS_H

#include "tui/console/deck.h"

struct app;

/* What the options allow now: for all panes there are, and those made later. */
void guest_signs_allow(struct app *a);
/* Once a loop turn, behind the guests' bytes: rings, copies. True: what is drawn has changed. */
bool guest_signs_turn(struct app *a);
/* The title that the guest behind a tab has set, where it may; else "". */
const char *guest_title(const struct app *a, const struct deck_tab *t);

#endif
