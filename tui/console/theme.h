/* Themes: a style for every role, from themes/NAME.theme or the built-in table. No curses here. */
#ifndef VMDECK_TUI_CONSOLE_THEME_H
#define VMDECK_TUI_CONSOLE_THEME_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/base/err.h"

enum role {
#define ROLE(id, name, style, help) ROLE_##id,
#include "tui/console/roles.def"
#undef ROLE
	ROLE__COUNT
};

struct role_info {
	const char *name, *style, *help;
};
extern const struct role_info role_table[ROLE__COUNT];

#define COLOUR_DEFAULT (-1) /* the terminal's own */
#define COLOUR_UNSET   (-2) /* of role text; at 16 colours: of the built-in theme */

struct colour {
	int32_t rgb;    /* 0xrrggbb; -1: not stated */
	int16_t col256; /* 0..255, COLOUR_DEFAULT, COLOUR_UNSET */
	int16_t col16;  /* 0..15, COLOUR_DEFAULT, COLOUR_UNSET */
};
#define colour_unset ((struct colour){-1, COLOUR_UNSET, COLOUR_UNSET})

enum style_attr {
	STYLE_BOLD = 1,
	STYLE_DIM = 2,
	STYLE_ITALIC = 4,
	STYLE_UNDERLINE = 8,
	STYLE_REVERSE = 16,
};

struct style {
	struct colour fg, bg;
	uint8_t attrs; /* enum style_attr */
	uint8_t mono;  /* attributes where there is no colour */
};

struct theme {
	char name[64], variant[16]; /* variant: "dark", "light", "any" */
	struct style role[ROLE__COUNT];
	struct colour ansi[16]; /* guest colours 0..15; COLOUR_UNSET: the terminal's */
};

/* Complaints of a load: the first one, with file and line, and how many there were. */
struct theme_log {
	int count;
	char first[300];
};

/* A theme on whose behalf another one is read: its palette wins, and chains have an end. */
struct theme_heir {
	const struct theme_heir *heir; /* that it is read for itself; NULL: it was asked for */
	const struct parser *parser;
	const char *file; /* what it inherits may stand beside it */
};

/* Whether both look alike. */
bool theme_same(const struct theme *a, const struct theme *b);

/* The built-in theme. */
void theme_builtin(struct theme *t);

/* Loads a theme by name or file ("x.theme" or with a slash): $XDG_CONFIG_HOME/vmdeck/themes,
 * PREFIX/share/vmdeck/themes and the source tree's themes/ are searched. Always gives a usable
 * theme; what is wrong goes to the log: wrong lines are left out, a missing theme is the built-in
 * one. */
void theme_load(struct theme *t, const char *name, struct theme_log *log);

/* Parses text as the theme `file`; inherited themes are loaded by name. A colour of its palette
 * replaces that of the same name in what it inherits, so a theme may be a palette alone. heir: NULL
 * for the theme that was asked for. */
void theme_parse(struct theme *t, const char *file, const char *text, const struct theme_heir *heir,
	struct theme_log *log);

/* "#rrggbb", 0 to 255, an ANSI name, "default", or what each depth shows: "#rrggbb/0-255/0-15". */
bool colour_parse(const char *s, struct colour *ret);
/* Nearest of the colours 16..255 (0..15 belong to the user), and of the usual 16. */
int colour_nearest_256(int32_t rgb);
int colour_nearest_16(int32_t rgb);
/* Usual value of one of the 256. */
int32_t colour_rgb_of(int index);

/* Finds the file of a theme name into out; 0 or -ENOENT. */
int theme_find(const char *name, char *out, size_t n, struct err *e);
void theme_complain(struct theme_log *log, const char *file, int line, const char *fmt, ...)
	printf_like(4, 5);
/* Reads the file at path as theme t. heir: as for theme_parse. */
int theme_read(
	struct theme *t, const char *path, const struct theme_heir *heir, struct theme_log *log);
/* As theme_load, for the name that a theme inherits. */
void theme_inherit(
	struct theme *t, const char *name, const struct theme_heir *heir, struct theme_log *log);

/* Names of all themes there are, sorted, each once; NULL at the end. Free with themes_free. */
char **themes_list(void);
void themes_free(char **names);
/* The folders that are searched, one at a time from i = 0 on: false behind the last. */
bool theme_folder(int i, char *out, size_t n);

#endif
