// LIBS: base
// OBJS: tui/console/theme.c tui/console/theme_file.c tui/console/colour.c
/* Themes: the built-in one, the shipped files, what is wrong in a file and what that changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "tui/console/theme.h"

static void parse(struct theme *t, struct theme_log *log, const char *text)
{
	memset(log, 0, sizeof(*log));
	memset(t, 0, sizeof(*t));
	theme_parse(t, "x.theme", text, NULL, log);
}

static void assert_same(const struct theme *a, const struct theme *b)
{
	assert_true(theme_same(a, b));
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

/* ---- the shipped files ----------------------------------------------------------------------- */

typedef void check_theme(const char *name, const struct theme *t);

static int each_shipped(check_theme *check)
{
	DIR *d = opendir("themes");
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		struct theme_log log = {0};
		struct theme t;
		char path[400];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "themes/%s", e->d_name);
		assert_int_equal(theme_read(&t, path, NULL, &log), 0);
		if (log.count)
			fail_msg("%s", log.first);
		check(e->d_name, &t);
		n++;
	}
	closedir(d);
	return n;
}

/* default.theme is the built-in one, spelled out. */
static void check_loads(const char *name, const struct theme *t)
{
	struct theme builtin;

	theme_builtin(&builtin);
	if (strcmp(name, "default.theme") == 0)
		assert_same(t, &builtin);
	assert_true(t->variant[0]);
}

static void test_shipped(void **state)
{
	(void)state;
	assert_true(each_shipped(check_loads) >= 15);
}

/* Where there is no colour, what must be told apart is, in every shipped theme. */
static void check_mono(const char *name, const struct theme *t)
{
	static const enum role pairs[][2] = {{ROLE_ROW_SELECTED, ROLE_TEXT},
		{ROLE_ROW_UNFOCUSED, ROLE_TEXT}, {ROLE_BORDER_ATTACHED, ROLE_BORDER},
		{ROLE_FIELD_FOCUS, ROLE_FIELD}, {ROLE_BUTTON_FOCUS, ROLE_BUTTON},
		{ROLE_NOTICE_ERROR, ROLE_NOTICE_INFO}};

	for (size_t i = 0; i < countof(pairs); i++)
		if (t->role[pairs[i][0]].mono == t->role[pairs[i][1]].mono)
			fail_msg("%s: without colour %s looks like %s", name,
				role_table[pairs[i][0]].name, role_table[pairs[i][1]].name);
}

static void test_mono_differs(void **state)
{
	(void)state;
	each_shipped(check_mono);
}

/* No depth is guessed: a colour of a shipped theme says what 256 and 16 colours show. */
static void check_stated(const char *name, const struct theme *t)
{
	for (int i = 0; i < ROLE__COUNT; i++) {
		const struct colour *both[] = {&t->role[i].fg, &t->role[i].bg};

		for (int k = 0; k < 2; k++)
			if (both[k]->rgb >= 0 &&
				(both[k]->col256 == COLOUR_UNSET || both[k]->col16 == COLOUR_UNSET))
				fail_msg("%s: a colour of %s has no fallback", name,
					role_table[i].name);
	}
}

static void test_stated(void **state)
{
	(void)state;
	each_shipped(check_stated);
}

