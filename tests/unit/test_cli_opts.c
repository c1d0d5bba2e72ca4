// LIBS: base
// OBJS: tui/cli/opts.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tui/cli/opts.h"

static const struct opt_def own[] = {
	{"name", 'n', OPT_STR, "NAME", "", NULL, 0, 0},
	{"env", 'e', OPT_LIST, "K=V", "", NULL, 0, 0},
	{"vcpus", 'c', OPT_INT, "N", "", NULL, 1, 32},
	{"mem", 'm', OPT_MIB, "SIZE", "", NULL, 0, 0},
	{"vmm", 0, OPT_CHOICE, "VMM", "", "auto qemu firecracker", 0, 0},
	{"tty", 't', OPT_FLAG, NULL, "", NULL, 0, 0},
	{"stdin", 'i', OPT_FLAG, NULL, "", NULL, 0, 0},
	{0},
};
static const struct opt_def shared[] = {{"json", 0, OPT_FLAG, NULL, "", NULL, 0, 0}, {0}};

#define ARGV_MAX 16

/* One row: a command line and what it means, as text. */
static const struct row {
	const char *argv[ARGV_MAX];
	enum opts_rest rest;
	int lead;
	const char *want; /* see describe; or "error: part of the sentence" */
} rows[] = {
	{{NULL}, OPTS_REST_NONE, 0, ""},
	{{"a", "b", NULL}, OPTS_REST_NONE, 0, "<a><b>"},
	{{"--name", "web", NULL}, OPTS_REST_NONE, 0, "name=web "},
	{{"--name=web", "x", NULL}, OPTS_REST_NONE, 0, "name=web <x>"},
	{{"--name=", NULL}, OPTS_REST_NONE, 0, "name= "},
	{{"--name=a=b", NULL}, OPTS_REST_NONE, 0, "name=a=b "},
	{{"-n", "web", NULL}, OPTS_REST_NONE, 0, "name=web "},
	{{"-nweb", NULL}, OPTS_REST_NONE, 0, "name=web "},
	{{"-n=web", NULL}, OPTS_REST_NONE, 0, "name==web "},
	{{"-it", "x", NULL}, OPTS_REST_NONE, 0, "tty stdin <x>"},
	{{"-itn", "web", NULL}, OPTS_REST_NONE, 0, "name=web tty stdin "},
	{{"-tnweb", NULL}, OPTS_REST_NONE, 0, "name=web tty "},
	{{"x", "-t", "y", "--json", NULL}, OPTS_REST_NONE, 0, "tty json <x><y>"},
	{{"-e", "A=1", "--env", "B=2", "--env=C=", NULL}, OPTS_REST_NONE, 0, "env=[A=1|B=2|C=] "},
	{{"--vcpus", "4", NULL}, OPTS_REST_NONE, 0, "vcpus=4 "},
	{{"--mem", "2G", NULL}, OPTS_REST_NONE, 0, "mem=2048 "},
	{{"-m512", NULL}, OPTS_REST_NONE, 0, "mem=512 "},
	{{"--vmm", "qemu", NULL}, OPTS_REST_NONE, 0, "vmm=qemu "},
	{{"--name", "a", "--name", "b", NULL}, OPTS_REST_NONE, 0, "name=b "},
	{{"-", NULL}, OPTS_REST_NONE, 0, "<->"},
	{{"", NULL}, OPTS_REST_NONE, 0, "<>"},
	/* "--" */
	{{"--", "-t", "--nonsense", NULL}, OPTS_REST_NONE, 0, "<-t><--nonsense>"},
	{{"mini", "--", "ls", "-t", NULL}, OPTS_REST_DASHES, 1, "<mini> rest<ls><-t>"},
	{{"mini", "--", NULL}, OPTS_REST_DASHES, 1, "<mini> rest"},
	{{"mini", "ls", NULL}, OPTS_REST_DASHES, 1, "<mini><ls>"},
	{{"web", "ls", "-la", "--x", NULL}, OPTS_REST_WORDS, 1, "<web> rest<ls><-la><--x>"},
	{{"-t", "web", "-i", "--", "ls", "--", "-x", NULL}, OPTS_REST_WORDS, 1,
		"tty stdin <web> rest<ls><--><-x>"},
	{{"web", "--", "--", "ls", NULL}, OPTS_REST_WORDS, 1, "<web> rest<--><ls>"},
	{{"web", "ls", "--", "-l", NULL}, OPTS_REST_WORDS, 1, "<web> rest<ls><--><-l>"},
	{{"--", "ls", NULL}, OPTS_REST_WORDS, 1, " rest<ls>"},
	/* mistakes */
	{{"--nmae", "x", NULL}, OPTS_REST_NONE, 0, "error: --nmae: did you mean --name?"},
	{{"--na", NULL}, OPTS_REST_NONE, 0, "error: did you mean --name?"},
	{{"--jso=1", NULL}, OPTS_REST_NONE, 0, "error: did you mean --json?"},
	{{"--frobnicate", NULL}, OPTS_REST_NONE, 0, "error: unknown option --frobnicate"},
	{{"--\033[31m", NULL}, OPTS_REST_NONE, 0, "error: unknown option --\\x1b[31m"},
	{{"-x", NULL}, OPTS_REST_NONE, 0, "error: unknown option -x"},
	{{"-tx", NULL}, OPTS_REST_NONE, 0, "error: unknown option -x"},
	{{"-\xff", NULL}, OPTS_REST_NONE, 0, "error: unknown option -\\xff"},
	{{"--name", NULL}, OPTS_REST_NONE, 0, "error: needs a value: --name NAME"},
	{{"-n", NULL}, OPTS_REST_NONE, 0, "error: needs a value"},
	{{"--json=yes", NULL}, OPTS_REST_NONE, 0, "error: --json takes no value"},
	{{"--vcpus", "0", NULL}, OPTS_REST_NONE, 0, "error: --vcpus"},
	{{"--vcpus", "33", NULL}, OPTS_REST_NONE, 0, "error: 1 to 32"},
	{{"--vcpus", "4x", NULL}, OPTS_REST_NONE, 0, "error: '4x' is not a number"},
	{{"--vcpus=", NULL}, OPTS_REST_NONE, 0, "error: --vcpus"},
	{{"--mem", "lots", NULL}, OPTS_REST_NONE, 0, "error: --mem"},
	{{"--vmm", "xen", NULL}, OPTS_REST_NONE, 0, "error: 'xen'"},
	{{"--vmm", "", NULL}, OPTS_REST_NONE, 0, "error: --vmm"},
	{{"--vmm", "qem", NULL}, OPTS_REST_NONE, 0, "error: one of auto qemu firecracker"},
	{{"--vmm", "auto qemu", NULL}, OPTS_REST_NONE, 0, "error: 'auto qemu'"},
};

