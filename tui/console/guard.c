/* Guest bytes on their way into libvterm. */
#include "tui/console/guard.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/guard_params.h"

#define ESC 0x1b
#define CAN 0x18
#define SUB 0x1a

void guard_reset(struct guard *g)
{
	g->state = GUARD_PLAIN;
	g->len = 0;
	g->part_len = 0;
}

/* The last character of a run of plain bytes. */
static void remember(struct guard *g, const char *s, size_t n)
{
	size_t at = n;

	while (at > 0 && n - at < 3 && ((unsigned char)s[at - 1] & 0xc0) == 0x80)
		at--;
	/* Its beginning came in an earlier piece. */
	if (at == 0 && g->last_len + n <= sizeof(g->last)) {
		memcpy(g->last + g->last_len, s, n);
		g->last_len += n;
	}
	if (at == 0)
		return;
	at--;
	if ((unsigned char)s[at] < 0x20 || s[at] == 0x7f)
		return;
	g->last_len = n - at;
	memcpy(g->last, s + at, g->last_len);
}

/* Bytes of a UTF-8 character by its first one. */
static size_t utf8_length(unsigned char c)
{
	return c >= 0xf0 && c < 0xf8   ? 4
	       : c >= 0xe0 && c < 0xf0 ? 3
	       : c >= 0xc0 && c < 0xe0 ? 2
				       : 1;
}

/* How many bytes at the end of a run are the beginning of a character. */
static size_t unfinished(const char *s, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = (unsigned char)s[n - back];

		if ((c & 0xc0) != 0x80)
			return utf8_length(c) > back ? back : 0;
	}
	return 0;
}

/* Completes the character that was held back; bytes used of the run. */
static size_t complete(struct guard *g, const char *s, size_t n, guard_emit *emit, void *user)
{
	size_t want = utf8_length((unsigned char)g->part[0]), used = 0;

	while (used < n && g->part_len < want && ((unsigned char)s[used] & 0xc0) == 0x80)
		g->part[g->part_len++] = s[used++];
	/* Whole, or broken off by something else. */
	if (g->part_len == want || used < n) {
		remember(g, g->part, g->part_len);
		emit(user, g->part, g->part_len);
		g->part_len = 0;
	}
	return used;
}

/* A run without sequences. last: more of it may come. */
static void plain(struct guard *g, const char *s, size_t n, bool last, guard_emit *emit, void *user)
{
	size_t used = g->part_len ? complete(g, s, n, emit, user) : 0, hold;

	s += used;
	n -= used;
	hold = last && n ? unfinished(s, n) : 0;
	if (n > hold) {
		remember(g, s, n - hold);
		emit(user, s, n - hold);
	}
	if (hold) {
		memcpy(g->part, s + n - hold, hold);
		g->part_len = hold;
	}
}

static void repeat(struct guard *g, int columns, guard_emit *emit, void *user)
{
	long count = strtol(g->seq + 2, NULL, 10);

	/* ESC [ digits b; anything else with this end has no meaning. */
	if (strspn(g->seq + 2, "0123456789") != g->len - 3 || g->last_len == 0)
		return;
	count = max_of(1, min_of(count, (long)columns));
	while (count-- > 0)
		emit(user, g->last, g->last_len);
}

/* One parameter with colons, written with semicolons: 38:2::1:2:3, 38:2:1:2:3, 38:5:1, 4:3. */
static int rewrite_colons(const char *param, char *out, size_t n)
{
	char part[8][8] = {{0}};
	int parts = 0;

	for (const char *s = param; parts < 8;) {
		size_t len = strcspn(s, ":");

		snprintf(part[parts++], sizeof(part[0]), "%.*s", (int)min_of(len, (size_t)7), s);
		s += len;
		if (*s++ == '\0')
			break;
	}
	if (strcmp(part[0], "4") == 0)
		return snprintf(out, n, "%s", strcmp(part[1], "0") == 0 ? "24" : "4");
	if (strcmp(part[1], "5") == 0 && parts == 3)
		return snprintf(out, n, "%s;5;%s", part[0], part[2]);
	/* With the colour space, which is mostly empty, or without. */
	if (strcmp(part[1], "2") == 0 && parts >= 5)
		return snprintf(out, n, "%s;2;%s;%s;%s", part[0], part[parts == 5 ? 2 : 3],
			part[parts == 5 ? 3 : 4], part[parts == 5 ? 4 : 5]);
	return 0;
}

