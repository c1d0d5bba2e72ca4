/* A pane: a terminal emulator (libvterm) with scrollback, drawn on the curses screen. Guest bytes
 * go into the emulator and nowhere else; titles, bells and clipboard writes end there, but for what
 * pane_signs takes note of. */
#ifndef VMDECK_TUI_CONSOLE_PANE_H
#define VMDECK_TUI_CONSOLE_PANE_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/console/keys.h"
#include "tui/console/mouse_report.h"
#include "tui/console/paint.h"

#define PANE_ROWS_MIN 2
#define PANE_COLS_MIN 4
#define PANE_ROWS_MAX 500
#define PANE_COLS_MAX 1000

struct pane;
struct signs;

/* Bytes for the guest: typed keys, and the emulator's answers to its questions (device attributes,
 * cursor position). Called only while the pane has the keys. */
typedef void pane_to_guest(void *user, const char *bytes, size_t n);

struct pane *pane_new(int rows, int cols, pane_to_guest *fn, void *user);
void pane_free(struct pane *p); /* NULL is fine */

/* Whether keys and answers go to the guest; off at first: answers are dropped. */
void pane_set_keys(struct pane *p, bool on);
/* Sizes outside of the limits are moved inside. */
void pane_resize(struct pane *p, int rows, int cols);

/* Guest bytes. */
void pane_feed(struct pane *p, const void *bytes, size_t n);
/* Bells, title and clipboard of the guest (pane_signs.h), as far as they are wanted. */
struct signs *pane_signs(struct pane *p);
/* How many lines that scrolled off are kept at most. */
void pane_set_scrollback(struct pane *p, int lines);
/* Whether there is no terminal at the guest's end: "\n" then also returns to the first column, and
 * Enter sends it. */
void pane_set_lines(struct pane *p, bool on);
/* Put before and behind bytes that are shown as standard error. */
#define PANE_SGR_STDERR "\x1b[18m"
#define PANE_SGR_PLAIN  "\x1b[10m"
/* A ruled line of ours above the line the cursor is in. Left out while a full-screen program
 * runs: then -EBUSY. */
int pane_rule(struct pane *p, const char *text);
/* The program behind the pane is gone: leaves full-screen modes, pens and margins it has set. */
void pane_settle(struct pane *p);
/* Empties screen and scrollback. */
void pane_reset(struct pane *p);

/* Sends a key or a character to the guest as the emulator's modes ask for. */
void pane_key(struct pane *p, console_key k);

/* Whether the guest asked for the mouse and has the keys. */
bool pane_wants_mouse(const struct pane *p);
/* Tells it, in the encoding it asked for. row, col: of the pane. */
void pane_mouse(struct pane *p, int row, int col, const struct mouse_event *ev);

/* Scrolls by lines (negative: back); to the live end with pane_scroll_end. */
void pane_scroll(struct pane *p, int lines);
void pane_scroll_end(struct pane *p);
/* Lines above the live screen that are in view; 0: live. */
int pane_scrolled(const struct pane *p);
/* Once after older lines could not be kept on disk: why, a sentence; else NULL. */
const char *pane_trouble(struct pane *p);
/* True once after something that pane_draw shows has changed. */
bool pane_take_changed(struct pane *p);

/* Draws into r; the cursor's place on the screen goes to *cy, *cx, -1 when it is hidden. */
void pane_draw(const struct pane *p, const struct paint *paint, struct rect r, int *cy, int *cx);

#endif
