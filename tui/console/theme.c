/* The text of a theme: [meta], [palette], [roles], [ansi]; what a role takes from where. */
#include "tui/console/theme.h"

#include <stdarg.h>
#include <string.h>

#define PALETTE_MAX 64
#define ENTRIES_MAX (ROLE__COUNT + 32) /* roles and groups of roles */

const struct role_info role_table[ROLE__COUNT] = {
#define ROLE(id, name, style, help) {name, style, help},
#include "tui/console/roles.def"
#undef ROLE
};

static const struct {
	const char *name;
	uint8_t attr;
} attr_names[] = {
	{"bold", STYLE_BOLD},
	{"dim", STYLE_DIM},
	{"italic", STYLE_ITALIC},
	{"underline", STYLE_UNDERLINE},
	{"reverse", STYLE_REVERSE},
};

enum section { SECTION_NONE, SECTION_META, SECTION_PALETTE, SECTION_ROLES, SECTION_ANSI };

/* One file while it is read. */
struct parser {
	const struct theme_heir *heir;
	const char *file;
	int line;
	struct theme_log *log;
	enum section section;
	char inherits[64], variant[16];
	struct {
		char name[32];
		struct colour colour;
	} palette[PALETTE_MAX];
	int palette_count;
	struct {
		char name[48];
		struct style style;
	} entry[ENTRIES_MAX];
	int entry_count;
	struct colour ansi[16];
};

void theme_complain(struct theme_log *log, const char *file, int line, const char *fmt, ...)
{
	char what[180];
	va_list ap;

	if (!log || log->count++ > 0)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (line > 0)
		snprintf(log->first, sizeof(log->first), "%.90s:%d: %s", file, line, what);
	else
		snprintf(log->first, sizeof(log->first), "%s", what);
}

static bool palette_find(const struct parser *p, const char *name, struct colour *ret)
{
	for (int i = 0; i < p->palette_count; i++)
		if (strcmp(name, p->palette[i].name) == 0) {
			*ret = p->palette[i].colour;
			return true;
		}
	return false;
}

/* A colour of the palette (that of the theme which was asked for wins over those of the ones it
 * inherits), or one that is spelled out. */
static bool palette_parse(const struct parser *p, const char *s, struct colour *ret)
{
	bool found = palette_find(p, s, ret);

	for (const struct theme_heir *h = p->heir; h; h = h->heir)
		found = palette_find(h->parser, s, ret) || found;
	return found || colour_parse(s, ret);
}

static uint8_t attr_parse(const char *s, size_t n)
{
	for (size_t i = 0; i < countof(attr_names); i++)
		if (strlen(attr_names[i].name) == n && memcmp(attr_names[i].name, s, n) == 0)
			return attr_names[i].attr;
	return 0;
}

/* "bold,reverse" or "none". */
static bool attrs_parse(const char *s, uint8_t *ret)
{
	*ret = 0;
	if (strcmp(s, "none") == 0)
		return true;
	while (*s) {
		size_t n = strcspn(s, ",");
		uint8_t attr = attr_parse(s, n);

		if (!attr)
			return false;
		*ret |= attr;
		s += n;
		s += strspn(s, ",");
	}
	return true;
}

static bool style_word(const struct parser *p, const char *w, struct style *st, bool *mono)
{
	uint8_t attr = attr_parse(w, strlen(w));

	if (strncmp(w, "fg=", 3) == 0)
		return palette_parse(p, w + 3, &st->fg);
	if (strncmp(w, "bg=", 3) == 0)
		return palette_parse(p, w + 3, &st->bg);
	if (strncmp(w, "mono=", 5) == 0) {
		*mono = true;
		return attrs_parse(w + 5, &st->mono);
	}
	st->attrs |= attr;
	return attr != 0;
}

