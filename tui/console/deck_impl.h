/* Between the files of the decks. */
#ifndef VMDECK_TUI_CONSOLE_DECK_IMPL_H
#define VMDECK_TUI_CONSOLE_DECK_IMPL_H

#include "tui/console/clock.h"
#include "tui/console/deck.h"

/* The pane of a tab, made when it is not there, in the present size. */
struct pane *tab_pane(struct deck_tab *t);
/* A ruled line "12:03:04 text", behind all bytes that have arrived. wall_ns 0: now. */
void tab_rule(struct deck_tab *t, uint64_t wall_ns, const char *fmt, ...) printf_like(3, 4);
/* The same, but behind the output that is still to come: up to its end, or up to where it is now.
 */
void tab_rule_late(struct deck_tab *t, uint64_t wall_ns, bool at_end, const char *text);
/* Closes the stream and remembers how far it was read. */
void tab_close(struct deck_tab *t);
/* Opens the stream of a source for output or serial tab. */
void tab_follow(struct deck_tab *t, enum source source);
/* A VM that is not alive: "stopped: powered off". */
char *deck_end_text(const struct deck_vm *vm, char *out, size_t n);

extern const struct feed_ops follow_ops; /* deck_follow.c */
extern const struct feed_ops run_ops;    /* deck_run.c */

#endif