/* Relative luminance and contrast as WCAG 2 defines them. */
static double luminance(int32_t rgb)
{
	double sum = 0;
	const double weight[] = {0.2126, 0.7152, 0.0722};

	for (int i = 0; i < 3; i++) {
		double v = (rgb >> (16 - 8 * i) & 255) / 255.0;

		sum += weight[i] * (v <= 0.03928 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
	}
	return sum;
}

static double contrast(int32_t a, int32_t b)
{
	double x = luminance(a), y = luminance(b);

	return (x > y ? x + 0.05 : y + 0.05) / (x > y ? y + 0.05 : x + 0.05);
}

/* The ground a role stands on: its own, its group's, or the text's (paint.c). */
static int32_t ground(const struct theme *t, int role)
{
	const char *name = role_table[role].name, *dot = strrchr(name, '.');

	if (t->role[role].bg.rgb >= 0)
		return t->role[role].bg.rgb;
	for (int i = 0; dot && i < ROLE__COUNT; i++)
		if (strlen(role_table[i].name) == (size_t)(dot - name) &&
			strncmp(role_table[i].name, name, (size_t)(dot - name)) == 0 &&
			t->role[i].bg.rgb >= 0)
			return t->role[i].bg.rgb;
	return t->role[ROLE_TEXT].bg.rgb;
}

static bool is_graph(int role)
{
	return strncmp(role_table[role].name, "meter", 5) == 0 ||
	       strncmp(role_table[role].name, "wf", 2) == 0 ||
	       strncmp(role_table[role].name, "border", 6) == 0;
}

static void check_contrast(const char *name, const struct theme *t)
{
	for (int i = 0; i < ROLE__COUNT; i++) {
		int32_t bg = ground(t, i), fg = t->role[i].fg.rgb;
		double least = is_graph(i) ? 3 : strncmp(name, "high", 4) == 0 ? 7 : 4.5;

		if (fg < 0)
			fg = t->role[ROLE_TEXT].fg.rgb;
		if (fg >= 0 && bg >= 0 && contrast(fg, bg) < least)
			fail_msg("%s: %s has contrast %.2f", name, role_table[i].name,
				contrast(fg, bg));
	}
}

static void test_contrast(void **state)
{
	(void)state;
	assert_true(contrast(0x000000, 0xffffff) > 20.9);
	each_shipped(check_contrast);
}

/* A palette alone makes a theme: its colours replace those of the same name in what it inherits. */
static void test_palette_is_inherited(void **state)
{
	struct theme_log log;
	struct theme t;

	(void)state;
	memset(&log, 0, sizeof(log));
	theme_parse(&t, "themes/x.theme",
		"[meta]\ninherits = dusk\n[palette]\ngreen = #010203/17/2\n", NULL, &log);
	assert_string_equal(log.first, "");
	assert_int_equal(t.role[ROLE_STATE_RUNNING].fg.rgb, 0x010203);
	assert_int_equal(t.role[ROLE_TEXT].bg.rgb, 0x1b2230);
	assert_string_equal(t.variant, "dark");
}

/* The user's own stand among the others; one that inherits itself comes to an end. */
static void test_list_and_circle(void **state)
{
	static const char text[] = "[meta]\ninherits = round\n";
	char dir[] = "/tmp/vmdeck-themes-XXXXXX", path[128];
	struct theme_log log = {0};
	struct theme t;
	char **names;
	bool found = false;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/vmdeck/themes", dir);
	assert_int_equal(dir_make(path, 0700, NULL), 0);
	snprintf(path, sizeof(path), "%s/vmdeck/themes/round.theme", dir);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	setenv("XDG_CONFIG_HOME", dir, 1);
	names = themes_list();
	for (int i = 0; names[i]; i++) {
		assert_true(i == 0 || strcmp(names[i - 1], names[i]) < 0);
		found = found || strcmp(names[i], "round") == 0;
	}
	assert_true(found);
	themes_free(names);
	theme_load(&t, "round", &log);
	assert_non_null(strstr(log.first, "inherits more than"));
	assert_int_equal(t.role[ROLE_STATE_FAILED].fg.col16, 1);
	unsetenv("XDG_CONFIG_HOME");
	assert_int_equal(tree_remove(dir, NULL), 0);
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
	theme_parse(&t, "x", "[meta]\ninherits = no-such-theme\n", NULL, &log);
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
		theme_parse(&t, "noise", text, NULL, &log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_mono_differs),
		cmocka_unit_test(test_stated),
		cmocka_unit_test(test_contrast),
		cmocka_unit_test(test_palette_is_inherited),
		cmocka_unit_test(test_list_and_circle),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
