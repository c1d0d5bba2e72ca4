#include "backend/vm/trail.h"

#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/util.h"

void trail_begin(struct trail *t)
{
	*t = (struct trail){.begin_ns = mono_ns(), .wall_ns = wall_ns()};
}

static void end_phase(struct trail *t, uint64_t at)
{
	if (t->count)
		t->phases[t->count - 1].ns = at - t->phases[t->count - 1].at_ns;
}

void trail_step(struct trail *t, const char *name, double limit)
{
	uint64_t at = mono_ns() - t->begin_ns;

	end_phase(t, at);
	if (t->count < TIMING_PHASES)
		t->phases[t->count++] = (struct timing_phase){
			.name = name, .at_ns = at, .limit_ns = (uint64_t)(limit * 1e9)};
}

void trail_end(struct trail *t)
{
	t->end_ns = mono_ns();
	end_phase(t, t->end_ns - t->begin_ns);
}

uint64_t trail_ns(const struct trail *t)
{
	return t->begin_ns ? (t->end_ns ? t->end_ns : mono_ns()) - t->begin_ns : 0;
}

bool trail_phase_end(const struct trail *t, const char *name, uint64_t *ret_ns)
{
	for (int i = 0; i < t->count; i++)
		if (strcmp(t->phases[i].name, name) == 0) {
			*ret_ns = t->phases[i].at_ns + t->phases[i].ns;
			return true;
		}
	return false;
}

static void add_ms(struct json_object *o, const char *key, uint64_t ns)
{
	json_object_object_add(o, key, json_object_new_double((double)ns / 1e6));
}

struct json_object *trail_json(const struct trail *t)
{
	struct json_object *o = json_object_new_object(), *a = json_object_new_array();
	uint64_t now = trail_ns(t);

	jsonx_add_int(o, "started_ns", (int64_t)t->wall_ns);
	add_ms(o, "total_ms", now);
	for (int i = 0; i < t->count; i++) {
		const struct timing_phase *p = &t->phases[i];
		struct json_object *ph = json_object_new_object();
		bool last = i == t->count - 1 && !t->end_ns;

		jsonx_add_str(ph, "name", p->name);
		add_ms(ph, "at_ms", p->at_ns);
		add_ms(ph, "ms", last ? now - p->at_ns : p->ns);
		json_object_object_add(
			ph, "limit_s", json_object_new_double((double)p->limit_ns / 1e9));
		json_object_array_add(a, ph);
	}
	json_object_object_add(o, "phases", a);
	return o;
}
