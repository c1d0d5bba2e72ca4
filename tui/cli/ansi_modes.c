/* What sequences switch on in a terminal, and how it is switched off again. */
#include <string.h>

#include "tui/cli/ansi.h"

/* Private modes that programs switch and may leave behind; on: what a fresh terminal has. Left in
 * this order, so the other screen is left before cursor and wrapping are put right. */
static const struct mode {
	uint16_t number;
	bool on;
} modes[] = {
	{1, false},    /* cursor keys send application sequences */
	{6, false},    /* origin */
	{9, false},    /* X10 mouse */
	{1000, false}, /* mouse: buttons */
	{1001, false}, {1002, false}, {1003, false}, {1004, false}, /* focus */
	{1005, false}, {1006, false}, {1015, false}, {1016, false},
	{2004, false},                            /* bracketed paste */
	{47, false},                              /* other screen */
	{1047, false}, {1049, false}, {5, false}, /* reverse video */
	{7, true},                                /* wrap */
	{25, true},                               /* cursor visible */
};

_Static_assert(countof(modes) <= 32, "modes fit a 32 bit set");

static void note_private_mode(struct ansi *a, unsigned number, bool on)
{
	for (size_t i = 0; i < countof(modes); i++)
		if (modes[i].number == number) {
			if (on == modes[i].on)
				a->modes &= ~(1u << i);
			else
				a->modes |= 1u << i;
		}
}

/* seq: ESC [ ? 1 ; 2 h */
static void note_private_modes(struct ansi *a)
{
	bool on = a->seq[a->len - 1] == 'h';
	unsigned number = 0;

	for (size_t i = 3; i < a->len; i++) {
		uint8_t c = a->seq[i];

		if (c >= '0' && c <= '9') {
			number = number < 100000 ? number * 10 + (c - '0') : number;
			continue;
		}
		note_private_mode(a, number, on);
		number = 0;
	}
}

/* ESC [ m, ESC [ 0 m and ESC [ ; m reset; anything else may colour. */
static bool sgr_resets(const struct ansi *a)
{
	for (size_t i = 2; i + 1 < a->len; i++)
		if (a->seq[i] != '0' && a->seq[i] != ';')
			return false;
	return true;
}

void ansi_note_csi(struct ansi *a)
{
	uint8_t last = a->seq[a->len - 1];
	bool plain = a->len < 4 || (a->seq[2] >= '0' && a->seq[2] <= ';');

	if (a->seq[2] == '?' && (last == 'h' || last == 'l'))
		note_private_modes(a);
	else if (last == 'm' && plain)
		a->coloured = !sgr_resets(a);
	else if (last == 'r' && plain)
		a->region = a->len > 3;
	else if (last == 'q' && a->len >= 4 && a->seq[a->len - 2] == ' ')
		a->shape = !(a->len == 4 || (a->len == 5 && a->seq[2] == '0'));
	else if (last == 'p' && a->len == 4 && a->seq[2] == '!')
		a->modes = 0, a->keypad = a->region = a->coloured = false;
}

void ansi_note_esc(struct ansi *a)
{
	uint8_t c = a->seq[1];

	if (a->len == 3 && c == '(')
		a->charset = a->seq[2] != 'B';
	else if (c == '=' || c == '>')
		a->keypad = c == '=';
	else if (c == 'c')
		a->modes = 0, a->keypad = a->region = a->coloured = a->charset = a->shape = false;
}

size_t ansi_reset(const struct ansi *a, char *out)
{
	size_t n = 0;

	out[0] = '\0';
	if (a->region) /* setting it homes the cursor */
		n += (size_t)snprintf(out + n, ANSI_SEQ_MAX - n, "\0337\033[r\0338");
	for (size_t i = 0; i < countof(modes); i++)
		if (a->modes & 1u << i)
			n += (size_t)snprintf(out + n, ANSI_SEQ_MAX - n, "\033[?%u%c",
				modes[i].number, modes[i].on ? 'h' : 'l');
	if (a->keypad)
		n += (size_t)snprintf(out + n, ANSI_SEQ_MAX - n, "\033>");
	if (a->charset)
		n += (size_t)snprintf(out + n, ANSI_SEQ_MAX - n, "\033(B\017");
	if (a->shape)
		n += (size_t)snprintf(out + n, ANSI_SEQ_MAX - n, "\033[0 q");
	if (a->coloured)
		n += (size_t)snprintf(out + n, ANSI_SEQ_MAX - n, "\033[m");
	return n;
}
