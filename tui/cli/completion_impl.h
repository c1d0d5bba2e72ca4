/* Private to completion*.c: walks over the table of commands, and a script for each shell. */
#ifndef VMDECK_CLI_COMPLETION_IMPL_H
#define VMDECK_CLI_COMPLETION_IMPL_H

#include "tui/cli/commands.h"

/* A shell command that lists names: of a daemon that runs; none is started by a key press. */
#define ASK(what)     "vmdeck __complete " what " 2>/dev/null"
#define ASK_VMS       ASK("vms")
#define ASK_IMAGES    ASK("images")
#define ASK_SNAPSHOTS ASK("snapshots")
#define ASK_ANY       ASK("any")

typedef void completion_word(FILE *f, const char *word, const struct command *cmd);

/* First word of a command's name, and the second or NULL. */
const char *completion_second(const struct command *cmd, char *first, size_t n);
/* Calls fn once for each first word that is shown; cmd NULL: it is no command alone. */
void completion_each_first(FILE *f, completion_word *fn);
void completion_each_second(FILE *f, const char *group, completion_word *fn);
/* Some words that go out as they are, with a blank behind. */
void completion_put_word(FILE *f, const char *word, const struct command *cmd);
/* Inside single quotes of bash and zsh. */
void completion_put_quoted(FILE *f, const char *s, const char *escaped);

void completion_bash(FILE *f);
void completion_zsh(FILE *f);
void completion_fish(FILE *f);

#endif
