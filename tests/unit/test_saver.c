// LIBS: vm net health snapshot guest image vmm base
// OBJS: tests/support/looptest.c
/* What the next daemon reads is always the newest that was written, at once and afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/util.h"
#include "backend/vm/saver.h"
#include "tests/support/looptest.h"

#define ROUNDS 400

static struct saver *open_saver(void)
{
	struct saver *s;

	assert_int_equal(saver_open(&s, t_path("trash"), NULL), 0);
	return s;
}

static void assert_text(const char *path, const char *want)
{
	autofree char *text = NULL;

	assert_int_equal(file_read(path, 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, want);
}

static int entries(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

/* The background thread is at work on older texts all the time: none may come back. */
static void test_newest_wins(void **state)
{
	struct saver *s = open_saver();
	char path[128], text[32];

	(void)state;
	snprintf(path, sizeof(path), "%s", t_path("vm.json"));
	for (int i = 0; i < ROUNDS; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(saver_write(s, path, text, NULL), 0);
		for (int k = 0; k < 20; k++)
			assert_text(path, text);
	}
	saver_close(s);
	assert_text(path, text);
	assert_int_equal(entries(t_dir), 2); /* the file and the trash */
}

static void test_remove(void **state)
{
	struct saver *s = open_saver();
	char path[200];

	(void)state;
	assert_int_equal(dir_make(t_path("a/b"), 0700, NULL), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "%s/file-%d", t_path("a/b"), i);
		assert_int_equal(saver_write(s, path, "x", NULL), 0);
	}
	saver_remove(s, t_path("a"));
	assert_int_equal(access(t_path("a"), F_OK), -1);
	/* The name can be used again at once. */
	assert_int_equal(dir_make(t_path("a"), 0700, NULL), 0);
	assert_int_equal(saver_write(s, t_path("a/new"), "new", NULL), 0);
	saver_remove(s, t_path("not-there"));
	saver_close(s);
	assert_text(t_path("a/new"), "new");
	assert_int_equal(entries(t_path("a")), 1);
	assert_int_equal(entries(t_path("trash")), 0);
}

static void test_cannot_write(void **state)
{
	struct saver *s = open_saver();
	struct err e = {0};

	(void)state;
	assert_int_equal(saver_write(s, t_path("no/such/file"), "x", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "no/such/file"));
	/* A folder in its place: nothing half-made stays. */
	assert_int_equal(dir_make(t_path("busy/sub"), 0700, NULL), 0);
	assert_true(saver_write(s, t_path("busy"), "x", &e) < 0);
	saver_close(s);
	assert_int_equal(entries(t_dir), 2);
}

static void test_leftover_trash(void **state)
{
	struct saver *s;

	(void)state;
	assert_int_equal(dir_make(t_path("trash/old/deep"), 0700, NULL), 0);
	s = open_saver();
	assert_int_equal(entries(t_path("trash")), 0);
	saver_close(s);
	saver_close(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
	const struct CMUnitTest tests[] = {
		T(test_newest_wins),
		T(test_remove),
		T(test_cannot_write),
		T(test_leftover_trash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
