/* The view of snapshots. */
#include <string.h>

#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/actions.h"
#include "tui/console/views.h"

#define GENERATIONS_MAX 16

static const struct deck_snapshot *snap(const void *row)
{
	return row;
}

static uint64_t data_bytes(const struct deck_snapshot *s)
{
	return s->memory_bytes + s->state_bytes + s->disk_bytes;
}

/* ---- columns --------------------------------------------------------------------------------- */

static void cell_name(const void *row, struct cell *c)
{
	static const struct {
		enum role role;
		enum glyph glyph;
	} signs[] = {
		[SNAPSHOT_READY] = {ROLE_SNAPSHOT_READY, GLYPH_RUNNING},
		[SNAPSHOT_CREATING] = {ROLE_SNAPSHOT_CREATING, GLYPH_STARTING},
		[SNAPSHOT_DAMAGED] = {ROLE_SNAPSHOT_DAMAGED, GLYPH_FAILED},
	};
	const struct deck_snapshot *s = row;

	c->glyph = (int)signs[s->state].glyph;
	c->role = signs[s->state].role;
	cell_printf(c, "%s", s->name);
}

static void cell_from(const void *row, struct cell *c)
{
	cell_printf(c, "%s", snap(row)->source);
}

static void cell_mem(const void *row, struct cell *c)
{
	cell_printf(c, "%lldM", (long long)snap(row)->mem_mib);
}

static void cell_data(const void *row, struct cell *c)
{
	cell_bytes(c, data_bytes(row));
}

static void cell_pause(const void *row, struct cell *c)
{
	cell_ms(c, snap(row)->pause_ms);
}

static void cell_taken(const void *row, struct cell *c)
{
	cell_time(c, snap(row)->created_ns);
}

static void cell_users(const void *row, struct cell *c)
{
	cell_printf(c, "%d", snap(row)->users);
}

static void cell_pool(const void *row, struct cell *c)
{
	const struct deck_snapshot *s = row;

	if (s->pool_wanted)
		cell_printf(c, "%d/%d", s->pool_ready, s->pool_wanted);
	else
		cell_printf(c, "-");
}

static void cell_restores(const void *row, struct cell *c)
{
	const struct deck_snapshot *s = row;

	if (s->restores.failed)
		cell_printf(c, "%lld/%lld!", (long long)s->restores.count,
			(long long)s->restores.failed);
	else
		cell_printf(c, "%lld", (long long)s->restores.count);
}

static void cell_p50(const void *row, struct cell *c)
{
	cell_ms(c, snap(row)->restores.p50_ms);
}

static void cell_p99(const void *row, struct cell *c)
{
	cell_ms(c, snap(row)->restores.p99_ms);
}

static double number_mem(const void *row)
{
	return (double)snap(row)->mem_mib;
}

static double number_data(const void *row)
{
	return (double)data_bytes(row);
}

static double number_pause(const void *row)
{
	return snap(row)->pause_ms;
}

static double number_taken(const void *row)
{
	return (double)snap(row)->created_ns;
}

static double number_users(const void *row)
{
	return snap(row)->users;
}

static double number_pool(const void *row)
{
	return snap(row)->pool_wanted;
}

static double number_restores(const void *row)
{
	return (double)snap(row)->restores.count;
}

static double number_p50(const void *row)
{
	return snap(row)->restores.p50_ms;
}

static double number_p99(const void *row)
{
	return snap(row)->restores.p99_ms;
}

static const struct column columns[] = {
	{"NAME", 13, 26, 0, cell_name, NULL},
	{"FROM", 11, 20, 30, cell_from, NULL},
	{"MEM", 7, 0, 88, cell_mem, number_mem},
	{"DATA", 9, 0, 60, cell_data, number_data},
	{"PAUSE", 8, 0, 50, cell_pause, number_pause},
	{"TAKEN", 9, 0, 70, cell_taken, number_taken},
	{"USERS", 6, 0, 40, cell_users, number_users},
	{"POOL", 6, 0, 94, cell_pool, number_pool},
	{"RESTORES", 9, 0, 100, cell_restores, number_restores},
	{"P50", 8, 0, 72, cell_p50, number_p50},
	{"P99", 8, 0, 80, cell_p99, number_p99},
};

