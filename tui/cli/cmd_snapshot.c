/* snapshot, snapshots and pool. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/lists.h"
#include "tui/cli/tty.h"
#include "tui/cli/waterfall.h"
#include "tui/cli/work.h"

static uint64_t disk_bytes(struct json_object *snapshot)
{
	struct json_object *disks = jsonx_get(snapshot, "disks");
	uint64_t sum = 0;

	if (!json_object_is_type(disks, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(disks); i++)
		sum += list_u64(json_object_array_get_idx(disks, i), "bytes");
	return sum;
}

static uint64_t data_bytes(struct json_object *snapshot)
{
	return list_u64(snapshot, "memory_bytes") + list_u64(snapshot, "state_bytes") +
	       disk_bytes(snapshot);
}

static void print_made(struct json_object *s)
{
	char pause[40], size[32], took[40], line[200], safe[200];

	snprintf(line, sizeof(line), "%s: paused %s, %s in %s%s", list_text(s, "name"),
		waterfall_ms(pause, sizeof(pause), waterfall_num(s, "pause_ms")),
		str_bytes(size, sizeof(size), data_bytes(s)),
		waterfall_ms(took, sizeof(took), waterfall_num(s, "took_ms")),
		jsonx_bool(s, "drained", true) ? "" : " (the guest was not quiet)");
	puts(str_safe(safe, sizeof(safe), line));
}

int cmd_snapshot(struct cli *c)
{
	autojson struct json_object *snapshot = NULL;
	struct json_object *params = cli_vm_params(c->opts.args[0]);
	bool quiet = opt_given(&c->opts, "quiet");
	struct work w = {
		.c = c, .snapshot = c->opts.args[1], .draw = c->tty_err && !quiet && !c->json};
	struct err e = {0};
	int r;

	jsonx_add_str(params, "name", w.snapshot);
	if (opt_given(&c->opts, "replace"))
		jsonx_add_bool(params, "replace", true);
	r = work_snapshot(&w, params, &snapshot, &e);
	if (r == -EINTR) {
		fputs("vmdeck: interrupted: the snapshot goes on in vmdeckd (vmdeck snapshots)\n",
			stderr);
		return EXIT_SIGNAL + c->signal;
	}
	if (r < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json)
		cli_print_json(snapshot, false);
	else if (quiet)
		puts(list_text(snapshot, "name"));
	else
		print_made(snapshot);
	return EXIT_OK;
}

/* ---- the list -------------------------------------------------------------------------------- */

static void ms_cell(struct table *t, struct json_object *restores, const char *key)
{
	if (jsonx_int(restores, "count", 0) > 0)
		table_cell(t, TINT_NONE, "%.0f", waterfall_num(restores, key));
	else
		table_cell(t, TINT_DIM, "-");
}

static void use_cells(struct table *t, struct json_object *s)
{
	struct json_object *users = jsonx_get(s, "users"), *pool = jsonx_get(s, "pool");
	struct json_object *restores = jsonx_get(s, "restores");
	int64_t failed = jsonx_int(restores, "failed", 0);

	table_cell(t, TINT_NONE, "%zu",
		json_object_is_type(users, json_type_array) ? json_object_array_length(users) : 0);
	if (jsonx_int(pool, "wanted", 0) > 0)
		table_cell(t, TINT_NONE, "%d/%d", (int)jsonx_int(pool, "ready", 0),
			(int)jsonx_int(pool, "wanted", 0));
	else
		table_cell(t, TINT_DIM, "-");
	if (failed > 0)
		table_cell(
			t, TINT_WARN, "%d+%d", (int)jsonx_int(restores, "count", 0), (int)failed);
	else
		table_cell(t, TINT_NONE, "%d", (int)jsonx_int(restores, "count", 0));
	ms_cell(t, restores, "p50_ms");
	ms_cell(t, restores, "p90_ms");
	ms_cell(t, restores, "p99_ms");
	ms_cell(t, restores, "max_ms");
}

