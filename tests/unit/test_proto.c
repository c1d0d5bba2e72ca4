// LIBS: api base
/* The message table: lookups, and checks of hostile parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "backend/api/proto.h"
#include "backend/base/jsonx.h"
#include "backend/base/util.h"

static int check(const char *method, const char *params, struct err *e)
{
	autojson struct json_object *o = NULL;
	int id = proto_find(method);

	assert_true(id >= 0);
	e->msg[0] = '\0';
	if (params)
		assert_int_equal(jsonx_parse(params, strlen(params), &o, NULL), 0);
	return proto_check((enum proto_id)id, o, e);
}

static void accepts(const char *method, const char *params)
{
	struct err e;

	if (check(method, params, &e) < 0)
		fail_msg("%s %s: %s", method, params, e.msg);
}

/* Refused, with a sentence that names the method and holds this text. */
static void refuses(const char *method, const char *params, const char *text)
{
	struct err e;

	assert_int_equal(check(method, params, &e), -EINVAL);
	if (!strstr(e.msg, text) || strncmp(e.msg, method, strlen(method)))
		fail_msg("%s %s: '%s' has no '%s'", method, params, e.msg, text);
}

static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < PROTO__COUNT; i++) {
		assert_non_null(proto_methods[i].name);
		assert_int_equal(proto_find(proto_methods[i].name), i);
		assert_true(strlen(proto_methods[i].help) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(proto_methods[i].name, proto_methods[j].name);
	}
	for (size_t i = 0; i < proto_param_count; i++) {
		const struct proto_param *p = &proto_params[i];

		assert_true(p->min <= p->max);
		assert_true(strlen(p->help) > 0);
		for (size_t j = 0; j < i; j++)
			assert_false(proto_params[j].method == p->method &&
				     !strcmp(proto_params[j].name, p->name));
	}
	assert_int_equal(proto_find("vm.nothing"), -ENOENT);
	assert_int_equal(proto_find(""), -ENOENT);
}

