/* The operator's terminal: taken over by curses, given back on every way out, also on a crash. */
#ifndef VMDECK_TUI_CONSOLE_TERM_H
#define VMDECK_TUI_CONSOLE_TERM_H

#include <stdbool.h>

#include "backend/base/err.h"
#include "tui/console/keys.h"
#include "tui/console/mouse_report.h"
#include "tui/console/paint.h"

/* Takes the terminal over. -ENOTTY when stdin or stdout is none; -ENOENT when TERM is not known.
 * From now on fatal signals restore it before they do their work. */
int term_start(struct err *e);
/* Gives it back. Safe to call twice, and without a start. */
void term_stop(void);

/* Stops this process as C-z asks for and comes back here when it is continued. */
void term_suspend(void);
/* After anything that wrote over the screen: the next frame draws everything anew. */
void term_redraw(void);
/* After SIGCONT: the same, and the terminal's modes as the console wants them. */
void term_return(void);
/* Takes the terminal's present size over (SIGWINCH). */
void term_resized(void);

/* Bytes to the terminal beside the screen (a clipboard sequence), never inside of a frame. Nothing
 * while the terminal is not ours. */
void term_send(const char *bytes, size_t n);

/* What colours there are; NO_COLOR is heeded. */
enum depth term_depth(bool no_color);
/* Whether signs above 127 can be expected to show: by the locale and the kind of terminal. */
bool term_utf8(void);

/* Whether the terminal is asked for mouse reports: off at first, and outside of the console.
 * -ENOTSUP: this kind of terminal has none. */
int term_mouse(bool on, struct err *e);

enum term_input {
	TERM_KEY,  /* *ret is the next key */
	TERM_NONE, /* nothing more at present */
	TERM_GONE, /* the terminal has hung up */
};
enum term_input term_key(console_key *ret);
/* Behind K_UNKNOWN: what came, without its Esc. */
const char *term_unknown_key(void);
/* Behind K_MOUSE: what it did. */
struct mouse_event term_mouse_event(void);

#endif
