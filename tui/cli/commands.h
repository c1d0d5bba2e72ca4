/* The one table of commands: parsing, help, completion and the README are made from it. */
#ifndef VMDECK_CLI_COMMANDS_H
#define VMDECK_CLI_COMMANDS_H

#include "tui/cli/opts.h"

struct cli;

/* What completion offers for the words that are no options. */
enum command_words {
	WORDS_NONE,
	WORDS_VM,
	WORDS_IMAGE,
	WORDS_SNAPSHOT,
	WORDS_ANY, /* VMs and snapshots */
	WORDS_SHELL,
	WORDS_COMMAND,
	WORDS__COUNT
};

/* A row of commands.def. */
struct command {
	const char *name;           /* one or two words: "image build" */
	const char *args;           /* usage behind the options: "VM..." */
	const char *summary;        /* at most 60 columns */
	const char *details;        /* further lines of help, or NULL */
	const struct opt_def *opts; /* own ones, or NULL */
	bool json;                  /* takes --json */
	enum command_words words;
	enum opts_rest rest;
	int args_min, args_max;    /* words that are no options; max -1: no limit */
	int (*run)(struct cli *c); /* returns the exit code */
};

#define COMMAND(fn, name, args, words, min, max, rest, json, opts, summary, details)               \
	int cmd_##fn(struct cli *c);
#include "tui/cli/commands.def"
#undef COMMAND

extern const struct command commands[];
extern const size_t command_count;

/* Finds the command that argv begins with, by two words where there is such a one; *ret_words: how
 * many of them are its name. -EINVAL: no such command (proposes the nearest), or the second word is
 * missing. */
int command_find(int argc, char **argv, const struct command **ret, int *ret_words, struct err *e);
bool command_hidden(const struct command *cmd); /* not shown in help and completion */
/* "image" of "image build": a first word that others may follow (must, where it is none itself). */
bool command_group(const char *word);
const struct command *command_by_name(const char *name);

/* Options of a command in order: its own, --json where it takes it, --help. NULL at the end. */
const struct opt_def *command_opt(const struct command *cmd, int i);
struct opts_spec command_spec(const struct command *cmd);
/* Parses what follows the name and checks how many words there are (not with --help). */
int command_parse(const struct command *cmd, int argc, char **argv, struct opts *o, struct err *e);

/* help.c, completion.c: all text comes from the table. */
void help_print(FILE *f);
void help_command(FILE *f, const struct command *cmd);
void help_markdown(FILE *f);
/* shell: "bash", "zsh" or "fish". -EINVAL: another one. */
int completion_print(FILE *f, const char *shell, struct err *e);

#endif
