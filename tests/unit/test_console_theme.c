// LIBS: base
// OBJS: tui/console/theme.c tui/console/theme_file.c tui/console/colour.c
/* Themes: the built-in one, the shipped files, what is wrong in a file and what that changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/theme.h"

static void parse(struct theme *t, struct theme_log *log, const char *text)
{
	memset(log, 0, sizeof(*log));
	memset(t, 0, sizeof(*t));
	theme_parse(t, "x.theme", text, 0, log);
}

static void assert_same(const struct theme *a, const struct theme *b)
{
	for (int i = 0; i < ROLE__COUNT; i++) {
		assert_memory_equal(&a->role[i].fg, &b->role[i].fg, sizeof(a->role[i].fg));
		assert_memory_equal(&a->role[i].bg, &b->role[i].bg, sizeof(a->role[i].bg));
		assert_int_equal(a->role[i].attrs, b->role[i].attrs);
		assert_int_equal(a->role[i].mono, b->role[i].mono);
	}
}

static void test_builtin(void **state)
{
	struct theme t;

	(void)state;
	theme_builtin(&t);
	assert_int_equal(t.role[ROLE_TEXT].bg.col256, COLOUR_DEFAULT);
	assert_int_equal(t.role[ROLE_STATE_FAILED].fg.col16, 1);
	assert_int_equal(t.role[ROLE_STATE_FAILED].attrs, STYLE_BOLD);
	assert_int_equal(t.role[ROLE_STATE_FAILED].mono, STYLE_BOLD | STYLE_UNDERLINE);
	assert_int_equal(t.ansi[3].col256, COLOUR_UNSET);
	for (int i = 0; i < ROLE__COUNT; i++) {
		char text[400];
		struct theme_log log;
		struct theme other;

		/* Every style of the table is one that a file could hold. */
		snprintf(text, sizeof(text), "[roles]\n%s = %s\n", role_table[i].name,
			role_table[i].style);
		parse(&other, &log, text);
		assert_string_equal(log.first, "");
		assert_memory_equal(&other.role[i].fg, &t.role[i].fg, sizeof(t.role[i].fg));
	}
}

/* The shipped files load without a complaint; default.theme is the built-in one, spelled out. */
static void test_shipped(void **state)
{
	static const char *const names[] = {"default", "mono", "dusk", "paper"};
	struct theme t, builtin;

	(void)state;
	theme_builtin(&builtin);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct theme_log log = {0};
		char path[128];

		snprintf(path, sizeof(path), "themes/%s.theme", names[i]);
		assert_int_equal(theme_read(&t, path, 0, &log), 0);
		assert_string_equal(log.first, "");
		if (i == 0)
			assert_same(&t, &builtin);
	}
}

/* Where there is no colour, what must be told apart is, in every shipped theme. */
static void test_mono_differs(void **state)
{
	static const char *const names[] = {"default", "mono", "dusk", "paper"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct theme_log log = {0};
		struct theme t;
		char path[128];

		snprintf(path, sizeof(path), "themes/%s.theme", names[i]);
		theme_read(&t, path, 0, &log);
		assert_int_not_equal(t.role[ROLE_ROW_SELECTED].mono, t.role[ROLE_TEXT].mono);
		assert_int_not_equal(t.role[ROLE_ROW_UNFOCUSED].mono, t.role[ROLE_TEXT].mono);
		assert_int_not_equal(t.role[ROLE_BORDER_ATTACHED].mono, t.role[ROLE_BORDER].mono);
		assert_int_not_equal(t.role[ROLE_FIELD_FOCUS].mono, t.role[ROLE_FIELD].mono);
		assert_int_not_equal(t.role[ROLE_BUTTON_FOCUS].mono, t.role[ROLE_BUTTON].mono);
		assert_int_not_equal(t.role[ROLE_NOTICE_ERROR].mono, t.role[ROLE_NOTICE_INFO].mono);
	}
}

