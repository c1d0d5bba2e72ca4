/* The one table of commands: parsing, help, completion and the README are made from it. */
#ifndef VMDECK_CLI_COMMANDS_H
#define VMDECK_CLI_COMMANDS_H

#include "tui/cli/opts.h"

struct cli;

/* What completion offers for the words that are no options. */
enum command_words { WORDS_NONE, WORDS_VM, WORDS_IMAGE, WORDS_SHELL, WORDS_COMMAND };

struct command {
	const char *name;    /* one or two words: "image build" */
	const char *args;    /* usage behind the options: "VM..." */
	const char *summary; /* at most 60 columns */
	const char *details; /* further lines of help, or NULL */
	const struct opt_def *opts; /* own ones, or NULL */
	bool json;		    /* takes --json */
	bool hidden;
	enum command_words words;
	enum opts_rest rest;
	int args_min, args_max; /* words that are no options; max -1: no limit */
	bool needs_rest;	/* words of a command must follow */
	/* Returns the exit code. */
	int (*run)(struct cli *c);
};

extern const struct command commands[];
extern const size_t command_count;

/* Finds the command that argv begins with; *ret_words: how many of them are its name. -EINVAL: no
 * such command (proposes the nearest), or the second word is missing. */
int command_find(int argc, char **argv, const struct command **ret, int *ret_words, struct err *e);
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

int cmd_attach(struct cli *c);
int cmd_boot(struct cli *c);
int cmd_complete(struct cli *c);
int cmd_completion(struct cli *c);
int cmd_console(struct cli *c);
int cmd_daemon_start(struct cli *c);
int cmd_daemon_status(struct cli *c);
int cmd_daemon_stop(struct cli *c);
int cmd_doctor(struct cli *c);
int cmd_events(struct cli *c);
int cmd_exec(struct cli *c);
int cmd_help(struct cli *c);
int cmd_image_build(struct cli *c);
int cmd_image_rm(struct cli *c);
int cmd_images(struct cli *c);
int cmd_kill(struct cli *c);
int cmd_logs(struct cli *c);
int cmd_ls(struct cli *c);
int cmd_pause(struct cli *c);
int cmd_ping(struct cli *c);
int cmd_resume(struct cli *c);
int cmd_rm(struct cli *c);
int cmd_shell(struct cli *c);
int cmd_stop(struct cli *c);
int cmd_tour(struct cli *c);
int cmd_version(struct cli *c);

#endif
