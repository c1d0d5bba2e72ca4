/* The table of options and the values. */
#include "tui/console/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/base/str.h"
#include "backend/base/word.h"

const struct option_info option_table[OPTION__COUNT] = {
#define BOOL   OPTION_BOOL
#define INT    OPTION_INT
#define CHOICE OPTION_CHOICE
#define TEXT   OPTION_IS_TEXT
#define START  OPTION_START
#define OPTION(id, section, name, type, def, min, max, words, flags, help)                         \
	[OPTION_##id] = {section, name, type, def, min, max, words, flags, help},
#include "tui/console/options.def"
#undef OPTION
#undef BOOL
#undef INT
#undef CHOICE
#undef TEXT
#undef START
};

char *option_takes(enum option_id id, char *out, size_t n)
{
	const struct option_info *info = &option_table[id];
	const char *space;

	switch (info->type) {
	case OPTION_BOOL:
		snprintf(out, n, "on or off");
		break;
	case OPTION_INT:
		snprintf(out, n, "%d to %d", info->min, info->max);
		break;
	case OPTION_CHOICE:
		space = strrchr(info->words, ' ');
		snprintf(out, n, "%.*s or %s", (int)(space - info->words), info->words, space + 1);
		break;
	case OPTION_IS_TEXT:
		snprintf(out, n, "text, at most %d bytes", info->max);
		break;
	}
	return out;
}

/* The number of the word in a list, -1: it is not there. */
static int word_index(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (int i = 0; *list; i++) {
		size_t n = strcspn(list, " ");

		if (n == len && strncmp(list, word, n) == 0)
			return i;
		list += n + strspn(list + n, " ");
	}
	return -1;
}

static bool int_parse(const struct option_info *info, const char *text, int *ret)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	*ret = (int)n;
	return *text && *text != ' ' && !*end && !errno && n >= info->min && n <= info->max;
}

static bool text_fits(const struct option_info *info, const char *text)
{
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return strlen(text) <= (size_t)info->max;
}

/* Into v, which is changed only when the text is right. */
static bool value_parse(const struct option_info *info, const char *text, struct option_value *v)
{
	int num = 0;
	bool good;

	if (info->type == OPTION_BOOL) {
		num = word_index("off no false 0 on yes true 1", text);
		good = num >= 0;
		num = num >= 4;
		text = num ? "on" : "off";
	} else if (info->type == OPTION_INT) {
		good = int_parse(info, text, &num);
	} else if (info->type == OPTION_CHOICE) {
		num = word_index(info->words, text);
		good = num >= 0;
	} else {
		good = text_fits(info, text);
	}
	if (!good)
		return false;
	v->num = num;
	snprintf(v->text, sizeof(v->text), "%s", text);
	return true;
}

int option_set(struct options *o, enum option_id id, const char *text, enum option_source source,
	struct err *e)
{
	const struct option_info *info = &option_table[id];
	char takes[80], safe[80];

	if (!value_parse(info, text, &o->value[id]))
		return err_set(e, EINVAL, "%s takes %s, not '%s'", info->name,
			option_takes(id, takes, sizeof(takes)), str_safe(safe, sizeof(safe), text));
	o->value[id].source = source;
	return 0;
}

bool option_on(const struct options *o, enum option_id id)
{
	return o->value[id].num != 0;
}

int option_num(const struct options *o, enum option_id id)
{
	return o->value[id].num;
}

const char *option_text(const struct options *o, enum option_id id)
{
	return o->value[id].text;
}

/* Of the program itself: must be right. */
static void set_known(
	struct options *o, enum option_id id, const char *text, enum option_source source)
{
	if (option_set(o, id, text, source, NULL) < 0)
		abort();
}

/* Of outside: what an option does not take is left out. */
static void set_stated(
	struct options *o, enum option_id id, const char *text, enum option_source source)
{
	if (text && *text)
		(void)option_set(o, id, text, source, NULL);
}

void options_init(struct options *o, const struct console_opts *flags)
{
	const char *no_color = getenv("NO_COLOR");

	memset(o, 0, sizeof(*o));
	conf_path(o->path, sizeof(o->path), "vmdeck.conf");
	for (int i = 0; i < OPTION__COUNT; i++)
		set_known(o, (enum option_id)i, option_table[i].def, OPTION_DEFAULT);
	set_stated(o, OPTION_THEME, getenv("VMDECK_THEME"), OPTION_ENV);
	if (no_color && *no_color)
		set_known(o, OPTION_COLOR, "off", OPTION_ENV);
	if (!flags)
		return;
	set_stated(o, OPTION_THEME, flags->theme, OPTION_FLAG);
	set_stated(o, OPTION_LAYOUT, flags->layout, OPTION_FLAG);
	if (flags->no_color && option_on(o, OPTION_COLOR))
		set_known(o, OPTION_COLOR, "off", OPTION_FLAG);
	if (flags->ascii)
		set_known(o, OPTION_ASCII, "on", OPTION_FLAG);
	if (flags->read_only)
		set_known(o, OPTION_READ_ONLY, "on", OPTION_FLAG);
}

static enum option_id named(const char *name, size_t n)
{
	enum option_id found = OPTION_NONE;
	int count = 0;

	for (int i = 0; i < OPTION__COUNT && n > 0; i++) {
		if (strncmp(option_table[i].name, name, n) != 0)
			continue;
		if (!option_table[i].name[n])
			return (enum option_id)i;
		found = (enum option_id)i;
		count++;
	}
	return count == 1 ? found : OPTION_NONE;
}

enum option_id option_by_name(const char *name, struct err *e)
{
	enum option_id id = named(name, strlen(name)), best = OPTION_NONE;
	int least = WORD_MAX;
	char safe[80];

	if (id != OPTION_NONE)
		return id;
	for (int i = 0; i < OPTION__COUNT; i++) {
		int distance = word_distance(name, option_table[i].name);

		if (distance >= least || !word_near_enough(name, option_table[i].name))
			continue;
		best = (enum option_id)i;
		least = distance;
	}
	str_safe(safe, sizeof(safe), name);
	if (best == OPTION_NONE)
		err_set(e, ENOENT, "there is no option '%s' (vmdeck config lists them)", safe);
	else
		err_set(e, ENOENT, "there is no option '%s': did you mean %s?", safe,
			option_table[best].name);
	return OPTION_NONE;
}

char *option_from(const struct options *o, enum option_id id, char *out, size_t n)
{
	static const char *const names[] = {
		[OPTION_DEFAULT] = "default",
		[OPTION_ENV] = "environment",
		[OPTION_FLAG] = "flag",
		[OPTION_SET] = ":set",
	};
	const struct option_value *v = &o->value[id];

	if (v->source == OPTION_FILE)
		snprintf(out, n, "%s:%d", o->path, v->line);
	else
		snprintf(out, n, "%s", names[v->source]);
	return out;
}