static void style_parse(const struct parser *p, char *text, struct style *st)
{
	char *save = NULL;
	bool mono = false;

	*st = (struct style){colour_unset, colour_unset, 0, 0};
	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
		if (!style_word(p, w, st, &mono))
			theme_complain(
				p->log, p->file, p->line, "unknown colour or attribute '%.40s'", w);
	if (!mono)
		st->mono = st->attrs;
}

/* Is name a role, or a dotted prefix of one? */
static bool role_covers(const char *name, const char *role)
{
	size_t n = strlen(name);

	return strncmp(name, role, n) == 0 && (role[n] == '\0' || role[n] == '.');
}

static bool role_known(const char *name)
{
	for (int i = 0; i < ROLE__COUNT; i++)
		if (role_covers(name, role_table[i].name))
			return true;
	return false;
}

static void parse_role(struct parser *p, const char *key, char *value)
{
	int at = 0;

	if (!role_known(key)) {
		theme_complain(p->log, p->file, p->line, "unknown role '%.40s'", key);
		return;
	}
	while (at < p->entry_count && strcmp(p->entry[at].name, key) != 0)
		at++;
	if (at == ENTRIES_MAX)
		return;
	snprintf(p->entry[at].name, sizeof(p->entry[at].name), "%s", key);
	style_parse(p, value, &p->entry[at].style);
	p->entry_count = max_of(p->entry_count, at + 1);
}

static void parse_palette(struct parser *p, const char *key, const char *value)
{
	struct colour c;

	if (!palette_parse(p, value, &c))
		theme_complain(p->log, p->file, p->line, "unknown colour '%.40s'", value);
	else if (p->palette_count == PALETTE_MAX)
		theme_complain(
			p->log, p->file, p->line, "more than %d palette colours", PALETTE_MAX);
	else {
		snprintf(p->palette[p->palette_count].name, sizeof(p->palette[0].name), "%.31s",
			key);
		p->palette[p->palette_count++].colour = c;
	}
}

static void parse_ansi(struct parser *p, const char *key, const char *value)
{
	struct colour which, c;

	if (!colour_parse(key, &which) || which.col16 < 0)
		theme_complain(p->log, p->file, p->line, "[ansi] has 0 to 15, not '%.40s'", key);
	else if (!palette_parse(p, value, &c))
		theme_complain(p->log, p->file, p->line, "unknown colour '%.40s'", value);
	else
		p->ansi[which.col16] = c;
}

static void parse_meta(struct parser *p, const char *key, const char *value)
{
	static const char *const keys[] = {"name", "author", "licence", "variant", "inherits"};
	bool known = false;

	for (size_t i = 0; i < countof(keys); i++)
		known = known || strcmp(key, keys[i]) == 0;
	if (!known)
		theme_complain(p->log, p->file, p->line, "unknown key '%.40s' in [meta]", key);
	else if (strcmp(key, "inherits") == 0)
		snprintf(p->inherits, sizeof(p->inherits), "%s", value);
	else if (strcmp(key, "variant") == 0)
		snprintf(p->variant, sizeof(p->variant), "%s", value);
}

static void parse_section(struct parser *p, const char *line)
{
	static const char *const names[] = {"", "[meta]", "[palette]", "[roles]", "[ansi]"};

	p->section = SECTION_NONE;
	for (size_t i = 1; i < countof(names); i++)
		if (strcmp(line, names[i]) == 0)
			p->section = (enum section)i;
	if (p->section == SECTION_NONE)
		theme_complain(p->log, p->file, p->line, "unknown section '%.40s'", line);
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t\r");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return s;
}

static void parse_line(struct parser *p, char *line)
{
	char *eq, *key, *value;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return;
	if (*line == '[') {
		parse_section(p, line);
		return;
	}
	eq = strchr(line, '=');
	if (!eq) {
		theme_complain(p->log, p->file, p->line, "expected 'key = value'");
		return;
	}
	*eq = '\0';
	key = trim(line);
	value = trim(eq + 1);
	switch (p->section) {
	case SECTION_META:
		parse_meta(p, key, value);
		break;
	case SECTION_PALETTE:
		parse_palette(p, key, value);
		break;
	case SECTION_ROLES:
		parse_role(p, key, value);
		break;
	case SECTION_ANSI:
		parse_ansi(p, key, value);
		break;
	case SECTION_NONE:
		theme_complain(
			p->log, p->file, p->line, "'%.40s' stands before any [section]", key);
		break;
	}
}

