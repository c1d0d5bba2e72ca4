/* Mouse reports: button;column;row and M (pressed, moved) or m (released). */
#include "tui/console/mouse_report.h"

#include <stdlib.h>

#include "tui/console/keys.h"

#define CELLS_MAX 10000 /* no terminal is larger */

/* Bits of the first number. */
enum { BIT_SHIFT = 4, BIT_ALT = 8, BIT_CTRL = 16, BIT_MOVED = 32, BIT_WHEEL = 64, BITS_ALL = 127 };

void mouse_report_begin(struct mouse_report *r)
{
	*r = (struct mouse_report){.open = true};
}

static bool number(const char **s, char end, long max, int *ret)
{
	char *after;
	long v;

	if (**s < '0' || **s > '9')
		return false;
	v = strtol(*s, &after, 10);
	if (*after != end || v > max)
		return false;
	*s = after + (end != '\0');
	*ret = (int)v;
	return true;
}

static bool decode(const char *text, bool pressed, struct mouse_event *ret)
{
	int bits, x, y, low;

	if (!number(&text, ';', BITS_ALL, &bits) || !number(&text, ';', CELLS_MAX, &x) ||
		!number(&text, '\0', CELLS_MAX, &y) || x < 1 || y < 1)
		return false;
	low = bits & 3;
	/* The wheel to the sides has no meaning here; 3: moved with no button. */
	if (bits & BIT_WHEEL ? low > 1 : low == 3)
		low = -1;
	*ret = (struct mouse_event){
		.button = low < 0            ? MOUSE_NONE
			  : bits & BIT_WHEEL ? (enum mouse_button)(MOUSE_UP + low)
					     : (enum mouse_button)(MOUSE_LEFT + low),
		.y = y - 1,
		.x = x - 1,
		.pressed = pressed,
		.moved = bits & BIT_MOVED,
		.mods = (bits & BIT_SHIFT ? KEY_MOD_SHIFT : 0) |
			(bits & BIT_ALT ? KEY_MOD_ALT : 0) | (bits & BIT_CTRL ? KEY_MOD_CTRL : 0),
	};
	return true;
}

enum mouse_fed mouse_report_feed(struct mouse_report *r, uint32_t c, struct mouse_event *ret)
{
	bool end = c == 'M' || c == 'm';

	if (end)
		r->text[r->len] = '\0';
	if (end || !((c >= '0' && c <= '9') || c == ';') || r->len + 1 >= sizeof(r->text)) {
		r->open = false;
		return end && decode(r->text, c == 'M', ret) ? MOUSE_DONE : MOUSE_BAD;
	}
	r->text[r->len++] = (char)c;
	return MOUSE_MORE;
}