static bool say(const void *row, struct cell *c)
{
	const struct deck_snapshot *s = row;
	char step[80], done[32], total[32];

	if (s->state == SNAPSHOT_DAMAGED) {
		c->role = ROLE_SNAPSHOT_DAMAGED;
		cell_printf(c, "damaged: %.180s", s->why);
	} else if (s->state == SNAPSHOT_CREATING) {
		c->role = ROLE_WAIT;
		making_text(&s->making, step, sizeof(step));
		c->done = s->making.done;
		c->total = s->making.total;
		if (c->total)
			cell_printf(c, "%s, %s of %s", step, str_bytes(done, sizeof(done), c->done),
				str_bytes(total, sizeof(total), c->total));
		else
			cell_printf(c, "%s (%d of %d)", step, s->making.n, s->making.of);
	}
	return s->state != SNAPSHOT_READY;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int snaps_end(const struct model *m)
{
	return m->snapshots;
}

static void *snaps_row(const struct model *m, int i)
{
	return m->snapshot[i];
}

static void snaps_key(const void *row, char *out, size_t n)
{
	const struct deck_snapshot *s = row;

	snprintf(out, n, "%s%s", s->state == SNAPSHOT_CREATING ? "+" : "", s->name);
}

static const char *field_name(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_snapshot *)row)->name;
}

static const char *field_source(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_snapshot *)row)->source;
}

static const char *field_state(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return deck_snapshot_states[((const struct deck_snapshot *)row)->state];
}

static const char *field_image(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_snapshot *)row)->image;
}

static const char *field_users(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_snapshot *)row)->user_names;
}

static const char *field_parent(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_snapshot *)row)->parent;
}

static const char *field_vmm(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_snapshot *)row)->vmm;
}

static const char *field_id(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_snapshot *)row)->id;
}

static const struct row_field fields[] = {
	{"name", field_name},
	{"source", field_source},
	{"state", field_state},
	{"image", field_image},
	{"users", field_users},
	{"parent", field_parent},
	{"vmm", field_vmm},
	{"id", field_id},
};

static void snaps_name(const void *row, char *out, size_t n)
{
	const struct deck_snapshot *s = row;

	snprintf(out, n, "%s%s%s", s->name, s->source[0] ? " of " : "", s->source);
}

/* ---- detail ---------------------------------------------------------------------------------- */

/* "base < web-1 < web-2": from the first to this one, as far as they are still there. */
static void lineage(struct page *pg, const struct model *m, const struct deck_snapshot *s)
{
	char text[600];
	const struct deck_snapshot *at = s;
	size_t len;
	char older[600];

	if (!s->parent[0])
		return;
	snprintf(text, sizeof(text), "%s", s->name);
	for (int i = 0; i < GENERATIONS_MAX && at && at->parent[0]; i++) {
		const struct deck_snapshot *up = model_snapshot(m, at->parent);

		snprintf(older, sizeof(older), "%.64s%s > %.500s", at->parent, up ? "" : " (gone)",
			text);
		snprintf(text, sizeof(text), "%s", older);
		at = up;
	}
	page_field(pg, "lineage", "%s", text);
	text[0] = '\0';
	for (int i = 0; i < m->snapshots; i++) {
		len = strlen(text);
		if (strcmp(m->snapshot[i]->parent, s->name) == 0)
			snprintf(text + len, sizeof(text) - len, "%s%s", len ? ", " : "",
				m->snapshot[i]->name);
	}
	page_field(pg, "children", "%s", text);
}

static void detail_making(struct page *pg, const struct deck_snapshot *s)
{
	char step[80];
	struct pen pen;

	making_text(&s->making, step, sizeof(step));
	page_field(pg, "step", "%s (%d of %d)", step, s->making.n, s->making.of);
	pen = page_line(pg);
	pen_column(&pen, ROLE_TEXT_DIM, PAGE_LABEL, "written");
	pen_meter(&pen, max_of(min_of(40, pen.end - pen.x), 0), s->making.done, s->making.total);
}

