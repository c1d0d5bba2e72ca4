/* Pages of a VM beside its panes: describe, health, vitals. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/clock.h"
#include "tui/console/views.h"

#define GRAPH_ROWS_MAX 4
#define NUMBER_COLS    12

/* ---- describe -------------------------------------------------------------------------------- */

static const char *text_of(struct json_object *o, const char *key)
{
	const char *s = jsonx_str(o, key);

	return s ? s : "";
}

static void put_command(struct page *pg, struct json_object *vm)
{
	struct json_object *cmd = jsonx_get(vm, "cmd");
	char text[600] = "";
	size_t n = json_object_is_type(cmd, json_type_array) ? json_object_array_length(cmd) : 0;
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof(text); i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(cmd, i));

		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s", i ? " " : "", word ? word : "");
	}
	page_field(pg, "command", "%s", n ? text : "the image's shell");
}

static void put_disks(struct page *pg, struct json_object *vm)
{
	struct json_object *disks = jsonx_get(vm, "disks");
	size_t n =
		json_object_is_type(disks, json_type_array) ? json_object_array_length(disks) : 0;
	char size[32];

	for (size_t i = 0; i < n; i++) {
		struct json_object *d = json_object_array_get_idx(disks, i);
		int64_t layers = jsonx_int(d, "layers", 0), bytes = jsonx_int(d, "size", 0);

		page_field(pg, i ? "" : "disks", "/dev/vd%c, %s, %lld layer%s",
			(char)('a' + (int)min_of(i, (size_t)25)),
			str_bytes(size, sizeof(size), (uint64_t)max_of(bytes, (int64_t)0)),
			(long long)layers, layers == 1 ? "" : "s");
	}
}

static void put_traffic(struct page *pg, struct json_object *t)
{
	char in[32], out[32];

	page_field(pg, "traffic", "in %s (%lld packets, %lld dropped), out %s (%lld, %lld)",
		str_bytes(in, sizeof(in), (uint64_t)max_of(jsonx_int(t, "rx_bytes", 0), 0)),
		(long long)jsonx_int(t, "rx_packets", 0), (long long)jsonx_int(t, "rx_drops", 0),
		str_bytes(out, sizeof(out), (uint64_t)max_of(jsonx_int(t, "tx_bytes", 0), 0)),
		(long long)jsonx_int(t, "tx_packets", 0), (long long)jsonx_int(t, "tx_drops", 0));
}

static void put_network(struct page *pg, const struct deck_net *net, struct json_object *o)
{
	struct json_object *list = jsonx_get(o, "publish"), *traffic = jsonx_get(o, "traffic");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	const char *link = text_of(o, "link");

	if (!net->mode[0]) {
		page_field(pg, "network", "none");
		return;
	}
	page_field(pg, "network", "%s, %s on this host%s%s, guest %s: %s%s", net->mode,
		net->address, *link ? " by " : "", link, text_of(o, "guest"),
		net->up ? "up" : "down, ", net->up ? "" : net->why);
	for (size_t i = 0; i < n; i++)
		page_field(pg, i ? "" : "published", "%s",
			json_object_get_string(json_object_array_get_idx(list, i)));
	if (traffic)
		put_traffic(pg, traffic);
}

static void put_agent(struct page *pg, struct json_object *vm)
{
	struct json_object *agent = jsonx_get(vm, "agent"), *times = jsonx_get(agent, "times");

	page_field(pg, "agent", "%s",
		jsonx_bool(agent, "connected", false) ? "connected" : "not connected");
	if (times)
		page_field(pg, "woke up in",
			"%lld us: random numbers %lld, clock %lld, identity %lld, sockets %lld",
			(long long)jsonx_int(times, "total_us", 0),
			(long long)jsonx_int(times, "rng_us", 0),
			(long long)jsonx_int(times, "clock_us", 0),
			(long long)jsonx_int(times, "identity_us", 0),
			(long long)jsonx_int(times, "sockets_us", 0));
}

static void put_origin(struct page *pg, const struct deck_vm *vm, struct json_object *o)
{
	char a[64];

	page_field(pg, "name", "%s", vm->name);
	page_field(pg, "id", "%s", vm->id);
	page_field(pg, "state", "%s%s%s", deck_state_names[vm->state], vm->reason[0] ? ": " : "",
		vm->reason);
	page_field(pg, "health", "%s%s%s", vm->check.probe[0] ? vm->health : "",
		vm->check.why[0] ? ": " : "", vm->check.probe[0] ? vm->check.why : "");
	page_field(pg, "image", "%s", vm->image);
	page_field(pg, "came from", "%s%s%s", vm->snapshot[0] ? "snapshot " : "a boot",
		vm->snapshot, vm->source[0] ? ", taken for clones" : "");
	page_field(pg, "clone of", "%s", vm->source);
	page_field(pg, "generation", "%s", text_of(o, "generation"));
	page_field(pg, "created", "%s", time_text(a, sizeof(a), vm->created_ns));
	page_field(pg, "started", "%s", time_text(a, sizeof(a), vm->started_ns));
	if (vm->boot_ms > 0)
		page_field(pg, "ready in", "%s", ms_text(a, sizeof(a), vm->boot_ms));
}

