/* top: figures of the host and its VMs as host.watch sends them. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/lists.h"
#include "tui/cli/tty.h"

struct top {
	struct cli *c;
	struct json_object *names; /* of VMs by id; owned */
	int64_t left;              /* samples to print; 0: none any more */
	bool endless, lost;
	struct err *e;
};

static double num(struct json_object *o, const char *key)
{
	struct json_object *v = jsonx_get(o, key);

	return json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int)
		       ? json_object_get_double(v)
		       : -1;
}

static char *bytes_text(char *out, size_t n, double v)
{
	if (v < 0)
		snprintf(out, n, "-");
	else
		str_bytes(out, n, (uint64_t)v);
	return out;
}

static int by_cpu(const void *a, const void *b)
{
	double x = num(*(struct json_object *const *)a, "cpu");
	double y = num(*(struct json_object *const *)b, "cpu");

	return x > y ? -1 : x < y;
}

static void print_host(struct json_object *host)
{
	struct json_object *mem = jsonx_get(host, "mem"), *disk = jsonx_get(host, "disk");
	struct json_object *load = jsonx_get(host, "load"), *d = jsonx_get(host, "daemon");
	char a[32], b[32], f[32], rss[32];

	printf("host: cpu %.1f %% of %zu cores, load %s, memory %s of %s available, home %s free\n",
		num(host, "cpu"), json_object_array_length(jsonx_get(host, "cpus")),
		load && json_object_array_length(load)
			? json_object_to_json_string(json_object_array_get_idx(load, 0))
			: "-",
		bytes_text(a, sizeof(a), num(mem, "available")),
		bytes_text(b, sizeof(b), num(mem, "total")),
		bytes_text(f, sizeof(f), num(disk, "free")));
	printf("vmdeckd: pid %lld, cpu %.1f %%, %s, event %lld\n",
		(long long)jsonx_int(d, "pid", 0), max_of(num(d, "cpu"), 0.),
		bytes_text(rss, sizeof(rss), num(d, "rss")), (long long)jsonx_int(d, "seq", 0));
}

static void vm_row(struct top *t, struct table *table, struct json_object *vm)
{
	const char *id = list_text(vm, "id"), *name = jsonx_str(t->names, id);
	double total = num(vm, "mem_total"), left = num(vm, "mem_available");
	double load = num(vm, "load_milli"), cpu = num(vm, "cpu"), pss = num(vm, "pss");
	char text[32];

	table_row(table);
	table_cell(table, TINT_NONE, "%s", name ? name : id);
	table_cell(table, TINT_NONE, cpu < 0 ? "-" : "%.1f %%", cpu);
	table_cell(table, TINT_NONE, "%s",
		bytes_text(text, sizeof(text), total < 0 || left < 0 ? -1 : total - left));
	table_cell(table, TINT_NONE, "%s", bytes_text(text, sizeof(text), total));
	table_cell(table, TINT_NONE, "%s",
		bytes_text(text, sizeof(text), pss < 0 ? num(vm, "rss") : pss));
	table_cell(table, TINT_NONE, load < 0 ? "-" : "%.2f", load / 1000);
	table_cell(table, TINT_NONE, "%lld", (long long)jsonx_int(vm, "procs", 0));
	table_cell(table, jsonx_int(vm, "oom_kills", 0) ? TINT_WARN : TINT_NONE, "%lld",
		(long long)jsonx_int(vm, "oom_kills", 0));
}

static void print_sample(struct top *t, struct json_object *host)
{
	static const char *const heads[] = {
		"NAME", "CPU", "MEMORY", "OF", "HOST", "LOAD", "PIDS", "OOM"};
	struct json_object *vms = jsonx_get(host, "vms");
	struct table *table;

	if (t->c->json) {
		cli_print_json(host, true);
		return;
	}
	if (t->endless && t->c->tty_out && !t->c->plain)
		fputs("\033[H\033[J", stdout);
	print_host(host);
	text_init();
	table = table_new(heads, countof(heads));
	json_object_array_sort(vms, by_cpu);
	for (size_t i = 0; i < json_object_array_length(vms); i++)
		vm_row(t, table, json_object_array_get_idx(vms, i));
	table_print(table, stdout, tty_width(), t->c->color);
	table_free(table);
}

static void on_names(void *user, int r, struct json_object *result, const struct err *e)
{
	struct top *t = user;
	size_t n = r == 0 && json_object_is_type(result, json_type_array)
			   ? json_object_array_length(result)
			   : 0;

	(void)e;
	for (size_t i = 0; i < n; i++) {
		struct json_object *vm = json_object_array_get_idx(result, i);

		jsonx_add_str(t->names, list_text(vm, "id"), list_text(vm, "name"));
	}
}

static bool names_missing(struct top *t, struct json_object *vms)
{
	for (size_t i = 0; i < json_object_array_length(vms); i++)
		if (!jsonx_str(t->names, list_text(json_object_array_get_idx(vms, i), "id")))
			return true;
	return false;
}

static void on_stats(void *user, struct json_object *host)
{
	struct top *t = user;
	struct json_object *vms = jsonx_get(host, "vms");

	/* Rates need a sample before. */
	if (num(host, "cpu") < 0 || !json_object_is_type(vms, json_type_array) ||
		!json_object_is_type(jsonx_get(host, "cpus"), json_type_array) || !t->left)
		return;
	if (names_missing(t, vms))
		(void)api_call(t->c->api, "vm.list", NULL, on_names, t, NULL);
	print_sample(t, host);
	fflush(stdout);
	if (!t->endless)
		t->left--;
	ev_break(t->c->loop, EVBREAK_ONE);
}

static void on_lost(void *user, const struct err *e)
{
	struct top *t = user;

	t->lost = true;
	*t->e = *e;
	ev_break(t->c->loop, EVBREAK_ONE);
}

static int watch(struct top *t, struct err *e)
{
	struct json_object *params = json_object_new_object();
	autojson struct json_object *list = NULL;
	int r = cli_call(t->c, "vm.list", NULL, CLI_CALL_S, &list, e);

	jsonx_add_int(params, "interval_ms", 1000 * opt_num(&t->c->opts, "delay", 1));
	if (r < 0) {
		json_object_put(params);
		return r;
	}
	on_names(t, 0, list, NULL);
	api_set_stats_handler(t->c->api, on_stats, t);
	api_set_lost_handler(t->c->api, on_lost, t);
	r = cli_call(t->c, "host.watch", params, CLI_CALL_S, NULL, e);
	while (r == 0 && t->left && !t->lost && !t->c->signal)
		ev_run(t->c->loop, 0);
	if (t->c->api) {
		api_set_stats_handler(t->c->api, NULL, NULL);
		api_set_lost_handler(t->c->api, NULL, NULL);
	}
	return t->lost ? -EPIPE : r;
}

int cmd_top(struct cli *c)
{
	struct err e = {0};
	struct top t = {.c = c, .e = &e, .names = json_object_new_object()};
	int r;

	t.endless = c->tty_out && !c->plain && !opt_given(&c->opts, "samples");
	t.left = opt_num(&c->opts, "samples", 1);
	cli_catch(c);
	r = watch(&t, &e);
	cli_uncatch(c);
	json_object_put(t.names);
	if (r < 0 && r != -EINTR)
		return cli_fail(&e, EXIT_FAILED);
	return c->signal && !t.endless ? EXIT_SIGNAL + c->signal : EXIT_OK;
}
