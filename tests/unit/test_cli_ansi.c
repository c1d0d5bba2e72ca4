// LIBS: base
// OBJS: tui/cli/ansi.c tui/cli/ansi_modes.c tui/cli/prefix.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "tui/cli/ansi.h"
#include "tui/cli/prefix.h"

#define LOOK 4096

/* Feeds in pieces of `piece` bytes and ends the stream. */
static size_t filter(enum ansi_policy policy, const char *in, size_t n, size_t piece, char *out)
{
	uint8_t room[ANSI_OUT_MAX(LOOK)];
	struct ansi a;
	size_t used = 0, k;

	ansi_init(&a, policy);
	for (size_t i = 0; i < n; i += piece) {
		size_t len = min_of(piece, n - i);

		k = ansi_feed(&a, in + i, len, room);
		assert_true(k <= ANSI_OUT_MAX(len));
		memcpy(out + used, room, k);
		used += k;
	}
	k = ansi_switch(&a, ANSI_WATCH, room);
	assert_true(k <= ANSI_OUT_MAX(0));
	memcpy(out + used, room, k);
	used += k;
	out[used] = '\0';
	return used;
}

static void expect(enum ansi_policy policy, const char *in, const char *want)
{
	char out[8 * LOOK];

	for (size_t piece = 1; piece <= strlen(in) + 1; piece++) {
		filter(policy, in, strlen(in), piece, out);
		if (strcmp(out, want) != 0)
			fail_msg("in pieces of %zu: '%s', wanted '%s'", piece, out, want);
	}
}

static const struct {
	const char *in, *want;
} safe_rows[] = {
	{"plain text\n", "plain text\n"},
	{"a\tb\r\nc\n", "a\tb\nc\n"},
	{"\r\r\nx", "\nx"},
	{"10%\r20%\n", "10%^M20%\n"},
	{"end\r", "end^M"},
	{"\033[31mred\033[0m", "\033[31mred\033[0m"},
	{"\033[38;5;12mx\033[m", "\033[38;5;12mx\033[m"},
	{"\033[38:2::1:2:3mx", "\033[38:2::1:2:3mx"},
	{"\033[2Jx\033[H", "x"},             /* clear, home */
	{"\033]0;evil title\007x", "x"},     /* title */
	{"\033]52;c;ZXZpbA==\033\\x", "x"},  /* clipboard */
	{"\033P$q\"p\033\\x", "x"},          /* settings query */
	{"\033[6nx\033[c\033[>c\033Z", "x"}, /* queries */
	{"\033[?1049hx", "x"},               /* other screen */
	{"\033[>4;2mx", "x"},                /* modifyOtherKeys is not SGR */
	{"\033[31$mx", "x"},
	{"\033cx", "x"},  /* reset */
	{"\033(0x", "x"}, /* charset */
	{"\033#8x", "x"},
	{"a\bb\007c\016", "a^Hb^Gc^N"},
	{"\177", "^?"},
	{"\033\n", "^[\n"},
	{"\033[31\nx", "^[[31\nx"},
	{"\033[\033[31mx", "^[[\033[31mx"},
	{"\033", "^["},
	{"\033[12;", "^[[12;"},
	{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
	{"\x9b"
	 "6nx",
		"\\x9b6nx"}, /* 8 bit CSI */
	{"\xc2\x9b"
	 "6nx",
		"\\xc2\\x9b6nx"}, /* the same as UTF-8 */
	{"\xc0\xaf\xff\xed\xa0\x80", "\\xc0\\xaf\\xff\\xed\\xa0\\x80"},
	{"\xe2\x82x", "\\xe2\\x82x"},
	{"\xe2\x82", "\\xe2\\x82"},
	{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	{"\033]0;unfinished\nnext line\n", "\nnext line\n"},
	{"\033]0;a\033[31mx", "\033[31mx"},
	{"\033]0;never ends", ""},
	{"\033[31m\033[1", "\033[31m^[[1"},
};

static void test_safe(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(safe_rows); i++)
		expect(ANSI_SAFE, safe_rows[i].in, safe_rows[i].want);
}

static const struct {
	const char *in, *want;
} replay_rows[] = {
	{"\033[2J\033[Hvi\033[?1049h\033[?25l", "\033[2J\033[Hvi\033[?1049h\033[?25l"},
	{"/ # \033[6nls", "/ # ls"}, /* busybox asks at each prompt */
	{"\033[c\033[0c\033[>c\033[=c\033[5n\033[?6nx", "x"},
	{"\033[18t\033[?2026$p\033[>0q\033[xx\033[?ux", "xx"},
	{"\033]10;?\007\033]11;?\033\\\033]4;1;?\007x", "x"},
	{"\033]0;title\007x", "\033]0;title\007x"}, {"\033P+q544e\033\\\033P$qm\033\\x", "x"},
	{"\005\033Zx", "x"}, {"a\b \b\r\n\007", "a\b \b\r\n\007"},
	{"\033[6\nn", "\n"}, /* a control in the middle: the terminal goes on */
	{"\033[6\033[5nx", "x"}, {"\033[6\030nx", "nx"}, /* cancelled */
	{"\xc2\x9b"
	 "6nx",
		"6nx"},
	{"\x9b"
	 "6nx",
		"6nx"},
	{"\xc3\xa4\xff", "\xc3\xa4\xff"},
	{"\033[3;4", "\033[3;4"}, /* the live stream brings the rest */
};

static void test_replay(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(replay_rows); i++)
		expect(ANSI_REPLAY, replay_rows[i].in, replay_rows[i].want);
}

