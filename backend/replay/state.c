/* What the daemon would have answered at the present position: the newest recorded answers. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/replay/replay.h"

static struct json_object *result_of(const struct replay *p, size_t i)
{
	autojson struct json_object *line = recording_line(&p->rec.entry[i]);

	return json_object_get(jsonx_get(line, "result"));
}

/* The newest answer of a call, or the count of entries. */
static size_t newest(const struct replay *p, enum record_call call)
{
	for (size_t i = p->next; i-- > 0;)
		if (p->rec.entry[i].kind == RECORD_ANSWER && p->rec.entry[i].call == call)
			return i;
	return p->rec.count;
}

struct json_object *state_list(const struct replay *p, enum record_call call)
{
	size_t i = newest(p, call);
	struct json_object *list = i < p->rec.count ? result_of(p, i) : NULL;

	if (json_object_is_type(list, json_type_array))
		return list;
	json_object_put(list);
	return json_object_new_array();
}

static void append(struct json_object *list, struct json_object *o)
{
	if (json_object_is_type(o, json_type_object))
		json_object_array_add(list, o);
	else
		json_object_put(o);
}

/* What has become of each VM since the newest list: 0 nothing, -1 removed, else the number of the
 * entry that tells of it, plus 1. */
static int64_t *changes(const struct replay *p, enum record_call list, enum record_call one)
{
	int64_t *at = xcalloc((size_t)p->rec.vms + 1, sizeof(*at));
	size_t from = newest(p, list);

	for (size_t i = from < p->rec.count ? from : 0; i < p->next; i++) {
		const struct record_entry *en = &p->rec.entry[i];

		if (en->vm < 0)
			continue;
		if (en->kind == RECORD_ANSWER && en->call == one)
			at[en->vm] = (int64_t)i + 1;
		else if (en->kind == RECORD_EVENT && en->removes && one == RECORD_VM_GET)
			at[en->vm] = -1;
	}
	return at;
}

struct json_object *state_vms(const struct replay *p)
{
	struct json_object *out = json_object_new_array();
	autojson struct json_object *base = state_list(p, RECORD_VM_LIST);
	autofree int64_t *at = changes(p, RECORD_VM_LIST, RECORD_VM_GET);

	for (size_t i = 0; i < json_object_array_length(base); i++) {
		struct json_object *vm = json_object_array_get_idx(base, i);
		const char *id = jsonx_str(vm, "id");
		int n = id ? recording_vm(&p->rec, id) : -1;

		if (n < 0 || at[n] == 0)
			append(out, json_object_get(vm));
		else if (at[n] > 0)
			append(out, result_of(p, (size_t)at[n] - 1));
		if (n >= 0)
			at[n] = -1;
	}
	for (int n = 0; n < p->rec.vms; n++)
		if (at[n] > 0)
			append(out, result_of(p, (size_t)at[n] - 1));
	return out;
}

static bool is_kind(struct json_object *timing, const char *kind)
{
	const char *k = jsonx_str(timing, "kind");

	return k && strcmp(k, kind) == 0;
}

struct json_object *state_timings(const struct replay *p, const char *kind, int limit)
{
	struct json_object *out = json_object_new_array();
	autojson struct json_object *base = state_list(p, RECORD_TIMING_LIST);
	autofree int64_t *at = changes(p, RECORD_TIMING_LIST, RECORD_TIMING_GET);

	/* Newest first, so the VMs that came last. */
	for (int n = p->rec.vms; n-- > 0;) {
		struct json_object *t = at[n] > 0 ? result_of(p, (size_t)at[n] - 1) : NULL;

		if (is_kind(t, kind))
			append(out, t);
		else
			json_object_put(t);
	}
	for (size_t i = 0; i < json_object_array_length(base); i++) {
		struct json_object *t = json_object_array_get_idx(base, i);
		const char *id = jsonx_str(t, "id");
		int n = id ? recording_vm(&p->rec, id) : -1;

		if ((n < 0 || at[n] == 0) && is_kind(t, kind))
			append(out, json_object_get(t));
	}
	if ((int)json_object_array_length(out) > limit)
		json_object_array_del_idx(
			out, (size_t)limit, json_object_array_length(out) - (size_t)limit);
	return out;
}

struct json_object *state_timing(const struct replay *p, const char *id)
{
	autojson struct json_object *base = NULL;
	int n = recording_vm(&p->rec, id);

	for (size_t i = p->next; n >= 0 && i-- > 0;)
		if (p->rec.entry[i].kind == RECORD_ANSWER && p->rec.entry[i].vm == n &&
			p->rec.entry[i].call == RECORD_TIMING_GET)
			return result_of(p, i);
	base = state_list(p, RECORD_TIMING_LIST);
	for (size_t i = 0; i < json_object_array_length(base); i++) {
		struct json_object *t = json_object_array_get_idx(base, i);
		const char *its = jsonx_str(t, "id");

		if (its && strcmp(its, id) == 0)
			return json_object_get(t);
	}
	return NULL;
}

static bool wanted(struct json_object *event, const char *vm, uint64_t since, uint64_t shift)
{
	const char *id = jsonx_str(event, "vm"), *name = jsonx_str(event, "vm_name");
	int64_t seq = jsonx_int(event, "seq", 0);

	if (seq < 0 || (uint64_t)seq + shift <= since)
		return false;
	return !vm || (id && strcmp(id, vm) == 0) || (name && strcmp(name, vm) == 0);
}

static void add_event(struct json_object *out, struct json_object *event, uint64_t shift)
{
	struct json_object *copy = NULL;

	if (json_object_deep_copy(event, &copy, NULL) < 0)
		return;
	jsonx_add_int(copy, "seq", jsonx_int(copy, "seq", 0) + (int64_t)shift);
	json_object_array_add(out, copy);
}

struct json_object *state_events(const struct replay *p, const char *vm, uint64_t since, int limit)
{
	struct json_object *out = json_object_new_array();
	autojson struct json_object *base = state_list(p, RECORD_EVENT_LIST);
	size_t from = p->next;
	int count = 0;

	/* No more than the newest `limit`, whoever they are of, are looked at. */
	while (from > 0 && count < limit)
		count += p->rec.entry[--from].kind == RECORD_EVENT;
	for (size_t i = 0; i < json_object_array_length(base); i++) {
		struct json_object *ev = json_object_array_get_idx(base, i);

		if (wanted(ev, vm, since, p->shift))
			add_event(out, ev, p->shift);
	}
	for (size_t i = from; i < p->next; i++) {
		autojson struct json_object *line = NULL;

		if (p->rec.entry[i].kind != RECORD_EVENT)
			continue;
		line = recording_line(&p->rec.entry[i]);
		if (wanted(jsonx_get(line, "event"), vm, since, p->shift))
			add_event(out, jsonx_get(line, "event"), p->shift);
	}
	count = (int)json_object_array_length(out);
	if (count > limit)
		json_object_array_del_idx(out, 0, (size_t)(count - limit));
	return out;
}
