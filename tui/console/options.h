/* The console's options: their table, their values, where each value is from. Pure, but for reading
 * the file. */
#ifndef VMDECK_TUI_CONSOLE_OPTIONS_H
#define VMDECK_TUI_CONSOLE_OPTIONS_H

#include <stdbool.h>

#include "backend/base/err.h"
#include "tui/console/conf_file.h"
#include "tui/console/console.h"

#define OPTION_TEXT 401 /* bytes of a value, with its end */

enum option_id {
#define OPTION(id, section, name, type, def, min, max, words, flags, help) OPTION_##id,
#include "tui/console/options.def"
#undef OPTION
	OPTION__COUNT,
	OPTION_NONE = -1
};
enum option_type { OPTION_BOOL, OPTION_INT, OPTION_CHOICE, OPTION_IS_TEXT };
/* The words of option confirm. */
enum { CONFIRM_ALL, CONFIRM_DESTROYING };
enum option_flag { OPTION_START = 1 };

struct option_info {
	const char *section, *name;
	enum option_type type;
	const char *def;
	int min, max;
	const char *words; /* choices with spaces between, or "@theme", "@layout", "" */
	unsigned flags;
	const char *help;
};
extern const struct option_info option_table[OPTION__COUNT];

/* Later ones win over those before. */
enum option_source { OPTION_DEFAULT, OPTION_FILE, OPTION_ENV, OPTION_FLAG, OPTION_SET };

struct option_value {
	char text[OPTION_TEXT];
	int num; /* of an INT; BOOL: 0 or 1; CHOICE: which of the words */
	enum option_source source;
	int line; /* of the file */
};

struct options {
	char path[600]; /* of vmdeck.conf */
	struct option_value value[OPTION__COUNT];
};

/* Defaults, and over them what environment (VMDECK_THEME, NO_COLOR) and flags say. flags: may be
 * NULL. */
void options_init(struct options *o, const struct console_opts *flags);
/* Reads a file (NULL: vmdeck.conf of this user) anew: what it states counts, but for what
 * environment and flags say; what it does not state stays as `:set` made it, else is the default.
 * Wrong lines are told, one call each, and left out. Returns how many. */
int options_load(struct options *o, const char *path, conf_complain_fn *fn, void *user);

/* By name or unique beginning; OPTION_NONE with a sentence, which names the nearest. */
enum option_id option_by_name(const char *name, struct err *e);
/* -EINVAL: what it takes, a sentence; nothing has changed then. */
int option_set(struct options *o, enum option_id id, const char *text, enum option_source source,
	struct err *e);
bool option_on(const struct options *o, enum option_id id);
int option_num(const struct options *o, enum option_id id);
const char *option_text(const struct options *o, enum option_id id);

/* What it takes: "on or off", "100 to 60000", "all or destroying", "text". */
char *option_takes(enum option_id id, char *out, size_t n);
/* Where its value is from: "default", "FILE:3", "environment", "flag", ":set". */
char *option_from(const struct options *o, enum option_id id, char *out, size_t n);

#endif
