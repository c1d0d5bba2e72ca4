/* Lists: ls and images, and the names that completion asks for. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/lists.h"
#include "tui/cli/tty.h"

const char *list_text(struct json_object *o, const char *key)
{
	const char *s = jsonx_str(o, key);

	return s ? s : "";
}

uint64_t list_u64(struct json_object *o, const char *key)
{
	int64_t v = jsonx_int(o, key, 0);

	return v > 0 ? (uint64_t)v : 0;
}

static void print_names(struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		puts(list_text(json_object_array_get_idx(list, i), "name"));
}

static bool is_over(const char *state)
{
	return strcmp(state, "stopped") == 0 || strcmp(state, "failed") == 0;
}

/* What the agent is about: how long it has answered, or that it does not. */
static void agent_cell(struct table *t, struct json_object *vm, const char *state)
{
	struct json_object *agent = jsonx_get(vm, "agent");
	char age[32];

	if (is_over(state))
		table_cell(t, TINT_DIM, "-");
	else if (!jsonx_bool(agent, "connected", false))
		table_cell(t, TINT_WARN, "silent");
	else
		table_cell(t, TINT_NONE, "up %s",
			text_age(age, sizeof(age), list_u64(agent, "since_ns")));
}

static void health_cell(struct table *t, struct json_object *vm)
{
	const char *state = list_text(jsonx_get(vm, "health"), "state");

	table_cell(t, tint_of_state(state), "%s", *state ? state : "-");
}

/* Why it is in its state, else what it waits for, else how its main process ended. */
static void reason_cell(struct table *t, struct json_object *vm)
{
	struct json_object *step = jsonx_get(vm, "step"), *end = jsonx_get(vm, "exit");
	const char *reason = list_text(vm, "reason");
	char age[32];

	if (*reason)
		table_cell(t, TINT_NONE, "%s", reason);
	else if (step)
		table_cell(t, TINT_BUSY, "%s %s (%d/%d) for %s", list_text(step, "flow"),
			list_text(step, "name"), (int)jsonx_int(step, "n", 0),
			(int)jsonx_int(step, "of", 0),
			text_age(age, sizeof(age), list_u64(step, "since_ns")));
	else if (end)
		table_cell(t, TINT_NONE, "main process: %s %d", list_text(end, "how"),
			(int)jsonx_int(end, "value", 0));
	else
		table_cell(t, TINT_NONE, "%s", "");
}

/* Its own on this host; of one that has ended nothing is left of it. */
static void address_cell(struct table *t, struct json_object *vm, const char *state)
{
	struct json_object *net = jsonx_get(vm, "network");
	const char *address = net ? list_text(net, "address") : "";
	bool lives = strcmp(state, "stopped") != 0 && strcmp(state, "failed") != 0;

	if (!*address || !lives)
		table_cell(t, TINT_NONE, "-");
	else if (jsonx_bool(net, "up", false))
		table_cell(t, TINT_NONE, "%s", address);
	else
		table_cell(t, TINT_WARN, "%s, %s", address, list_text(net, "why"));
}

static void vm_row(struct table *t, struct json_object *vm)
{
	const char *state = list_text(vm, "state"), *accel = list_text(vm, "accel");
	char age[32];

	table_row(t);
	table_cell(t, TINT_NONE, "%s", list_text(vm, "name"));
	table_cell(t, TINT_DIM, "%s", list_text(vm, "id"));
	table_cell(t, tint_of_state(state), "%s", state);
	health_cell(t, vm);
	table_cell(t, TINT_NONE, "%s", text_age(age, sizeof(age), list_u64(vm, "state_since_ns")));
	table_cell(t, TINT_NONE, "%s", list_text(vm, "image"));
	table_cell(t, TINT_NONE, "%s%s%s", list_text(vm, "vmm"), *accel ? "/" : "", accel);
	table_cell(t, TINT_NONE, "%d", (int)jsonx_int(vm, "vcpus", 0));
	table_cell(t, TINT_NONE, "%d MiB", (int)jsonx_int(vm, "mem_mib", 0));
	agent_cell(t, vm, state);
	address_cell(t, vm, state);
	reason_cell(t, vm);
}

