/* The view of VMs: one row each, state as glyph and word, and what there is to say about it. */
#include <string.h>

#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/actions.h"
#include "tui/console/table.h"
#include "tui/console/views.h"

enum role state_role(enum deck_state s)
{
	static const enum role roles[] = {
		[DECK_STARTING] = ROLE_STATE_STARTING,
		[DECK_RUNNING] = ROLE_STATE_RUNNING,
		[DECK_PAUSED] = ROLE_STATE_PAUSED,
		[DECK_STOPPING] = ROLE_STATE_STOPPING,
		[DECK_STOPPED] = ROLE_STATE_STOPPED,
		[DECK_FAILED] = ROLE_STATE_FAILED,
		[DECK_UNKNOWN] = ROLE_STATE_UNKNOWN,
	};
	_Static_assert(countof(roles) == DECK__COUNT, "a role for each state");

	return roles[s];
}

enum glyph state_glyph(enum deck_state s)
{
	static const enum glyph glyphs[] = {
		[DECK_STARTING] = GLYPH_STARTING,
		[DECK_RUNNING] = GLYPH_RUNNING,
		[DECK_PAUSED] = GLYPH_PAUSED,
		[DECK_STOPPING] = GLYPH_STOPPING,
		[DECK_STOPPED] = GLYPH_STOPPED,
		[DECK_FAILED] = GLYPH_FAILED,
		[DECK_UNKNOWN] = GLYPH_UNKNOWN,
	};
	_Static_assert(countof(glyphs) == DECK__COUNT, "a glyph for each state");

	return glyphs[s];
}

static void cell_name(const void *row, struct cell *c)
{
	cell_printf(c, "%s", ((const struct deck_vm *)row)->name);
}

static void cell_state(const void *row, struct cell *c)
{
	const struct deck_vm *vm = row;
	bool silent = vm->state == DECK_RUNNING && !vm->agent && !vm->gone;

	c->glyph = (int)state_glyph(vm->state);
	/* A VM that runs without its agent is not what it seems. */
	c->role = silent ? ROLE_HEALTH_WARN : state_role(vm->state);
	cell_printf(c, "%s", silent ? "no agent" : vm->gone ? "gone" : deck_state_names[vm->state]);
}

static void cell_image(const void *row, struct cell *c)
{
	cell_printf(c, "%s", ((const struct deck_vm *)row)->image);
}

static void cell_vmm(const void *row, struct cell *c)
{
	const struct deck_vm *vm = row;

	cell_printf(c, "%s%s%s", vm->vmm, vm->accel[0] ? "/" : "", vm->accel);
}

static void cell_cpus(const void *row, struct cell *c)
{
	cell_printf(c, "%4d", ((const struct deck_vm *)row)->vcpus);
}

static void cell_mem(const void *row, struct cell *c)
{
	const struct deck_vm *vm = row;
	bool gib = vm->mem_mib >= 10240;
	long long size = gib ? vm->mem_mib / 1024 : vm->mem_mib;
	long long used = gib ? vm->mem_used >> 30 : vm->mem_used >> 20;

	if (vm->mem_total && deck_vm_alive(vm))
		cell_printf(c, "%4lld/%lld%s", used, size, gib ? "G" : "M");
	else
		cell_printf(c, "     %lld%s", size, gib ? "G" : "M");
}

static void cell_boot(const void *row, struct cell *c)
{
	cell_ms(c, ((const struct deck_vm *)row)->boot_ms);
}

static void cell_since(const void *row, struct cell *c)
{
	cell_time(c, ((const struct deck_vm *)row)->since_ns);
}

static void cell_id(const void *row, struct cell *c)
{
	cell_printf(c, "%s", ((const struct deck_vm *)row)->id);
}

char *wait_text(const struct deck_wait *w, uint64_t now_ns, char *out, size_t n)
{
	double age = now_ns > w->since_ns ? (double)(now_ns - w->since_ns) / 1e9 : 0;
	size_t len;

	snprintf(out, n, "waiting for %s since %.1f s", w->name, age);
	len = strlen(out);
	if (w->usual_ms > 0)
		snprintf(out + len, n - len, ", usually %.*f", w->usual_ms < 95 ? 2 : 1,
			w->usual_ms / 1e3);
	len = strlen(out);
	if (w->place)
		snprintf(out + len, n - len, ", place %d", w->place);
	return out;
}

