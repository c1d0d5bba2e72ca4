/* restores and timeline. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/lists.h"
#include "tui/cli/tty.h"
#include "tui/cli/waterfall.h"

#define LIMIT_DEFAULT 20

/* The longest phase up to healthy: what came later (the first command) was not waited for. */
static void slowest_cell(struct table *t, struct json_object *timing)
{
	struct json_object *phases = jsonx_get(timing, "phases"), *most = NULL;
	double total = waterfall_num(timing, "total_ms");
	char ms[40];

	for (size_t i = 0; json_object_is_type(phases, json_type_array) &&
			   i < json_object_array_length(phases);
		i++) {
		struct json_object *p = json_object_array_get_idx(phases, i);

		if (waterfall_num(p, "at_ms") >= total)
			continue;
		if (!most || waterfall_num(p, "ms") > waterfall_num(most, "ms"))
			most = p;
	}
	if (most)
		table_cell(t, TINT_NONE, "%s %s", list_text(most, "name"),
			waterfall_ms(ms, sizeof(ms), waterfall_num(most, "ms")));
	else
		table_cell(t, TINT_DIM, "-");
}

static void restore_row(struct table *t, struct json_object *o)
{
	const char *result = list_text(o, "result");
	char total[40], when[40];

	text_time(when, sizeof(when), list_u64(o, "started_ns"));
	table_row(t);
	table_cell(t, TINT_DIM, "%s", list_text(o, "id"));
	table_cell(t, TINT_NONE, "%s", list_text(o, "vm_name"));
	table_cell(t, TINT_NONE, "%s", list_text(o, "subject"));
	table_cell(t, strcmp(result, "running") == 0 ? TINT_BUSY : tint_of_state(result), "%s",
		result);
	table_cell(t, TINT_NONE, "%s",
		waterfall_ms(total, sizeof(total), waterfall_num(o, "total_ms")));
	table_cell(t, TINT_NONE, "%.19s", when);
	slowest_cell(t, o);
	table_cell(t, TINT_NONE, "%s%s%s", list_text(o, "step"), *list_text(o, "step") ? ": " : "",
		list_text(o, "why"));
}

static void print_restores(const struct cli *c, struct json_object *list)
{
	static const char *const heads[] = {
		"ID", "VM", "SNAPSHOT", "RESULT", "TOTAL", "WHEN", "SLOWEST", "WHY"};
	struct table *t;

	if (!json_object_array_length(list)) {
		if (c->tty_out)
			fputs("no restores: vmdeck restore SNAPSHOT makes one\n", stderr);
		return;
	}
	text_init();
	t = table_new(heads, countof(heads));
	for (size_t i = 0; i < json_object_array_length(list); i++)
		restore_row(t, json_object_array_get_idx(list, i));
	table_print(t, stdout, tty_width(), c->color);
	table_free(t);
}

int cmd_restores(struct cli *c)
{
	struct json_object *params = json_object_new_object();

	jsonx_add_str(params, "kind", "restore");
	if (opt_given(&c->opts, "snapshot"))
		jsonx_add_str(params, "subject", opt_str(&c->opts, "snapshot", NULL));
	jsonx_add_int(params, "limit", opt_num(&c->opts, "limit", LIMIT_DEFAULT));
	return list_run(c, "timing.list", params, print_restores);
}

int cmd_timeline(struct cli *c)
{
	autojson struct json_object *timing = NULL;
	struct json_object *params = json_object_new_object();
	struct waterfall w = {.cols = tty_width(),
		.ascii = opt_given(&c->opts, "ascii") || text_ascii(),
		.color = c->color};
	struct err e = {0};

	jsonx_add_str(params, "id", c->opts.args[0]);
	if (opt_given(&c->opts, "kind"))
		jsonx_add_str(params, "kind", opt_str(&c->opts, "kind", NULL));
	if (cli_call(c, "timing.get", params, CLI_CALL_S, &timing, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json) {
		cli_print_json(timing, false);
		return EXIT_OK;
	}
	text_init();
	if (w.cols <= 0)
		w.cols = WATERFALL_COLS;
	waterfall_print(stdout, timing, &w);
	return EXIT_OK;
}
