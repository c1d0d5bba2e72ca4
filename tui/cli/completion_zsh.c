/* The completion script for zsh. */
#include <string.h>

#include "tui/cli/completion_impl.h"

static void zsh_described(FILE *f, const char *word, const struct command *cmd)
{
	fprintf(f, "'%s:", word);
	completion_put_quoted(f, cmd ? cmd->summary : "(several)", ":");
	fputs("' ", f);
}

static void zsh_pattern(FILE *f, const char *word, const struct command *cmd)
{
	(void)cmd;
	fprintf(f, "|%s", word);
}

/* A first word that others may follow; cmd: it is a command itself, too, with words of its own. */
static void zsh_group(FILE *f, const char *word, const struct command *cmd)
{
	if (!command_group(word))
		return;
	fprintf(f, "\t(%s)\n\t\tif (( CURRENT == 3 )); then\n\t\t\tlist=(", word);
	completion_each_second(f, word, zsh_described);
	fprintf(f,
		")\n\t\t\t_describe command list\n%s\t\telse\n\t\t\tcase $words[3] in\n\t\t\t(%s",
		cmd ? "" : "\t\t\treturn\n", cmd ? "''" : "*");
	completion_each_second(f, word, zsh_pattern);
	fputs(") cmd=\"$cmd $words[3]\" ;;\n\t\t\tesac\n\t\tfi\n\t\t;;\n", f);
}

static void zsh_option(FILE *f, const struct opt_def *d)
{
	const char *many = d->type == OPT_LIST ? "*" : "";

	if (d->letter)
		fprintf(f, " \\\n\t\t\t'%s'{-%c,--%s}'[", many, d->letter, d->name);
	else
		fprintf(f, " \\\n\t\t\t'%s--%s[", many, d->name);
	completion_put_quoted(f, d->help, "[]");
	fputc(']', f);
	if (d->type != OPT_FLAG) {
		fprintf(f, ":%s:", d->arg);
		if (d->words && strcmp(d->words, "@vm") == 0)
			fputs("($vms)", f);
		else if (d->words && strcmp(d->words, "@snapshot") == 0)
			fputs("($snapshots)", f);
		else if (d->words && strcmp(d->words, "@file") == 0)
			fputs("_files", f);
		else if (d->words)
			fprintf(f, "(%s)", d->words);
	}
	fputc('\'', f);
}

static void zsh_words(FILE *f, const struct command *cmd)
{
	static const char *const actions[] = {
		[WORDS_NONE] = "",
		[WORDS_VM] = "*:VM:($vms)",
		[WORDS_IMAGE] = "*:image:($images)",
		[WORDS_SNAPSHOT] = "*:snapshot:($snapshots)",
		[WORDS_ANY] = "*:VM or snapshot:($vms $snapshots)",
		[WORDS_SHELL] = "*:shell:(bash zsh fish)",
		[WORDS_COMMAND] = "*:command:($first)",
	};
	const struct opt_def *d;

	fprintf(f, "\t('%s')\n\t\t_arguments -s", cmd->name);
	for (int i = 0; (d = command_opt(cmd, i)); i++)
		zsh_option(f, d);
	/* Double quotes: the lists are filled in. */
	if (cmd->words != WORDS_NONE)
		fprintf(f, " \\\n\t\t\t\"%s\"", actions[cmd->words]);
	fputs("\n\t\t;;\n", f);
}

void completion_zsh(FILE *f)
{
	fputs("#compdef vmdeck\n"
	      "# zsh completion of vmdeck: into a folder of $fpath as _vmdeck\n"
	      "_vmdeck() {\n"
	      "\tlocal cmd=$words[2]\n"
	      "\tlocal -a list first\n"
	      "\tlocal vms=\"$(" ASK_VMS ")\" images=\"$(" ASK_IMAGES ")\"\n"
	      "\tlocal snapshots=\"$(" ASK_SNAPSHOTS ")\"\n"
	      "\tfirst=(",
		f);
	completion_each_first(f, completion_put_word);
	fputs(")\n\tif (( CURRENT == 2 )); then\n\t\tlist=(", f);
	completion_each_first(f, zsh_described);
	fputs(")\n\t\t_describe command list\n\t\treturn\n\tfi\n\tcase $cmd in\n", f);
	completion_each_first(f, zsh_group);
	fputs("\tesac\n\tcase $cmd in\n", f);
	for (size_t i = 0; i < command_count; i++)
		if (!command_hidden(&commands[i]))
			zsh_words(f, &commands[i]);
	fputs("\tesac\n"
	      "}\n"
	      "if [ \"$funcstack[1]\" = _vmdeck ]; then\n"
	      "\t_vmdeck \"$@\"\n"
	      "else\n"
	      "\tcompdef _vmdeck vmdeck\n"
	      "fi\n",
		f);
}