/* Whatever comes in: nothing but text, tab, line feed and SGR goes out. */
static void check_safe_output(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];

		if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f) || c >= 0xa0)
			continue;
		if (c >= 0x80) { /* only behind a lead byte */
			assert_true(i > 0 && (uint8_t)p[i - 1] >= 0x80);
			assert_false((uint8_t)p[i - 1] == 0xc2);
			continue;
		}
		assert_int_equal(c, 0x1b);
		assert_true(i + 1 < n && p[++i] == '[');
		for (i++; i < n && p[i] != 'm'; i++)
			assert_true(p[i] >= '0' && p[i] <= ';');
		assert_true(i < n);
	}
}

static void test_safe_random(void **state)
{
	static const char bits[] = "\033\033\033[[]]P^;:0123?>$m m6nhlHJ\007\\\r\n\xc2\x9b\xe2\x82";
	char in[LOOK], *out = malloc(8 * LOOK);
	unsigned seed = 12345;

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + (size_t)rand_r(&seed) % (LOOK - 1), k;

		for (size_t i = 0; i < n; i++)
			in[i] = rand_r(&seed) % 4 ? bits[(size_t)rand_r(&seed) % (sizeof(bits) - 1)]
						  : (char)rand_r(&seed);
		k = filter(ANSI_SAFE, in, n, 1 + (size_t)rand_r(&seed) % 300, out);
		check_safe_output(out, k);
	}
	free(out);
}

/* A sequence without an end is bounded in memory and costs no more than it is long. */
static void test_long_sequences(void **state)
{
	char in[LOOK], *out = malloc(8 * LOOK);

	(void)state;
	memset(in, '1', sizeof(in));
	memcpy(in, "\033[", 2);
	in[LOOK - 2] = 'm';
	in[LOOK - 1] = 'x';
	filter(ANSI_SAFE, in, sizeof(in), 100, out);
	assert_string_equal(out, "x");
	filter(ANSI_REPLAY, in, sizeof(in), 100, out);
	assert_string_equal(out, "x");
	memcpy(in, "\033]", 2);
	in[LOOK - 2] = 7;
	filter(ANSI_SAFE, in, sizeof(in), 100, out);
	assert_string_equal(out, "x");
	free(out);
}

