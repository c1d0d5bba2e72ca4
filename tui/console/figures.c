#include "tui/console/figures.h"

#include <math.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/model_impl.h"

#define FIGURE_MAX 1e18
#define GAP_NS     60000000000 /* samples further apart tell no rate */

/* What no host has is kept within what can be counted. */
static double bounded(double v)
{
	return isfinite(v) ? min_of(v, FIGURE_MAX) : -1;
}

static double figure_num(struct json_object *o, const char *key, double def)
{
	return bounded(take_num(o, key, def));
}

/* Element i of a list of numbers; < 0: it is none. */
static double figure_at(struct json_object *list, size_t i)
{
	struct json_object *v = json_object_is_type(list, json_type_array)
					? json_object_array_get_idx(list, i)
					: NULL;

	if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
		return -1;
	return bounded(json_object_get_double(v));
}

static void take_host(struct deck_host *h, struct json_object *o)
{
	struct json_object *list = jsonx_get(o, "cpus"), *part = jsonx_get(o, "mem");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	h->at_ns = take_u64(o, "at_ns", 0);
	h->cpu = figure_num(o, "cpu", -1);
	ring_add(&h->cpu_ring, h->cpu);
	h->cores = (int)min_of(n, (size_t)HOST_CPUS_MAX);
	for (int i = 0; i < h->cores; i++)
		h->core[i] = figure_at(list, (size_t)i);
	h->mem_total = figure_num(part, "total", 0);
	h->mem_available = figure_num(part, "available", 0);
	part = jsonx_get(o, "disk");
	h->disk_total = figure_num(part, "total", 0);
	h->disk_free = figure_num(part, "free", 0);
	list = jsonx_get(o, "load");
	for (size_t i = 0; i < countof(h->load); i++)
		h->load[i] = figure_at(list, i);
}

static void take_daemon(struct deck_host *h, struct json_object *o)
{
	struct json_object *me = jsonx_get(o, "daemon"), *list = jsonx_get(o, "queues");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	h->pid = (int)jsonx_int(me, "pid", 0);
	h->connections = (int)jsonx_int(me, "connections", 0);
	take_str(me, "version", h->version, sizeof(h->version));
	h->started_ns = take_u64(me, "started_ns", 0);
	h->seq = take_u64(me, "seq", 0);
	h->rss = figure_num(me, "rss", -1);
	h->daemon_cpu = figure_num(me, "cpu", -1);
	h->queues = (int)min_of(n, (size_t)HOST_QUEUES_MAX);
	for (int i = 0; i < h->queues; i++) {
		struct json_object *q = json_object_array_get_idx(list, (size_t)i);

		h->queue[i] = (struct deck_queue){.slots = (int)jsonx_int(q, "slots", 0),
			.busy = (int)jsonx_int(q, "busy", 0),
			.waiting = (int)jsonx_int(q, "waiting", 0)};
		take_str(q, "name", h->queue[i].name, sizeof(h->queue[i].name));
	}
}

static struct figures *figures_of(struct deck_vm *vm)
{
	if (!vm->figures) {
		vm->figures = xcalloc(1, sizeof(*vm->figures));
		vm->figures->rss = vm->figures->pss = vm->figures->oom_kills = -1;
	}
	return vm->figures;
}

static void add_rate(struct ring *r, uint64_t before, uint64_t now, uint64_t ns)
{
	if (now >= before)
		ring_add(r, (double)(now - before) * 1e9 / (double)ns);
}

static void take_rates(struct figures *fs, uint64_t at_ns, uint64_t out_end, uint64_t net_bytes)
{
	uint64_t ns = fs->at_ns && at_ns > fs->at_ns ? at_ns - fs->at_ns : 0;

	if (ns && ns < GAP_NS) {
		add_rate(&fs->ring[FIGURE_OUT], fs->out_end, out_end, ns);
		if (fs->net_bytes && net_bytes)
			add_rate(&fs->ring[FIGURE_NET], fs->net_bytes, net_bytes, ns);
	}
	fs->at_ns = at_ns;
	fs->out_end = out_end;
	fs->net_bytes = net_bytes;
}

