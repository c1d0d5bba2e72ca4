/* vmdeck: the console, and the commands that do the same from a shell. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "tui/cli/cli.h"
#include "tui/cli/plain.h"
#include "tui/console/console.h"

int cmd_console(struct cli *c)
{
	struct console_opts o = {
		.theme = opt_str(&c->opts, "theme", NULL),
		.layout = opt_str(&c->opts, "layout", NULL),
		.no_color = opt_given(&c->opts, "no-color") || !c->color,
		.ascii = opt_given(&c->opts, "ascii"),
		.read_only = c->read_only || opt_given(&c->opts, "read-only"),
	};

	if (opt_given(&c->opts, "keys")) {
		console_keys_markdown(stdout);
		return EXIT_OK;
	}
	c->read_only = o.read_only;
	if (opt_given(&c->opts, "plain"))
		return plain_main(c);
	if (!isatty(STDIN_FILENO) || !c->tty_out) {
		fputs("vmdeck: the console needs a terminal; without one try `vmdeck --plain`, "
		      "`vmdeck tour`, `vmdeck ls` "
		      "or `vmdeck help`\n",
			stderr);
		return EXIT_USAGE;
	}
	return console_main(&o);
}

int cmd_keys(struct cli *c)
{
	return console_keys_print(stdout, opt_given(&c->opts, "json"));
}

int cmd_config(struct cli *c)
{
	const char *file = c->opts.argc ? c->opts.args[0] : NULL;
	struct console_opts o = {
		.theme = opt_str(&c->opts, "theme", NULL),
		.layout = opt_str(&c->opts, "layout", NULL),
		.no_color = opt_given(&c->opts, "no-color"),
		.ascii = opt_given(&c->opts, "ascii"),
		.read_only = c->read_only,
	};

	if (file && access(file, R_OK) < 0) {
		fprintf(stderr, "vmdeck: cannot read %s: %s\n", file, strerror(errno));
		return EXIT_FAILED;
	}
	return console_config_print(stdout, &o, file,
		opt_given(&c->opts, "check") ? CONFIG_CHECK
		: c->json                    ? CONFIG_JSON
					     : CONFIG_TEXT);
}

/* What was printed must have arrived: a full disk is a failure, a reader that left is SIGPIPE's. */
static int finish_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (errno == EPIPE)
		return EXIT_SIGNAL + SIGPIPE;
	fprintf(stderr, "vmdeck: cannot write the output: %s\n", strerror(errno));
	return code ? code : EXIT_FAILED;
}

/* A standard descriptor that is closed would be given to the next socket: output would go there. */
static void fill_standard_fds(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct cli c;
	int code;

	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	cli_init(&c);
	code = cli_run(&c, argc - 1, argv + 1);
	cli_fini(&c);
	return finish_output(code);
}
