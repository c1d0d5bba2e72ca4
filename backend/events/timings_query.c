/* Reading timings: lists, and one by id or name. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "backend/base/jsonx.h"
#include "backend/events/timings_impl.h"

#define COLUMNS                                                                                    \
	"SELECT kind, id, vm, vm_name, subject, subject_id, vmm, result, step, last_event, why,"   \
	" started_ns, total_ns, extra, phases FROM timing "

void timings_settle(struct events *l)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TIMINGS_WAIT_S;
	pthread_mutex_lock(&l->lock);
	while (l->written < l->last_timing && !l->failing)
		if (pthread_cond_timedwait(&l->stored, &l->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&l->lock);
}

void timing_add_ms(struct json_object *o, const char *key, uint64_t ns)
{
	char text[40];

	/* Microseconds are enough to read, and all digits of a double are not. */
	snprintf(text, sizeof(text), "%.3f", (double)ns / 1e6);
	json_object_object_add(o, key, json_object_new_double_s((double)ns / 1e6, text));
}

/* ---- rows ------------------------------------------------------------------------------------ */

static uint64_t number_at(struct json_object *a, size_t i)
{
	struct json_object *v = json_object_array_get_idx(a, i);
	int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;

	return n > 0 ? (uint64_t)n : 0;
}

static struct json_object *phase_json(struct json_object *a)
{
	struct json_object *o, *name;

	if (!json_object_is_type(a, json_type_array))
		return NULL;
	name = json_object_array_get_idx(a, 0);
	if (!json_object_is_type(name, json_type_string))
		return NULL;
	o = json_object_new_object();
	jsonx_add_str(o, "name", json_object_get_string(name));
	timing_add_ms(o, "at_ms", number_at(a, 1));
	timing_add_ms(o, "ms", number_at(a, 2));
	json_object_object_add(o, "limit_s", json_object_new_double((double)number_at(a, 3) / 1e9));
	return o;
}

/* What the file holds may be anybody's: what is no phase is left out. */
static struct json_object *phases_json(const char *text)
{
	struct json_object *list = json_object_new_array();
	autojson struct json_object *found = NULL;
	size_t n;

	if (jsonx_parse(text, strlen(text), &found, NULL) < 0 ||
		!json_object_is_type(found, json_type_array))
		return list;
	n = min_of(json_object_array_length(found), (size_t)TIMING_PHASES);
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = phase_json(json_object_array_get_idx(found, i));

		if (o)
			json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *extra_json(const char *text)
{
	struct json_object *o = NULL;

	if (jsonx_parse(text, strlen(text), &o, NULL) == 0 &&
		json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	return json_object_new_object();
}

static const char *column(sqlite3_stmt *s, int i)
{
	return (const char *)sqlite3_column_text(s, i);
}

static uint64_t column_ns(sqlite3_stmt *s, int i)
{
	int64_t v = sqlite3_column_int64(s, i);

	return v > 0 ? (uint64_t)v : 0;
}

static struct json_object *row_json(sqlite3_stmt *s)
{
	static const char *const names[] = {"kind", "id", "vm", "vm_name", "subject", "subject_id",
		"vmm", "result", "step", "last_event", "why"};
	struct json_object *o = json_object_new_object();
	const char *extra = column(s, 13), *phases = column(s, 14);

	for (int i = 0; i < (int)countof(names); i++)
		jsonx_add_str(o, names[i], column(s, i));
	jsonx_add_int(o, "started_ns", (int64_t)column_ns(s, 11));
	timing_add_ms(o, "total_ms", column_ns(s, 12));
	json_object_object_add(o, "extra", extra_json(extra ? extra : ""));
	json_object_object_add(o, "phases", phases_json(phases ? phases : ""));
	return o;
}

/* ---- queries --------------------------------------------------------------------------------- */

struct query {
	const char *sql, *texts[2];
	int limit;                 /* of the third parameter */
	struct json_object *found; /* array */
};

static int search(sqlite3 *c, void *arg, struct err *e)
{
	struct query *q = arg;
	sqlite3_stmt *s;
	int r;

	if (sqlite3_prepare_v2(c, q->sql, -1, &s, NULL) != SQLITE_OK)
		return edb_error(c, "read the timings", e);
	for (int i = 0; i < (int)countof(q->texts); i++)
		sqlite3_bind_text(s, i + 1, q->texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 3, q->limit);
	while ((r = sqlite3_step(s)) == SQLITE_ROW)
		json_object_array_add(q->found, row_json(s));
	r = r == SQLITE_DONE ? 0 : edb_error(c, "read the timings", e);
	sqlite3_finalize(s);
	return r;
}

int timings_list(struct events *l, const char *kind, const char *subject, int limit,
	struct json_object **ret, struct err *e)
{
	/* By what is given: each has an index that ends with the row's number. */
	static const char *const sql[2][2] = {
		{COLUMNS "WHERE ?1 IS NULL AND ?2 IS NULL ORDER BY n DESC LIMIT ?3",
			COLUMNS "WHERE ?1 IS NULL AND subject = ?2 ORDER BY n DESC LIMIT ?3"},
		{COLUMNS "WHERE kind = ?1 AND ?2 IS NULL ORDER BY n DESC LIMIT ?3",
			COLUMNS "WHERE kind = ?1 AND subject = ?2 ORDER BY n DESC LIMIT ?3"},
	};
	struct query q = {.sql = sql[kind != NULL][subject != NULL],
		.texts = {kind, subject},
		.limit = max_of(limit, 1),
		.found = json_object_new_array()};
	int r;

	timings_settle(l);
	r = events_read(l, search, &q, e);
	if (r < 0) {
		json_object_put(q.found);
		return r;
	}
	*ret = q.found;
	return 0;
}

/* In order: the row's own id, the snapshot's name (of its making), the VM's name. */
int timings_get(
	struct events *l, const char *kind, const char *id, struct json_object **ret, struct err *e)
{
	static const char *const sql[] = {
		COLUMNS "WHERE id = ?2 AND (?1 IS NULL OR kind = ?1) ORDER BY n DESC LIMIT ?3",
		COLUMNS "WHERE kind = 'snapshot' AND ?1 = kind AND subject = ?2 "
			"ORDER BY n DESC LIMIT ?3",
		COLUMNS "WHERE vm_name = ?2 AND (?1 IS NULL OR kind = ?1) ORDER BY n DESC LIMIT ?3",
	};
	struct query q = {.texts = {kind, id}, .limit = 1, .found = json_object_new_array()};
	int r = 0;

	timings_settle(l);
	for (size_t i = 0; !r && i < countof(sql) && !json_object_array_length(q.found); i++) {
		q.sql = sql[i];
		r = events_read(l, search, &q, e);
	}
	if (!r && json_object_array_length(q.found))
		*ret = json_object_get(json_object_array_get_idx(q.found, 0));
	else if (!r)
		r = err_set(
			e, ENOENT, "no %s of '%s' has been timed", kind ? kind : "operation", id);
	json_object_put(q.found);
	return r;
}
