/* Lines that left a pane at its top: a ring of the newest SCROLLBACK_LINES, trailing blanks cut. */
#ifndef VMDECK_TUI_CONSOLE_SCROLLBACK_H
#define VMDECK_TUI_CONSOLE_SCROLLBACK_H

#include <stdint.h>
#include <vterm.h>

#define SCROLLBACK_LINES 2000

struct sb_line {
	int cols;
	VTermScreenCell *cells; /* owned */
};

struct scrollback {
	struct sb_line *ring; /* owned; made with the first line */
	int first, count;
	uint64_t dropped; /* lines that left the ring */
};

void scrollback_fini(struct scrollback *sb); /* accepts zeroed; can be used again */
void scrollback_push(struct scrollback *sb, const VTermScreenCell *cells, int cols);
/* Takes the newest line back: fills cols cells (blanks behind its end). False: there is none. */
bool scrollback_pop(struct scrollback *sb, VTermScreenCell *cells, int cols, const VTermScreenCell *blank);
/* Line back (0: the newest, count - 1: the oldest), or NULL. */
const struct sb_line *scrollback_line(const struct scrollback *sb, int back);

#endif
