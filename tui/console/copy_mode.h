/* Copy mode as a layer of the console: its keys, its prompt, its status line. */
#ifndef VMDECK_TUI_CONSOLE_COPY_MODE_H
#define VMDECK_TUI_CONSOLE_COPY_MODE_H

#include "tui/console/copy.h"

struct app;

/* Copy mode over the pane that is shown; a notice when there is none. */
void copy_mode_open(struct app *a);
/* What its actions do; nothing outside of copy mode. */
void copy_mode_move(struct app *a, enum copy_move move);
void copy_mode_select(struct app *a, enum copy_select kind);
void copy_mode_take(struct app *a);
void copy_mode_ask(struct app *a, bool back);
void copy_mode_again(struct app *a, bool turn);
void copy_mode_goto(struct app *a);
void copy_mode_leave(struct app *a);

#endif