static void draw_describe(struct page *pg, const struct deck_vm *vm, struct json_object *o)
{
	put_origin(pg, vm, o);
	if (!o) {
		page_text(pg, ROLE_TEXT_DIM,
			vm->gone ? "The daemon has it no more." : "asking the daemon for the rest");
		return;
	}
	page_field(pg, "VMM", "%s%s%s %s, pid %lld", vm->vmm, vm->accel[0] ? "/" : "", vm->accel,
		text_of(o, "version"), (long long)jsonx_int(o, "pid", 0));
	page_field(pg, "machine", "%d CPU%s, %lld MiB", vm->vcpus, vm->vcpus == 1 ? "" : "s",
		(long long)vm->mem_mib);
	put_disks(pg, o);
	put_network(pg, &vm->net, jsonx_get(o, "network"));
	put_command(pg, o);
	page_field(pg, "terminal", "%s", vm->tty ? "yes" : "no");
	put_agent(pg, o);
	page_field(pg, "vsock", "%s, cid %lld", text_of(o, "vsock_path"),
		(long long)jsonx_int(o, "cid", 0));
	page_field(pg, "serial", "%s", text_of(o, "serial_path"));
	page_field(pg, "folder", "%s", text_of(o, "dir"));
	page_field(pg, "open now", "%lld exec(s), %lld attached",
		(long long)jsonx_int(o, "execs", 0),
		(long long)jsonx_int(jsonx_get(o, "output"), "attached", 0));
}

/* ---- vitals ---------------------------------------------------------------------------------- */

static void put_graph(
	struct page *pg, const struct deck_vm *vm, enum figure f, int rows, int columns)
{
	const struct ring *r = &vm->figures->ring[f];
	double top = figure_top(vm->figures, f, vm->vcpus);
	char line[4 * RING_SIZE + 1], text[40];
	const struct {
		const char *name;
		double v;
	} sums[] = {{"now", ring_at(r, 0)}, {"min", ring_min(r)}, {"max", ring_max(r)}};

	for (int i = 0; i < rows; i++) {
		struct pen pen = page_line(pg);

		pen_column(&pen, ROLE_TEXT_DIM, PAGE_LABEL, i ? "" : figure_name(f));
		ring_graph(r, columns, top, i, rows, pg->paint->ascii, line, sizeof(line));
		pen_put(&pen, ROLE_SPARK, line);
		/* On one row all of them, else one a row. */
		for (int k = rows == 1 ? 0 : i; k < (rows == 1 ? 3 : min_of(i + 1, 3)); k++) {
			pen_printf(&pen, ROLE_TEXT_DIM, " %s ", sums[k].name);
			pen_column(&pen, ROLE_TEXT, NUMBER_COLS,
				figure_text(f, sums[k].v, text, sizeof(text)));
		}
	}
}

static void draw_vitals(struct page *pg, const struct deck_vm *vm)
{
	const struct figures *fs = vm->figures;
	int rows =
		pg->r.h / FIGURE__COUNT >= 4 ? min_of(pg->r.h / FIGURE__COUNT, GRAPH_ROWS_MAX) : 1;
	int sums = rows == 1 ? 3 : 1, columns;
	char a[32], b[32];

	columns = max_of(8, min_of(RING_SIZE, pg->r.w - 2 - PAGE_LABEL - sums * (NUMBER_COLS + 5)));
	if (!fs) {
		page_text(pg, ROLE_TEXT_DIM,
			deck_vm_alive(vm) ? "measuring" : "It has ended: nothing is measured.");
		return;
	}
	for (int f = 0; f < FIGURE__COUNT; f++)
		put_graph(pg, vm, (enum figure)f, rows, columns);
	page_field(pg, "VMM memory", "%s resident, %s of its own share (PSS)",
		figure_text(FIGURE_MEM, fs->rss, a, sizeof(a)),
		figure_text(FIGURE_MEM, fs->pss, b, sizeof(b)));
	page_field(pg, "oom kills", fs->oom_kills < 0 ? "-" : "%.0f", fs->oom_kills);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void draw_page(struct app *a, struct page *pg, const struct deck_vm *vm, enum tab tab)
{
	bool known = strcmp(a->described.id, vm->id) == 0;

	if (tab == TAB_DESCRIBE)
		draw_describe(pg, vm, known ? a->described.vm : NULL);
	else if (tab == TAB_HEALTH)
		draw_health(pg, vm);
	else
		draw_vitals(pg, vm);
}

void draw_vm_page(struct app *a, const char *vm_id, enum tab tab, struct rect r, int *top)
{
	const struct deck_vm *vm = model_find(&a->model, vm_id);
	struct page pg = {.paint = &a->paint, .r = r, .now_ns = clock_wall_ns()}, count = pg;

	paint_fill(&a->paint, r, ROLE_TEXT);
	if (!vm)
		return;
	count.r.h = 0;
	draw_page(a, &count, vm, tab);
	/* Never scrolled past its end. */
	*top = max_of(0, min_of(*top, count.line - pg.r.h));
	pg.top = *top;
	draw_page(a, &pg, vm, tab);
}
