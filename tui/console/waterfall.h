/* The phases of a boot or a restore as bars over time, with what is usual behind them. */
#ifndef VMDECK_TUI_CONSOLE_WATERFALL_H
#define VMDECK_TUI_CONSOLE_WATERFALL_H

#include "tui/console/model.h"
#include "tui/console/page.h"

/* Draws the timing as lines of the page: total, what it waits for, a row a phase, why it failed.
 * What is under way has run until pg->now_ns. */
void waterfall_draw(struct page *pg, const struct deck_timing *t);
/* The phase under way in words: "hello: waiting since 2.1 s, limit 5 s, usually 30 ms". */
char *waterfall_wait(const struct deck_timing *t, uint64_t now_ns, char *out, size_t n);

#endif
