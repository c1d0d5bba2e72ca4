/* help and completion. */
#include <errno.h>
#include <string.h>

#include "tui/cli/cli.h"

int cmd_help(struct cli *c)
{
	const struct command *cmd;
	struct err e = {0};
	int words;

	if (opt_given(&c->opts, "markdown")) {
		help_markdown(stdout);
		return EXIT_OK;
	}
	if (!c->opts.argc) {
		help_print(stdout);
		return EXIT_OK;
	}
	if (command_find(c->opts.argc, (char **)(uintptr_t)c->opts.args, &cmd, &words, &e) == 0 &&
		words < c->opts.argc)
		err_set(&e, EINVAL, "no command '%s %s'", c->opts.args[0], c->opts.args[1]);
	if (e.code)
		return cli_fail(&e, EXIT_USAGE);
	help_command(stdout, cmd);
	return EXIT_OK;
}

int cmd_completion(struct cli *c)
{
	struct err e = {0};

	if (completion_print(stdout, c->opts.args[0], &e) < 0)
		return cli_fail(&e, EXIT_USAGE);
	return EXIT_OK;
}
