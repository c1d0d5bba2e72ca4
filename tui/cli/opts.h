/* Option parser over const tables: the same tables give --help, completion and the README. */
#ifndef VMDECK_CLI_OPTS_H
#define VMDECK_CLI_OPTS_H

#include <stdbool.h>

#include "backend/base/err.h"
#include "backend/base/word.h"

#define OPTS_MAX 24

enum opt_type {
	OPT_FLAG,
	OPT_STR,
	OPT_LIST,   /* may be given many times */
	OPT_INT,    /* min..max */
	OPT_MIB,    /* "512", "512M", "2G" */
	OPT_CHOICE, /* one of words */
};

/* A table ends with a row without name. */
struct opt_def {
	const char *name; /* long name, without dashes */
	char letter;      /* or 0 */
	enum opt_type type;
	const char *arg; /* name of its value in help, NULL for flags */
	const char *help;
	const char *words; /* OPT_CHOICE: the allowed ones; else: "@vm", "@snapshot" or "@file" for
			      completion, or NULL */
	int64_t min, max;
};

/* Words that belong to a command run elsewhere. */
enum opts_rest {
	OPTS_REST_NONE,   /* "--" only ends the options */
	OPTS_REST_DASHES, /* all words after "--" */
	OPTS_REST_WORDS,  /* those, or all from the first word after `lead` arguments on */
};

struct opts_spec {
	const struct opt_def *own, *shared; /* either may be NULL */
	enum opts_rest rest;
	int lead;
};

struct opt_value {
	const struct opt_def *def;
	int count; /* times given */
	const char *str;
	int64_t num;
	const char **list; /* owned */
};

/* Strings point into argv. */
struct opts {
	struct opt_value values[OPTS_MAX];
	int value_count;
	const char **args; /* owned */
	int argc;
	char **rest; /* NULL-ended, tail of argv; NULL when there is none */
	int restc;
};

/* Parses all of argv[0..argc-1] (no program or command name in it): --opt VALUE, --opt=VALUE, -o
 * VALUE, -oVALUE, -abc, "--". 0, or -EINVAL with a sentence (an unknown option proposes the
 * nearest). opts_fini either way. */
int opts_parse(struct opts *o, const struct opts_spec *spec, int argc, char **argv, struct err *e);
void opts_fini(struct opts *o);

/* Values by long name; a name that is not in the table is a programmer's error (asserts). */
bool opt_known(const struct opts *o, const char *name); /* it is in the table */
bool opt_given(const struct opts *o, const char *name);
const char *opt_str(const struct opts *o, const char *name, const char *def);
int64_t opt_num(const struct opts *o, const char *name, int64_t def);
/* All values of an OPT_LIST; *ret_n 0 when it was not given. */
const char *const *opt_list(const struct opts *o, const char *name, int *ret_n);

#endif