static const struct {
	const char *in, *reset;
} mode_rows[] = {
	{"text only", ""},
	{"\033[31mred\033[0m", ""},
	{"\033[31mred", "\033[m"},
	{"\033[1m\033[;m", ""},
	{"\033[?1049h\033[?1h\033[?25l", "\033[?1l\033[?1049l\033[?25h"},
	{"\033[?1049h\033[?1049l", ""},
	{"\033[?1000;1006h", "\033[?1000l\033[?1006l"},
	{"\033[?1000;1006h\033[?1006;1000l", ""},
	{"\033=", "\033>"},
	{"\033=\033>", ""},
	{"\033[1;20r", "\0337\033[r\0338"},
	{"\033[1;20r\033[r", ""},
	{"\033(0", "\033(B\017"},
	{"\033(0\033(B", ""},
	{"\033[5 q", "\033[0 q"},
	{"\033[5 q\033[ q", ""},
	{"\033[?2004h\033c", ""},
	{"\033[?7l", "\033[?7h"},
	{"\033[?99999999999999h\033[?h\033[?;h", ""},
	{"\033]0;\033[?25l", "\033[?25h"},
	{"\033]0;[?25l\007", ""},
};

static void test_modes(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(mode_rows); i++) {
		size_t n = strlen(mode_rows[i].in);

		for (size_t piece = 1; piece <= n; piece++) {
			char reset[ANSI_SEQ_MAX];
			struct ansi a;

			ansi_init(&a, ANSI_WATCH);
			for (size_t k = 0; k < n; k += piece)
				ansi_feed(&a, mode_rows[i].in + k, min_of(piece, n - k), NULL);
			assert_int_equal(ansi_reset(&a, reset), strlen(mode_rows[i].reset));
			assert_string_equal(reset, mode_rows[i].reset);
		}
	}
}

/* All modes at once fit the room that callers give. */
static void test_reset_fits(void **state)
{
	char reset[ANSI_SEQ_MAX];
	struct ansi a;

	(void)state;
	ansi_init(&a, ANSI_WATCH);
	a.modes = UINT32_MAX;
	a.keypad = a.region = a.charset = a.shape = a.coloured = true;
	assert_true(ansi_reset(&a, reset) < sizeof(reset) - 1);
}

static void test_prefix(void **state)
{
	static const struct {
		const char *in, *want;
		enum prefix_event event;
	} rows[] = {
		{"ls\r", "ls\r", PREFIX_NONE},
		{"\035d", "", PREFIX_DETACH},
		{"\035.", "", PREFIX_DETACH},
		{"ab\035dcd", "ab", PREFIX_DETACH},
		{"\035\035", "\035", PREFIX_NONE},
		{"\035\035d", "\035d", PREFIX_NONE},
		{"a\035x", "a", PREFIX_ASK},
		{"a\035xb", "ab", PREFIX_ASK},
		{"a\035", "a", PREFIX_NONE},
		{"\003\032\034", "\003\032\034", PREFIX_NONE},
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		enum prefix_event last = PREFIX_NONE, event;
		size_t n = strlen(rows[i].in), k, used = 0;
		struct prefix p = {0};
		uint8_t out[64];

		event = prefix_feed(&p, (const uint8_t *)rows[i].in, n, out, &k);
		assert_int_equal(event, rows[i].event);
		assert_int_equal(k, strlen(rows[i].want));
		assert_memory_equal(out, rows[i].want, k);
		/* The same byte by byte: the prefix is remembered. */
		p = (struct prefix){0};
		for (size_t b = 0; b < n && last != PREFIX_DETACH; b++) {
			event = prefix_feed(&p, (const uint8_t *)rows[i].in + b, 1, out + used, &k);
			used += k;
			last = event != PREFIX_NONE ? event : last;
		}
		assert_int_equal(last, rows[i].event);
		assert_int_equal(used, strlen(rows[i].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_safe_random),
		cmocka_unit_test(test_long_sequences),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_reset_fits),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