/* Damaged and unfinished ones have no more than a name and a state. */
static void snapshot_row(struct table *t, struct json_object *s)
{
	const char *state = list_text(s, "state");
	bool ready = strcmp(state, "ready") == 0;
	char data[32], pause[40], age[32];

	table_row(t);
	table_cell(t, TINT_NONE, "%s", list_text(s, "name"));
	if (!ready) {
		table_cell(t, tint_of_state(state), "%s", state);
		return;
	}
	table_cell(t, TINT_NONE, "%s", list_text(jsonx_get(s, "source"), "name"));
	table_cell(t, TINT_NONE, "%s", list_text(s, "image"));
	table_cell(t, TINT_NONE, "%d MiB", (int)jsonx_int(s, "mem_mib", 0));
	table_cell(t, TINT_NONE, "%s", str_bytes(data, sizeof(data), data_bytes(s)));
	table_cell(t, TINT_NONE, "%s",
		waterfall_ms(pause, sizeof(pause), waterfall_num(s, "pause_ms")));
	table_cell(t, TINT_NONE, "%s", text_age(age, sizeof(age), list_u64(s, "created_ns")));
	use_cells(t, s);
}

/* Below the table: whole sentences. */
static void print_states(const struct cli *c, struct json_object *list)
{
	char name[80], why[400], state[40];

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *s = json_object_array_get_idx(list, i);
		struct json_object *step = jsonx_get(s, "step");

		str_safe(name, sizeof(name), list_text(s, "name"));
		str_safe(state, sizeof(state), list_text(s, "state"));
		if (*list_text(s, "why"))
			printf("%s is %s%s%s: %s\n", name, tint_on(tint_of_state(state), c->color),
				state, tint_off(c->color),
				str_safe(why, sizeof(why), list_text(s, "why")));
		else if (step)
			printf("%s is being made: %s (%d/%d)\n", name,
				str_safe(why, sizeof(why),
					*list_text(step, "name") ? list_text(step, "name")
								 : list_text(step, "step")),
				(int)jsonx_int(step, "n", 0), (int)jsonx_int(step, "of", 0));
	}
}

static void print_snapshots(const struct cli *c, struct json_object *list)
{
	static const char *const heads[] = {"NAME", "FROM", "IMAGE", "MEM", "DATA", "PAUSE", "AGE",
		"USERS", "POOL", "RESTORES", "p50", "p90", "p99", "MAX"};
	struct table *t;

	if (!json_object_array_length(list)) {
		if (c->tty_out)
			fputs("no snapshots: vmdeck snapshot VM NAME takes one\n", stderr);
		return;
	}
	text_init();
	t = table_new(heads, countof(heads));
	for (size_t i = 0; i < json_object_array_length(list); i++)
		snapshot_row(t, json_object_array_get_idx(list, i));
	table_print(t, stdout, tty_width(), c->color);
	table_free(t);
	print_states(c, list);
}

int cmd_snapshots(struct cli *c)
{
	return list_run(c, "snapshot.list", NULL, print_snapshots);
}

/* ---- pool ------------------------------------------------------------------------------------ */

int cmd_pool(struct cli *c)
{
	autojson struct json_object *snapshot = NULL;
	struct json_object *params, *pool;
	struct err e = {0};
	char safe[80];
	int64_t count;

	if (str_parse_int("COUNT", c->opts.args[1], 0, 64, &count, &e) < 0)
		return cli_fail(&e, EXIT_USAGE);
	params = json_object_new_object();
	jsonx_add_str(params, "name", c->opts.args[0]);
	jsonx_add_int(params, "count", count);
	if (opt_given(&c->opts, "max-mib"))
		jsonx_add_int(params, "max_mib", opt_num(&c->opts, "max-mib", 0));
	if (cli_call(c, "snapshot.pool", params, CLI_CALL_S, &snapshot, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json) {
		cli_print_json(snapshot, false);
		return EXIT_OK;
	}
	pool = jsonx_get(snapshot, "pool");
	str_safe(safe, sizeof(safe), list_text(snapshot, "name"));
	if (count)
		printf("%s: %d of %d ready\n", safe, (int)jsonx_int(pool, "ready", 0),
			(int)jsonx_int(pool, "wanted", 0));
	else
		printf("%s: no pool\n", safe);
	return EXIT_OK;
}
