// LIBS: base
// OBJS: tui/console/history.c
/* Lines typed before, in a file that several consoles share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "tui/console/history.h"

static char dir[] = "/tmp/history-XXXXXX";
static char path[80];

static int make_place(void **state)
{
	(void)state;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/vmdeck/history", dir);
	return setenv("XDG_STATE_HOME", dir, 1);
}

static int remove_place(void **state)
{
	(void)state;
	return tree_remove(dir, NULL);
}

static void test_two_consoles(void **state)
{
	struct history a = {0}, b = {0}, c = {0};
	struct stat st;

	(void)state;
	history_open(&a, "history");
	history_open(&b, "history");
	history_add(&a, "boot one");
	history_add(&b, "stop one");
	history_add(&b, "stop one");
	history_add(&a, "");
	history_add(&a, "kill one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	history_open(&c, "history");
	assert_int_equal(c.count, 3);
	assert_string_equal(c.line[0], "boot one");
	assert_string_equal(c.line[2], "kill one");
	history_fini(&a);
	history_fini(&b);
	history_fini(&c);
}

static void test_hostile_file(void **state)
{
	static const char text[] = "good\n\033]0;title\007\n\nlast without an end";
	struct history h = {0};

	(void)state;
	history_open(&h, "history");
	history_fini(&h);
	assert_int_equal(file_write_atomic(path, text, sizeof(text) - 1, 0600, NULL), 0);
	history_open(&h, "history");
	assert_int_equal(h.count, 2);
	assert_string_equal(h.line[0], "good");
	history_fini(&h);
}

static void test_long_file_is_shortened(void **state)
{
	struct history h = {0}, again = {0};
	char line[1000];
	struct stat st;

	(void)state;
	history_open(&h, "history");
	for (int i = 0; i < HISTORY_MAX; i++) {
		snprintf(line, sizeof(line), "%d %0500d", i, 0);
		history_add(&h, line);
	}
	for (int i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "short %d", i);
		history_add(&h, line);
	}
	assert_int_equal(stat(path, &st), 0);
	history_open(&again, "history");
	assert_int_equal(again.count, HISTORY_MAX);
	assert_string_equal(again.line[HISTORY_MAX - 1], "short 49");
	assert_string_equal(again.line[0], h.line[0]);
	assert_true(stat(path, &st) == 0 && st.st_size < HISTORY_MAX * 510);
	history_fini(&h);
	history_fini(&again);
}

static void test_no_place(void **state)
{
	struct history h = {0};

	(void)state;
	setenv("XDG_STATE_HOME", "/proc/none", 1);
	history_open(&h, "history");
	assert_null(h.path);
	history_add(&h, "still here");
	assert_int_equal(h.count, 1);
	history_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_consoles, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_hostile_file, make_place, remove_place),
		cmocka_unit_test_setup_teardown(
			test_long_file_is_shortened, make_place, remove_place),
		cmocka_unit_test_setup_teardown(test_no_place, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
