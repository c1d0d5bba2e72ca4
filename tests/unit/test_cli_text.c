// LIBS: base
// OBJS: tui/cli/text.c tui/cli/progress.c tui/cli/tty.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/progress.h"
#include "tui/cli/text.h"

#define S 1000000000ull

static int setup(void **state)
{
	(void)state;
	text_init();
	setenv("TZ", "UTC", 1);
	return 0;
}

static void test_width(void **state)
{
	static const struct {
		const char *s;
		int width;
	} rows[] = {
		{"", 0},
		{"abc", 3},
		{"\xc3\xa4", 1},
		{"e\xcc\x81", 1},                /* combining accent */
		{"\xe6\xbc\xa2\xe5\xad\x97", 4}, /* wide */
		{"\xff\xfe", 2},
		{"\xe6\xbc", 2},
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++)
		assert_int_equal(text_width(rows[i].s), rows[i].width);
}

static void test_cut(void **state)
{
	static const struct {
		const char *s;
		int cols;
		const char *want;
	} rows[] = {
		{"abc", 3, "abc"},
		{"abc", 10, "abc"},
		{"abcd", 3, "ab…"},
		{"abcd", 1, "…"},
		{"abcd", 0, ""},
		{"", 0, ""},
		{"漢字漢字", 8, "漢字漢字"},
		{"漢字漢字", 7, "漢字漢…"},
		{"漢字漢字", 6, "漢字…"}, /* half a wide one does not fit */
		{"漢字漢字", 5, "漢字…"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < countof(rows); i++)
		assert_string_equal(
			text_cut(out, sizeof(out), rows[i].s, rows[i].cols), rows[i].want);
	/* Room counts too. */
	assert_string_equal(text_cut(out, 6, "abcdefgh", 7), "ab…");
	assert_string_equal(text_cut(out, 4, "abcdefgh", 7), "…");
}

static void test_time(void **state)
{
	char out[64];

	(void)state;
	assert_string_equal(
		text_time(out, sizeof(out), 1767323045678000000ull), "2026-01-02 03:04:05.678");
	assert_string_equal(text_time(out, sizeof(out), 0), "1970-01-01 00:00:00.000");
	text_time(out, sizeof(out), UINT64_MAX);
	assert_string_equal(text_age(out, sizeof(out), 0), "-");
	text_age(out, sizeof(out), UINT64_MAX);
	assert_string_equal(out, "0 us");
}

static void check_fields(const char *json, const char *want)
{
	autojson struct json_object *o = json_tokener_parse(json);
	char out[120];

	assert_string_equal(text_fields(out, sizeof(out), o), want);
}

static void test_fields(void **state)
{
	(void)state;
	check_fields("{}", "");
	check_fields("[1]", "");
	check_fields(
		"{\"ms\":1.7914239999999999,\"pid\":12,\"path\":\"/a/b\",\"on\":true,\"x\":null}",
		"ms=1.791424 pid=12 path=/a/b on=true x=null");
	check_fields("{\"why\":\"no such thing\",\"e\":\"\"}", "why=\"no such thing\" e=\"\"");
	check_fields("{\"a\":[1,2],\"o\":{\"k\":\"v\"}}", "a=[1,2] o={\"k\":\"v\"}");
	check_fields("{\"evil\":\"\\u001b[2J\\u009b\"}", "evil=\\x1b[2J\\xc2\\x9b");
	check_fields("{\"e\\u001b\":1}", "e\\x1b=1");
}

static void test_fields_cut(void **state)
{
	autojson struct json_object *o = json_object_new_object();
	char key[16], out[40];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		jsonx_add_int(o, key, i);
	}
	text_fields(out, sizeof(out), o);
	assert_int_equal(strlen(out), sizeof(out) - 1);
	assert_string_equal(out + sizeof(out) - 4, "...");
}

static const char *const heads[] = {"NAME", "STATE", "REASON"};

static void fill(struct table *t)
{
	table_row(t);
	table_cell(t, TINT_NONE, "%s", "web");
	table_cell(t, TINT_GOOD, "%s", "running");
	table_cell(t, TINT_NONE, "%s", "");
	table_row(t);
	table_cell(t, TINT_NONE, "%s", "漢字");
	table_cell(t, TINT_BAD, "%s", "failed");
	table_cell(t, TINT_NONE, "%s", "qemu: \033[31mno\nmemory");
}

static void check_table(int width, bool color, const char *want)
{
	struct table *t = table_new(heads, countof(heads));
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	fill(t);
	table_print(t, f, width, color);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
	table_free(t);
}

