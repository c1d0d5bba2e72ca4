/* What a guest tells its terminal beside text: bells, a title, a text for the clipboard. Only taken
 * note of, as far as it is wanted; nothing of it goes anywhere by itself. What is asked for (OSC 52
 * with ?) is never answered. Pure. */
#ifndef VMDECK_TUI_CONSOLE_PANE_SIGNS_H
#define VMDECK_TUI_CONSOLE_PANE_SIGNS_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/console/clip.h"

#define SIGNS_TITLE 61                          /* bytes of a title, with its end */
#define SIGNS_OSC   (CLIP_MAX / 3 * 4 + 4 + 64) /* of a sequence; longer ones are refused */

enum sign { SIGN_BELL = 1, SIGN_TITLE = 2, SIGN_CLIPBOARD = 4 };

struct signs {
	unsigned want; /* enum sign: the rest is not looked at */
	enum { SIGNS_TEXT, SIGNS_ESC, SIGNS_OSC_TEXT, SIGNS_OSC_ESC, SIGNS_OTHER } state;
	char *osc; /* owned; the sequence so far, SIGNS_OSC bytes; NULL until one is wanted */
	size_t len;
	int bells;               /* since they were taken */
	char title[SIGNS_TITLE]; /* printable UTF-8; "": none */
	bool title_changed;      /* since it was taken */
	char *clip;              /* owned; set since it was taken, or NULL */
	size_t clip_len;
	bool clip_refused; /* longer than CLIP_MAX, or no base64; since it was taken */
};

/* Guest bytes in any pieces. */
void signs_feed(struct signs *s, const char *bytes, size_t n);
/* Another guest, or the same anew: forgets all but what is wanted. */
void signs_reset(struct signs *s);
void signs_fini(struct signs *s);

#endif