static void print_vms(const struct cli *c, struct json_object *list)
{
	static const char *const heads[] = {"NAME", "ID", "STATE", "HEALTH", "SINCE", "IMAGE",
		"VMM", "VCPUS", "MEM", "AGENT", "ADDRESS", "REASON"};
	struct table *t;

	if (!json_object_array_length(list)) {
		if (c->tty_out)
			fputs("no VMs: vmdeck boot starts one\n", stderr);
		return;
	}
	text_init();
	t = table_new(heads, countof(heads));
	for (size_t i = 0; i < json_object_array_length(list); i++)
		vm_row(t, json_object_array_get_idx(list, i));
	table_print(t, stdout, tty_width(), c->color);
	table_free(t);
}

static void image_row(struct table *t, struct json_object *im)
{
	struct json_object *build = jsonx_get(im, "build");
	const char *state = list_text(im, "state");
	bool stale = jsonx_bool(im, "stale", false);
	int64_t bytes = jsonx_int(im, "bytes", 0);
	char size[32], age[32];

	table_row(t);
	table_cell(t, TINT_NONE, "%s", list_text(im, "name"));
	table_cell(
		t, stale ? TINT_WARN : tint_of_state(state), "%s%s", state, stale ? ", stale" : "");
	table_cell(t, TINT_NONE, "%s",
		bytes > 0 ? str_bytes(size, sizeof(size), (uint64_t)bytes) : "-");
	table_cell(t, TINT_NONE, "%s", text_age(age, sizeof(age), list_u64(im, "created_ns")));
	table_cell(t, TINT_NONE, "%s", list_text(im, "kernel"));
	if (build)
		table_cell(t, TINT_BUSY, "%s for %s", list_text(build, "step"),
			text_age(age, sizeof(age), list_u64(build, "since_ns")));
	else
		table_cell(t, TINT_NONE, "%s", list_text(im, "why"));
}

static void print_images(const struct cli *c, struct json_object *list)
{
	static const char *const heads[] = {"NAME", "STATE", "SIZE", "AGE", "KERNEL", "REMARK"};
	struct table *t;

	if (!json_object_array_length(list)) {
		if (c->tty_out)
			fputs("no images: vmdeck image build mini makes one\n", stderr);
		return;
	}
	text_init();
	t = table_new(heads, countof(heads));
	for (size_t i = 0; i < json_object_array_length(list); i++)
		image_row(t, json_object_array_get_idx(list, i));
	table_print(t, stdout, tty_width(), c->color);
	table_free(t);
}

int list_run(struct cli *c, const char *method, struct json_object *params, list_print *print)
{
	autojson struct json_object *result = NULL;
	struct err e = {0};

	if (cli_call(c, method, params, CLI_CALL_S, &result, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (!json_object_is_type(result, json_type_array)) {
		err_set(&e, EPROTO, "vmdeckd's answer to %s is no list", method);
		return cli_fail(&e, EXIT_FAILED);
	}
	if (c->json)
		cli_print_json(result, false);
	else if (opt_known(&c->opts, "quiet") && opt_given(&c->opts, "quiet"))
		print_names(result);
	else
		print(c, result);
	return EXIT_OK;
}

int cmd_ls(struct cli *c)
{
	return list_run(c, "vm.list", NULL, print_vms);
}

int cmd_images(struct cli *c)
{
	return list_run(c, "image.list", NULL, print_images);
}

static void complete(struct cli *c, const char *method)
{
	autojson struct json_object *result = NULL;
	struct err e = {0};

	if (cli_call(c, method, NULL, CLI_CALL_S, &result, &e) == 0 &&
		json_object_is_type(result, json_type_array))
		print_names(result);
}

/* Never starts a daemon and never complains: a key press asked for it. */
int cmd_complete(struct cli *c)
{
	static const struct {
		const char *what, *methods[2];
	} rows[] = {
		{"vms", {"vm.list", NULL}},
		{"images", {"image.list", NULL}},
		{"snapshots", {"snapshot.list", NULL}},
		{"any", {"vm.list", "snapshot.list"}},
	};
	struct err e = {0};

	if (cli_open(c, true, &e) < 0)
		return EXIT_OK;
	for (size_t i = 0; i < countof(rows); i++)
		for (size_t k = 0; k < countof(rows[i].methods) && rows[i].methods[k]; k++)
			if (strcmp(rows[i].what, c->opts.args[0]) == 0)
				complete(c, rows[i].methods[k]);
	return EXIT_OK;
}
