/* boot: a new VM. Its name goes to stdout, everything for a person to stderr. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/cli.h"
#include "tui/cli/progress.h"
#include "tui/cli/work.h"

static void add_number(
	struct json_object *params, const struct opts *o, const char *option, const char *key)
{
	if (opt_given(o, option))
		jsonx_add_int(params, key, opt_num(o, option, 0));
}

/* A size goes as it is. A file: the daemon has another folder, so its whole path. */
static int add_disks(struct json_object *params, const struct opts *o, struct err *e)
{
	int n;
	const char *const *disks = opt_list(o, "disk", &n);
	struct json_object *list = json_object_new_array();

	json_object_object_add(params, "disks", list);
	for (int i = 0; i < n; i++) {
		autofree char *path = NULL;
		int64_t mib;

		if (str_parse_mib("--disk", disks[i], &mib, NULL) == 0) {
			json_object_array_add(list, json_object_new_string(disks[i]));
			continue;
		}
		path = realpath(disks[i], NULL);
		if (!path)
			return err_errno(e,
				"--disk '%s' is no size (2G) and no file that can be read",
				disks[i]);
		json_object_array_add(list, json_object_new_string(path));
	}
	return 0;
}

/* The daemon says what is wrong with a value. */
static void add_health(struct json_object *params, const struct opts *o)
{
	static const struct {
		const char *option, *key;
	} rows[] = {
		{"health-exec", "exec"},
		{"health-url", "url"},
		{"health-tcp", "tcp"},
		{"health-interval", "interval"},
		{"health-timeout", "timeout"},
		{"health-start-limit", "start_limit"},
		{"health-snapshot", "snapshot"},
	};
	struct json_object *map = json_object_new_object();

	for (size_t i = 0; i < countof(rows); i++)
		if (opt_given(o, rows[i].option))
			jsonx_add_str(map, rows[i].key, opt_str(o, rows[i].option, ""));
	if (json_object_object_length(map))
		json_object_object_add(params, "health", map);
	else
		json_object_put(map);
}

static int make_params(const struct cli *c, struct json_object **ret, struct err *e)
{
	autojson struct json_object *params = json_object_new_object();
	const struct opts *o = &c->opts;
	struct json_object *list;

	if (o->argc)
		jsonx_add_str(params, "image", o->args[0]);
	if (opt_given(o, "name"))
		jsonx_add_str(params, "name", opt_str(o, "name", NULL));
	if (opt_given(o, "vmm"))
		jsonx_add_str(params, "vmm", opt_str(o, "vmm", NULL));
	add_health(params, o);
	add_number(params, o, "vcpus", "vcpus");
	add_number(params, o, "mem", "mem_mib");
	if (opt_given(o, "tty"))
		jsonx_add_bool(params, "tty", true);
	cli_network(o, params);
	if (o->rest) {
		if (cli_words((const char *const *)o->rest, o->restc, &list, e) < 0)
			return -EINVAL;
		json_object_object_add(params, "cmd", list);
	}
	if (cli_env(o, &list, e) < 0)
		return -EINVAL;
	if (list)
		json_object_object_add(params, "env", list);
	if (opt_given(o, "disk") && add_disks(params, o, e) < 0)
		return -EINVAL;
	*ret = steal_ptr(&params);
	return 0;
}

static void print_details(struct json_object *vm)
{
	const char *accel = jsonx_str(vm, "accel");
	int vcpus = (int)jsonx_int(vm, "vcpus", 0);
	char ready[32], line[400], safe[400];

	snprintf(line, sizeof(line),
		"%s is %s: image %s on %s %s%s%s, %d vCPU%s, %d MiB, ready after %s",
		jsonx_str(vm, "name"), jsonx_str(vm, "state"), jsonx_str(vm, "image"),
		jsonx_str(vm, "vmm"), jsonx_str(vm, "version"), accel ? " " : "",
		accel ? accel : "", vcpus, vcpus == 1 ? "" : "s", (int)jsonx_int(vm, "mem_mib", 0),
		str_duration(ready, sizeof(ready),
			(uint64_t)(json_object_get_double(jsonx_get(vm, "boot_ms")) * 1e6)));
	fprintf(stderr, "%s\n", str_safe(safe, sizeof(safe), line));
}

static void print_published(struct json_object *vm)
{
	struct json_object *list = jsonx_get(jsonx_get(vm, "network"), "publish");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	char safe[80];

	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "published: %s\n",
			str_safe(safe, sizeof(safe),
				json_object_get_string(json_object_array_get_idx(list, i))));
}

int cmd_boot(struct cli *c)
{
	autojson struct json_object *vm = NULL;
	bool quiet = opt_given(&c->opts, "quiet");
	struct json_object *params = NULL;
	struct work w = {.c = c, .draw = c->tty_err && !quiet && !c->json};
	struct err e = {0};
	int r = make_params(c, &params, &e);

	if (r == 0)
		r = work_boot(&w, params, &vm, &e);
	if (r == -EINTR) {
		fprintf(stderr,
			"vmdeck: interrupted: the boot%s%s goes on in vmdeckd (vmdeck ls)\n",
			w.vm_name[0] ? " of " : "", w.vm_name);
		return EXIT_SIGNAL + c->signal;
	}
	if (r < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json) {
		cli_print_json(vm, false);
		return EXIT_OK;
	}
	if (w.draw) {
		print_details(vm);
		print_published(vm);
	}
	printf("%s\n", jsonx_str(vm, "name"));
	return EXIT_OK;
}
