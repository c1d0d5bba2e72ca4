// LIBS: base
// OBJS: tui/console/options.c tui/console/options_file.c tui/console/conf_file.c
/* The options of the console: what each takes, vmdeck.conf, what wins over what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/file.h"
#include "tui/console/options.h"

static char dir[64], path[128], said[2000];

static void on_complaint(void *user, const char *text)
{
	const char *slash = strrchr(text, '/');
	size_t len = strlen(said);

	(void)user;
	snprintf(said + len, sizeof(said) - len, "%s\n", slash ? slash + 1 : text);
}

/* The number of complaints; their texts are in said. */
static int load(struct options *o, const char *text)
{
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	said[0] = '\0';
	return options_load(o, path, on_complaint, NULL);
}

static int setup(void **state)
{
	(void)state;
	unsetenv("VMDECK_THEME");
	unsetenv("NO_COLOR");
	strcpy(dir, "/tmp/vmdeck-options-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/vmdeck.conf", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tree_remove(dir, NULL);
}

/* Every default is a value that its option takes, and every name stands once. */
static void test_table(void **state)
{
	char takes[80], from[700];
	struct options o;

	(void)state;
	options_init(&o, NULL);
	for (int i = 0; i < OPTION__COUNT; i++) {
		const struct option_info *info = &option_table[i];

		assert_string_equal(option_text(&o, (enum option_id)i), info->def);
		assert_int_equal(option_by_name(info->name, NULL), i);
		assert_true(strlen(info->help) > 10 && strlen(info->help) < 76);
		assert_true(info->max < OPTION_TEXT || info->type != OPTION_IS_TEXT);
		assert_true(*option_takes((enum option_id)i, takes, sizeof(takes)));
		assert_string_equal(
			option_from(&o, (enum option_id)i, from, sizeof(from)), "default");
		for (int k = 0; k < i; k++)
			assert_string_not_equal(info->name, option_table[k].name);
	}
}

static void test_values(void **state)
{
	struct options o;
	struct err e = {0};

	(void)state;
	options_init(&o, NULL);
	assert_int_equal(option_set(&o, OPTION_MOUSE, "yes", OPTION_SET, &e), 0);
	assert_true(option_on(&o, OPTION_MOUSE));
	assert_string_equal(option_text(&o, OPTION_MOUSE), "on");
	assert_int_equal(option_set(&o, OPTION_MOUSE, "0", OPTION_SET, &e), 0);
	assert_false(option_on(&o, OPTION_MOUSE));
	assert_true(option_set(&o, OPTION_MOUSE, "maybe", OPTION_SET, &e) < 0);
	assert_string_equal(e.msg, "mouse takes on or off, not 'maybe'");
	assert_int_equal(option_set(&o, OPTION_FIGURES, "250", OPTION_SET, &e), 0);
	assert_int_equal(option_num(&o, OPTION_FIGURES), 250);
	for (size_t i = 0; i < 6; i++) {
		static const char *const wrong[] = {
			"", " 250", "250 ms", "99", "60001", "99999999999999999999"};

		assert_true(option_set(&o, OPTION_FIGURES, wrong[i], OPTION_SET, &e) < 0);
		assert_int_equal(option_num(&o, OPTION_FIGURES), 250);
	}
	assert_int_equal(option_set(&o, OPTION_CONFIRM, "destroying", OPTION_SET, &e), 0);
	assert_int_equal(option_num(&o, OPTION_CONFIRM), CONFIRM_DESTROYING);
	assert_true(option_set(&o, OPTION_CONFIRM, "destroy", OPTION_SET, &e) < 0);
	assert_string_equal(e.msg, "confirm takes all or destroying, not 'destroy'");
	assert_true(option_set(&o, OPTION_THEME, "a\x1b[31mb", OPTION_SET, &e) < 0);
	assert_null(strchr(e.msg, '\x1b'));
}

static void test_names(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(option_by_name("scroll", &e), OPTION_SCROLLBACK);
	assert_int_equal(option_by_name("guest", &e), OPTION_NONE); /* several */
	assert_int_equal(option_by_name("thmee", &e), OPTION_NONE);
	assert_string_equal(e.msg, "there is no option 'thmee': did you mean theme?");
	assert_int_equal(option_by_name("zzzzzz", &e), OPTION_NONE);
	assert_string_equal(e.msg, "there is no option 'zzzzzz' (vmdeck config lists them)");
}

static void test_file(void **state)
{
	char from[700];
	struct options o;

	(void)state;
	options_init(&o, NULL);
	assert_int_equal(load(&o, "# mine\n[console]\ntheme = dusk\nclock = on\n\n[guest]\n"
				  "guest_title = true\n"),
		0);
	assert_string_equal(option_text(&o, OPTION_THEME), "dusk");
	assert_true(option_on(&o, OPTION_CLOCK) && option_on(&o, OPTION_GUEST_TITLE));
	option_from(&o, OPTION_GUEST_TITLE, from, sizeof(from));
	assert_string_equal(from + strlen(dir), "/vmdeck.conf:7");
	/* What it no longer states is the default again. */
	assert_int_equal(load(&o, ""), 0);
	assert_string_equal(option_text(&o, OPTION_THEME), "default");
	assert_false(option_on(&o, OPTION_CLOCK));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(options_load(&o, path, on_complaint, NULL), 0);
}

/* The rest of a file with wrong lines counts. */
static void test_wrong(void **state)
{
	struct options o;
	char *big = xcalloc(1, 70000);

	(void)state;
	options_init(&o, NULL);
	assert_int_equal(load(&o, "[console]\nmuose = on\nfigures = 5\nclock = on\nclock = off\n"
				  "guest_bell = on\nnonsense\n[colours]\nx = 1\n"),
		6);
	assert_string_equal(said, "vmdeck.conf:2: there is no option 'muose': did you mean mouse?\n"
				  "vmdeck.conf:3: figures takes 100 to 60000, not '5'\n"
				  "vmdeck.conf:5: clock is set in line 4 already\n"
				  "vmdeck.conf:6: guest_bell belongs into [guest]\n"
				  "vmdeck.conf:9: there is no section [colours] (console, guest)\n"
				  "vmdeck.conf:7: expected '[section]' or 'option = value'\n");
	assert_true(option_on(&o, OPTION_CLOCK));
	assert_false(option_on(&o, OPTION_GUEST_BELL));
	/* A name cut short is no name in a file. */
	assert_int_equal(load(&o, "[console]\nscroll = 100\n"), 1);
	assert_non_null(strstr(said, "did you mean scrollback?"));
	memset(big, 'x', 69999);
	assert_true(load(&o, big) > 0);
	free(big);
}

/* default < file < environment < flag, and :set until the file says otherwise. */
static void test_order(void **state)
{
	struct console_opts flags = {.ascii = true};
	struct options o;

	(void)state;
	setenv("VMDECK_THEME", "ink", 1);
	options_init(&o, &flags);
	assert_int_equal(load(&o, "[console]\ntheme = dusk\nascii = off\nmouse = on\n"), 0);
	assert_string_equal(option_text(&o, OPTION_THEME), "ink");
	assert_true(option_on(&o, OPTION_ASCII) && option_on(&o, OPTION_MOUSE));
	flags.theme = "light";
	options_init(&o, &flags);
	assert_int_equal(load(&o, "[console]\ntheme = dusk\n"), 0);
	assert_string_equal(option_text(&o, OPTION_THEME), "light");
	assert_int_equal(option_set(&o, OPTION_MOUSE, "on", OPTION_SET, NULL), 0);
	assert_int_equal(load(&o, "[console]\nclock = on\n"), 0);
	assert_true(option_on(&o, OPTION_MOUSE));
	assert_int_equal(load(&o, "[console]\nmouse = off\n"), 0);
	assert_false(option_on(&o, OPTION_MOUSE));
	unsetenv("VMDECK_THEME");
	setenv("NO_COLOR", "1", 1);
	options_init(&o, NULL);
	assert_false(option_on(&o, OPTION_COLOR));
	assert_int_equal(o.value[OPTION_COLOR].source, OPTION_ENV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
