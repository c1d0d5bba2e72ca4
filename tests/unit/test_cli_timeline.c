// LIBS: base
// OBJS: tui/cli/waterfall.c tui/cli/text.c
/* The text waterfall, letter by letter: several widths, odd data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/text.h"
#include "tui/cli/waterfall.h"

/* clang-format off */
static const char full[] =
	"{\"kind\":\"restore\",\"id\":\"r1\",\"vm_name\":\"web\",\"subject\":\"base\",\"vmm\":\"qemu\",\"result\":\"ok\",\"total_ms\":124,"
	"\"phases\":[{\"name\":\"queue\",\"at_ms\":0,\"ms\":0,\"limit_s\":60},"
	"{\"name\":\"spawn\",\"at_ms\":0,\"ms\":31.2,\"limit_s\":5},"
	"{\"name\":\"load\",\"at_ms\":31.2,\"ms\":2.4,\"limit_s\":10},"
	"{\"name\":\"hello\",\"at_ms\":33.6,\"ms\":70.3,\"limit_s\":30},"
	"{\"name\":\"output reconnected\",\"at_ms\":103.9,\"ms\":20.1,\"limit_s\":30},"
	"{\"name\":\"first exec\",\"at_ms\":124,\"ms\":60,\"limit_s\":0}],"
	"\"usual\":{\"count\":57,\"failed\":2,\"p50_ms\":118,\"p90_ms\":131,"
	"\"phases\":[{\"name\":\"spawn\",\"at_ms\":0,\"ms\":30.1},"
	"{\"name\":\"load\",\"at_ms\":30,\"ms\":2.5},"
	"{\"name\":\"hello\",\"at_ms\":33,\"ms\":30.0},"
	"{\"name\":\"output reconnected\",\"at_ms\":60,\"ms\":30},"
	"{\"name\":\"first exec\",\"at_ms\":124,\"ms\":60}]}}";

static const char running[] =
	"{\"kind\":\"restore\",\"id\":\"r1\",\"vm_name\":\"web\",\"subject\":\"base\",\"vmm\":\"qemu\",\"result\":\"running\",\"total_ms\":500,"
	"\"phases\":[{\"name\":\"spawn\",\"at_ms\":0,\"ms\":31.2,\"limit_s\":5},"
	"{\"name\":\"hello\",\"at_ms\":100,\"ms\":400,\"limit_s\":5}],"
	"\"usual\":{\"count\":57,\"failed\":0,\"p50_ms\":118,\"p90_ms\":131,"
	"\"phases\":[{\"name\":\"spawn\",\"at_ms\":0,\"ms\":30.1},"
	"{\"name\":\"hello\",\"at_ms\":33,\"ms\":500.0}]}}";

static const char failed[] =
	"{\"kind\":\"snapshot\",\"id\":\"9e\",\"vm_name\":\"web\",\"subject\":\"base\",\"vmm\":\"qemu\",\"result\":\"failed\",\"step\":\"save\",\"last_event\":\"vm.pause\","
	"\"why\":\"save: no answer in 30 s\\u001b[2J\",\"total_ms\":30000,"
	"\"phases\":[{\"name\":\"pause\",\"at_ms\":0,\"ms\":1,\"limit_s\":2},"
	"{\"name\":\"save\",\"at_ms\":1,\"ms\":29999,\"limit_s\":30}]}";

static const char zero[] =
	"{\"result\":\"ok\",\"total_ms\":0,"
	"\"phases\":[{\"name\":\"a\",\"at_ms\":0,\"ms\":0,\"limit_s\":0},"
	"{\"name\":\"b\",\"at_ms\":0,\"ms\":0,\"limit_s\":0}]}";

static const char huge[] =
	"{\"kind\":\"boot\",\"vm_name\":\"db\",\"subject\":\"mini\",\"result\":\"ok\",\"total_ms\":9000000000000000.0,"
	"\"phases\":[{\"name\":\"spawn\",\"at_ms\":0,\"ms\":0.001,\"limit_s\":1000000000.0},"
	"{\"name\":\"hello\",\"at_ms\":1000000000.0,\"ms\":8000000000000000.0,\"limit_s\":5},"
	"{\"name\":\"漢字漢字漢字漢字漢字\",\"at_ms\":-5,\"ms\":\"x\",\"limit_s\":null}],"
	"\"usual\":{\"count\":1,\"p50_ms\":1,\"p90_ms\":1,"
	"\"phases\":[{\"name\":\"spawn\",\"at_ms\":0,\"ms\":0},"
	"{\"name\":\"hello\",\"at_ms\":0,\"ms\":0}]}}";

static const char none[] =
	"{\"kind\":\"restore\",\"vm_name\":\"web\",\"subject\":\"base\",\"result\":\"ok\",\"total_ms\":0,"
	"\"phases\":[]}";

static const char empty[] =
	"{}";

static const char no_object[] =
	"[]";

