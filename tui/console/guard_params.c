/* Control sequences with too many parameters. */
#include "tui/console/guard_params.h"

#include <stdbool.h>
#include <string.h>

#define INTRO 2 /* ESC [ */

static bool separates(char c)
{
	return c == ';' || c == ':';
}

/* Bytes of the next k parameters, with the separator behind each but the last of all. */
static size_t params_length(const char *s, const char *end, int k)
{
	const char *at = s;

	while (at < end && k > 0)
		k -= separates(*at++);
	return (size_t)(at - s);
}

/* How many parameters belong together: 38;2;r;g;b and 38;5;n must not be torn. */
static int group(const char *s, const char *end)
{
	size_t n = (size_t)(end - s);

	if (n < 5 || (memcmp(s, "38;", 3) != 0 && memcmp(s, "48;", 3) != 0))
		return 1;
	return s[4] != ';' ? 1 : s[3] == '2' ? 5 : s[3] == '5' ? 3 : 1;
}

static void emit_part(const char *s, size_t n, char final, guard_emit *emit, void *user)
{
	char out[INTRO + GUARD_SEQUENCE * 2 + 1] = "\x1b[";

	if (n > 0 && separates(s[n - 1]))
		n--;
	if (n > sizeof(out) - INTRO - 1)
		return;
	memcpy(out + INTRO, s, n);
	out[INTRO + n] = final;
	emit(user, out, INTRO + n + 1);
}

void guard_params(const char *seq, size_t n, guard_emit *emit, void *user)
{
	const char *s = seq + INTRO, *end = seq + n - 1;
	int count = 1;

	for (const char *c = s; c < end; c++)
		count += separates(*c);
	if (count <= GUARD_PARAMS) {
		emit(user, seq, n);
		return;
	}
	if (*end != 'm') {
		emit_part(s, params_length(s, end, GUARD_PARAMS), *end, emit, user);
		return;
	}
	while (s < end) {
		const char *part = s;
		int used = 0;

		for (int k; s < end && used + (k = group(s, end)) <= GUARD_PARAMS; used += k)
			s += params_length(s, end, k);
		emit_part(part, (size_t)(s - part), 'm', emit, user);
	}
	/* A separator at the end has an empty parameter, a reset, behind it. */
	if (separates(end[-1]))
		emit(user, "\x1b[m", 3);
}