char *progress_text(uint64_t done, uint64_t total, uint64_t since_ns, uint64_t now_ns, bool bytes,
	char *out, size_t n)
{
	double s = since_ns && now_ns > since_ns ? (double)(now_ns - since_ns) / 1e9 : 0;
	double rate = s > 0.2 ? (double)done / s : 0;
	char text[32];
	size_t len;

	out[0] = '\0';
	if (!total)
		return out;
	done = min_of(done, total);
	snprintf(out, n, "%d %%", (int)((double)done * 100 / (double)total));
	len = strlen(out);
	if (rate >= 1 && bytes)
		snprintf(out + len, n - len, ", %s/s",
			str_bytes(text, sizeof(text), (uint64_t)rate));
	len = strlen(out);
	if (rate > 0 && done && done < total)
		snprintf(out + len, n - len, ", %.0f s left", (double)(total - done) / rate + 0.5);
	return out;
}

void making_text(const struct deck_making *mk, char *out, size_t n)
{
	if (mk->total)
		snprintf(out, n, "%s %d %%", mk->step,
			(int)((double)min_of(mk->done, mk->total) * 100 / (double)mk->total));
	else
		snprintf(out, n, "%s", mk->step);
}

/* The most telling thing about it. */
static void cell_note(const void *row, struct cell *c)
{
	const struct deck_vm *vm = row;
	char step[80], usual[40];

	if (vm->making.name[0]) {
		making_text(&vm->making, step, sizeof(step));
		c->role = ROLE_WAIT;
		cell_printf(c, "snapshotting: %s", step);
	} else if (vm->wait.place) {
		c->role = ROLE_WAIT;
		cell_printf(c, "%s: place %d", vm->wait.name, vm->wait.place);
	} else if (vm->wait.name[0]) {
		c->role = ROLE_WAIT;
		usual[0] = '\0';
		if (vm->wait.usual_ms > 0)
			snprintf(usual, sizeof(usual), ", usually %.*f s",
				vm->wait.usual_ms < 95 ? 2 : 1, vm->wait.usual_ms / 1e3);
		cell_printf(c, "%s (%d of %d)%s", vm->wait.name, vm->wait.n, vm->wait.of, usual);
	} else if (!deck_vm_alive(vm)) {
		cell_printf(c, "%.190s", vm->reason);
	} else if (vm->net.address[0] && !vm->net.up) {
		c->role = ROLE_HEALTH_WARN;
		cell_printf(c, "network: %.160s", vm->net.why);
	} else if (health_is_bad(vm)) {
		c->role = ROLE_HEALTH_WARN;
		cell_printf(
			c, "%s%s%.160s", vm->health, vm->check.why[0] ? ": " : "", vm->check.why);
	} else {
		cell_printf(c, "%s%s", vm->snapshot[0] ? "clone of " : "",
			vm->source[0] ? vm->source : vm->snapshot);
	}
}

void cell_figure(struct cell *c, const struct deck_vm *vm, enum figure f)
{
	const struct figures *fs = vm->figures;

	if (!fs || !deck_vm_alive(vm)) {
		cell_printf(c, "-");
		return;
	}
	figure_text(f, ring_at(&fs->ring[f], 0), c->text, sizeof(c->text));
	c->text_columns = f == FIGURE_OUT || f == FIGURE_NET ? 12 : f == FIGURE_CPU ? 7 : 9;
	c->spark = &fs->ring[f];
	c->top = figure_top(fs, f, vm->vcpus);
}

static void cell_cpu(const void *row, struct cell *c)
{
	cell_figure(c, row, FIGURE_CPU);
}

static void cell_output(const void *row, struct cell *c)
{
	cell_figure(c, row, FIGURE_OUT);
}

