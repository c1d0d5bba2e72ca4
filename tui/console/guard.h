/* Guest bytes on their way into libvterm 0.1.4, which can't take all of them: REP (CSI b) makes it
 * write through NULL behind a wide character and loop for ever when nothing was printed before, a
 * character that comes in two pieces is misread, so are colours spelled with colons (38:2::R:G:B),
 * and more than 16 parameters are written behind the end of its array. Such sequences are spelled
 * out here. */
#ifndef VMDECK_TUI_CONSOLE_GUARD_H
#define VMDECK_TUI_CONSOLE_GUARD_H

#include <stddef.h>
#include <stdint.h>

#define GUARD_SEQUENCE                                                                             \
	128 /* bytes of a control sequence that is rewritten; longer ones are dropped */

struct guard {
	enum { GUARD_PLAIN, GUARD_ESC, GUARD_CSI, GUARD_SKIP } state;
	char seq[GUARD_SEQUENCE]; /* held back: ESC and what follows */
	size_t len;
	char last[4]; /* the character printed last, for REP */
	size_t last_len;
	char part[4]; /* a character whose other bytes are still to come */
	size_t part_len;
};

typedef void guard_emit(void *user, const char *bytes, size_t n);

/* Hands bytes on; a sequence at the end that isn't whole is held back until the next call. columns:
 * what REP writes at most. */
void guard_feed(
	struct guard *g, const char *bytes, size_t n, int columns, guard_emit *emit, void *user);
/* Forgets what is held back. */
void guard_reset(struct guard *g);

#endif