static const struct {
	const char *json;
	int cols;
	bool ascii, color;
	const char *want;
} rows[] = {
	{full, 80, false, false,
			"restore of web from snapshot base (qemu): ok\n"
			"total 124 ms; usually 118 ms, p90 131 ms (57 times, 2 failed)\n"
			"PHASE             0                    184 ms      MS     p50   LIMIT\n"
			"queue             ▏                              0.00       -    60 s\n"
			"spawn             ████▋                          31.2    30.1     5 s\n"
			"load                  ▉┊                         2.40    2.50    10 s\n"
			"hello                 █████┊█████▎               70.3    30.0    30 s slow 2.3x\n"
			"output reconnec…                 ███▎┊           20.1    30.0    30 s\n"
			"first exec                          █████████    60.0    60.0       -\n"},
	{full, 72, false, false,
			"restore of web from snapshot base (qemu): ok\n"
			"total 124 ms; usually 118 ms, p90 131 ms (57 times, 2 failed)\n"
			"PHASE             0            184 ms      MS     p50   LIMIT\n"
			"queue             ▏                      0.00       -    60 s\n"
			"spawn             ███▎                   31.2    30.1     5 s\n"
			"load                 ▌                   2.40    2.50    10 s\n"
			"hello                ███┊███▊            70.3    30.0    30 s slow 2.3x\n"
			"output reconnec…            ██▊┊         20.1    30.0    30 s\n"
			"first exec                    ███████    60.0    60.0       -\n"},
	{full, 120, false, false,
			"restore of web from snapshot base (qemu): ok\n"
			"total 124 ms; usually 118 ms, p90 131 ms (57 times, 2 failed)\n"
			"PHASE             0                                                            184 ms      MS     p50   LIMIT\n"
			"queue             ▏                                                                      0.00       -    60 s\n"
			"spawn             ███████████▍                                                           31.2    30.1     5 s\n"
			"load                         █▎                                                          2.40    2.50    10 s\n"
			"hello                         ███████████┊█████████████▉                                 70.3    30.0    30 s slow 2.3x\n"
			"output reconnec…                                       ████████▏  ┊                      20.1    30.0    30 s\n"
			"first exec                                                     ██████████████████████    60.0    60.0       -\n"},
	{full, 80, true, false,
			"restore of web from snapshot base (qemu): ok\n"
			"total 124 ms; usually 118 ms, p90 131 ms (57 times, 2 failed)\n"
			"PHASE             0                    184 ms      MS     p50   LIMIT\n"
			"queue             -                              0.00       -    60 s\n"
			"spawn             =====                          31.2    30.1     5 s\n"
			"load                  =:                         2.40    2.50    10 s\n"
			"hello                 =====:=====-               70.3    30.0    30 s slow 2.3x\n"
			"output reconnec…                 ===-:           20.1    30.0    30 s\n"
			"first exec                          =========    60.0    60.0       -\n"},
	{full, 50, false, false,
			"restore of web from snapshot base (qemu): ok\n"
			"total 124 ms; usually 118 ms, p90 131 ms (57 times, 2 failed)\n"
			"PHASE             0         184 ms      MS     p50\n"
			"queue             ▏                   0.00       -\n"
			"spawn             ██▊                 31.2    30.1\n"
			"load                ▉                 2.40    2.50\n"
			"hello               ███┊███           70.3    30.0\n"
			"output reconnec…           █▊┊        20.1    30.0\n"
			"first exec                  ██████    60.0    60.0\n"},
	{full, 20, false, false,
			"restore of web from snapshot base (qemu): ok\n"
			"total 124 ms; usually 118 ms, p90 131 ms (57 times, 2 failed)\n"
			"PHASE             0 184 ms      MS\n"
			"queue             ▏           0.00\n"
			"spawn             █▍          31.2\n"
			"load               ▌          2.40\n"
			"hello              █┊█▌       70.3\n"
			"output reconnec…      █▍      20.1\n"
			"first exec             ███    60.0\n"},
	{running, 80, false, false,
			"restore of web from snapshot base (qemu): running\n"
			"so far 500 ms; usually 118 ms, p90 131 ms (57 times), slow\n"
			"now: hello since 0.4 s, limit 5 s, usually 0.5 s\n"
			"PHASE  0                               600 ms      MS     p50   LIMIT\n"
			"spawn  ██                                        31.2    30.1     5 s\n"
			"hello        █████████████████████████▋     ┊     400     500     5 s now\n"},
	{running, 72, false, true,
			"restore of web from snapshot base (qemu): \033[36mrunning\033[m\n"
			"so far 500 ms; usually 118 ms, p90 131 ms (57 times), \033[33mslow\033[m\n"
			"now: hello since 0.4 s, limit 5 s, usually 0.5 s\n"
			"\033[1mPHASE  0                       600 ms      MS     p50   LIMIT\033[m\n"
			"spawn  \033[32m█▌                            \033[m    31.2    30.1     5 s\n"
			"hello  \033[36m     ████████████████████    ┊\033[m     400     500     5 s \033[36mnow\033[m\n"},
	{failed, 80, false, false,
			"snapshot of base of VM web (qemu): failed\n"
			"total 30.0 s; nothing to compare with yet\n"
			"PHASE  0                                          30.0 s      MS     p50   LIMIT\n"
			"pause  ▏                                                    1.00       -     2 s\n"
			"save   █████████████████████████████████████████████████   29999       -    30 s\n"
			"in step: save\n"
			"last event: vm.pause\n"
			"why: save: no answer in 30 s\\x1b[2J\n"},
	{zero, 72, false, false,
			"operation of : ok\n"
			"total 0.00 ms; nothing to compare with yet\n"
			"PHASE  0                                 1.00 ms      MS     p50   LIMIT\n"
			"a      ▏                                            0.00       -       -\n"
			"b      ▏                                            0.00       -       -\n"},
	{huge, 80, false, false,
			"boot of db from image mini: ok\n"
			"total 9e+12 s; usually 1.00 ms, p90 1.00 ms (1 time), slow\n"
			"PHASE             0                   9e+12 s      MS     p50   LIMIT\n"
			"spawn             ▏                              0.00    0.00 1e+09 s\n"
			"hello             ┊███████████████████████      8e+15    0.00     5 s slow\n"
			"漢字漢字漢字漢…   ▏                              0.00       -       -\n"},
	{none, 80, false, false,
			"restore of web from snapshot base: ok\n"
			"total 0.00 ms; nothing to compare with yet\n"
			"no phase has been timed\n"},
	{empty, 80, false, false,
			"operation of : ?\n"
			"total 0.00 ms; nothing to compare with yet\n"
			"no phase has been timed\n"},
	{no_object, 80, false, false,
			"operation of : ?\n"
			"total 0.00 ms; nothing to compare with yet\n"
			"no phase has been timed\n"},
};
/* clang-format on */