static void test_complaints(void **state)
{
	static const struct {
		const char *text, *complaint;
	} cases[] = {
		{"[roles]\n\nfoo = bold\n", "x.theme:3: unknown role 'foo'"},
		{"[roles]\ntext = fg=rde\n", "x.theme:2: unknown colour or attribute 'fg=rde'"},
		{"[roles]\ntext = fg=#12345\n",
			"x.theme:2: unknown colour or attribute 'fg=#12345'"},
		{"[roles]\ntext = fg=256\n", "x.theme:2: unknown colour or attribute 'fg=256'"},
		{"[roles]\ntext = blod\n", "x.theme:2: unknown colour or attribute 'blod'"},
		{"[roles]\ntext = mono=bold,loud\n",
			"x.theme:2: unknown colour or attribute 'mono=bold,loud'"},
		{"[roles]\ntext\n", "x.theme:2: expected 'key = value'"},
		{"[rolls]\n", "x.theme:1: unknown section '[rolls]'"},
		{"text = bold\n", "x.theme:1: 'text' stands before any [section]"},
		{"[palette]\nred = reddish\n", "x.theme:2: unknown colour 'reddish'"},
		{"[ansi]\n16 = red\n", "x.theme:2: [ansi] has 0 to 15, not '16'"},
		{"[meta]\ncolour = x\n", "x.theme:2: unknown key 'colour' in [meta]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct theme_log log;
		struct theme t;

		parse(&t, &log, cases[i].text);
		assert_string_equal(log.first, cases[i].complaint);
		assert_int_equal(log.count, 1);
		/* The rest of the theme stands. */
		assert_int_equal(t.role[ROLE_STATE_FAILED].fg.col16, 1);
	}
}

static void test_colours(void **state)
{
	struct theme_log log;
	struct theme t;

	(void)state;
	parse(&t, &log,
		"[palette]\nsun = #ffcc00/220/yellow\n[roles]\ntext = fg=sun bg=#000000\n"
		"state = fg=5 bold\nstate.failed = fg=200 mono=reverse\n[ansi]\n9 = "
		"#ff8080/210/9\n");
	assert_string_equal(log.first, "");
	assert_int_equal(t.role[ROLE_TEXT].fg.rgb, 0xffcc00);
	assert_int_equal(t.role[ROLE_TEXT].fg.col256, 220);
	assert_int_equal(t.role[ROLE_TEXT].fg.col16, 3);
	assert_int_equal(t.role[ROLE_TEXT].bg.col256, 16); /* nearest, never one of the user's 16 */
	assert_int_equal(t.role[ROLE_TEXT].bg.col16, COLOUR_UNSET);
	/* The group serves those that are not named. */
	assert_int_equal(t.role[ROLE_STATE_RUNNING].fg.col256, 5);
	assert_int_equal(t.role[ROLE_STATE_FAILED].fg.col256, 200);
	assert_int_equal(t.role[ROLE_STATE_FAILED].fg.col16, COLOUR_UNSET);
	assert_int_equal(t.role[ROLE_STATE_FAILED].mono, STYLE_REVERSE);
	assert_int_equal(t.ansi[9].col256, 210);
	assert_int_equal(t.ansi[8].col256, COLOUR_UNSET);
}

static void test_nearest(void **state)
{
	(void)state;
	for (int i = 16; i < 256; i++)
		assert_int_equal(
			colour_rgb_of(colour_nearest_256(colour_rgb_of(i))), colour_rgb_of(i));
	assert_int_equal(colour_nearest_256(0xff5f5f), 203);
	assert_int_equal(colour_nearest_16(0xff0101), 9);
	assert_int_equal(colour_nearest_16(0x000000), 0);
}

static void test_missing(void **state)
{
	struct theme_log log = {0};
	struct theme t, builtin;

	(void)state;
	theme_builtin(&builtin);
	theme_load(&t, "no-such-theme", &log);
	assert_int_equal(log.count, 1);
	assert_non_null(strstr(log.first, "no-such-theme"));
	assert_same(&t, &builtin);
	memset(&log, 0, sizeof(log));
	theme_load(&t, "../../etc/passwd", &log);
	assert_same(&t, &builtin);
	/* A theme that inherits itself ends. */
	memset(&log, 0, sizeof(log));
	theme_parse(&t, "x", "[meta]\ninherits = no-such-theme\n", 0, &log);
	assert_true(log.count > 0);
}

/* Anything may stand in a file. */
static void test_noise(void **state)
{
	char text[4096];
	uint64_t seed = 42;

	(void)state;
	for (int round = 0; round < 300; round++) {
		static const char alphabet[] = "[]roles=paltxmbg# \n\n\t/,0123456789.fgbd\xff\x01";
		struct theme_log log = {0};
		struct theme t;
		size_t n = 0;

		n += (size_t)snprintf(
			text, sizeof(text), "%s", round & 1 ? "[roles]\ntext = " : "");
		while (n < sizeof(text) - 1) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			text[n++] = alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
		}
		text[n] = '\0';
		theme_parse(&t, "noise", text, 0, &log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_mono_differs),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
