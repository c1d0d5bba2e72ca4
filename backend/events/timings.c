/* Timings on the loop's side: each is copied and goes to the writer with an event that tells it. */
#include "backend/events/timings.h"

#include <inttypes.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/events/timings_impl.h"

#define EXTRA_MAX EVENTS_FIELDS_MAX

void timing_row_free(struct timing_row *row)
{
	if (!row)
		return;
	for (size_t i = 0; i < countof(row->text); i++)
		free(row->text[i]);
	free(row);
}

static char *copy(const char *s)
{
	return xstrdup(s ? s : "");
}

/* For columns that may be NULL. */
static char *copy_if(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static char *phases_text(const struct timing *t)
{
	autojson struct json_object *list = json_object_new_array();

	for (int i = 0; i < t->phase_count && i < TIMING_PHASES; i++) {
		const struct timing_phase *p = &t->phases[i];
		struct json_object *a = json_object_new_array();
		const uint64_t times[] = {p->at_ns, p->ns, p->limit_ns};

		json_object_array_add(a, json_object_new_string(p->name ? p->name : ""));
		for (size_t k = 0; k < countof(times); k++)
			json_object_array_add(
				a, json_object_new_int64((int64_t)min_of(times[k], INT64_MAX)));
		json_object_array_add(list, a);
	}
	return xstrdup(jsonx_line(list));
}

static char *extra_text(const char *extra)
{
	autojson struct json_object *o = NULL;

	if (!extra)
		return xstrdup("{}");
	if (strlen(extra) > EXTRA_MAX)
		return xasprintf("{\"cut\":%zu}", strlen(extra));
	if (jsonx_parse(extra, strlen(extra), &o, NULL) < 0 ||
		!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		o = json_object_new_object();
		jsonx_add_str(o, "text", extra);
	}
	return xstrdup(jsonx_line(o));
}

void timings_add(struct events *l, const struct timing *t)
{
	autojson struct json_object *fields = json_object_new_object();
	struct event ev = {.vm = t->vm, .vm_name = t->vm_name, .name = "timing"};
	struct timing_row *row = xcalloc(1, sizeof(*row));

	row->text[TT_KIND] = copy(t->kind);
	row->text[TT_ID] = copy(t->id);
	row->text[TT_VM] = copy(t->vm);
	row->text[TT_VM_NAME] = copy(t->vm_name);
	row->text[TT_SUBJECT] = copy(t->subject);
	row->text[TT_SUBJECT_ID] = copy(t->subject_id);
	row->text[TT_VMM] = copy(t->vmm);
	row->text[TT_RESULT] = copy(t->result);
	row->text[TT_STEP] = copy_if(t->step);
	row->text[TT_LAST_EVENT] = copy_if(t->last_event);
	row->text[TT_WHY] = copy_if(t->why);
	row->text[TT_EXTRA] = extra_text(t->extra);
	row->text[TT_PHASES] = phases_text(t);
	row->started_ns = t->started_ns;
	row->total_ns = t->total_ns;

	jsonx_add_str(fields, "kind", row->text[TT_KIND]);
	jsonx_add_str(fields, "id", row->text[TT_ID]);
	jsonx_add_str(fields, "subject", row->text[TT_SUBJECT]);
	jsonx_add_str(fields, "result", row->text[TT_RESULT]);
	timing_add_ms(fields, "total_ms", t->total_ns);
	ev.fields = jsonx_line(fields);
	events_add_with(l, &ev, row);
}

void timings_mark(struct events *l, const char *kind, const char *id, const struct timing_phase *p)
{
	autojson struct json_object *fields = json_object_new_object();
	struct event ev = {.name = "timing.mark"};
	struct timing_row *row = xcalloc(1, sizeof(*row));

	row->mark = true;
	row->text[TT_KIND] = copy(kind);
	row->text[TT_ID] = copy(id);
	row->text[TT_PHASES] = copy(p->name);
	row->phase = *p;

	jsonx_add_str(fields, "kind", row->text[TT_KIND]);
	jsonx_add_str(fields, "id", row->text[TT_ID]);
	jsonx_add_str(fields, "phase", row->text[TT_PHASES]);
	timing_add_ms(fields, "at_ms", p->at_ns);
	timing_add_ms(fields, "ms", p->ns);
	ev.vm = strcmp(row->text[TT_KIND], "snapshot") != 0 ? row->text[TT_ID] : NULL;
	ev.fields = jsonx_line(fields);
	events_add_with(l, &ev, row);
}