static void take_vm(struct deck_vm *vm, struct json_object *o, uint64_t at_ns)
{
	struct figures *fs = figures_of(vm);
	double total = figure_num(o, "mem_total", 0), left = figure_num(o, "mem_available", -1);
	double load = figure_num(o, "load_milli", -1);

	ring_add(&fs->ring[FIGURE_CPU], figure_num(o, "cpu", -1));
	ring_add(&fs->ring[FIGURE_PIDS], figure_num(o, "procs", -1));
	ring_add(&fs->ring[FIGURE_LOAD], load < 0 ? -1 : load / 1000);
	take_rates(fs, at_ns, take_u64(o, "out_end", 0), take_u64(o, "net_bytes", 0));
	fs->rss = figure_num(o, "rss", -1);
	fs->pss = figure_num(o, "pss", -1);
	fs->oom_kills = figure_num(o, "oom_kills", -1);
	fs->mem_total = total;
	if (total <= 0 || left < 0 || left > total)
		return;
	ring_add(&fs->ring[FIGURE_MEM], total - left);
	vm->mem_total = (int64_t)total;
	vm->mem_used = (int64_t)(total - left);
}

unsigned model_set_host(struct model *m, struct json_object *host)
{
	struct json_object *list = jsonx_get(host, "vms");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	take_host(&m->host, host);
	take_daemon(&m->host, host);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *id = jsonx_str(o, "id");
		struct deck_vm *vm = id ? model_find(m, id) : NULL;

		if (vm)
			take_vm(vm, o, m->host.at_ns);
	}
	return MODEL_FIGURES;
}

unsigned model_exec(struct model *m, struct json_object *event)
{
	const char *name = jsonx_str(event, "name"), *id = jsonx_str(event, "vm");
	struct deck_vm *vm;

	if (!name || !id || strcmp(name, "exec.ack") != 0)
		return 0;
	vm = model_find(m, id);
	if (!vm)
		return 0;
	ring_add(&figures_of(vm)->ring[FIGURE_EXEC],
		figure_num(jsonx_get(event, "fields"), "ms", -1));
	return MODEL_FIGURES;
}

/* ---- words ----------------------------------------------------------------------------------- */

const char *figure_name(enum figure f)
{
	static const char *const names[] = {
		[FIGURE_CPU] = "cpu",
		[FIGURE_MEM] = "memory",
		[FIGURE_LOAD] = "load",
		[FIGURE_PIDS] = "processes",
		[FIGURE_OUT] = "output",
		[FIGURE_NET] = "network",
		[FIGURE_EXEC] = "exec latency",
	};
	_Static_assert(countof(names) == FIGURE__COUNT, "a name for each figure");

	return names[f];
}

double figure_top(const struct figures *fs, enum figure f, int vcpus)
{
	if (f == FIGURE_CPU)
		return max_of(max_of(vcpus, 1) * 100., ring_max(&fs->ring[f]));
	return f == FIGURE_MEM ? fs->mem_total : 0;
}

char *figure_text(enum figure f, double v, char *out, size_t n)
{
	char size[32];

	if (v < 0)
		snprintf(out, n, "-");
	else if (f == FIGURE_CPU)
		snprintf(out, n, v < 99.95 ? "%.1f %%" : "%.0f %%", v);
	else if (f == FIGURE_MEM)
		str_bytes(out, n, (uint64_t)v);
	else if (f == FIGURE_LOAD)
		snprintf(out, n, "%.2f", v);
	else if (f == FIGURE_PIDS)
		snprintf(out, n, "%.0f", v);
	else if (f == FIGURE_OUT || f == FIGURE_NET)
		snprintf(out, n, "%s/s", str_bytes(size, sizeof(size), (uint64_t)v));
	else
		snprintf(out, n, v < 9.95 ? "%.1f ms" : "%.0f ms", v);
	return out;
}
