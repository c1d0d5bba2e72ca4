/* The completion script for fish. */
#include <string.h>

#include "tui/cli/completion_impl.h"

static void put_group(FILE *f, const char *word, const struct command *cmd)
{
	(void)cmd;
	if (command_group(word))
		fprintf(f, "%s ", word);
}

static void fish_text(FILE *f, const char *s)
{
	fputs(" -d '", f);
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputs("'\n", f);
}

static void fish_first(FILE *f, const char *word, const struct command *cmd)
{
	fprintf(f, "complete -c vmdeck -n __fish_use_subcommand -a %s", word);
	fish_text(f, cmd ? cmd->summary : "(several)");
}

/* "complete -c vmdeck -n 'this command is on the line'" */
static void fish_begin(FILE *f, const struct command *cmd)
{
	char first[32];
	const char *second = completion_second(cmd, first, sizeof(first));

	fprintf(f, "complete -c vmdeck -n '__fish_seen_subcommand_from %s", first);
	if (second) {
		fprintf(f, "; and __fish_seen_subcommand_from %s", second);
	} else if (command_group(first)) { /* "snapshot" is not "snapshot rm" */
		fputs("; and not __fish_seen_subcommand_from ", f);
		completion_each_second(f, first, completion_put_word);
	} else { /* "rm" is not "image rm" */
		fputs("; and not __fish_seen_subcommand_from ", f);
		completion_each_first(f, put_group);
	}
	fputc('\'', f);
}

static void fish_second(FILE *f, const char *word, const struct command *cmd)
{
	char first[32];

	(void)completion_second(cmd, first, sizeof(first));
	fprintf(f,
		"complete -c vmdeck -n '__fish_seen_subcommand_from %s; and "
		"not __fish_seen_subcommand_from ",
		first);
	completion_each_second(f, first, completion_put_word);
	fprintf(f, "' -a %s", word);
	fish_text(f, cmd->summary);
}

static void fish_group(FILE *f, const char *word, const struct command *cmd)
{
	(void)cmd;
	if (command_group(word))
		completion_each_second(f, word, fish_second);
}

/* What an option's value may be. */
static void fish_value(FILE *f, const char *words)
{
	if (!words)
		fputs(" -x", f);
	else if (strcmp(words, "@file") == 0)
		fputs(" -r -F", f);
	else if (strcmp(words, "@vm") == 0)
		fputs(" -x -a '(" ASK_VMS ")'", f);
	else if (strcmp(words, "@snapshot") == 0)
		fputs(" -x -a '(" ASK_SNAPSHOTS ")'", f);
	else
		fprintf(f, " -x -a '%s'", words);
}

static void fish_command(FILE *f, const struct command *cmd)
{
	static const char *const lists[] = {
		[WORDS_NONE] = NULL,
		[WORDS_VM] = "(" ASK_VMS ")",
		[WORDS_IMAGE] = "(" ASK_IMAGES ")",
		[WORDS_SNAPSHOT] = "(" ASK_SNAPSHOTS ")",
		[WORDS_ANY] = "(" ASK_ANY ")",
		[WORDS_SHELL] = "bash zsh fish",
		[WORDS_COMMAND] = NULL,
	};
	const struct opt_def *d;

	for (int i = 0; (d = command_opt(cmd, i)); i++) {
		fish_begin(f, cmd);
		if (d->letter)
			fprintf(f, " -s %c", d->letter);
		fprintf(f, " -l %s", d->name);
		if (d->type != OPT_FLAG)
			fish_value(f, d->words);
		fish_text(f, d->help);
	}
	if (lists[cmd->words]) {
		fish_begin(f, cmd);
		fprintf(f, " -a '%s'\n", lists[cmd->words]);
	}
	if (cmd->words == WORDS_COMMAND) {
		fish_begin(f, cmd);
		fputs(" -a '", f);
		completion_each_first(f, completion_put_word);
		fputs("'\n", f);
	}
}

void completion_fish(FILE *f)
{
	fputs("# fish completion of vmdeck: vmdeck completion fish | source\n"
	      "complete -c vmdeck -f\n",
		f);
	completion_each_first(f, fish_first);
	completion_each_first(f, fish_group);
	for (size_t i = 0; i < command_count; i++)
		if (!command_hidden(&commands[i]))
			fish_command(f, &commands[i]);
}
