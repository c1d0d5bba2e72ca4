/* Help text and the README's table, from the table of commands. */
#include <string.h>

#include "tui/cli/commands.h"

static int name_width(void)
{
	int width = 0;

	for (size_t i = 0; i < command_count; i++)
		if (!command_hidden(&commands[i]))
			width = max_of(width, (int)strlen(commands[i].name));
	return width;
}

void help_print(FILE *f)
{
	int width = name_width();

	fputs("vmdeck: a control deck for microVMs\n\n"
	      "usage: vmdeck                       open the console\n"
	      "       vmdeck COMMAND [OPTIONS] ...\n"
	      "       vmdeck --read-only ...       change nothing (also: VMDECK_READ_ONLY=1)\n\n"
	      "commands:\n",
		f);
	for (size_t i = 0; i < command_count; i++)
		if (!command_hidden(&commands[i]))
			fprintf(f, "  %-*s  %s\n", width, commands[i].name, commands[i].summary);
	fputs("\nVM: a name, an id, or a unique beginning of either.\n"
	      "Exit codes: 0 done, 1 failed, 2 usage; exec and shell: the command's.\n"
	      "vmdeck help COMMAND, or vmdeck COMMAND --help, tells more.\n",
		f);
}

/* "  -n, --name NAME" */
static void option_head(char *out, size_t n, const struct opt_def *d)
{
	char letter[5] = "    ";

	if (d->letter)
		snprintf(letter, sizeof(letter), "-%c, ", d->letter);
	snprintf(out, n, "%s--%s%s%s", letter, d->name, d->arg ? " " : "", d->arg ? d->arg : "");
}

void help_command(FILE *f, const struct command *cmd)
{
	const struct opt_def *d;
	char head[60];
	int width = 0;

	fprintf(f, "vmdeck %s: %s\n\nusage: vmdeck %s [OPTIONS]%s%s\n", cmd->name, cmd->summary,
		cmd->name, cmd->args[0] ? " " : "", cmd->args);
	if (cmd->details)
		fprintf(f, "\n%s\n", cmd->details);
	for (int i = 0; (d = command_opt(cmd, i)); i++) {
		option_head(head, sizeof(head), d);
		width = max_of(width, (int)strlen(head));
	}
	fputs("\noptions:\n", f);
	for (int i = 0; (d = command_opt(cmd, i)); i++) {
		option_head(head, sizeof(head), d);
		fprintf(f, "  %-*s  %s\n", width, head, d->help);
	}
}

/* A bar ends a cell of a Markdown table. */
static void put_cell(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			fputc('\\', f);
		fputc(*s, f);
	}
}

void help_markdown(FILE *f)
{
	const struct opt_def *d;

	fputs("| Command | Does |\n|---|---|\n", f);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *cmd = &commands[i];

		if (command_hidden(cmd))
			continue;
		fprintf(f, "| `vmdeck %s", cmd->name);
		for (int k = 0; (d = command_opt(cmd, k)); k++) {
			if (strcmp(d->name, "help") == 0)
				continue;
			if (d->letter)
				fprintf(f, " [-%c", d->letter);
			else
				fprintf(f, " [--%s", d->name);
			put_cell(f, d->arg ? " " : "");
			put_cell(f, d->arg ? d->arg : "");
			fputc(']', f);
		}
		if (cmd->args[0])
			fputc(' ', f);
		put_cell(f, cmd->args);
		fputs("` | ", f);
		put_cell(f, cmd->summary);
		fputs(" |\n", f);
	}
}
