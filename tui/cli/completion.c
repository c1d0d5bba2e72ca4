/* Completion scripts, from the table of commands. Names of VMs and images are asked of a daemon
 * that runs; none is started by a key press. */
#include <errno.h>
#include <string.h>

#include "backend/base/str.h"
#include "tui/cli/commands.h"

#define ASK_VMS    "vmdeck __complete vms 2>/dev/null"
#define ASK_IMAGES "vmdeck __complete images 2>/dev/null"

/* First word of a command's name, and the second or NULL. */
static const char *second_word(const struct command *cmd, char *first, size_t n)
{
	size_t len = strcspn(cmd->name, " ");

	snprintf(first, n, "%.*s", (int)len, cmd->name);
	return cmd->name[len] ? cmd->name + len + 1 : NULL;
}

/* Calls fn once for each first word that is shown. */
static void each_first(FILE *f, void (*fn)(FILE *f, const char *word, const struct command *cmd))
{
	char word[32], last[32] = "";

	for (size_t i = 0; i < command_count; i++) {
		bool group = second_word(&commands[i], word, sizeof(word)) != NULL;

		if (command_hidden(&commands[i]) || strcmp(word, last) == 0)
			continue;
		fn(f, word, group ? NULL : &commands[i]);
		memcpy(last, word, sizeof(last));
	}
}

static void each_second(FILE *f, const char *group,
	void (*fn)(FILE *f, const char *word, const struct command *cmd))
{
	char word[32];

	for (size_t i = 0; i < command_count; i++) {
		const char *second = second_word(&commands[i], word, sizeof(word));

		if (second && strcmp(word, group) == 0)
			fn(f, second, &commands[i]);
	}
}

static void put_word(FILE *f, const char *word, const struct command *cmd)
{
	(void)cmd;
	fprintf(f, "%s ", word);
}

static void put_group(FILE *f, const char *word, const struct command *cmd)
{
	if (!cmd)
		fprintf(f, "%s ", word);
}

/* Inside single quotes of bash and zsh. */
static void put_quoted(FILE *f, const char *s, const char *escaped)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", f);
		else if (strchr(escaped, *s))
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

/* ---- bash ---------------------------------------------------------------------------------- */

static void bash_group(FILE *f, const char *word, const struct command *cmd)
{
	if (cmd)
		return;
	fprintf(f,
		"\t%s)\n\t\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n"
		"\t\t\tCOMPREPLY=($(compgen -W '",
		word);
	each_second(f, word, put_word);
	fputs("' -- \"$cur\"))\n\t\t\treturn\n\t\tfi\n\t\tcmd=\"$cmd ${COMP_WORDS[2]}\"\n\t\t;;\n",
		f);
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
	case WORDS_SHELL:
		fputs("'bash zsh fish'", f);
		break;
	case WORDS_COMMAND:
		fputc('\'', f);
		each_first(f, put_word);
		fputc('\'', f);
		break;
	}
	fputs("\n\t\t;;\n", f);
}

static void print_bash(FILE *f)
{
	fputs("# bash completion of vmdeck: source <(vmdeck completion bash)\n"
	      "_vmdeck() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	      "\tlocal cmd=${COMP_WORDS[1]} opts='' words=''\n"
	      "\tCOMPREPLY=()\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W '",
		f);
	each_first(f, put_word);
	fputs("' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $cmd in\n", f);
	each_first(f, bash_group);
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
	      "\t*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
	      "\tesac\n"
	      "}\n"
	      "complete -F _vmdeck vmdeck\n",
		f);
}

/* ---- zsh ----------------------------------------------------------------------------------- */

static void zsh_described(FILE *f, const char *word, const struct command *cmd)
{
	fprintf(f, "'%s:", word);
	put_quoted(f, cmd ? cmd->summary : "(several)", ":");
	fputs("' ", f);
}

static void zsh_group(FILE *f, const char *word, const struct command *cmd)
{
	if (cmd)
		return;
	fprintf(f, "\t(%s)\n\t\tif (( CURRENT == 3 )); then\n\t\t\tlist=(", word);
	each_second(f, word, zsh_described);
	fputs(")\n\t\t\t_describe command list\n\t\t\treturn\n\t\tfi\n"
	      "\t\tcmd=\"$cmd $words[3]\"\n\t\t;;\n",
		f);
}