static void add(char *out, const char *fmt, ...) printf_like(2, 3);
static void add(char *out, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, 500 - n, fmt, ap);
	va_end(ap);
}

static void describe(const struct opts *o, char *out)
{
	int n;
	const char *const *env = opt_list(o, "env", &n);

	out[0] = '\0';
	if (opt_given(o, "name"))
		add(out, "name=%s ", opt_str(o, "name", NULL));
	for (int i = 0; i < n; i++)
		add(out, "%s%s%s", i ? "|" : "env=[", env[i], i == n - 1 ? "] " : "");
	if (opt_given(o, "vcpus"))
		add(out, "vcpus=%d ", (int)opt_num(o, "vcpus", 0));
	if (opt_given(o, "mem"))
		add(out, "mem=%d ", (int)opt_num(o, "mem", 0));
	if (opt_given(o, "vmm"))
		add(out, "vmm=%s ", opt_str(o, "vmm", NULL));
	add(out, "%s%s%s", opt_given(o, "tty") ? "tty " : "", opt_given(o, "stdin") ? "stdin " : "",
		opt_given(o, "json") ? "json " : "");
	for (int i = 0; i < o->argc; i++)
		add(out, "<%s>", o->args[i]);
	if (o->rest)
		add(out, " rest");
	for (int i = 0; i < o->restc; i++)
		add(out, "<%s>", o->rest[i]);
	if (o->rest)
		assert_null(o->rest[o->restc]);
}

static void run_row(const struct row *row)
{
	struct opts_spec spec = {own, shared, row->rest, row->lead};
	char *argv[ARGV_MAX] = {NULL}, got[500];
	struct err e = {0};
	struct opts o;
	int argc = 0, r;

	for (; row->argv[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)row->argv[argc];
	r = opts_parse(&o, &spec, argc, argv, &e);
	if (strncmp(row->want, "error: ", 7) == 0) {
		assert_int_equal(r, -EINVAL);
		if (!strstr(e.msg, row->want + 7))
			fail_msg("'%s' is not in '%s'", row->want + 7, e.msg);
	} else {
		if (r < 0)
			fail_msg("'%s' wanted, got error '%s'", row->want, e.msg);
		describe(&o, got);
		assert_string_equal(got, row->want);
	}
	opts_fini(&o);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++)
		run_row(&rows[i]);
}

static void test_defaults(void **state)
{
	struct opts_spec spec = {own, NULL, OPTS_REST_NONE, 0};
	char *argv[] = {NULL};
	struct opts o;
	int n;

	(void)state;
	assert_int_equal(opts_parse(&o, &spec, 0, argv, NULL), 0);
	assert_false(opt_given(&o, "name"));
	assert_string_equal(opt_str(&o, "name", "x"), "x");
	assert_int_equal(opt_num(&o, "vcpus", 7), 7);
	opt_list(&o, "env", &n);
	assert_int_equal(n, 0);
	opts_fini(&o);
	opts_fini(&o);
	opts_fini(NULL);
}

static void test_many_words(void **state)
{
	struct opts_spec spec = {own, shared, OPTS_REST_NONE, 0};
	char *argv[2001];
	struct opts o;

	(void)state;
	for (int i = 0; i < 2000; i++)
		argv[i] = (char *)(uintptr_t)(i % 2 ? "K=V" : "-e");
	argv[2000] = NULL;
	assert_int_equal(opts_parse(&o, &spec, 2000, argv, NULL), 0);
	assert_int_equal(o.argc, 0);
	opts_fini(&o);
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(word_distance("boot", "boot"), 0);
	assert_int_equal(word_distance("boto", "boot"), 1);
	assert_int_equal(word_distance("bot", "boot"), 1);
	assert_int_equal(word_distance("", "boot"), 4);
	assert_int_equal(word_distance("kitten", "sitting"), 3);
	assert_true(word_distance("a-word-that-is-much-longer-than-any-option", "x") > 30);
	assert_true(word_near_enough("boto", "boot"));
	assert_true(word_near_enough("vers", "version"));
	assert_false(word_near_enough("x", "rm"));
	assert_false(word_near_enough("frob", "boot"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_many_words),
		cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
