/* The view of events: newest first. */
#include <string.h>
#include <time.h>

#include "backend/base/util.h"
#include "tui/console/actions.h"
#include "tui/console/views.h"

static const struct deck_event *event(const void *row)
{
	return row;
}

static void cell_clock(const void *row, struct cell *c)
{
	const struct deck_event *ev = row;
	time_t when = (time_t)(ev->wall_ns / 1000000000);
	char clock[16] = "";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	cell_printf(c, "%s.%03d", clock, (int)(ev->wall_ns / 1000000 % 1000));
}

static void cell_vm(const void *row, struct cell *c)
{
	cell_printf(c, "%s", event(row)->vm_name);
}

static bool is_bad(const struct deck_event *ev)
{
	return strstr(ev->name, "fail") || strstr(ev->name, "lost") || strstr(ev->name, "panic") ||
	       strstr(ev->name, "rollback");
}

static void cell_name(const void *row, struct cell *c)
{
	c->role = is_bad(row) ? ROLE_STATE_FAILED : ROLE_TEXT;
	cell_printf(c, "%s", event(row)->name);
}

static void cell_fields(const void *row, struct cell *c)
{
	c->role = ROLE_TEXT_DIM;
	cell_printf(c, "%.190s", event(row)->fields);
}

static double number_seq(const void *row)
{
	return (double)event(row)->seq;
}

static const struct column columns[] = {
	{"TIME", 14, 0, 0, cell_clock, number_seq},
	{"VM", 13, 0, 50, cell_vm, NULL},
	{"EVENT", 20, 0, 0, cell_name, NULL},
	{"FIELDS", 10, 400, 44, cell_fields, NULL},
};

static int events_end(const struct model *m)
{
	return m->events;
}

static void *events_row(const struct model *m, int i)
{
	return m->event[m->events - 1 - i];
}

static void events_key(const void *row, char *out, size_t n)
{
	snprintf(out, n, "%llu", (unsigned long long)event(row)->seq);
}

static const char *field_event(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_event *)row)->name;
}

static const char *field_vm(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_event *)row)->vm_name;
}

static const char *field_fields(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_event *)row)->fields;
}

static const struct row_field fields[] = {
	{"event", field_event},
	{"vm", field_vm},
	{"fields", field_fields},
};

static void events_name(const void *row, char *out, size_t n)
{
	snprintf(out, n, "%s", event(row)->name);
}

static void events_detail(struct page *pg, const struct model *m, const void *row)
{
	const struct deck_event *ev = row;
	struct cell c = {.glyph = -1};

	(void)m;
	cell_clock(row, &c);
	page_field(pg, "event", "%s", ev->name);
	page_field(pg, "time", "%s", c.text);
	page_field(pg, "number", "%llu", (unsigned long long)ev->seq);
	page_field(pg, "VM", "%s", ev->vm_name);
	page_field(pg, "fields", "%s", ev->fields);
}

const struct view view_events = {
	.name = "events",
	.title = "Events",
	.one = "event",
	.context = CONTEXT_EVENTS,
	.changes = MODEL_EVENTS,
	.newest_first = true,
	.columns = columns,
	.column_count = countof(columns),
	.end = events_end,
	.row = events_row,
	.count = events_end,
	.key = events_key,
	.fields = fields,
	.field_count = countof(fields),
	.row_size = sizeof(struct deck_event),
	.name_row = events_name,
	.detail = events_detail,
	.pane_rows = 6,
	.empty = "No event yet.",
	.more = "Vitals and progress are left out here; 'vmdeck events -a' has them all.",
};
