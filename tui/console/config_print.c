/* `vmdeck config`: every option with its value, where that is from, and what is wrong in
 * vmdeck.conf. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/console.h"
#include "tui/console/options.h"

static void on_complaint(void *user, const char *text)
{
	(void)user;
	fprintf(stderr, "vmdeck: %s\n", text);
}

/* An empty value is seen too. */
static const char *shown(const char *text)
{
	return *text ? text : "-";
}

static void print_text(FILE *f, const struct options *o)
{
	char safe[4 * OPTION_TEXT], from[700];

	fprintf(f, "%-15s  %-10s  %-10s  %s\n", "OPTION", "VALUE", "DEFAULT", "FROM");
	for (int i = 0; i < OPTION__COUNT; i++) {
		const struct option_info *info = &option_table[i];

		if (i == 0 || strcmp(info->section, info[-1].section) != 0)
			fprintf(f, "[%s]\n", info->section);
		str_safe(safe, sizeof(safe), shown(option_text(o, (enum option_id)i)));
		fprintf(f, "%-15s  %-10s  %-10s  %s\n", info->name, safe, shown(info->def),
			option_from(o, (enum option_id)i, from, sizeof(from)));
		fprintf(f, "    %s\n", info->help);
	}
}

static struct json_object *option_json(const struct options *o, enum option_id id)
{
	static const char *const sources[] = {"default", "file", "environment", "flag", "set"};
	static const char *const types[] = {"bool", "int", "choice", "text"};
	const struct option_info *info = &option_table[id];
	const struct option_value *v = &o->value[id];
	struct json_object *j = json_object_new_object();
	char takes[80];

	jsonx_add_str(j, "section", info->section);
	jsonx_add_str(j, "option", info->name);
	jsonx_add_str(j, "type", types[info->type]);
	jsonx_add_str(j, "takes", option_takes(id, takes, sizeof(takes)));
	jsonx_add_str(j, "value", v->text);
	jsonx_add_str(j, "default", info->def);
	jsonx_add_str(j, "from", sources[v->source]);
	if (v->source == OPTION_FILE) {
		jsonx_add_str(j, "file", o->path);
		jsonx_add_int(j, "line", v->line);
	}
	jsonx_add_bool(j, "at_start_only", info->flags & OPTION_START);
	jsonx_add_str(j, "help", info->help);
	return j;
}

int console_config_print(
	FILE *f, const struct console_opts *flags, const char *file, enum config_form form)
{
	struct json_object *all;
	struct options o;
	int wrong;

	options_init(&o, flags);
	wrong = options_load(&o, file, on_complaint, NULL);
	if (form == CONFIG_TEXT)
		print_text(f, &o);
	if (form == CONFIG_JSON) {
		all = json_object_new_array();
		for (int i = 0; i < OPTION__COUNT; i++)
			json_object_array_add(all, option_json(&o, (enum option_id)i));
		fprintf(f, "%s\n", jsonx_line(all));
		json_object_put(all);
	}
	return wrong ? 1 : 0;
}
