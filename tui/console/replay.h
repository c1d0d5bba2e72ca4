/* A console whose daemon is a vmdeck-replay: it has a clock of its own and can go back in time. */
#ifndef VMDECK_TUI_CONSOLE_REPLAY_H
#define VMDECK_TUI_CONSOLE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>

struct app;
struct replay;

void replay_init(struct app *a);
void replay_fini(struct app *a); /* fine without one */
/* Connected: asks for the clock, which makes it run unless it was started paused. */
void replay_up(struct app *a);
bool replay_playing(const struct app *a); /* false without a replay */
/* Called while it plays: notices its end. */
void replay_tick(struct app *a);
/* " REPLAY 0:12.3/1:30 x2 paused " */
const char *replay_text(const struct app *a, char *out, size_t n);

#endif
