/* The view of restores: newest first, those under way growing; the detail is the waterfall. */
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/actions.h"
#include "tui/console/clock.h"
#include "tui/console/views.h"
#include "tui/console/waterfall.h"

static const struct deck_timing *timing(const void *row)
{
	return row;
}

static void cell_vm(const void *row, struct cell *c)
{
	cell_printf(c, "%s", timing(row)->vm_name);
}

static void cell_snapshot(const void *row, struct cell *c)
{
	cell_printf(c, "%s", timing(row)->subject);
}

static void cell_result(const void *row, struct cell *c)
{
	static const struct {
		enum role role;
		enum glyph glyph;
	} signs[] = {
		[RESULT_RUNNING] = {ROLE_STATE_STARTING, GLYPH_STARTING},
		[RESULT_OK] = {ROLE_STATE_RUNNING, GLYPH_RUNNING},
		[RESULT_FAILED] = {ROLE_STATE_FAILED, GLYPH_FAILED},
		[RESULT_CANCELLED] = {ROLE_STATE_STOPPED, GLYPH_STOPPED},
		[RESULT_UNKNOWN] = {ROLE_STATE_UNKNOWN, GLYPH_UNKNOWN},
	};
	const struct deck_timing *t = row;

	c->role = signs[t->result].role;
	c->glyph = (int)signs[t->result].glyph;
	cell_printf(c, "%s", deck_results[t->result]);
}

static void cell_total(const void *row, struct cell *c)
{
	cell_ms(c, deck_timing_ms(timing(row), clock_wall_ns()));
}

static void cell_slowest(const void *row, struct cell *c)
{
	const struct deck_timing *t = row;
	int i = t->result == RESULT_RUNNING ? t->phases - 1 : deck_slowest(t);
	char ms[40];

	if (i < 0)
		return;
	ms_text(ms, sizeof(ms), deck_phase_ms(t, i, clock_wall_ns()));
	c->role = t->result == RESULT_RUNNING ? ROLE_WAIT : ROLE_TEXT;
	cell_printf(c, "%s %s", t->phase[i].name, ms);
}

static void cell_started(const void *row, struct cell *c)
{
	cell_time(c, timing(row)->started_ns);
}

static void cell_why(const void *row, struct cell *c)
{
	const struct deck_timing *t = row;

	if (t->why[0])
		cell_printf(c, "%s%s%.150s", t->step, t->step[0] ? ": " : "", t->why);
}

static double number_total(const void *row)
{
	return timing(row)->total_ms;
}

static double number_started(const void *row)
{
	return (double)timing(row)->started_ns;
}

static double number_slowest(const void *row)
{
	int i = deck_slowest(row);

	return i < 0 ? 0 : timing(row)->phase[i].ms;
}

static const struct column columns[] = {
	{"VM", 12, 18, 0, cell_vm, NULL},
	{"SNAPSHOT", 12, 22, 56, cell_snapshot, NULL},
	{"RESULT", 12, 0, 0, cell_result, NULL},
	{"TOTAL", 9, 0, 34, cell_total, number_total},
	{"SLOWEST", 17, 0, 66, cell_slowest, number_slowest},
	{"STARTED", 9, 0, 46, cell_started, number_started},
	{"WHY", 12, 400, 86, cell_why, NULL},
};

static int restores_end(const struct model *m)
{
	return m->timings;
}

static void *restores_row(const struct model *m, int i)
{
	return strcmp(m->timing[i]->kind, "restore") == 0 ? m->timing[i] : NULL;
}

static void restores_key(const void *row, char *out, size_t n)
{
	snprintf(out, n, "%s", timing(row)->id);
}

static const char *field_name(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_timing *)row)->vm_name;
}

static const char *field_id(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_timing *)row)->id;
}

static const char *field_snapshot(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_timing *)row)->subject;
}

static const char *field_result(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return deck_results[((const struct deck_timing *)row)->result];
}

static const char *field_why(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_timing *)row)->why;
}

static const char *field_kind(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_timing *)row)->kind;
}

static const struct row_field fields[] = {
	{"name", field_name},
	{"id", field_id},
	{"snapshot", field_snapshot},
	{"result", field_result},
	{"why", field_why},
	{"kind", field_kind},
};

static void restores_let_go(void *copy)
{
	((struct deck_timing *)copy)->usual = NULL;
}

static void restores_name(const void *row, char *out, size_t n)
{
	const struct deck_timing *t = row;

	snprintf(out, n, "restore of %s from %s", t->vm_name, t->subject);
}

static void restores_detail(struct page *pg, const struct model *m, const void *row)
{
	(void)m;
	waterfall_draw(pg, row);
}

const struct view view_restores = {
	.name = "restores",
	.title = "Restores",
	.one = "restore",
	.context = CONTEXT_RESTORES,
	.changes = MODEL_TIMINGS,
	.newest_first = true,
	.columns = columns,
	.column_count = countof(columns),
	.end = restores_end,
	.row = restores_row,
	.count = model_restores,
	.key = restores_key,
	.fields = fields,
	.field_count = countof(fields),
	.row_size = sizeof(struct deck_timing),
	.let_go = restores_let_go,
	.name_row = restores_name,
	.detail = restores_detail,
	.empty = "No restore yet. Press 2, select a snapshot, press Enter.",
	.more = "Each one shows its phases here, while it runs and afterwards.",
};
