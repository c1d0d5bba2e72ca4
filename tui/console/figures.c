#include "tui/console/figures.h"

#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/model_impl.h"

#define GAP_NS 60000000000 /* samples further apart tell no rate */

static void take_host(struct deck_host *h, struct json_object *o)
{
	struct json_object *list = jsonx_get(o, "cpus"), *part = jsonx_get(o, "mem");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	h->at_ns = take_u64(o, "at_ns", 0);
	h->cpu = take_num(o, "cpu", -1);
	ring_add(&h->cpu_ring, h->cpu);
	h->cores = (int)min_of(n, (size_t)HOST_CPUS_MAX);
	for (int i = 0; i < h->cores; i++) {
		struct json_object *v = json_object_array_get_idx(list, (size_t)i);

		h->core[i] = v ? json_object_get_double(v) : -1;
	}
	h->mem_total = take_num(part, "total", 0);
	h->mem_available = take_num(part, "available", 0);
	part = jsonx_get(o, "disk");
	h->disk_total = take_num(part, "total", 0);
	h->disk_free = take_num(part, "free", 0);
	list = jsonx_get(o, "load");
	for (size_t i = 0; i < countof(h->load); i++) {
		bool there = json_object_is_type(list, json_type_array) &&
			     i < json_object_array_length(list);

		h->load[i] =
			there ? json_object_get_double(json_object_array_get_idx(list, i)) : -1;
	}
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
	h->rss = take_num(me, "rss", -1);
	h->daemon_cpu = take_num(me, "cpu", -1);
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

static void take_rate(struct figures *fs, uint64_t at_ns, uint64_t out_end)
{
	if (fs->at_ns && at_ns > fs->at_ns && at_ns - fs->at_ns < GAP_NS && out_end >= fs->out_end)
		ring_add(&fs->ring[FIGURE_OUT],
			(double)(out_end - fs->out_end) * 1e9 / (double)(at_ns - fs->at_ns));
	fs->at_ns = at_ns;
	fs->out_end = out_end;
}

static void take_vm(struct deck_vm *vm, struct json_object *o, uint64_t at_ns)
{
	struct figures *fs = figures_of(vm);
	double total = take_num(o, "mem_total", 0), left = take_num(o, "mem_available", -1);
	double load = take_num(o, "load_milli", -1);

	ring_add(&fs->ring[FIGURE_CPU], take_num(o, "cpu", -1));
	ring_add(&fs->ring[FIGURE_PIDS], take_num(o, "procs", -1));
	ring_add(&fs->ring[FIGURE_LOAD], load < 0 ? -1 : load / 1000);
	take_rate(fs, at_ns, take_u64(o, "out_end", 0));
	fs->rss = take_num(o, "rss", -1);
	fs->pss = take_num(o, "pss", -1);
	fs->oom_kills = take_num(o, "oom_kills", -1);
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
	ring_add(
		&figures_of(vm)->ring[FIGURE_EXEC], take_num(jsonx_get(event, "fields"), "ms", -1));
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
	else if (f == FIGURE_OUT)
		snprintf(out, n, "%s/s", str_bytes(size, sizeof(size), (uint64_t)v));
	else
		snprintf(out, n, v < 9.95 ? "%.1f ms" : "%.0f ms", v);
	return out;
}