static void zsh_option(FILE *f, const struct opt_def *d)
{
	const char *many = d->type == OPT_LIST ? "*" : "";

	if (d->letter)
		fprintf(f, " \\\n\t\t\t'%s'{-%c,--%s}'[", many, d->letter, d->name);
	else
		fprintf(f, " \\\n\t\t\t'%s--%s[", many, d->name);
	put_quoted(f, d->help, "[]");
	fputc(']', f);
	if (d->type != OPT_FLAG) {
		fprintf(f, ":%s:", d->arg);
		if (d->words && strcmp(d->words, "@vm") == 0)
			fputs("($vms)", f);
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

static void print_zsh(FILE *f)
{
	fputs("#compdef vmdeck\n"
	      "# zsh completion of vmdeck: into a folder of $fpath as _vmdeck\n"
	      "_vmdeck() {\n"
	      "\tlocal cmd=$words[2]\n"
	      "\tlocal -a list first\n"
	      "\tlocal vms=\"$(" ASK_VMS ")\" images=\"$(" ASK_IMAGES ")\"\n"
	      "\tfirst=(",
		f);
	each_first(f, put_word);
	fputs(")\n\tif (( CURRENT == 2 )); then\n\t\tlist=(", f);
	each_first(f, zsh_described);
	fputs(")\n\t\t_describe command list\n\t\treturn\n\tfi\n\tcase $cmd in\n", f);
	each_first(f, zsh_group);
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

/* ---- fish ---------------------------------------------------------------------------------- */

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
	const char *second = second_word(cmd, first, sizeof(first));

	fprintf(f, "complete -c vmdeck -n '__fish_seen_subcommand_from %s", first);
	if (second) {
		fprintf(f, "; and __fish_seen_subcommand_from %s", second);
	} else { /* "rm" is not "image rm" */
		fputs("; and not __fish_seen_subcommand_from ", f);
		each_first(f, put_group);
	}
	fputc('\'', f);
}

static void fish_second(FILE *f, const char *word, const struct command *cmd)
{
	char first[32];

	(void)second_word(cmd, first, sizeof(first));
	fprintf(f,
		"complete -c vmdeck -n '__fish_seen_subcommand_from %s; and "
		"not __fish_seen_subcommand_from ",
		first);
	each_second(f, first, put_word);
	fprintf(f, "' -a %s", word);
	fish_text(f, cmd->summary);
}

static void fish_group(FILE *f, const char *word, const struct command *cmd)
{
	if (!cmd)
		each_second(f, word, fish_second);
}

static void fish_command(FILE *f, const struct command *cmd)
{
	static const char *const lists[] = {
		[WORDS_NONE] = NULL,
		[WORDS_VM] = "(" ASK_VMS ")",
		[WORDS_IMAGE] = "(" ASK_IMAGES ")",
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
			fputs(" -x", f);
		if (d->words)
			fprintf(f, " -a '%s'",
				strcmp(d->words, "@vm") == 0 ? "(" ASK_VMS ")" : d->words);
		fish_text(f, d->help);
	}
	if (lists[cmd->words]) {
		fish_begin(f, cmd);
		fprintf(f, " -a '%s'\n", lists[cmd->words]);
	}
	if (cmd->words == WORDS_COMMAND) {
		fish_begin(f, cmd);
		fputs(" -a '", f);
		each_first(f, put_word);
		fputs("'\n", f);
	}
}

static void print_fish(FILE *f)
{
	fputs("# fish completion of vmdeck: vmdeck completion fish | source\n"
	      "complete -c vmdeck -f\n",
		f);
	each_first(f, fish_first);
	each_first(f, fish_group);
	for (size_t i = 0; i < command_count; i++)
		if (!command_hidden(&commands[i]))
			fish_command(f, &commands[i]);
}

int completion_print(FILE *f, const char *shell, struct err *e)
{
	static const struct {
		const char *shell;
		void (*print)(FILE *f);
	} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
	char safe[60];

	for (size_t i = 0; i < countof(shells); i++)
		if (strcmp(shells[i].shell, shell) == 0) {
			shells[i].print(f);
			return 0;
		}
	return err_set(e, EINVAL, "no completion for '%s': there is bash, zsh and fish",
		str_safe(safe, sizeof(safe), shell));
}