static void detail_sizes(struct page *pg, const struct deck_snapshot *s)
{
	char a[32], b[32], c[32];

	page_field(pg, "guest", "%lld MiB, %d vCPU%s, image %s, %s %s %s", (long long)s->mem_mib,
		s->vcpus, s->vcpus == 1 ? "" : "s", s->image, s->vmm, s->vmm_version, s->accel);
	page_field(pg, "on disk", "memory %s, device state %s, %d disk%s%s%s",
		str_bytes(a, sizeof(a), s->memory_bytes), str_bytes(b, sizeof(b), s->state_bytes),
		s->disks, s->disks == 1 ? "" : "s", s->disks ? " " : "",
		s->disks ? str_bytes(c, sizeof(c), s->disk_bytes) : "");
	page_field(pg, "taking it", "paused %s, quiesced %s, took %s in all%s",
		ms_text(a, sizeof(a), s->pause_ms), ms_text(b, sizeof(b), s->quiesce_ms),
		ms_text(c, sizeof(c), s->took_ms),
		s->drained ? "" : "; the agent did not drain its output in time");
}

static void detail_use(struct page *pg, const struct deck_snapshot *s)
{
	const struct deck_restores *r = &s->restores;
	char a[32], b[32], c[32], d[32];

	page_field(pg, "users", "%s", s->users ? s->user_names : "none: D removes it");
	if (r->count)
		page_field(pg, "restores", "%lld (%lld failed): p50 %s, p90 %s, p99 %s, longest %s",
			(long long)r->count, (long long)r->failed, ms_text(a, sizeof(a), r->p50_ms),
			ms_text(b, sizeof(b), r->p90_ms), ms_text(c, sizeof(c), r->p99_ms),
			ms_text(d, sizeof(d), r->max_ms));
	else
		page_field(pg, "restores", "none yet (%lld failed): Enter makes a VM of it",
			(long long)r->failed);
	if (s->pool_wanted)
		page_field(pg, "pool", "%d of %d ready, %.1f MiB idle%s%s", s->pool_ready,
			s->pool_wanted, s->pool_idle_mib, s->pool_why[0] ? ": " : "", s->pool_why);
	else
		page_field(pg, "pool", "off: P keeps VMMs loaded for the next clones");
}

static void snaps_detail(struct page *pg, const struct model *m, const void *row)
{
	const struct deck_snapshot *s = row;
	char when[32];

	page_field(pg, "state", "%s%s", deck_snapshot_states[s->state],
		s->temporary ? ", goes with its last clone" : "");
	page_field(pg, "why", "%s", s->why);
	if (s->state == SNAPSHOT_DAMAGED)
		return;
	page_field(pg, "taken", "%s of VM %s (%s)", time_text(when, sizeof(when), s->created_ns),
		s->source, s->source_id);
	if (s->state == SNAPSHOT_CREATING) {
		detail_making(pg, s);
		return;
	}
	lineage(pg, m, s);
	detail_use(pg, s);
	detail_sizes(pg, s);
	page_field(pg, "id", "%s", s->id);
	page_field(pg, "folder", "%s", s->dir);
}

const struct view view_snapshots = {
	.name = "snapshots",
	.title = "Snapshots",
	.one = "snapshot",
	.context = CONTEXT_SNAPSHOTS,
	.changes = MODEL_SNAPSHOTS,
	.columns = columns,
	.column_count = countof(columns),
	.end = snaps_end,
	.row = snaps_row,
	.count = snaps_end,
	.key = snaps_key,
	.fields = fields,
	.field_count = countof(fields),
	.row_size = sizeof(struct deck_snapshot),
	.say = say,
	.name_row = snaps_name,
	.detail = snaps_detail,
	.pane_rows = 13,
	.empty = "No snapshot yet. Press 1, select a running VM, press S.",
	.more = "Enter makes a VM of a snapshot, C several.",
};
