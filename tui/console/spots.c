/* Places on the screen that can be clicked. */
#include "tui/console/spots.h"

#include <stddef.h>

void spots_add(struct spots *s, enum spot_kind kind, int value, int y, int x, int end)
{
	if (s && s->count < SPOTS_MAX && x < end)
		s->spot[s->count++] = (struct spot){kind, value, y, x, end};
}

struct spot spots_at(const struct spots *s, int y, int x)
{
	for (int i = s->count - 1; i >= 0; i--)
		if (s->spot[i].y == y && x >= s->spot[i].x && x < s->spot[i].end)
			return s->spot[i];
	return (struct spot){.kind = SPOT_NONE};
}
