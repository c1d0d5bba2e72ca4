/* Boots and restores: what the daemon has stored, and what grows event by event. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/model_impl.h"

const char *const deck_results[] = {
	[RESULT_RUNNING] = "running",
	[RESULT_OK] = "ok",
	[RESULT_FAILED] = "failed",
	[RESULT_CANCELLED] = "cancelled",
	[RESULT_UNKNOWN] = "unknown",
};

/* ---- the rows -------------------------------------------------------------------------------- */

static void timing_free(struct deck_timing *t)
{
	free(t->usual);
	free(t);
}

void model_timings_fini(struct model *m)
{
	while (m->timings)
		timing_free(m->timing[--m->timings]);
}

struct deck_timing *model_timing(const struct model *m, const char *id)
{
	for (int i = 0; i < m->timings; i++)
		if (strcmp(m->timing[i]->id, id) == 0)
			return m->timing[i];
	return NULL;
}

int model_restores(const struct model *m)
{
	int n = 0;

	for (int i = 0; i < m->timings; i++)
		n += strcmp(m->timing[i]->kind, "restore") == 0;
	return n;
}

static struct deck_timing *find_or_add(struct model *m, const char *id)
{
	struct deck_timing *t = model_timing(m, id);

	if (t)
		return t;
	/* The oldest makes room; it is still in the database. */
	if (m->timings == MODEL_TIMINGS_MAX)
		timing_free(m->timing[--m->timings]);
	t = xcalloc(1, sizeof(*t));
	str_safe(t->id, sizeof(t->id), id);
	memmove(&m->timing[1], &m->timing[0], (size_t)m->timings * sizeof(struct deck_timing *));
	m->timing[0] = t;
	m->timings++;
	return t;
}

static int newest_first(const void *a, const void *b)
{
	const struct deck_timing *x = *(struct deck_timing *const *)a,
				 *y = *(struct deck_timing *const *)b;

	if (x->started_ns != y->started_ns)
		return x->started_ns > y->started_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void sort(struct model *m)
{
	qsort(m->timing, (size_t)m->timings, sizeof(struct deck_timing *), newest_first);
}

/* ---- json ------------------------------------------------------------------------------------ */

static enum deck_result result_of(const char *s)
{
	for (int i = 0; s && i < RESULT_UNKNOWN; i++)
		if (strcmp(s, deck_results[i]) == 0)
			return (enum deck_result)i;
	return RESULT_UNKNOWN;
}

static int decode_phases(struct deck_phase *phase, struct json_object *a)
{
	size_t n = json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;
	int count = (int)min_of(n, (size_t)TIMING_PHASES_MAX);

	memset(phase, 0, sizeof(*phase) * TIMING_PHASES_MAX);
	for (int i = 0; i < count; i++) {
		struct json_object *o = json_object_array_get_idx(a, (size_t)i);

		take_str(o, "name", phase[i].name, sizeof(phase[i].name));
		phase[i].at_ms = take_num(o, "at_ms", 0);
		phase[i].ms = take_num(o, "ms", 0);
		phase[i].limit_s = take_num(o, "limit_s", 0);
	}
	return count;
}

static void decode_usual(struct deck_timing *t, struct json_object *o)
{
	if (!o)
		return;
	if (!t->usual)
		t->usual = xcalloc(1, sizeof(*t->usual));
	take_restores(&t->usual->total, o);
	t->usual->phases = decode_phases(t->usual->phase, jsonx_get(o, "phases"));
}

static void decode(struct deck_timing *t, struct json_object *o)
{
	take_str(o, "kind", t->kind, sizeof(t->kind));
	take_str(o, "vm_name", t->vm_name, sizeof(t->vm_name));
	take_str(o, "subject", t->subject, sizeof(t->subject));
	take_str(o, "subject_id", t->subject_id, sizeof(t->subject_id));
	take_str(o, "vmm", t->vmm, sizeof(t->vmm));
	take_str(o, "step", t->step, sizeof(t->step));
	take_str(o, "last_event", t->last_event, sizeof(t->last_event));
	take_str(o, "why", t->why, sizeof(t->why));
	t->result = result_of(jsonx_str(o, "result"));
	t->started_ns = take_u64(o, "started_ns", t->started_ns);
	t->total_ms = take_num(o, "total_ms", 0);
	t->phases = decode_phases(t->phase, jsonx_get(o, "phases"));
}

static unsigned merge(struct model *m, struct json_object *o)
{
	const char *id = jsonx_str(o, "vm"), *kind = jsonx_str(o, "kind");
	struct deck_timing *t;
	bool late;

	if (!id || !*id || !kind || strcmp(kind, "snapshot") == 0)
		return 0;
	t = find_or_add(m, id);
	/* An answer that was on its way at the end knows less than the event that told of it. */
	late = t->kind[0] && t->result != RESULT_RUNNING &&
	       result_of(jsonx_str(o, "result")) == RESULT_RUNNING;
	if (!late)
		decode(t, o);
	decode_usual(t, jsonx_get(o, "usual"));
	return MODEL_TIMINGS;
}

unsigned model_set_timings(struct model *m, struct json_object *list)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	unsigned changed = 0;

	n = min_of(n, (size_t)MODEL_TIMINGS_MAX);
	for (size_t i = n; i > 0; i--)
		changed |= merge(m, json_object_array_get_idx(list, i - 1));
	sort(m);
	return changed;
}

unsigned model_set_timing(struct model *m, struct json_object *o)
{
	unsigned changed = merge(m, o);

	sort(m);
	return changed;
}

