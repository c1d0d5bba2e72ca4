/* vmdeck.conf: `[section]`, then `option = value`. */
#include <string.h>

#include "tui/console/options.h"

#define OPTIONS_BYTES_MAX (64 * 1024)

struct reader {
	struct conf_file conf;
	struct options *o;
	int stated[OPTION__COUNT]; /* line that did; 0: none */
};

static bool is_section(const char *name)
{
	for (int i = 0; i < OPTION__COUNT; i++)
		if (strcmp(option_table[i].section, name) == 0)
			return true;
	return false;
}

/* Exactly: a name cut short would mean another option one day. */
static enum option_id option_named(const char *name, struct err *e)
{
	enum option_id id = option_by_name(name, e);

	if (id == OPTION_NONE || strcmp(option_table[id].name, name) == 0)
		return id;
	err_set(e, 0, "there is no option '%.60s': did you mean %s?", name, option_table[id].name);
	return OPTION_NONE;
}

static void take(struct reader *r, enum option_id id, const char *text)
{
	struct option_value *v = &r->o->value[id], kept = *v;
	struct err e = {0};

	if (option_set(r->o, id, text, OPTION_FILE, &e) < 0) {
		conf_complain(&r->conf, r->conf.line, "%s", e.msg);
		return;
	}
	r->stated[id] = v->line = r->conf.line;
	if (kept.source == OPTION_ENV || kept.source == OPTION_FLAG)
		*v = kept;
}

static int on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;
	struct err e = {0};
	enum option_id id = option_named(name, &e);
	int line = r->conf.line;

	if (section[0] && !is_section(section))
		conf_complain(
			&r->conf, line, "there is no section [%.40s] (console, guest)", section);
	else if (id == OPTION_NONE)
		conf_complain(&r->conf, line, "%s", e.msg);
	else if (strcmp(option_table[id].section, section) != 0)
		conf_complain(
			&r->conf, line, "%s belongs into [%s]", name, option_table[id].section);
	else if (r->stated[id])
		conf_complain(&r->conf, line, "%s is set in line %d already", name, r->stated[id]);
	else
		take(r, id, value);
	return 1;
}

int options_load(struct options *o, const char *path, conf_complain_fn *fn, void *user)
{
	struct reader r = {.o = o};

	if (path)
		snprintf(o->path, sizeof(o->path), "%s", path);
	r.conf = (struct conf_file){.path = o->path, .fn = fn, .user = user};
	for (int i = 0; i < OPTION__COUNT; i++)
		if (o->value[i].source == OPTION_FILE)
			(void)option_set(
				o, (enum option_id)i, option_table[i].def, OPTION_DEFAULT, NULL);
	conf_read(&r.conf, OPTIONS_BYTES_MAX, on_pair, &r, "'[section]' or 'option = value'");
	return r.conf.complaints;
}
