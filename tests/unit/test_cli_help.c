// LIBS: api base
// OBJS: tui/cli/*.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/cli.h"
#include "tui/cli/text.h"

/* The console is another program part: here it is only a row of the table. */
int cmd_keys(struct cli *c)
{
	(void)c;
	return 0;
}

int cmd_config(struct cli *c)
{
	(void)c;
	return 0;
}

int cmd_console(struct cli *c)
{
	(void)c;
	return 99;
}

int cmd_record(struct cli *c)
{
	(void)c;
	return 99;
}

int cmd_replay(struct cli *c)
{
	(void)c;
	return 99;
}

/* What fn prints, the caller's. */
static char *printed(void (*fn)(FILE *f, const void *arg), const void *arg)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	fn(f, arg);
	fclose(f);
	return text;
}

static void print_command(FILE *f, const void *arg)
{
	help_command(f, arg);
}

static void print_all(FILE *f, const void *arg)
{
	(void)arg;
	help_print(f);
}

static void print_markdown(FILE *f, const void *arg)
{
	(void)arg;
	help_markdown(f);
}

static void print_completion(FILE *f, const void *arg)
{
	assert_int_equal(completion_print(f, arg, NULL), 0);
}

static void must_have(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

static void check_width(const char *text, int cols)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		autofree char *line = strndup(text, n);

		if (text_width(line) > cols)
			fail_msg("over %d columns: '%s'", cols, line);
		text += n + (text[n] == '\n');
	}
}

static void check_options(const struct command *cmd)
{
	const struct opt_def *d, *other;

	for (int i = 0; (d = command_opt(cmd, i)); i++) {
		assert_non_null(d->help);
		assert_true(d->help[0] && text_width(d->help) <= 60);
		assert_int_equal(d->type == OPT_FLAG, d->arg == NULL);
		if (d->type == OPT_CHOICE)
			assert_non_null(d->words);
		if (d->type == OPT_INT)
			assert_true(d->min < d->max);
		for (int k = 0; k < i; k++) {
			other = command_opt(cmd, k);
			assert_string_not_equal(other->name, d->name);
			assert_false(d->letter && other->letter == d->letter);
		}
	}
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_count; i++) {
		const struct command *cmd = &commands[i];

		assert_true(cmd->summary[0] && text_width(cmd->summary) <= 60);
		assert_non_null(cmd->run);
		assert_true(cmd->args_max < 0 || cmd->args_max >= cmd->args_min);
		assert_true(islower((unsigned char)cmd->name[0]) || command_hidden(cmd));
		assert_ptr_equal(command_by_name(cmd->name), cmd);
		check_options(cmd);
	}
}

static void test_help(void **state)
{
	autofree char *all = printed(print_all, NULL);

	(void)state;
	check_width(all, 80);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *cmd = &commands[i];
		autofree char *text = printed(print_command, cmd);
		const struct opt_def *d;
		char option[40];

		check_width(text, 100);
		if (command_hidden(cmd)) {
			assert_null(strstr(all, cmd->name));
			continue;
		}
		must_have(all, cmd->name);
		must_have(all, cmd->summary);
		must_have(text, cmd->summary);
		must_have(text, cmd->args);
		for (int k = 0; (d = command_opt(cmd, k)); k++) {
			snprintf(option, sizeof(option), "--%s", d->name);
			must_have(text, option);
			must_have(text, d->help);
		}
	}
}

static void test_markdown(void **state)
{
	autofree char *text = printed(print_markdown, NULL);
	int rows = 0, shown = 0;

	(void)state;
	for (const char *p = text; *p; p += strcspn(p, "\n") + 1) {
		int bars = 0;

		for (const char *q = p; *q != '\n'; q++)
			bars += *q == '|' && (q == p || q[-1] != '\\');
		assert_int_equal(bars, 3);
		rows++;
	}
	for (size_t i = 0; i < command_count; i++)
		shown += !command_hidden(&commands[i]);
	assert_int_equal(rows, shown + 2);
}

