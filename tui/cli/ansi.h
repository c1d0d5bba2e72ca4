/* Guest bytes on the operator's terminal: one incremental parser of escape sequences, used to make
 * stored output safe to show, to replay history without its queries, and to know which terminal
 * modes a guest left switched on. No I/O. */
#ifndef VMDECK_CLI_ANSI_H
#define VMDECK_CLI_ANSI_H

#include <stdbool.h>

#include "backend/base/util.h"

#define ANSI_SEQ_MAX 256
/* Bytes ansi_feed may put out for n bytes in: a bad byte becomes "\xNN", and what was held comes.
 */
#define ANSI_OUT_MAX(n) ((n)*4 + ANSI_SEQ_MAX + 16)

enum ansi_policy {
	/* Text, tab, line feed and colours. Other whole sequences vanish; control bytes become ^X,
	 * bytes that are no UTF-8 \xNN: a guest can neither move the cursor, retitle or reprogram
	 * the terminal, nor make it answer. */
	ANSI_SAFE,
	/* Everything but what a terminal answers: for history of a terminal, whose answers would be
	 * typed into a guest that asked long ago. */
	ANSI_REPLAY,
	/* Nothing is written; only the modes are followed. */
	ANSI_WATCH,
};

enum ansi_state { ANSI_GROUND, ANSI_ESC, ANSI_CSI, ANSI_STRING, ANSI_STRING_ESC, ANSI_UTF8 };

struct ansi {
	enum ansi_policy policy;
	enum ansi_state state;
	uint8_t seq[ANSI_SEQ_MAX]; /* the sequence under way, from its ESC on */
	size_t len;
	bool cut;       /* longer than seq */
	bool cr;        /* SAFE: a carriage return waits for its line feed */
	bool no_colour; /* SAFE: colours vanish too; set after ansi_init */
	bool coloured;  /* SGR other than reset is in force */
	uint32_t modes; /* private modes away from their default, bits of the table in ansi_modes.c
			 */
	bool keypad, region, charset, shape; /* ESC =, scroll region, ESC ( 0, cursor shape */
};

void ansi_init(struct ansi *a, enum ansi_policy policy);
/* Bytes written to out (ANSI_OUT_MAX(n) bytes of room; NULL for ANSI_WATCH). */
size_t ansi_feed(struct ansi *a, const void *data, size_t n, uint8_t *out);
/* What was held back of an unfinished sequence, and from now on the new policy. SAFE shows it
 * escaped, REPLAY as it came. Same room as for 0 bytes. */
size_t ansi_switch(struct ansi *a, enum ansi_policy policy, uint8_t *out);
/* Sequences that bring a terminal back from all modes the guest left on; "" when there are none.
 * out: ANSI_SEQ_MAX bytes. Returns the length. */
size_t ansi_reset(const struct ansi *a, char *out);

/* Between ansi.c and ansi_modes.c: a whole sequence in a->seq changes what is in force. */
void ansi_note_csi(struct ansi *a);
void ansi_note_esc(struct ansi *a);

#endif
