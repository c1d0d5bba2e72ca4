#include "tui/cli/ansi.h"

#include <string.h>

#define ESC 0x1b

struct out {
	uint8_t *p; /* NULL: nothing is written */
	size_t n;
};

static void put(struct out *o, const void *p, size_t n)
{
	if (!o->p)
		return;
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void put_caret(struct out *o, uint8_t c)
{
	uint8_t t[2] = {'^', (uint8_t)(c == 0x7f ? '?' : c + '@')};

	put(o, t, sizeof(t));
}

static void put_hex(struct out *o, const uint8_t *p, size_t n)
{
	char t[8];

	for (size_t i = 0; i < n; i++) {
		snprintf(t, sizeof(t), "\\x%02x", p[i]);
		put(o, t, 4);
	}
}

void ansi_init(struct ansi *a, enum ansi_policy policy)
{
	memset(a, 0, sizeof(*a));
	a->policy = policy;
}

/* ---- what passes --------------------------------------------------------------------------- */

static bool csi_is_colour(const struct ansi *a)
{
	if (a->len > 64 || a->seq[a->len - 1] != 'm')
		return false;
	for (size_t i = 2; i + 1 < a->len; i++)
		if (a->seq[i] < '0' || a->seq[i] > ';') /* digits, ':' and ';' */
			return false;
	return true;
}

/* Sequences that a terminal answers: DSR, DA, DECRQM, window reports, XTVERSION, DECREQTPARM. */
static bool csi_asks(const struct ansi *a)
{
	uint8_t last = a->seq[a->len - 1];
	uint8_t before = a->seq[a->len - 2];

	return last == 'n' || last == 'c' || (last == 'p' && before == '$') || last == 't' ||
	       (last == 'q' && a->seq[2] == '>') || last == 'x' ||
	       (last == 'u' && a->seq[2] == '?') || (last == 'w' && before == '$');
}

static bool esc_asks(const struct ansi *a)
{
	return a->seq[1] == 'Z';
}

/* OSC with a '?' asks for a colour or the clipboard; DCS + q and $ q ask for settings. */
static bool string_asks(const struct ansi *a)
{
	if (a->seq[1] == ']')
		return memchr(a->seq, '?', a->len) != NULL;
	return a->seq[1] == 'P' && a->len > 3 && (a->seq[2] == '+' || a->seq[2] == '$');
}

/* The sequence is whole: note it, pass it or drop it. */
static void finish(struct ansi *a, struct out *o, bool safe, bool asks)
{
	bool pass = a->policy == ANSI_SAFE ? safe : !asks;

	if (pass && !a->cut)
		put(o, a->seq, a->len);
	a->state = ANSI_GROUND;
	a->len = 0;
	a->cut = false;
}

static void finish_csi(struct ansi *a, struct out *o)
{
	bool safe = csi_is_colour(a) && !a->no_colour;

	if (!a->cut && (a->policy != ANSI_SAFE || safe))
		ansi_note_csi(a);
	finish(a, o, safe, csi_asks(a));
}

/* ---- the parser ---------------------------------------------------------------------------- */

static void begin(struct ansi *a, enum ansi_state state, uint8_t c)
{
	a->state = state;
	a->seq[0] = c;
	a->len = 1;
	a->cut = false;
}

static void keep(struct ansi *a, uint8_t c)
{
	if (a->len < sizeof(a->seq))
		a->seq[a->len++] = c;
	else
		a->cut = true;
}

/* A carriage return before a line feed belongs to the line end; alone it would overwrite a line. */
static void settle_cr(struct ansi *a, struct out *o, uint8_t next)
{
	if (a->cr && next != '\n' && next != '\r')
		put_caret(o, '\r');
	a->cr = next == '\r';
}

static void ground_control(struct ansi *a, struct out *o, uint8_t c)
{
	if (a->policy == ANSI_REPLAY) {
		if (c != 0x05) /* ENQ: the answerback message */
			put(o, &c, 1);
		return;
	}
	if (c == '\n' || c == '\t')
		put(o, &c, 1);
	else if (c != '\r')
		put_caret(o, c);
}

static size_t utf8_length(uint8_t lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

static bool utf8_whole(const uint8_t *p, size_t n)
{
	if (n == 2)
		return p[0] != 0xc2 || p[1] >= 0xa0; /* U+0080..9F are controls too */
	if (n == 3)
		return !(p[0] == 0xe0 && p[1] < 0xa0) && !(p[0] == 0xed && p[1] >= 0xa0);
	return !(p[0] == 0xf0 && p[1] < 0x90) && !(p[0] == 0xf4 && p[1] >= 0x90);
}

/* Bytes that are no UTF-8. Replayed as they came, but for those that are controls in 8 bits: 0x9b
 * is CSI, and a query could be hidden behind it. */
static void put_bad(const struct ansi *a, struct out *o, const uint8_t *p, size_t n)
{
	if (a->policy == ANSI_SAFE) {
		put_hex(o, p, n);
		return;
	}
	if (n == 2 && p[0] == 0xc2) /* U+0080..9F: the same controls */
		return;
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 0xa0)
			put(o, &p[i], 1);
}

static void ground(struct ansi *a, struct out *o, uint8_t c)
{
	if (a->policy == ANSI_SAFE)
		settle_cr(a, o, c);
	if (c == ESC)
		begin(a, ANSI_ESC, c);
	else if (c < 0x20 || c == 0x7f)
		ground_control(a, o, c);
	else if (c < 0x80)
		put(o, &c, 1);
	else if (utf8_length(c))
		begin(a, ANSI_UTF8, c);
	else
		put_bad(a, o, &c, 1);
}

static void step(struct ansi *a, struct out *o, uint8_t c);

static void in_utf8(struct ansi *a, struct out *o, uint8_t c)
{
	bool more = (c & 0xc0) == 0x80;

	if (more) {
		keep(a, c);
		if (a->len < utf8_length(a->seq[0]))
			return;
	}
	if (more && utf8_whole(a->seq, a->len))
		put(o, a->seq, a->len);
	else
		put_bad(a, o, a->seq, a->len);
	a->state = ANSI_GROUND;
	a->len = 0;
	if (!more)
		step(a, o, c);
}

/* SAFE only: not a sequence after all, shown escaped. */
static void show_held(struct ansi *a, struct out *o)
{
	for (size_t i = 0; i < a->len; i++) {
		if (a->seq[i] < 0x20 || a->seq[i] == 0x7f)
			put_caret(o, a->seq[i]);
		else if (a->seq[i] < 0x80)
			put(o, &a->seq[i], 1);
		else
			put_hex(o, &a->seq[i], 1);
	}
	a->state = ANSI_GROUND;
	a->len = 0;
}

/* A byte that has no place in an escape sequence. A terminal obeys most controls in the middle of
 * one and goes on with it, so a query may be split by them: REPLAY must see it as the terminal
 * does. */
static void stray(struct ansi *a, struct out *o, uint8_t c)
{
	if (a->policy == ANSI_SAFE) {
		show_held(a, o);
		step(a, o, c);
	} else if (c == ESC) {
		begin(a, ANSI_ESC, c);
	} else if (c == 0x18 || c == 0x1a) { /* CAN, SUB */
		a->state = ANSI_GROUND;
		a->len = 0;
	} else if (c < 0x20) {
		ground_control(a, o, c);
	}
}

static void in_esc(struct ansi *a, struct out *o, uint8_t c)
{
	if (c < 0x20 || c >= 0x7f) {
		stray(a, o, c);
		return;
	}
	keep(a, c);
	if (a->len == 2 && c == '[')
		a->state = ANSI_CSI;
	else if (a->len == 2 && strchr("]PX^_", c))
		a->state = ANSI_STRING;
	else if (c >= 0x30) {
		if (a->policy != ANSI_SAFE)
			ansi_note_esc(a);
		finish(a, o, false, esc_asks(a));
	}
}

static void in_csi(struct ansi *a, struct out *o, uint8_t c)
{
	if (c < 0x20 || c >= 0x7f) {
		stray(a, o, c);
		return;
	}
	keep(a, c);
	if (c >= 0x40)
		finish_csi(a, o);
}

static void in_string(struct ansi *a, struct out *o, uint8_t c)
{
	if (a->state == ANSI_STRING_ESC) {
		if (c == '\\') {
			keep(a, c);
			finish(a, o, false, string_asks(a));
			return;
		}
		/* Another sequence begins: the string is over. */
		finish(a, o, false, true);
		begin(a, ANSI_ESC, ESC);
		step(a, o, c);
		return;
	}
	if (c == 0x18 || c == 0x1a) {
		finish(a, o, false, true);
		return;
	}
	keep(a, c);
	if (c == 0x07)
		finish(a, o, false, string_asks(a));
	else if (c == ESC)
		a->state = ANSI_STRING_ESC;
	else if (c == '\n' && a->policy == ANSI_SAFE) {
		/* Titles have one line: an unfinished string must not swallow the log behind it. */
		finish(a, o, false, true);
		put(o, "\n", 1);
	}
}

static void step(struct ansi *a, struct out *o, uint8_t c)
{
	switch (a->state) {
	case ANSI_GROUND:
		ground(a, o, c);
		break;
	case ANSI_ESC:
		in_esc(a, o, c);
		break;
	case ANSI_CSI:
		in_csi(a, o, c);
		break;
	case ANSI_STRING:
	case ANSI_STRING_ESC:
		in_string(a, o, c);
		break;
	case ANSI_UTF8:
		in_utf8(a, o, c);
		break;
	}
}

size_t ansi_feed(struct ansi *a, const void *data, size_t n, uint8_t *out)
{
	struct out o = {.p = out};
	const uint8_t *p = data;
	size_t i = 0;

	while (i < n) {
		if (a->policy == ANSI_WATCH && a->state == ANSI_GROUND) {
			/* The bulk of a flood has no escape in it. */
			const uint8_t *esc = memchr(p + i, ESC, n - i);

			if (!esc)
				break;
			i = (size_t)(esc - p);
		}
		step(a, &o, p[i++]);
	}
	return o.n;
}

size_t ansi_switch(struct ansi *a, enum ansi_policy policy, uint8_t *out)
{
	struct out o = {.p = out};

	if (a->policy == ANSI_SAFE) {
		if (a->cr)
			put_caret(&o, '\r');
		a->cr = false;
		if (a->state == ANSI_STRING || a->state == ANSI_STRING_ESC)
			a->len = 0;
		show_held(a, &o);
	} else {
		/* The terminal gets the beginning now and the rest from the live stream; so do we.
		 */
		put(&o, a->seq, a->len);
		if (policy == ANSI_SAFE)
			a->state = ANSI_GROUND, a->len = 0;
	}
	a->policy = policy;
	return o.n;
}