static void test_near(void **state)
{
	char longer[5000];

	(void)state;
	assert_string_equal(proto_near("vm.lst"), "vm.list");
	assert_string_equal(proto_near("vm.exce"), "vm.exec");
	assert_string_equal(proto_near("image.biuld"), "image.build");
	assert_null(proto_near("something.else"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(proto_near(longer));
	(void)proto_near("");
}

static void test_shape(void **state)
{
	(void)state;
	accepts("vm.list", NULL);
	accepts("vm.list", "{}");
	refuses("vm.list", "[]", "must be an object");
	refuses("vm.list", "\"x\"", "must be an object");
	refuses("vm.list", "{\"vm\":\"a\"}", "there is no parameter 'vm' (there is: none)");
	refuses("vm.get", "{\"VM\":\"a\"}", "(there is: vm)");
	refuses("vm.get", NULL, "'vm' is missing");
	refuses("vm.get", "{}", "'vm' is missing");
	refuses("vm.get", "{\"vm\":null}", "must be a name");
	refuses("vm.get", "{\"vm\":[\"a\"]}", "must be a name");
	refuses("vm.get", "{\"\\u001b[31m\":1}", "\\x1b[31m");
	/* The same member twice: the last one counts and is the one that is checked. */
	refuses("vm.get", "{\"vm\":\"a\",\"vm\":1}", "must be a name");
	accepts("vm.get", "{\"vm\":1,\"vm\":\"a\"}");
}

static void test_names(void **state)
{
	char params[200];

	(void)state;
	accepts("vm.get", "{\"vm\":\"web-1\"}");
	accepts("vm.get", "{\"vm\":\"-weird but a lookup\"}");
	refuses("vm.get", "{\"vm\":\"\"}", "1 to 63 bytes, not 0");
	refuses("vm.get", "{\"vm\":\"a\\u0000b\"}", "NUL");
	refuses("vm.get", "{\"vm\":\"a\\nb\"}", "control characters");
	refuses("vm.get", "{\"vm\":\"a\\u007f\"}", "control characters");
	snprintf(params, sizeof(params), "{\"vm\":\"%063d\"}", 0);
	accepts("vm.get", params);
	snprintf(params, sizeof(params), "{\"vm\":\"%064d\"}", 0);
	refuses("vm.get", params, "not 64");
	/* 32 characters, 64 bytes: bytes are counted. */
	strcpy(params, "{\"vm\":\"");
	for (int i = 0; i < 32; i++)
		strcat(params, "\xc3\xa4");
	strcat(params, "\"}");
	refuses("vm.get", params, "not 64");
}

static void test_numbers(void **state)
{
	(void)state;
	accepts("vm.boot", "{\"mem_mib\":64,\"vcpus\":32}");
	refuses("vm.boot", "{\"mem_mib\":63}", "64 to 1048576, not 63");
	refuses("vm.boot", "{\"mem_mib\":1048577}", "not 1048577");
	refuses("vm.boot", "{\"mem_mib\":-1}", "not -1");
	refuses("vm.boot", "{\"mem_mib\":256.5}", "a whole number");
	refuses("vm.boot", "{\"mem_mib\":2.56e2}", "a whole number");
	refuses("vm.boot", "{\"mem_mib\":\"256\"}", "a whole number");
	refuses("vm.boot", "{\"mem_mib\":true}", "a whole number");
	accepts("event.list", "{\"since\":9223372036854775807}");
	refuses("event.list", "{\"since\":9223372036854775808}", "not 9223372036854775808");
	refuses("event.list", "{\"since\":18446744073709551616}", "must be 0 to");
	refuses("event.list", "{\"since\":99999999999999999999999999}", "must be 0 to");
	refuses("event.list", "{\"since\":-9223372036854775809}", "must be 0 to");
	accepts("vm.rm", "{\"vm\":\"a\",\"force\":true}");
	refuses("vm.rm", "{\"vm\":\"a\",\"force\":1}", "true or false");
	refuses("vm.rm", "{\"vm\":\"a\",\"force\":\"true\"}", "true or false");
}

/* {"vm":"a","argv":["x", ...]} with n strings. */
static char *argv_of(int n)
{
	char *s = malloc(64 + 4 * (size_t)n), *p = s;

	p += sprintf(p, "{\"vm\":\"a\",\"argv\":[");
	for (int i = 0; i < n; i++)
		p += sprintf(p, "%s\"x\"", i ? "," : "");
	strcpy(p, "]}");
	return s;
}

static void test_vectors(void **state)
{
	autofree char *most = argv_of(511), *over = argv_of(512);

	(void)state;
	accepts("vm.exec", most);
	refuses("vm.exec", over, "1 to 511 strings, not 512");
	accepts("vm.exec", "{\"vm\":\"a\",\"argv\":[\"\"]}");
	refuses("vm.exec", "{\"vm\":\"a\",\"argv\":[]}", "not 0");
	refuses("vm.exec", "{\"vm\":\"a\",\"argv\":[\"ls\",1]}", "element 1 of 'argv'");
	refuses("vm.exec", "{\"vm\":\"a\",\"argv\":[null]}", "element 0 of 'argv'");
	refuses("vm.exec", "{\"vm\":\"a\",\"argv\":[[\"ls\"]]}", "not a string");
	refuses("vm.exec", "{\"vm\":\"a\",\"argv\":[\"l\\u0000s\"]}", "NUL");
	refuses("vm.exec", "{\"vm\":\"a\",\"argv\":\"ls\"}", "an array of strings");
	refuses("vm.exec", "{\"vm\":\"a\",\"argv\":{\"0\":\"ls\"}}", "an array of strings");
}

static void test_maps(void **state)
{
	char *params = malloc(8192), *p = params;

	(void)state;
	accepts("vm.boot", "{\"env\":{}}");
	accepts("vm.boot", "{\"env\":{\"A\":\"1\",\"B\":\"x=y\\n\"}}");
	refuses("vm.boot", "{\"env\":{\"A\":1}}", "'A' of 'env' is not a string");
	refuses("vm.boot", "{\"env\":{\"A\":null}}", "not a string");
	refuses("vm.boot", "{\"env\":{\"A\":\"\\u0000\"}}", "NUL");
	refuses("vm.boot", "{\"env\":{\"\":\"1\"}}", "not a variable's name");
	refuses("vm.boot", "{\"env\":{\"A=B\":\"1\"}}", "not a variable's name");
	refuses("vm.boot", "{\"env\":{\"A\\n\":\"1\"}}", "not a variable's name");
	refuses("vm.boot", "{\"env\":[\"A=1\"]}", "an object of strings");
	p += sprintf(p, "{\"env\":{");
	for (int i = 0; i < 257; i++)
		p += sprintf(p, "%s\"K%d\":\"v\"", i ? "," : "", i);
	strcpy(p, "}}");
	refuses("vm.boot", params, "0 to 256 members, not 257");
	free(params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