/* Own role, else the nearest own group, else what the inherited theme says; then colours that are
 * still open come from role text, and 16 colours that were not stated from the built-in theme. */
static void theme_resolve(struct theme *t, const struct parser *p, bool alone)
{
	for (int r = 0; r < ROLE__COUNT; r++) {
		const struct style *best = NULL;
		size_t best_len = 0;

		for (int i = 0; i < p->entry_count; i++)
			if (role_covers(p->entry[i].name, role_table[r].name) &&
				strlen(p->entry[i].name) > best_len) {
				best = &p->entry[i].style;
				best_len = strlen(p->entry[i].name);
			}
		if (best)
			t->role[r] = *best;
		else if (alone)
			t->role[r] = (struct style){colour_unset, colour_unset, 0, 0};
	}
	for (int i = 0; i < 16; i++)
		if (p->ansi[i].col256 != COLOUR_UNSET)
			t->ansi[i] = p->ansi[i];
}

static void theme_parse_lines(struct parser *p, const char *text)
{
	char line[512];

	for (const char *s = text; *s;) {
		size_t n = strcspn(s, "\n");

		p->line++;
		if (n >= sizeof(line))
			theme_complain(p->log, p->file, p->line, "line longer than %zu bytes",
				sizeof(line) - 1);
		else {
			memcpy(line, s, n);
			line[n] = '\0';
			parse_line(p, line);
		}
		s += n + (s[n] == '\n');
	}
}

void theme_parse(struct theme *t, const char *file, const char *text, const struct theme_heir *heir,
	struct theme_log *log)
{
	struct parser *p = xcalloc(1, sizeof(*p));
	struct theme_heir self = {heir, p, file};
	bool alone;

	p->heir = heir;
	p->file = file;
	p->log = log;
	for (int i = 0; i < 16; i++)
		p->ansi[i] = colour_unset;
	theme_parse_lines(p, text);
	alone = strcmp(p->inherits, "none") == 0;
	if (p->inherits[0] && !alone)
		theme_inherit(t, p->inherits, &self, log);
	else
		theme_builtin(t);
	theme_resolve(t, p, alone);
	if (p->variant[0])
		snprintf(t->variant, sizeof(t->variant), "%s", p->variant);
	free(p);
}

static bool colour_same(const struct colour *a, const struct colour *b)
{
	return a->rgb == b->rgb && a->col256 == b->col256 && a->col16 == b->col16;
}

bool theme_same(const struct theme *a, const struct theme *b)
{
	for (int i = 0; i < ROLE__COUNT; i++) {
		const struct style *x = &a->role[i], *y = &b->role[i];

		if (!colour_same(&x->fg, &y->fg) || !colour_same(&x->bg, &y->bg) ||
			x->attrs != y->attrs || x->mono != y->mono)
			return false;
	}
	for (int i = 0; i < 16; i++)
		if (!colour_same(&a->ansi[i], &b->ansi[i]))
			return false;
	return true;
}

void theme_builtin(struct theme *t)
{
	struct parser *p = xcalloc(1, sizeof(*p));
	char text[256];

	p->file = "built-in theme";
	snprintf(t->name, sizeof(t->name), "default");
	snprintf(t->variant, sizeof(t->variant), "any");
	for (int i = 0; i < ROLE__COUNT; i++) {
		snprintf(text, sizeof(text), "%s", role_table[i].style);
		style_parse(p, text, &t->role[i]);
	}
	for (int i = 0; i < 16; i++)
		t->ansi[i] = colour_unset;
	free(p);
}
