/* The newest events themselves, for the view of events. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/model_impl.h"

void model_log_fini(struct model *m)
{
	while (m->events)
		free(m->event[--m->events]);
}

/* A place for a number in the order of numbers; false: it is there already, or older than all and
 * there is no room. */
static bool place(struct model *m, uint64_t seq, int *ret)
{
	int at = m->events;

	while (at > 0 && m->event[at - 1]->seq > seq)
		at--;
	if (at > 0 && m->event[at - 1]->seq == seq)
		return false;
	if (m->events == MODEL_EVENTS_MAX) {
		if (at == 0)
			return false;
		free(m->event[0]);
		memmove(&m->event[0], &m->event[1],
			(MODEL_EVENTS_MAX - 1) * sizeof(struct deck_event *));
		m->events--;
		at--;
	}
	*ret = at;
	return true;
}

/* Without the braces, which every one has. */
static void fields_text(struct json_object *fields, char *out, size_t n)
{
	char raw[360] = "";
	size_t len;

	if (json_object_is_type(fields, json_type_object))
		snprintf(raw, sizeof(raw), "%s",
			json_object_to_json_string_ext(fields, JSON_C_TO_STRING_PLAIN) + 1);
	len = strlen(raw);
	if (len && raw[len - 1] == '}')
		raw[len - 1] = '\0';
	str_safe(out, n, raw);
}

unsigned model_log(struct model *m, struct json_object *event)
{
	const char *name = jsonx_str(event, "name");
	uint64_t seq = take_u64(event, "seq", 0);
	struct deck_event *ev;
	int at;

	if (!name || strcmp(name, "vitals") == 0 || strcmp(name, "snapshot.progress") == 0 ||
		!place(m, seq, &at))
		return 0;
	ev = xcalloc(1, sizeof(*ev));
	ev->seq = seq;
	ev->wall_ns = take_u64(event, "wall_ns", 0);
	take_str(event, "vm_name", ev->vm_name, sizeof(ev->vm_name));
	take_str(event, "name", ev->name, sizeof(ev->name));
	fields_text(jsonx_get(event, "fields"), ev->fields, sizeof(ev->fields));
	memmove(&m->event[at + 1], &m->event[at],
		(size_t)(m->events - at) * sizeof(struct deck_event *));
	m->event[at] = ev;
	m->events++;
	return MODEL_EVENTS;
}

unsigned model_set_events(struct model *m, struct json_object *list)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	unsigned changed = 0;

	for (size_t i = 0; i < n; i++)
		changed |= model_log(m, json_object_array_get_idx(list, i));
	return changed;
}
