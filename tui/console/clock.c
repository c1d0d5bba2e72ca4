/* The console's clock. A clock is the same for all of a process, so it is kept here. */
#include "tui/console/clock.h"

#include <stdbool.h>

#include "backend/base/util.h"

static struct {
	bool set;
	uint64_t wall_ns, end_ns, at_ns; /* at: monotonic, when wall_ns was so */
	int speed;
} replayed;

uint64_t clock_wall_ns(void)
{
	uint64_t passed, now;

	if (!replayed.set)
		return wall_ns();
	passed = (mono_ns() - replayed.at_ns) / 1000 * (uint64_t)replayed.speed;
	now = replayed.wall_ns + (replayed.speed ? passed : 0);
	return min_of(now, replayed.end_ns);
}

void clock_set(uint64_t now_ns, int speed, uint64_t end_ns)
{
	replayed.set = true;
	replayed.wall_ns = now_ns;
	replayed.end_ns = end_ns;
	replayed.at_ns = mono_ns();
	replayed.speed = max_of(speed, 0);
}

void clock_reset(void)
{
	replayed.set = false;
}
