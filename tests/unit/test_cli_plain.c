// LIBS: base
// OBJS: tui/cli/plain_words.c
/* Line mode: lines as words, events as sentences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/plain.h"

static void test_words(void **state)
{
	static const struct {
		const char *line, *words; /* joined by "|" */
		int n;
	} rows[] = {
		{"", "", 0},
		{"   \t ", "", 0},
		{"ls", "ls|", 1},
		{"  exec  web  ls\r", "exec|web|ls|", 3},
		{"exec web sh -c 'echo  a b'", "exec|web|sh|-c|echo  a b|", 5},
		{"a\"b c\"d ''", "ab cd||", 2},
		{"say \"it's\"", "say|it's|", 2},
		{"open 'quote", NULL, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		char line[200], joined[200] = "", *words[PLAIN_WORDS_MAX];
		struct err e = {0};

		snprintf(line, sizeof(line), "%s", rows[i].line);
		assert_int_equal(plain_words(line, words, &e), rows[i].n);
		for (int k = 0; k < rows[i].n; k++) {
			strcat(joined, words[k]);
			strcat(joined, "|");
		}
		if (rows[i].words)
			assert_string_equal(joined, rows[i].words);
		else
			assert_non_null(strstr(e.msg, "quote"));
	}
}

static void test_too_many_words(void **state)
{
	char line[400] = "", *words[PLAIN_WORDS_MAX];
	struct err e = {0};

	(void)state;
	for (int i = 0; i < PLAIN_WORDS_MAX; i++)
		strcat(line, "x ");
	assert_int_equal(plain_words(line, words, &e), -EINVAL);
}

/* What stands behind the clock; "" when the event is not told. */
static const char *told(const char *event)
{
	static char line[700];
	struct json_object *o = NULL;
	bool tells;

	assert_int_equal(jsonx_parse(event, strlen(event), &o, NULL), 0);
	tells = plain_event(o, line, sizeof(line));
	json_object_put(o);
	for (const char *s = line; tells && *s; s++)
		assert_true((unsigned char)*s >= ' ');
	return tells ? line + 9 : "";
}

#define EVENT(name, fields)                                                                        \
	"{\"wall_ns\":1700000000000000000,\"vm_name\":\"web\",\"name\":\"" name                    \
	"\",\"fields\":" fields "}"

static void test_events(void **state)
{
	(void)state;
	assert_string_equal(told(EVENT("vm.boot", "{\"ms\":1234.5}")), "web: ready after 1.2 s");
	assert_string_equal(told(EVENT("vm.state", "{\"to\":\"stopped\",\"reason\":\"asked\"}")),
		"web: stopped: asked");
	assert_string_equal(told(EVENT("vm.create", "{\"snapshot\":\"base\"}")),
		"web: is being restored from snapshot base");
	assert_string_equal(told(EVENT("vm.remove", "{}")), "web: removed");
	assert_string_equal(told(EVENT("vitals", "{}")), "");
	assert_string_equal(told("{}"), "");
	/* Of another type, hostile, missing: never an escape byte. */
	assert_string_equal(told(EVENT("vm.state", "7")), "web: ");
	(void)told(EVENT("vm.boot", "{\"ms\":\"x\"}"));
	(void)told(EVENT("vm.boot.failed", "{\"reason\":\"\\u001b[31m\\u0007\"}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_too_many_words),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
