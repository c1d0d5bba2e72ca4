#include "tui/console/ring.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/base/util.h"

#define LEVELS 8 /* of a row */

static const char *const blocks[] = {
	" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
static const char *const signs[] = {" ", ".", ".", ":", "-", "=", "+", "*", "#"};
_Static_assert(countof(blocks) == LEVELS + 1 && countof(signs) == LEVELS + 1, "a sign a level");

void ring_add(struct ring *r, double v)
{
	if (!isfinite(v) || v < 0)
		return;
	r->v[r->next] = v;
	r->next = (r->next + 1) % RING_SIZE;
	r->count = min_of(r->count + 1, RING_SIZE);
}

double ring_at(const struct ring *r, int back)
{
	if (back < 0 || back >= r->count)
		return -1;
	return r->v[(r->next - 1 - back + 2 * RING_SIZE) % RING_SIZE];
}

double ring_min(const struct ring *r)
{
	double least = ring_at(r, 0);

	for (int i = 1; i < r->count; i++)
		least = min_of(least, ring_at(r, i));
	return least;
}

double ring_max(const struct ring *r)
{
	double most = ring_at(r, 0);

	for (int i = 1; i < r->count; i++)
		most = max_of(most, ring_at(r, i));
	return most;
}

/* 0..LEVELS of one row of a column. */
static int level(double v, double top, int row, int rows)
{
	int all = rows * LEVELS, at;

	if (v < 0)
		return 0;
	at = top > 0 ? (int)(min_of(v / top, 1.) * all + 0.5) : 0;
	/* The lowest step says: there was a value, and it was next to nothing. */
	at = max_of(at, 1);
	return max_of(0, min_of(at - (rows - 1 - row) * LEVELS, LEVELS));
}

char *ring_graph(
	const struct ring *r, int w, double top, int row, int rows, bool ascii, char *out, size_t n)
{
	const char *const *set = ascii ? signs : blocks;
	size_t len = 0;

	out[0] = '\0';
	if (top <= 0)
		top = ring_max(r);
	for (int i = w - 1; i >= 0; i--) {
		const char *sign = set[level(ring_at(r, i), top, row, rows)];

		if (len + strlen(sign) >= n)
			break;
		len += (size_t)snprintf(out + len, n - len, "%s", sign);
	}
	return out;
}

char *ring_spark(const struct ring *r, int w, double top, bool ascii, char *out, size_t n)
{
	return ring_graph(r, w, top, 0, 1, ascii, out, n);
}