/* Every command and option is offered, and the script is one a shell can read. */
static void check_completion(const char *shell, const char *program)
{
	autofree char *text = printed(print_completion, shell);
	char path[] = "/tmp/vmdeck-completion-XXXXXX", run[200];
	int fd = mkstemp(path);

	for (size_t i = 0; i < command_count; i++) {
		const struct opt_def *d;

		if (command_hidden(&commands[i]))
			continue;
		must_have(text, strchr(commands[i].name, ' ') ? strchr(commands[i].name, ' ') + 1
							      : commands[i].name);
		for (int k = 0; (d = command_opt(&commands[i], k)); k++)
			must_have(text, d->name);
	}
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	/* A shell that is not installed cannot be asked. */
	snprintf(run, sizeof(run), "command -v %s >/dev/null || exit 0; %s -n %s", program, program,
		path);
	assert_int_equal(system(run), 0);
	unlink(path);
}

static void test_completion(void **state)
{
	struct err e;

	(void)state;
	check_completion("bash", "bash");
	check_completion("zsh", "zsh");
	check_completion("fish", "fish");
	assert_int_equal(completion_print(stdout, "tcsh", &e), -EINVAL);
	must_have(e.msg, "bash, zsh and fish");
}

/* What bash offers for a command line, as it would ask. */
static void check_bash(const char *words, int at, const char *want)
{
	autofree char *text = printed(print_completion, "bash");
	char path[] = "/tmp/vmdeck-completion-XXXXXX", run[500], got[200] = "";
	int fd = mkstemp(path);
	FILE *f;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	snprintf(run, sizeof(run),
		"bash -c 'source %s; vmdeck() { echo $2-one $2-two; }; COMP_WORDS=(%s) "
		"COMP_CWORD=%d; _vmdeck; echo \"${COMPREPLY[*]}\"'",
		path, words, at);
	f = popen(run, "r");
	assert_non_null(f);
	assert_non_null(fgets(got, sizeof(got), f));
	assert_int_equal(pclose(f), 0);
	got[strcspn(got, "\n")] = '\0';
	assert_string_equal(got, want);
	unlink(path);
}

static void test_bash(void **state)
{
	(void)state;
	check_bash("vmdeck bo", 1, "boot");
	check_bash("vmdeck i", 1, "images image");
	check_bash("vmdeck image \"\"", 2, "build rm");
	check_bash("vmdeck image rm i", 3, "images-one images-two");
	check_bash("vmdeck stop \"\"", 2, "vms-one vms-two");
	check_bash("vmdeck stop vms-t", 2, "vms-two");
	check_bash("vmdeck boot --v", 2, "--vcpus --vmm");
	check_bash("vmdeck boot --vmm f", 3, "firecracker");
	check_bash("vmdeck boot --name x", 3, "");
	check_bash("vmdeck events --vm \"\"", 3, "vms-one vms-two");
	check_bash("vmdeck completion z", 2, "zsh");
	check_bash("vmdeck snaps", 1, "snapshot snapshots");
	check_bash("vmdeck snapshot \"\"", 2, "verify rm vms-one vms-two");
	check_bash("vmdeck snapshot v", 2, "verify vms-one vms-two");
	check_bash("vmdeck snapshot --r", 2, "--replace");
	check_bash("vmdeck snapshot vms-one --q", 3, "--quiet");
	check_bash("vmdeck snapshot verify \"\"", 3, "snapshots-one snapshots-two");
	check_bash("vmdeck snapshot rm \"\"", 3, "snapshots-one snapshots-two");
	check_bash("vmdeck restore \"\"", 2, "snapshots-one snapshots-two");
	check_bash("vmdeck clone any-o", 2, "any-one");
	check_bash("vmdeck timeline web --kind r", 4, "restore");
	check_bash("vmdeck restores --snapshot \"\"", 3, "snapshots-one snapshots-two");
	check_bash("vmdeck boot --disk /etc/hostn", 3, "/etc/hostname");
}