static void cell_net(const void *row, struct cell *c)
{
	const struct deck_vm *vm = row;

	if (!vm->net.mode[0] || !deck_vm_alive(vm)) {
		cell_printf(c, "-");
	} else if (vm->net.address[0] && !vm->net.up) {
		c->role = ROLE_HEALTH_WARN;
		cell_printf(c, "down");
	} else {
		cell_figure(c, vm, FIGURE_NET);
	}
}

static double number_net(const void *row)
{
	const struct deck_vm *vm = row;

	return vm->figures ? ring_at(&vm->figures->ring[FIGURE_NET], 0) : -1;
}

static double number_cpu(const void *row)
{
	const struct deck_vm *vm = row;

	return vm->figures ? ring_at(&vm->figures->ring[FIGURE_CPU], 0) : -1;
}

static double number_output(const void *row)
{
	const struct deck_vm *vm = row;

	return vm->figures ? ring_at(&vm->figures->ring[FIGURE_OUT], 0) : -1;
}

static double number_since(const void *row)
{
	return (double)((const struct deck_vm *)row)->since_ns;
}

static double number_mem(const void *row)
{
	return (double)((const struct deck_vm *)row)->mem_mib;
}

static double number_boot(const void *row)
{
	return ((const struct deck_vm *)row)->boot_ms;
}

static double number_cpus(const void *row)
{
	return ((const struct deck_vm *)row)->vcpus;
}

static const struct column columns[] = {
	{"NAME", 11, 20, 0, cell_name, NULL},
	{"STATE", 12, 0, 0, cell_state, NULL},
	{"HEALTH", 14, 0, 84, cell_health, NULL},
	{"SINCE", 9, 0, 36, cell_since, number_since},
	{"MEMORY", 11, 0, 56, cell_mem, number_mem},
	{"CPU", 16, 0, VMS_CPU_FROM, cell_cpu, number_cpu},
	{"OUTPUT", 13, 20, 150, cell_output, number_output},
	{"NETWORK", 13, 20, 152, cell_net, number_net},
	{"READY IN", 9, 0, 108, cell_boot, number_boot},
	{"IMAGE", 9, 0, 118, cell_image, NULL},
	{"CPUS", 5, 0, 134, cell_cpus, number_cpus},
	{"VMM", 10, 0, 128, cell_vmm, NULL},
	{"ID", 9, 0, 142, cell_id, NULL},
	{"", 14, 400, 57, cell_note, NULL},
};
_Static_assert(countof(columns) <= COLUMNS_MAX, "room for the widths of all columns");

static int vms_end(const struct model *m)
{
	return m->count;
}

static void *vms_row(const struct model *m, int i)
{
	return m->vm[i];
}

static void vms_key(const void *row, char *out, size_t n)
{
	snprintf(out, n, "%s", ((const struct deck_vm *)row)->id);
}

static const char *field_name(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_vm *)row)->name;
}

static const char *field_id(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_vm *)row)->id;
}

static const char *field_state(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return deck_state_names[((const struct deck_vm *)row)->state];
}

static const char *field_image(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_vm *)row)->image;
}

static const char *field_snapshot(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_vm *)row)->snapshot;
}

static const char *field_vmm(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_vm *)row)->vmm;
}

static const char *field_health(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_vm *)row)->health;
}

static const struct row_field fields[] = {
	{"name", field_name},
	{"id", field_id},
	{"state", field_state},
	{"image", field_image},
	{"snapshot", field_snapshot},
	{"vmm", field_vmm},
	{"health", field_health},
};

void vm_let_go(void *copy)
{
	((struct deck_vm *)copy)->figures = NULL;
}

static bool vms_stale(const void *row)
{
	return ((const struct deck_vm *)row)->gone;
}

const struct view view_vms = {
	.name = "vms",
	.title = "VMs",
	.one = "VM",
	.context = CONTEXT_DECK,
	.changes = MODEL_VMS | MODEL_VM,
	.columns = columns,
	.column_count = countof(columns),
	.end = vms_end,
	.row = vms_row,
	.count = model_vms,
	.key = vms_key,
	.fields = fields,
	.field_count = countof(fields),
	.row_size = sizeof(struct deck_vm),
	.let_go = vm_let_go,
	.stale = vms_stale,
};