static char *drawn(const char *json, const struct waterfall *w)
{
	autojson struct json_object *o = json_tokener_parse(json);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	waterfall_print(f, o, w);
	fclose(f);
	return text;
}

static void test_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct waterfall w = {.cols = rows[i].cols,
			.ascii = rows[i].ascii,
			.color = rows[i].color,
			.no_time = true};
		autofree char *text = drawn(rows[i].json, &w);

		assert_string_equal(text, rows[i].want);
	}
}

/* From 48 columns on, no row of phases is wider than the screen. */
static void test_fits(void **state)
{
	const char *const all[] = {full, running, failed, huge};

	(void)state;
	for (int cols = 48; cols <= 250; cols++)
		for (size_t i = 0; i < countof(all); i++) {
			struct waterfall w = {.cols = cols, .no_time = true};
			autofree char *text = drawn(all[i], &w);
			char *line = strstr(text, "PHASE");

			for (; *line; line += strcspn(line, "\n") + 1) {
				autofree char *one = strndup(line, strcspn(line, "\n"));

				if (strncmp(one, "in step", 7) == 0)
					break;
				if (text_width(one) > cols)
					fail_msg("over %d columns: '%s'", cols, one);
			}
		}
}

/* Its begin in local time; other hands' text cannot drive the terminal. */
static void test_time(void **state)
{
	struct waterfall w = {.cols = 80};
	autofree char *text = drawn("{\"kind\":\"boot\\n\",\"result\":\"\\u001b[2J\","
				    "\"started_ns\":1767323045678000000}",
		&w);

	(void)state;
	assert_non_null(strstr(text, ": \\x1b[2J, 2026-01-02 03:04:05.678\n"));
	assert_null(strchr(text, '\033'));
}

static void test_ms(void **state)
{
	static const struct {
		double ms;
		const char *want;
	} list[] = {
		{0, "0.00 ms"},
		{0.4, "0.40 ms"},
		{9.87, "9.87 ms"},
		{9.996, "10 ms"},
		{123.6, "124 ms"},
		{999.7, "1.0 s"},
		{3200, "3.2 s"},
		{61000, "1 m 01 s"},
		{1e15, "1e+12 s"},
	};
	char out[40];

	(void)state;
	for (size_t i = 0; i < countof(list); i++)
		assert_string_equal(waterfall_ms(out, sizeof(out), list[i].ms), list[i].want);
}

static void check_locale(const char *all, const char *type, const char *lang, bool ascii)
{
	setenv("LC_ALL", all, 1);
	setenv("LC_CTYPE", type, 1);
	setenv("LANG", lang, 1);
	assert_int_equal(text_ascii(), ascii);
}

static void test_locale(void **state)
{
	(void)state;
	check_locale("", "", "", false);
	check_locale("", "", "C.UTF-8", false);
	check_locale("", "", "de_DE.utf8", false);
	check_locale("", "", "C", true);
	check_locale("", "POSIX", "C.UTF-8", true);
	check_locale("en_US.UTF-8", "POSIX", "C", false);
	check_locale("de_DE.ISO-8859-1", "", "", true);
}

static int setup(void **state)
{
	(void)state;
	text_init();
	setenv("TZ", "UTC", 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_ms),
		cmocka_unit_test(test_locale),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