static int find(const char *a, const char *b, const struct command **ret, struct err *e)
{
	char *argv[] = {(char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL};
	int words;

	return command_find(b ? 2 : a ? 1 : 0, argv, ret, &words, e);
}

static void test_find(void **state)
{
	static const struct {
		const char *a, *b, *want; /* a name, or "error: part" */
	} rows[] = {
		{"boot", NULL, "boot"},
		{"boot", "mini", "boot"},
		{"image", "build", "image build"},
		{"daemon", "stop", "daemon stop"},
		{"image", NULL, "error: needs one of build, rm"},
		{"image", "--json", "error: needs one of build, rm"},
		{"image", "bild", "error: no command 'image bild'"},
		{"snapshot", NULL, "snapshot"},
		{"snapshot", "web", "snapshot"},
		{"snapshot", "verify", "snapshot verify"},
		{"snapshot", "rm", "snapshot rm"},
		{"snapshot", "--", "snapshot"},
		{"snapshot", "--replace", "snapshot"},
		{"snapshots", NULL, "snapshots"},
		{"daemon", "--", "error: needs one of status, start, stop"},
		{"boto", NULL, "error: did you mean 'boot'?"},
		{"imges", NULL, "error: did you mean 'images'?"},
		{"__compl", NULL, "error: vmdeck help lists them"},
		{"xyzzy", NULL, "error: no command 'xyzzy'"},
		{"\033[2J", NULL, "error: no command '\\x1b[2J'"},
		{"", NULL, "error: no command ''"},
		{"image ", NULL, "error: no command"},
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		const struct command *cmd = NULL;
		struct err e = {0};
		int r = find(rows[i].a, rows[i].b, &cmd, &e);

		if (strncmp(rows[i].want, "error: ", 7) == 0) {
			assert_int_equal(r, -EINVAL);
			must_have(e.msg, rows[i].want + 7);
		} else {
			assert_int_equal(r, 0);
			assert_string_equal(cmd->name, rows[i].want);
		}
	}
}

static int parse(const char *name, int argc, const char *const *words, struct err *e)
{
	char *argv[8] = {NULL};
	struct opts o;
	int r;

	for (int i = 0; i < argc; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	r = command_parse(command_by_name(name), argc, argv, &o, e);
	opts_fini(&o);
	return r;
}

static void test_parse(void **state)
{
	static const struct {
		const char *name;
		int argc;
		const char *words[6], *want; /* NULL: accepted */
	} rows[] = {
		{"ls", 0, {0}, NULL},
		{"ls", 1, {"x"}, "unexpected 'x'"},
		{"boot", 0, {0}, NULL},
		{"boot", 4, {"mini", "--", "ls", "-l"}, NULL},
		{"boot", 3, {"mini", "ls", "-q"}, "a command goes behind --"},
		{"boot", 2, {"mini", "--"}, "no command behind --"},
		{"boot", 1, {"--volume"}, "unknown option --volume"},
		{"boot", 1, {"--volume"}, "unknown option --volume"},
		{"exec", 0, {0}, "something is missing"},
		{"exec", 1, {"web"}, "something is missing"},
		{"exec", 2, {"web", "--"}, "something is missing"},
		{"exec", 2, {"--", "ls"}, "something is missing"},
		{"exec", 3, {"web", "ls", "-l"}, NULL},
		{"exec", 1, {"--help"}, NULL},
		{"stop", 0, {0}, "something is missing"},
		{"stop", 3, {"a", "b", "-t5"}, NULL},
		{"stop", 2, {"a", "-t9999"}, "out of range"},
		{"completion", 2, {"bash", "zsh"}, "unexpected 'zsh'"},
		{"help", 2, {"image", "build"}, NULL},
		{"snapshot", 3, {"--", "verify", "base"}, NULL},
		{"snapshot", 1, {"web"}, "something is missing: vmdeck snapshot VM NAME"},
		{"snapshot", 3, {"a", "b", "c"}, "unexpected 'c'"},
		{"snapshot verify", 0, {0}, "something is missing"},
		{"clone", 3, {"base", "-n", "20"}, NULL},
		{"clone", 3, {"base", "-n", "257"}, "out of range"},
		{"clone", 3, {"base", "-n", "0"}, "out of range"},
		{"timeline", 2, {"web", "--kind=clone"}, "it is one of boot restore snapshot"},
		{"pool", 1, {"base"}, "something is missing"},
		{"boot", 4, {"--disk", "2G", "-d", "./x"}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct err e = {0};
		int r = parse(rows[i].name, rows[i].argc, rows[i].words, &e);

		if (!rows[i].want) {
			if (r < 0)
				fail_msg("%s: %s", rows[i].name, e.msg);
		} else {
			assert_int_equal(r, -EINVAL);
			must_have(e.msg, rows[i].want);
		}
	}
}

static int run(int argc, const char *const *words)
{
	char *argv[8] = {NULL};
	struct cli c;
	int code;

	for (int i = 0; i < argc; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	cli_init(&c);
	code = cli_run(&c, argc, argv);
	cli_fini(&c);
	return code;
}

static void test_run(void **state)
{
	(void)state;
	assert_int_equal(run(0, NULL), 99);
	assert_int_equal(run(1, (const char *[]){"--ascii"}), 99);
	assert_int_equal(run(1, (const char *[]){"--nonsense"}), 2);
	assert_int_equal(run(1, (const char *[]){"nonsense"}), 2);
	assert_int_equal(run(2, (const char *[]){"exec", "web"}), 2);
	assert_int_equal(run(2, (const char *[]){"help", "nonsense"}), 2);
	assert_int_equal(run(3, (const char *[]){"pool", "base", "many"}), 2);
	assert_int_equal(run(3, (const char *[]){"pool", "base", "65"}), 2);
	assert_int_equal(run(4, (const char *[]){"rm", "--snapshot", "-f", "base"}), 2);
}

static void test_env(void **state)
{
	const struct command *cmd = command_by_name("exec");
	char *good[] = {(char *)"-eA=1", (char *)"-eB=", (char *)"-eHERE", (char *)"-eA=2=3",
		(char *)"web", (char *)"ls", NULL};
	char *bad[] = {(char *)"-e=1", (char *)"web", (char *)"ls", NULL};
	char *none[] = {(char *)"-eNOT_HERE", (char *)"web", (char *)"ls", NULL};
	char *latin[] = {(char *)"-eA=\xe4", (char *)"web", (char *)"ls", NULL};
	autojson struct json_object *env = NULL;
	struct json_object *no;
	struct opts o;
	struct err e;

	(void)state;
	setenv("HERE", "x", 1);
	unsetenv("NOT_HERE");
	assert_int_equal(command_parse(cmd, 6, good, &o, &e), 0);
	assert_int_equal(cli_env(&o, &env, &e), 0);
	assert_string_equal(jsonx_str(env, "A"), "2=3");
	assert_string_equal(jsonx_str(env, "B"), "");
	assert_string_equal(jsonx_str(env, "HERE"), "x");
	opts_fini(&o);
	assert_int_equal(command_parse(cmd, 3, bad, &o, &e), 0);
	assert_int_equal(cli_env(&o, &no, &e), -EINVAL);
	opts_fini(&o);
	assert_int_equal(command_parse(cmd, 3, none, &o, &e), 0);
	assert_int_equal(cli_env(&o, &no, &e), -EINVAL);
	must_have(e.msg, "NOT_HERE");
	opts_fini(&o);
	assert_int_equal(command_parse(cmd, 3, latin, &o, &e), 0);
	assert_int_equal(cli_env(&o, &no, &e), -EINVAL);
	must_have(e.msg, "UTF-8");
	opts_fini(&o);
}

static int setup(void **state)
{
	(void)state;
	text_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_bash),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_env),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