unsigned model_time_vm(struct model *m, struct json_object *vm)
{
	struct json_object *so_far = jsonx_get(vm, "timing");
	const char *id = jsonx_str(vm, "id"), *origin = jsonx_str(vm, "origin");
	bool restore = origin && strcmp(origin, "restore") == 0;
	struct deck_timing *t;

	if (!so_far || !id || !*id || model_timing(m, id))
		return 0;
	t = find_or_add(m, id);
	decode(t, so_far);
	snprintf(t->kind, sizeof(t->kind), "%s", restore ? "restore" : "boot");
	t->result = RESULT_RUNNING;
	take_str(vm, "name", t->vm_name, sizeof(t->vm_name));
	take_str(vm, restore ? "snapshot" : "image", t->subject, sizeof(t->subject));
	take_str(vm, "vmm", t->vmm, sizeof(t->vmm));
	sort(m);
	return MODEL_TIMINGS;
}

/* ---- events ---------------------------------------------------------------------------------- */

static double since(const struct deck_timing *t, uint64_t wall_ns)
{
	return wall_ns > t->started_ns ? (double)(wall_ns - t->started_ns) / 1e6 : 0;
}

static void begin(struct model *m, const char *id, struct json_object *event)
{
	struct json_object *fields = jsonx_get(event, "fields");
	const char *snapshot = jsonx_str(fields, "snapshot");
	struct deck_timing *t = find_or_add(m, id);

	free(t->usual);
	memset(t, 0, sizeof(*t));
	str_safe(t->id, sizeof(t->id), id);
	snprintf(t->kind, sizeof(t->kind), "%s", snapshot ? "restore" : "boot");
	take_str(event, "vm_name", t->vm_name, sizeof(t->vm_name));
	take_str(fields, snapshot ? "snapshot" : "image", t->subject, sizeof(t->subject));
	take_str(fields, "snapshot_id", t->subject_id, sizeof(t->subject_id));
	take_str(fields, "vmm", t->vmm, sizeof(t->vmm));
	t->started_ns = take_u64(event, "wall_ns", 0);
	t->result = RESULT_RUNNING;
	sort(m);
}

static void end_phase(struct deck_timing *t, double at)
{
	struct deck_phase *p = t->phases ? &t->phase[t->phases - 1] : NULL;

	if (p)
		p->ms = max_of(at - p->at_ms, 0.);
}

static void step(struct deck_timing *t, struct json_object *fields, uint64_t wall_ns)
{
	double at = since(t, wall_ns);
	struct deck_phase *p;

	end_phase(t, at);
	if (t->phases == TIMING_PHASES_MAX)
		return;
	p = &t->phase[t->phases++];
	*p = (struct deck_phase){.at_ms = at};
	take_str(fields, "step", p->name, sizeof(p->name));
	p->limit_s = take_num(fields, "limit_s", 0);
}

static void end(struct deck_timing *t, enum deck_result result, struct json_object *event)
{
	struct json_object *fields = jsonx_get(event, "fields");

	t->total_ms = take_num(fields, "ms", since(t, take_u64(event, "wall_ns", 0)));
	end_phase(t, t->total_ms);
	t->result = result;
	if (result == RESULT_OK)
		return;
	take_str(fields, "step", t->step, sizeof(t->step));
	take_str(fields, "last_event", t->last_event, sizeof(t->last_event));
	take_str(fields, "reason", t->why, sizeof(t->why));
}

unsigned model_time(struct model *m, struct json_object *event)
{
	const char *name = jsonx_str(event, "name"), *id = jsonx_str(event, "vm"), *flow;
	struct json_object *fields = jsonx_get(event, "fields");
	struct deck_timing *t;

	if (!name || !id || !*id)
		return 0;
	if (strcmp(name, "vm.create") == 0) {
		begin(m, id, event);
		return MODEL_TIMINGS;
	}
	t = model_timing(m, id);
	if (!t || t->result != RESULT_RUNNING)
		return 0;
	flow = jsonx_str(fields, "flow");
	if (strcmp(name, "flow.step") == 0 && flow && strcmp(flow, t->kind) == 0)
		step(t, fields, take_u64(event, "wall_ns", 0));
	else if (strcmp(name, "vm.boot") == 0 || strcmp(name, "vm.restore") == 0)
		end(t, RESULT_OK, event);
	else if (strcmp(name, "vm.boot.failed") == 0 || strcmp(name, "vm.restore.failed") == 0)
		end(t, RESULT_FAILED, event);
	else if (strcmp(name, "vm.rollback") == 0 || strcmp(name, "vm.remove") == 0)
		end(t, RESULT_CANCELLED, event);
	else
		return 0;
	return MODEL_TIMINGS;
}

/* ---- what is asked of one -------------------------------------------------------------------- */

double deck_timing_ms(const struct deck_timing *t, uint64_t now_ns)
{
	return t->result == RESULT_RUNNING ? since(t, now_ns) : t->total_ms;
}

double deck_phase_ms(const struct deck_timing *t, int i, uint64_t now_ns)
{
	const struct deck_phase *p = &t->phase[i];

	if (t->result == RESULT_RUNNING && i == t->phases - 1)
		return max_of(since(t, now_ns) - p->at_ms, 0.);
	return p->ms;
}

int deck_slowest(const struct deck_timing *t)
{
	int best = -1;

	/* What was marked after the end is no part of the way there. */
	for (int i = 0; i < t->phases && t->phase[i].at_ms < t->total_ms; i++)
		if (best < 0 || t->phase[i].ms > t->phase[best].ms)
			best = i;
	return best;
}

double deck_usual_ms(const struct deck_timing *t, const char *phase)
{
	for (int i = 0; t->usual && i < t->usual->phases; i++)
		if (strcmp(t->usual->phase[i].name, phase) == 0)
			return t->usual->phase[i].ms;
	return -1;
}
