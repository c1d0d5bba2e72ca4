/* The completion script for bash. */
#include <string.h>

#include "tui/cli/completion_impl.h"

static void bash_pattern(FILE *f, const char *word, const struct command *cmd)
{
	(void)cmd;
	fprintf(f, "| %s ", word);
}

/* A first word that others may follow; cmd: it is a command itself, too, with words of its own. */
static void bash_group(FILE *f, const char *word, const struct command *cmd)
{
	if (!command_group(word))
		return;
	fprintf(f, "\t%s)\n\t\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n\t\t\tmore='", word);
	completion_each_second(f, word, completion_put_word);
	fputs("'\n\t\telse\n\t\t\tcase ${COMP_WORDS[2]} in\n\t\t\t", f);
	fputs(cmd ? "'' " : "* ", f);
	completion_each_second(f, word, bash_pattern);
	fputs(") cmd=\"$cmd ${COMP_WORDS[2]}\" ;;\n\t\t\tesac\n\t\tfi\n\t\t;;\n", f);
}

static void bash_values(FILE *f, const struct command *cmd)
{
	const struct opt_def *d;

	for (int i = 0; (d = command_opt(cmd, i)); i++) {
		if (d->type == OPT_FLAG)
			continue;
		fprintf(f, "\t'%s --%s'", cmd->name, d->name);
		if (d->letter)
			fprintf(f, " | '%s -%c'", cmd->name, d->letter);
		if (!d->words)
			fputs(") return ;;\n", f);
		else if (strcmp(d->words, "@vm") == 0)
			fputs(") words=$(" ASK_VMS ") opts= ;;\n", f);
		else if (strcmp(d->words, "@snapshot") == 0)
			fputs(") words=$(" ASK_SNAPSHOTS ") opts= ;;\n", f);
		else if (strcmp(d->words, "@file") == 0)
			fputs(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", f);
		else
			fprintf(f, ") words='%s' opts= ;;\n", d->words);
	}
}

static void bash_words(FILE *f, const struct command *cmd)
{
	const struct opt_def *d;

	fprintf(f, "\t'%s')\n\t\topts='", cmd->name);
	for (int i = 0; (d = command_opt(cmd, i)); i++)
		fprintf(f, "--%s ", d->name);
	fputs("'\n\t\twords=", f);
	switch (cmd->words) {
	case WORDS_NONE:
		break;
	case WORDS_VM:
		fputs("$(" ASK_VMS ")", f);
		break;
	case WORDS_IMAGE:
		fputs("$(" ASK_IMAGES ")", f);
		break;
	case WORDS_SNAPSHOT:
		fputs("$(" ASK_SNAPSHOTS ")", f);
		break;
	case WORDS_ANY:
		fputs("$(" ASK_ANY ")", f);
		break;
	case WORDS_SHELL:
		fputs("'bash zsh fish'", f);
		break;
	case WORDS_COMMAND:
		fputc('\'', f);
		completion_each_first(f, completion_put_word);
		fputc('\'', f);
		break;
	case WORDS__COUNT:
		break;
	}
	fputs("\n\t\t;;\n", f);
}

void completion_bash(FILE *f)
{
	fputs("# bash completion of vmdeck: source <(vmdeck completion bash)\n"
	      "_vmdeck() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal cmd=${COMP_WORDS[1]} opts='' words='' more=''\n"
	      "\tCOMPREPLY=()\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W '",
		f);
	completion_each_first(f, completion_put_word);
	fputs("' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $cmd in\n", f);
	completion_each_first(f, bash_group);
	fputs("\tesac\n\tcase $cmd in\n", f);
	for (size_t i = 0; i < command_count; i++)
		if (!command_hidden(&commands[i]))
			bash_words(f, &commands[i]);
	fputs("\tesac\n\tcase \"$cmd $prev\" in\n", f);
	for (size_t i = 0; i < command_count; i++)
		if (!command_hidden(&commands[i]))
			bash_values(f, &commands[i]);
	fputs("\tesac\n"
	      "\tcase $cur in\n"
	      "\t-*) COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\")) ;;\n"
	      "\t*) COMPREPLY=($(compgen -W \"$more$words\" -- \"$cur\")) ;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -F _vmdeck vmdeck\n",
		f);
}
