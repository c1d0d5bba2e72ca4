// LIBS: base
// OBJS: tui/console/filter.c
/* The grammar of filters, and patterns that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "backend/base/util.h"
#include "tui/console/filter.h"

struct row {
	const char *text[3];
};
static const char *const names[] = {"name", "state", "ready in"};

static int find_field(const void *user, const char *name, size_t n)
{
	(void)user;
	for (int i = 0; i < (int)countof(names); i++)
		if (strlen(names[i]) == n && strncasecmp(names[i], name, n) == 0)
			return i;
	return -1;
}

static const char *field_text(const void *user, const void *row, int field, char *buf, size_t n)
{
	(void)user;
	(void)buf;
	(void)n;
	return ((const struct row *)row)->text[field];
}

static void field_names(const void *user, char *out, size_t n)
{
	(void)user;
	snprintf(out, n, "name, state");
}

static const struct filter_source source = {NULL, 2, find_field, field_text, field_names};
static const struct row web1 = {{"web-1", "running", "secret"}};

/* 1: the row meets it, 0: it does not, < 0: the filter is wrong. */
static int meets(const char *text, const char *name, const char *state)
{
	const struct row row = {{name, state, ""}};
	struct filter *f;
	struct err e = {0};
	int r = filter_new(&f, text, &source, &e);

	if (r < 0) {
		assert_true(e.msg[0]);
		return r;
	}
	r = !f || filter_score(f, &source, &row) >= 0;
	filter_free(f);
	return r;
}

static void test_grammar(void **state)
{
	static const struct {
		const char *filter;
		int web1, db;
	} cases[] = {
		{"", 1, 1},
		{"   ", 1, 1},
		{"WEB", 1, 0},
		{"b-1", 1, 0},
		{"stop", 0, 1},
		{"1.1", 0, 0},
		{"/we.-", 1, 0},
		{"^w", 1, 0},
		{"/^(db|x)$", 0, 1},
		{"[0-9]", 1, 0},
		{"!web", 0, 1},
		{"!/^W", 0, 1},
		{"/!^w", 0, 1},
		{"!!web", 1, 0},
		{"~w1", 1, 0},
		{"!~w1", 0, 1},
		{"/~w1", 1, 0},
		{"~1w", 0, 0},
		{"state=running", 1, 0},
		{"STATE=Running", 1, 0},
		{"state=run", 0, 0},
		{"state=run*", 1, 0},
		{"name=*", 1, 1},
		{"name=*b*", 1, 1},
		{"name=*b-*1", 1, 0},
		{"state!=running", 0, 1},
		{"!state=running", 0, 1},
		{"web state=running", 1, 0},
		{"web state=stopped", 0, 0},
		{"!web !db", 0, 0},
		{"/", 1, 1},
		{"!", 1, 1},
		{"~", 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		int a = meets(cases[i].filter, "web-1", "running");
		int b = meets(cases[i].filter, "db", "stopped");

		if (a != cases[i].web1 || b != cases[i].db)
			fail_msg("'%s': %d and %d", cases[i].filter, a, b);
	}
}

/* Hidden fields are found by their key only. */
static void test_fields(void **state)
{
	static const struct filter_source all = {NULL, 3, find_field, field_text, field_names};
	struct filter *f;

	(void)state;
	assert_int_equal(filter_new(&f, "secret", &source, NULL), 0);
	assert_true(filter_score(f, &source, &web1) < 0);
	assert_true(filter_score(f, &all, &web1) >= 0);
	filter_free(f);
}

static void test_fuzzy_order(void **state)
{
	static const struct row near = {{"web-1", "", ""}}, far = {{"w-old-eb-11", "", ""}};
	struct filter *f;

	(void)state;
	assert_int_equal(filter_new(&f, "~web1", &source, NULL), 0);
	assert_true(filter_is_fuzzy(f));
	assert_true(filter_score(f, &source, &near) > filter_score(f, &source, &far));
	assert_true(filter_score(f, &source, &far) >= 0);
	filter_free(f);
	assert_int_equal(filter_new(&f, "!~web1", &source, NULL), 0);
	assert_false(filter_is_fuzzy(f));
	filter_free(f);
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = {"[", "/(", "a{2,1}", "*", "/a\\", "(a)\\1",
		"(a{1,200}){1,200}", "((((a{9}){9}){9}){9}){9}", "nosuch=1", "/[[:nope:]]",
		"/a{99999999999999999999}"};
	struct err e = {0};
	struct filter *f;
	char big[400], many[100] = "";

	(void)state;
	for (size_t i = 0; i < countof(wrong); i++)
		if (meets(wrong[i], "web", "x") >= 0 && strcmp(wrong[i], "*") != 0)
			fail_msg("'%s' was taken", wrong[i]);
	assert_true(filter_new(&f, "nosuch=1", &source, &e) < 0);
	assert_string_equal(e.msg, "there is no column 'nosuch' here: name, state");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_true(meets(big, "web", "x") < 0);
	for (int i = 0; i < 30; i++)
		strcat(many, "a ");
	assert_true(meets(many, "a", "a") < 0);
}

/* What keeps matchers busy that go back and forth, and bytes that are no characters. */
static void test_hostile(void **state)
{
	char text[200];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(meets("/(a*)*b$", text, ""), 0);
	assert_int_equal(meets("/(a|a)*b", text, ""), 0);
	assert_int_equal(meets("/((a+)+)+$", text, ""), 1);
	assert_int_equal(meets("name=*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text, ""), 0);
	assert_int_equal(meets("~aaaaaaaaaaaaaaaaaaaaaaaaaaaaab", text, ""), 0);
	assert_int_equal(meets("\xff\xfe", "web", "x"), 0);
	assert_int_equal(meets("\xff",
				 "w\xff"
				 "b",
				 "x"),
		1);
	assert_true(meets("/\xff[\x80-\xff",
			    "w\xff"
			    "b",
			    "x") < 0);
	assert_true(meets("/.\xc3", "w\xc3\x28", "x") != -1000);
	assert_int_equal(meets("~\xc3\xa4", "B\xc3\xa4r", "x"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_fuzzy_order),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
