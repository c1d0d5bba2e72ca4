/* restore and clone. Names go to stdout, everything for a person to stderr. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/lists.h"
#include "tui/cli/waterfall.h"
#include "tui/cli/work.h"

static void print_vm_name(struct json_object *vm)
{
	char safe[80];

	puts(str_safe(safe, sizeof(safe), list_text(vm, "name")));
}

static void print_healthy(struct json_object *vm)
{
	double ms = waterfall_num(vm, "boot_ms");
	char took[40], line[200], safe[200];

	snprintf(line, sizeof(line), "%s is healthy in %s", list_text(vm, "name"),
		waterfall_ms(took, sizeof(took), ms));
	fprintf(stderr, "%s\n", str_safe(safe, sizeof(safe), line));
}

int cmd_restore(struct cli *c)
{
	autojson struct json_object *vm = NULL;
	struct json_object *params = json_object_new_object();
	struct work w = {.c = c,
		.snapshot = c->opts.args[0],
		.draw = c->tty_err && !opt_given(&c->opts, "quiet") && !c->json};
	struct err e = {0};
	int r;

	jsonx_add_str(params, "snapshot", w.snapshot);
	if (opt_given(&c->opts, "name"))
		jsonx_add_str(params, "name", opt_str(&c->opts, "name", NULL));
	cli_network(&c->opts, params);
	r = work_restore(&w, params, &vm, &e);
	if (r == -EINTR) {
		fprintf(stderr,
			"vmdeck: interrupted: the restore%s%s goes on in vmdeckd (vmdeck ls)\n",
			w.vm_name[0] ? " of " : "", w.vm_name);
		return EXIT_SIGNAL + c->signal;
	}
	if (r < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json) {
		cli_print_json(vm, false);
		return EXIT_OK;
	}
	print_vm_name(vm);
	fflush(stdout);
	if (w.draw)
		print_healthy(vm);
	return EXIT_OK;
}

/* ---- clone ----------------------------------------------------------------------------------- */

static size_t length_of(struct json_object *list)
{
	return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

static void print_clones(const struct work *w, struct json_object *result)
{
	struct json_object *vms = jsonx_get(result, "vms");
	double sum = 0, most = 0;
	char usual[40], worst[40];
	size_t n = length_of(vms);

	for (size_t i = 0; i < n; i++) {
		struct json_object *vm = json_object_array_get_idx(vms, i);

		print_vm_name(vm);
		sum += waterfall_num(vm, "boot_ms");
		most = max_of(most, waterfall_num(vm, "boot_ms"));
	}
	fflush(stdout);
	if (w->draw && n)
		fprintf(stderr, "%zu healthy, each in %s (the slowest in %s)\n", n,
			waterfall_ms(usual, sizeof(usual), sum / (double)n),
			waterfall_ms(worst, sizeof(worst), most));
}

static void print_failed(struct json_object *failed)
{
	struct err e;

	for (size_t i = 0; i < length_of(failed); i++) {
		struct json_object *o = json_object_array_get_idx(failed, i);

		err_set(&e, EIO, "%s: %s", list_text(o, "name"), list_text(o, "error"));
		cli_fail(&e, EXIT_FAILED);
	}
}

static struct json_object *clone_params(const struct cli *c, struct work *w)
{
	struct json_object *params = json_object_new_object();
	const char *prefix = opt_str(&c->opts, "name", NULL);

	jsonx_add_str(params, "from", w->from);
	jsonx_add_int(params, "count", w->wanted);
	if (prefix)
		jsonx_add_str(params, "prefix", prefix);
	cli_network(&c->opts, params);
	snprintf(w->prefix, sizeof(w->prefix), "%s-", prefix ? prefix : w->from);
	return params;
}

int cmd_clone(struct cli *c)
{
	autojson struct json_object *result = NULL;
	struct work w = {.c = c,
		.from = c->opts.args[0],
		.wanted = (int)opt_num(&c->opts, "count", 1),
		.draw = c->tty_err && !opt_given(&c->opts, "quiet") && !c->json};
	struct err e = {0};
	int r = work_clone(&w, clone_params(c, &w), &result, &e);

	if (r == -EINTR) {
		fputs("vmdeck: interrupted: the clones go on in vmdeckd (vmdeck ls)\n", stderr);
		return EXIT_SIGNAL + c->signal;
	}
	if (r < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json)
		cli_print_json(result, false);
	else
		print_clones(&w, result);
	print_failed(jsonx_get(result, "failed"));
	return length_of(jsonx_get(result, "failed")) ? EXIT_FAILED : EXIT_OK;
}
