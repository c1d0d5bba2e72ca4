#include "tui/console/pane_signs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/keys.h"

#define BEL       0x07
#define CAN       0x18
#define SUB       0x1a
#define ESC       0x1b
#define BELLS_MAX 1000

/* ---- title ------------------------------------------------------------------------------------
 */

/* Controls, and what turns the direction of text or is not seen: a title must not look like another
 * one, or like a part of the console. */
static bool is_plain(uint32_t cp)
{
	return cp >= 0x20 && cp != 0xfffd && !(cp >= 0x7f && cp < 0xa0) && cp != 0xad &&
	       cp != 0x61c && !(cp >= 0x200b && cp <= 0x200f) && !(cp >= 0x2028 && cp <= 0x202e) &&
	       !(cp >= 0x2060 && cp <= 0x206f) && cp != 0xfeff && !(cp >= 0xe0000 && cp < 0xe1000);
}

static void take_title(struct signs *s, const char *text, size_t n)
{
	char title[SIGNS_TITLE];
	size_t len = 0;

	while (n > 0 && len + 5 <= sizeof(title)) {
		uint32_t cp;
		int used = utf8_get(text, n, &cp);

		if (used <= 0)
			break;
		if (is_plain(cp))
			len += (size_t)utf8_put(title + len, cp);
		text += used;
		n -= (size_t)used;
	}
	title[len] = '\0';
	s->title_changed = s->title_changed || strcmp(title, s->title) != 0;
	memcpy(s->title, title, len + 1);
}

/* ---- clipboard --------------------------------------------------------------------------------
 */

static int digit(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+'             ? 62
	       : c == '/'             ? 63
				      : -1;
}

/* Bytes written into out (3 for 4 of code), or -1: it is no base64. */
static ssize_t decode(const char *code, size_t n, char *out)
{
	uint32_t bits = 0;
	size_t len = 0;
	int have = 0;

	while (n > 0 && code[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		int d = digit(code[i]);

		if (d < 0)
			return -1;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[len++] = (char)(bits >> have);
		}
	}
	return (ssize_t)len;
}

/* "c;BASE64"; which of the terminal's clipboards is meant does not matter here. */
static void take_clip(struct signs *s, const char *text, size_t n)
{
	const char *code = memchr(text, ';', n);
	ssize_t len;

	if (!code)
		return;
	code++;
	n -= (size_t)(code - text);
	if (n == 0 || *code == '?')
		return;
	free(s->clip);
	s->clip = xcalloc(1, n / 4 * 3 + 4);
	len = decode(code, n, s->clip);
	s->clip_len = (size_t)max_of(len, (ssize_t)0);
	s->clip_refused = len < 0 || len > CLIP_MAX;
	if (len <= 0 || len > CLIP_MAX) {
		free(s->clip);
		s->clip = NULL;
	}
}

/* ---- sequences --------------------------------------------------------------------------------
 */

static bool begins(const struct signs *s, const char *with)
{
	size_t n = strlen(with);

	return s->len >= n && memcmp(s->osc, with, n) == 0;
}

static void osc_end(struct signs *s)
{
	bool clip = begins(s, "52;") && (s->want & SIGN_CLIPBOARD);

	s->state = SIGNS_TEXT;
	if (clip && s->len >= SIGNS_OSC)
		s->clip_refused = true;
	else if (clip)
		take_clip(s, s->osc + 3, s->len - 3);
	else if ((begins(s, "0;") || begins(s, "2;")) && (s->want & SIGN_TITLE))
		take_title(s, s->osc + 2, min_of(s->len - 2, (size_t)SIGNS_OSC));
}

static void osc_begin(struct signs *s)
{
	if (!s->osc)
		s->osc = xcalloc(1, SIGNS_OSC);
	s->len = 0;
	s->state = SIGNS_OSC_TEXT;
}

static void after_escape(struct signs *s, char c)
{
	if (c == ']')
		osc_begin(s);
	else if (c == 'P' || c == 'X' || c == '^' || c == '_')
		s->state = SIGNS_OTHER;
	else if (c != ESC)
		s->state = SIGNS_TEXT;
}

/* Text: up to the next byte that matters; how many bytes were dealt with. */
static size_t text_run(struct signs *s, const char *bytes, size_t n)
{
	const char *esc = memchr(bytes, ESC, n);
	size_t run = esc ? (size_t)(esc - bytes) : n;

	for (const char *at = bytes, *end = bytes + run;
		(s->want & SIGN_BELL) && (at = memchr(at, BEL, (size_t)(end - at))); at++)
		s->bells = min_of(s->bells + 1, BELLS_MAX);
	if (esc)
		s->state = SIGNS_ESC;
	return run + (esc ? 1 : 0);
}

/* One byte of a sequence. */
static void sequence_byte(struct signs *s, char c)
{
	if (c == CAN || c == SUB) {
		s->state = SIGNS_TEXT;
	} else if (s->state == SIGNS_ESC) {
		after_escape(s, c);
	} else if (s->state == SIGNS_OSC_ESC) {
		/* ESC \ ends it; ESC and anything else breaks it off. */
		if (c == '\\')
			osc_end(s);
		else
			after_escape(s, c);
	} else if (c == ESC) {
		s->state = s->state == SIGNS_OSC_TEXT ? SIGNS_OSC_ESC : SIGNS_ESC;
	} else if (s->state == SIGNS_OSC_TEXT && c == BEL) {
		osc_end(s);
	} else if (s->state == SIGNS_OSC_TEXT && s->len < SIGNS_OSC) {
		s->osc[s->len++] = c;
	}
}

void signs_feed(struct signs *s, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t used = 1;

		if (s->state == SIGNS_TEXT)
			used = text_run(s, bytes, n);
		else
			sequence_byte(s, *bytes);
		bytes += used;
		n -= used;
	}
}

void signs_reset(struct signs *s)
{
	unsigned want = s->want;

	signs_fini(s);
	*s = (struct signs){.want = want};
}

void signs_fini(struct signs *s)
{
	free(s->osc);
	free(s->clip);
	s->osc = s->clip = NULL;
}