static void rewrite_sgr(struct guard *g, guard_emit *emit, void *user)
{
	char out[2 * GUARD_SEQUENCE] = "\x1b[", *param = g->seq + 2;
	size_t n = 2;

	g->seq[g->len - 1] = '\0';
	while (param) {
		char *end = strchr(param, ';');
		int len;

		if (end)
			*end++ = '\0';
		len = strchr(param, ':') ? rewrite_colons(param, out + n, sizeof(out) - n)
					 : snprintf(out + n, sizeof(out) - n, "%s", param);
		n = min_of(n + (size_t)max_of(len, 0), sizeof(out) - 2);
		/* A parameter that means nothing is left out, with its semicolon. */
		if (end && (len > 0 || !strchr(param, ':')))
			out[n++] = ';';
		n = min_of(n, sizeof(out) - 2);
		param = end;
	}
	if (out[n - 1] == ';')
		n--;
	/* Nothing left over would mean a reset. */
	if (n == 2 && g->len > 3)
		return;
	out[n++] = 'm';
	guard_params(out, n, emit, user);
}

static void finish(struct guard *g, int columns, guard_emit *emit, void *user)
{
	g->seq[g->len] = '\0';
	if (g->seq[g->len - 1] == 'b')
		repeat(g, columns, emit, user);
	else if (g->seq[g->len - 1] == 'm' && memchr(g->seq, ':', g->len))
		rewrite_sgr(g, emit, user);
	else
		guard_params(g->seq, g->len, emit, user);
	guard_reset(g);
}

static void in_escape(struct guard *g, unsigned char c, guard_emit *emit, void *user)
{
	g->seq[g->len++] = (char)c;
	/* What stands between ESC and its end is not told apart: libvterm takes ESC SP [ for CSI.
	 */
	if (c == '[') {
		g->seq[1] = '[';
		g->len = 2;
		g->state = GUARD_CSI;
	} else if (c >= 0x30 || g->len >= 8) {
		emit(user, g->seq, g->len);
		guard_reset(g);
	}
}

static void in_csi(struct guard *g, unsigned char c, int columns, guard_emit *emit, void *user)
{
	if (g->len >= GUARD_SEQUENCE - 1)
		g->state = GUARD_SKIP;
	if (g->state == GUARD_CSI)
		g->seq[g->len++] = (char)c;
	if (c < 0x40 || c >= 0x7f)
		return;
	if (g->state == GUARD_CSI)
		finish(g, columns, emit, user);
	else
		guard_reset(g);
}

/* One byte of a sequence. Controls inside of it are executed at once, as terminals do. */
static void in_sequence(struct guard *g, unsigned char c, int columns, guard_emit *emit, void *user)
{
	char byte = (char)c;

	if (c == ESC) {
		g->state = GUARD_ESC;
		g->seq[0] = byte;
		g->len = 1;
	} else if (c == CAN || c == SUB) {
		guard_reset(g);
		emit(user, &byte, 1);
	} else if (c < 0x20) {
		emit(user, &byte, 1);
	} else if (c >= 0x80 || c == 0x7f) {
		return; /* no place in a sequence */
	} else if (g->state == GUARD_ESC) {
		in_escape(g, c, emit, user);
	} else {
		in_csi(g, c, columns, emit, user);
	}
}

void guard_feed(
	struct guard *g, const char *bytes, size_t n, int columns, guard_emit *emit, void *user)
{
	const char *end = bytes + n;

	while (bytes < end) {
		const char *esc;

		if (g->state != GUARD_PLAIN) {
			in_sequence(g, (unsigned char)*bytes++, columns, emit, user);
			continue;
		}
		esc = memchr(bytes, ESC, (size_t)(end - bytes));
		esc = esc ? esc : end;
		if (esc > bytes)
			plain(g, bytes, (size_t)(esc - bytes), esc == end, emit, user);
		if (esc < end && g->part_len) {
			emit(user, g->part, g->part_len);
			g->part_len = 0;
		}
		bytes = esc;
		if (bytes < end)
			in_sequence(g, (unsigned char)*bytes++, columns, emit, user);
	}
}
