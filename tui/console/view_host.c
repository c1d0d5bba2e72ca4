/* The view of the host: its live VMs by what they use, and below the host and the daemon. */
#include <string.h>
#include <strings.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/actions.h"
#include "tui/console/views.h"

#define CORES_SHOWN 64

static const struct deck_vm *vm_of(const void *row)
{
	return row;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void cell_name(const void *row, struct cell *c)
{
	c->glyph = (int)state_glyph(vm_of(row)->state);
	cell_printf(c, "%s", vm_of(row)->name);
}

static void cell_cpu(const void *row, struct cell *c)
{
	cell_figure(c, row, FIGURE_CPU);
}

static void cell_mem(const void *row, struct cell *c)
{
	cell_figure(c, row, FIGURE_MEM);
}

static void cell_out(const void *row, struct cell *c)
{
	cell_figure(c, row, FIGURE_OUT);
}

static void cell_exec(const void *row, struct cell *c)
{
	cell_figure(c, row, FIGURE_EXEC);
}

static double number_of(const void *row, enum figure f)
{
	const struct figures *fs = vm_of(row)->figures;

	return fs ? ring_at(&fs->ring[f], 0) : -1;
}

static double number_cpu(const void *row)
{
	return number_of(row, FIGURE_CPU);
}

static double number_mem(const void *row)
{
	return number_of(row, FIGURE_MEM);
}

static double number_out(const void *row)
{
	return number_of(row, FIGURE_OUT);
}

static double number_exec(const void *row)
{
	return number_of(row, FIGURE_EXEC);
}

static double number_load(const void *row)
{
	return number_of(row, FIGURE_LOAD);
}

static double number_pids(const void *row)
{
	return number_of(row, FIGURE_PIDS);
}

/* Its share of pages that others map too counts once: what ending it would give back. */
static double number_pss(const void *row)
{
	const struct figures *fs = vm_of(row)->figures;

	return !fs ? -1 : fs->pss >= 0 ? fs->pss : fs->rss;
}

static void cell_pss(const void *row, struct cell *c)
{
	figure_text(FIGURE_MEM, number_pss(row), c->text, sizeof(c->text));
}

static void cell_load(const void *row, struct cell *c)
{
	figure_text(FIGURE_LOAD, number_load(row), c->text, sizeof(c->text));
}

static void cell_pids(const void *row, struct cell *c)
{
	figure_text(FIGURE_PIDS, number_pids(row), c->text, sizeof(c->text));
}

static void cell_oom(const void *row, struct cell *c)
{
	const struct figures *fs = vm_of(row)->figures;

	if (fs && fs->oom_kills > 0)
		c->role = ROLE_HEALTH_WARN;
	figure_text(FIGURE_PIDS, fs ? fs->oom_kills : -1, c->text, sizeof(c->text));
}

#define COLUMN_CPU 1

static const struct column columns[] = {
	{"VM", 13, 24, 0, cell_name, NULL},
	{"CPU", 16, 40, 0, cell_cpu, number_cpu},
	{"GUEST MEMORY", 16, 30, 46, cell_mem, number_mem},
	{"HOST MEM", 10, 0, 56, cell_pss, number_pss},
	{"LOAD", 6, 0, 62, cell_load, number_load},
	{"PIDS", 6, 0, 68, cell_pids, number_pids},
	{"OUTPUT", 18, 30, 92, cell_out, number_out},
	{"EXEC", 16, 26, 108, cell_exec, number_exec},
	{"OOM", 5, 0, 74, cell_oom, NULL},
};

void host_sort(struct table *t)
{
	t->sort = COLUMN_CPU;
	t->reverse = true;
}

static int host_end(const struct model *m)
{
	return m->count;
}

static void *host_row(const struct model *m, int i)
{
	return deck_vm_alive(m->vm[i]) ? m->vm[i] : NULL;
}

static int host_count(const struct model *m)
{
	int n = 0;

	for (int i = 0; i < m->count; i++)
		n += deck_vm_alive(m->vm[i]);
	return n;
}

static void host_key(const void *row, char *out, size_t n)
{
	snprintf(out, n, "%s", vm_of(row)->id);
}

static const char *field_name(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return vm_of(row)->name;
}

static const char *field_id(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return vm_of(row)->id;
}

static const struct row_field fields[] = {
	{"name", field_name},
	{"id", field_id},
};

const struct view view_host = {
	.name = "host",
	.title = "Host",
	.one = "live VM",
	.context = CONTEXT_HOST,
	.changes = MODEL_VMS | MODEL_VM | MODEL_FIGURES,
	.columns = columns,
	.column_count = countof(columns),
	.end = host_end,
	.row = host_row,
	.count = host_count,
	.key = host_key,
	.fields = fields,
	.field_count = countof(fields),
	.row_size = sizeof(struct deck_vm),
	.let_go = vm_let_go,
	.pane_rows = 14,
	.empty = "No VM runs.",
	.more = "",
};

/* ---- detail ---------------------------------------------------------------------------------- */

static void put_cpu(struct page *pg, const struct deck_host *h)
{
	char line[4 * RING_SIZE + 1], text[40];
	struct pen pen = page_line(pg);
	int cores = min_of(h->cores, CORES_SHOWN);

	pen_column(&pen, ROLE_TEXT_DIM, PAGE_LABEL, "cpu");
	pen_column(&pen, ROLE_TEXT, 8, figure_text(FIGURE_CPU, h->cpu, text, sizeof(text)));
	ring_spark(&h->cpu_ring, min_of(RING_SIZE, max_of(pg->r.w - 40, 8)), 100, pg->paint->ascii,
		line, sizeof(line));
	pen_put(&pen, ROLE_SPARK, line);
	pen_printf(&pen, ROLE_TEXT_DIM, " of %d cores", h->cores);
	pen = page_line(pg);
	pen_column(&pen, ROLE_TEXT_DIM, PAGE_LABEL, "cores");
	for (int i = 0; i < cores; i++)
		pen_printf(&pen, ROLE_TEXT, h->core[i] < 0 ? "- " : "%.0f%% ", h->core[i]);
	if (h->load[0] >= 0)
		page_field(pg, "load", "%.2f %.2f %.2f", h->load[0], h->load[1], h->load[2]);
}

static void put_meter(struct page *pg, const char *label, double used, double total)
{
	struct pen pen = page_line(pg);
	char a[32], b[32];

	pen_column(&pen, ROLE_TEXT_DIM, PAGE_LABEL, label);
	if (total <= 0) {
		pen_put(&pen, ROLE_TEXT, "-");
		return;
	}
	pen_meter(&pen, 20, (uint64_t)max_of(used, 0.), (uint64_t)total);
	pen_printf(&pen, ROLE_TEXT, " %s of %s used, %s free",
		str_bytes(a, sizeof(a), (uint64_t)max_of(used, 0.)),
		figure_text(FIGURE_MEM, total, b, sizeof(b)),
		figure_text(FIGURE_MEM, max_of(total - used, 0.), (char[32]){0}, 32));
}

static void put_daemon(struct page *pg, const struct deck_host *h)
{
	char up[40], rss[32], cpu[32];
	uint64_t age = pg->now_ns > h->started_ns ? pg->now_ns - h->started_ns : 0;

	page_field(pg, "vmdeckd", "%s, pid %d, up %s, %s, cpu %s, %d connection%s, event %llu",
		h->version, h->pid, str_duration(up, sizeof(up), age / 1000000000 * 1000000000),
		figure_text(FIGURE_MEM, h->rss, rss, sizeof(rss)),
		figure_text(FIGURE_CPU, h->daemon_cpu, cpu, sizeof(cpu)), h->connections,
		h->connections == 1 ? "" : "s", (unsigned long long)h->seq);
	for (int i = 0; i < h->queues; i++)
		page_field(pg, i ? "" : "queues", "%s: %d of %d under way, %d waiting",
			h->queue[i].name, h->queue[i].busy, h->queue[i].slots, h->queue[i].waiting);
}

static void put_waits(struct page *pg, const struct model *m)
{
	char text[160];
	int n = 0;

	for (int i = 0; i < m->count && n < 8; i++)
		if (m->vm[i]->wait.name[0])
			page_field(pg, n++ ? "" : "waits", "%s: %s", m->vm[i]->name,
				wait_text(&m->vm[i]->wait, pg->now_ns, text, sizeof(text)));
}

static void put_totals(struct page *pg, const struct model *m)
{
	double guests = 0, snapshots = 0, idle = 0;
	int ready = 0, wanted = 0, len = 0;
	char states[200] = "", a[32], b[32];

	for (int s = 0; s < DECK__COUNT; s++)
		if (model_count(m, (enum deck_state)s))
			len += snprintf(states + len, sizeof(states) - (size_t)len, "%s%d %s",
				len ? ", " : "", model_count(m, (enum deck_state)s),
				deck_state_names[s]);
	for (int i = 0; i < m->count; i++)
		guests += deck_vm_alive(m->vm[i]) ? max_of(number_pss(m->vm[i]), 0.) : 0;
	for (int i = 0; i < m->snapshots; i++) {
		const struct deck_snapshot *s = m->snapshot[i];

		snapshots += (double)(s->memory_bytes + s->state_bytes + s->disk_bytes);
		ready += s->pool_ready;
		wanted += s->pool_wanted;
		idle += s->pool_idle_mib;
	}
	page_field(pg, "VMs", "%s", states[0] ? states : "none");
	page_field(pg, "guest memory", "%s on the host, all together",
		figure_text(FIGURE_MEM, guests, a, sizeof(a)));
	page_field(pg, "snapshots", "%d, %s", m->snapshots,
		figure_text(FIGURE_MEM, snapshots, b, sizeof(b)));
	if (wanted)
		page_field(pg, "pool", "%d of %d ready, %.0f MiB", ready, wanted, idle);
}

void host_detail(struct page *pg, const struct model *m, struct json_object *doctor)
{
	const struct deck_host *h = &m->host;
	size_t n =
		json_object_is_type(doctor, json_type_array) ? json_object_array_length(doctor) : 0;

	if (!h->at_ns) {
		page_text(pg, ROLE_TEXT_DIM, "measuring");
	} else {
		put_cpu(pg, h);
		put_meter(pg, "memory", h->mem_total - h->mem_available, h->mem_total);
		put_meter(pg, "home's disk", h->disk_total - h->disk_free, h->disk_total);
		put_totals(pg, m);
		put_daemon(pg, h);
		put_waits(pg, m);
	}
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(doctor, i);
		const char *name = jsonx_str(o, "name"), *detail = jsonx_str(o, "detail");
		const char *status = jsonx_str(o, "status");
		bool found = status && strcmp(status, "found") == 0;

		if (name && detail)
			page_field(pg, name, "%s%s%s",
				found    ? ""
				: status ? status
					 : "?",
				found ? "" : ": ", detail);
	}
}