static void test_table(void **state)
{
	(void)state;
	check_table(0, false,
		"NAME  STATE    REASON\n"
		"web   running\n"
		"漢字  failed   qemu: \\x1b[31mno\\x0amemory\n");
	check_table(25, false,
		"NAME  STATE    REASON\n"
		"web   running\n"
		"漢字  failed   qemu: \\x1…\n");
	check_table(10, false,
		"NAME  STA…\n"
		"web   run…\n"
		"漢字  fai…\n");
	check_table(6, false,
		"NAME  \n"
		"web   \n"
		"漢字  \n");
	check_table(0, true,
		"\033[1mNAME\033[m  \033[1mSTATE\033[m    \033[1mREASON\033[m\n"
		"web   \033[32mrunning\033[m\n"
		"漢字  \033[31mfailed\033[m   qemu: \\x1b[31mno\\x0amemory\n");
}

static void test_table_grows(void **state)
{
	struct table *t = table_new(heads, countof(heads));
	FILE *f = fopen("/dev/null", "w");

	(void)state;
	for (int i = 0; i < 1000; i++)
		fill(t);
	table_print(t, f, 80, true);
	fclose(f);
	table_free(t);
	table_free(NULL);
}

static void test_steps_line(void **state)
{
	struct progress p;
	char out[200];

	(void)state;
	progress_init(&p, NULL, false, false);
	progress_title(&p, "booting web");
	assert_string_equal(progress_line(&p, out, sizeof(out), 80, 5 * S), "booting web");
	progress_step(&p, "spawn", 5 * S, 0, 0);
	assert_string_equal(
		progress_line(&p, out, sizeof(out), 80, 5 * S), "booting web: spawn 0.00 s");
	progress_step(&p, "hello", 5 * S + S / 25, 0, 0);
	assert_string_equal(progress_line(&p, out, sizeof(out), 80, 6 * S),
		"booting web: spawn 0.04 s, hello 0.96 s");
	assert_string_equal(progress_line(&p, out, sizeof(out), 20, 6 * S), "booting web: spawn …");
	/* A clock that seems to run backwards shows nothing negative. */
	assert_string_equal(progress_line(&p, out, sizeof(out), 80, 4 * S),
		"booting web: spawn 0.04 s, hello 0.00 s");
	for (int i = 0; i < 40; i++) {
		char name[24];

		snprintf(name, sizeof(name), "step %d", i);
		progress_step(&p, name, 6 * S, 0, 0);
	}
	assert_int_equal(p.count, PROGRESS_STEPS);
	progress_step(&p, "\033[2J", 6 * S, 0, 0);
	assert_null(strchr(progress_line(&p, out, sizeof(out), 400, 6 * S), '\033'));
	progress_fini(&p);
}

static void test_bar_line(void **state)
{
	struct progress p;
	char out[200];

	(void)state;
	progress_init(&p, NULL, false, true);
	progress_title(&p, "building mini");
	progress_step(&p, "download", 5 * S, 0, 0);
	assert_string_equal(
		progress_line(&p, out, sizeof(out), 80, 7 * S), "building mini: download 2.0 s");
	progress_step(&p, "download", 6 * S, 512 * 1024, 1024 * 1024);
	assert_string_equal(progress_line(&p, out, sizeof(out), 120, 7 * S),
		"building mini: download [############............] 50% 512 KiB of 1.0 MiB");
	progress_step(&p, "modules", 6 * S, 3, 12);
	assert_string_equal(progress_line(&p, out, sizeof(out), 120, 7 * S),
		"building mini: modules [######..................] 25% 3/12");
	progress_step(&p, "modules", 6 * S, UINT64_MAX, 12);
	assert_string_equal(progress_line(&p, out, sizeof(out), 60, 7 * S),
		"building mini: modules [########################] 100% 1844…");
	progress_fini(&p);
}

static void test_wait_line(void **state)
{
	struct progress p;
	char out[200];

	(void)state;
	progress_init(&p, NULL, false, false);
	progress_title(&p, "restoring web");
	assert_string_equal(progress_line(&p, out, sizeof(out), 80, 5 * S), "restoring web");
	progress_wait(&p, "load", 5 * S, 6, 12, 2.5);
	progress_wait(&p, "hello", 6 * S, 9, 12, 10);
	assert_string_equal(progress_line(&p, out, sizeof(out), 80, 6 * S + S / 2),
		"restoring web: hello (9/12) 0.5 s, limit 10 s");
	progress_wait(&p, "reserve", 7 * S, 3, 12, 0);
	assert_string_equal(progress_line(&p, out, sizeof(out), 80, 7 * S),
		"restoring web: reserve (3/12) 0.0 s");
	progress_fini(&p);
	progress_init(&p, NULL, false, true);
	progress_title(&p, "snapshot base");
	progress_wait(&p, "memory", 5 * S, 9, 10, 900);
	progress_step(&p, "memory", 6 * S, 3 << 20, 4 << 20);
	assert_string_equal(progress_line(&p, out, sizeof(out), 120, 7 * S),
		"snapshot base: memory [##################......] 75% 3.0 MiB of 4.0 MiB");
	progress_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_fields_cut),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_grows),
		cmocka_unit_test(test_steps_line),
		cmocka_unit_test(test_bar_line),
		cmocka_unit_test(test_wait_line),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
