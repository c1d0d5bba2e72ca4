/* Reading the log: the ring first, a read-only connection of its own for what is older. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/events/events_impl.h"

#define BUSY_MS 250 /* the loop waits: only a recovering database is busy for a reader */

enum order { OLDEST_FIRST, NEWEST_FIRST };

struct query {
	const char *vm; /* NULL: all */
	uint64_t since; /* larger numbers only */
	uint64_t before;
	int limit;
	enum order order;
	size_t bytes;              /* fields found so far */
	struct json_object *found; /* array in that order */
};

struct json_object *event_to_json(const struct event *ev)
{
	struct json_object *o = json_object_new_object(), *fields = NULL;

	jsonx_add_int(o, "seq", (int64_t)ev->seq);
	jsonx_add_int(o, "mono_ns", (int64_t)ev->mono_ns);
	jsonx_add_int(o, "wall_ns", (int64_t)ev->wall_ns);
	jsonx_add_str(o, "vm", ev->vm);
	jsonx_add_str(o, "vm_name", ev->vm_name);
	jsonx_add_str(o, "name", ev->name);
	if (jsonx_parse(ev->fields, strlen(ev->fields), &fields, NULL) < 0 ||
		!json_object_is_type(fields, json_type_object)) {
		json_object_put(fields);
		fields = json_object_new_object();
		jsonx_add_str(fields, "text", ev->fields);
	}
	json_object_object_add(o, "fields", fields);
	return o;
}

static bool full(const struct query *q)
{
	return (int)json_object_array_length(q->found) >= q->limit || q->bytes >= EVENTS_LIST_BYTES;
}

static void found(struct query *q, const struct event *ev)
{
	q->bytes += strlen(ev->fields);
	json_object_array_add(q->found, event_to_json(ev));
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool wanted(const struct query *q, const struct event *ev)
{
	return !q->vm || !strcmp(q->vm, ev->vm) || !strcmp(q->vm, ev->vm_name);
}

/* Without the lock: only this thread changes the ring. */
static void search_ring(const struct events *l, struct query *q)
{
	uint64_t low = max_of(l->first, q->since + 1);

	for (uint64_t i = low; i <= l->seq && !full(q); i++) {
		uint64_t seq = q->order == OLDEST_FIRST ? i : l->seq - (i - low);
		const struct event *ev = &l->ring[seq % EVENTS_RING]->ev;

		if (wanted(q, ev))
			found(q, ev);
	}
}

/* ---- database -------------------------------------------------------------------------------- */

#define COLUMNS "SELECT seq, mono_ns, wall_ns, vm, vm_name, name, fields FROM event WHERE "
#define RANGE   "seq > ?1 AND seq < ?2"
/* Each arm walks its own index backwards and is bounded by the limit. */
#define OF_VM(column)                                                                              \
	"SELECT * FROM (" COLUMNS column " = ?4 AND " column " <> '' AND " RANGE                   \
	" ORDER BY seq DESC LIMIT ?3)"

static const char *const statements[2][2] = {
	[OLDEST_FIRST] = {COLUMNS RANGE " ORDER BY seq LIMIT ?3", NULL},
	[NEWEST_FIRST] = {COLUMNS RANGE " ORDER BY seq DESC LIMIT ?3",
		OF_VM("vm") " UNION " OF_VM("vm_name") " ORDER BY seq DESC LIMIT ?3"},
};

static int open_reader(struct events *l, struct err *e)
{
	int r;

	if (l->reader)
		return 0;
	r = sqlite3_open_v2(l->path, &l->reader, SQLITE_OPEN_READONLY, NULL);
	if (r == SQLITE_OK) {
		sqlite3_busy_timeout(l->reader, BUSY_MS);
		return 0;
	}
	r = edb_error(l->reader, "open it", e);
	sqlite3_close(l->reader);
	l->reader = NULL;
	return r;
}

static const char *column_text(sqlite3_stmt *s, int i)
{
	const unsigned char *text = sqlite3_column_text(s, i);

	return text ? (const char *)text : "";
}

static int step_rows(sqlite3_stmt *s, struct query *q)
{
	int r = SQLITE_DONE;

	while (!full(q) && (r = sqlite3_step(s)) == SQLITE_ROW) {
		struct event ev = {
			.seq = (uint64_t)sqlite3_column_int64(s, 0),
			.mono_ns = (uint64_t)sqlite3_column_int64(s, 1),
			.wall_ns = (uint64_t)sqlite3_column_int64(s, 2),
			.vm = column_text(s, 3),
			.vm_name = column_text(s, 4),
			.name = column_text(s, 5),
			.fields = column_text(s, 6),
		};

		found(q, &ev);
	}
	return r == SQLITE_ROW ? SQLITE_DONE : r;
}

static int search_reader(sqlite3 *c, void *arg, struct err *e)
{
	struct query *q = arg;
	const char *sql = statements[q->order][q->vm != NULL];
	sqlite3_stmt *s;
	int r;

	if (sqlite3_prepare_v2(c, sql, -1, &s, NULL) != SQLITE_OK)
		return edb_error(c, "read it", e);
	sqlite3_bind_int64(s, 1, (int64_t)q->since);
	sqlite3_bind_int64(s, 2, (int64_t)q->before);
	sqlite3_bind_int(s, 3, q->limit - (int)json_object_array_length(q->found));
	if (q->vm)
		sqlite3_bind_text(s, 4, q->vm, -1, SQLITE_STATIC);
	r = step_rows(s, q) == SQLITE_DONE ? 0 : edb_error(c, "read it", e);
	sqlite3_finalize(s);
	return r;
}

static int search_db(struct events *l, struct query *q, struct err *e)
{
	q->before = l->first;
	if (full(q) || q->since + 1 >= q->before)
		return 0;
	return events_read(l, search_reader, q, e);
}

int events_read(
	struct events *l, int (*fn)(sqlite3 *c, void *arg, struct err *e), void *arg, struct err *e)
{
	int r;

	pthread_mutex_lock(&l->reader_lock);
	r = open_reader(l, e);
	if (!r)
		r = fn(l->reader, arg, e);
	pthread_mutex_unlock(&l->reader_lock);
	if (r == -EBADMSG) {
		pthread_mutex_lock(&l->lock);
		l->damaged = true;
		pthread_cond_signal(&l->wake);
		pthread_mutex_unlock(&l->lock);
	}
	return r;
}

/* ---- public ---------------------------------------------------------------------------------- */

static uint64_t clamp_seq(uint64_t seq)
{
	return min_of(seq, (uint64_t)INT64_MAX - 1);
}

int events_list(struct events *l, const char *vm, uint64_t since, int limit,
	struct json_object **ret, struct err *e)
{
	struct query q = {
		.vm = vm && *vm ? vm : NULL,
		.since = clamp_seq(since),
		.limit = max_of(limit, 1),
		.order = NEWEST_FIRST,
		.found = json_object_new_array(),
	};
	struct json_object *turned;
	int r;

	search_ring(l, &q);
	r = search_db(l, &q, e);
	if (r < 0) {
		json_object_put(q.found);
		return r;
	}
	turned = json_object_new_array();
	for (size_t i = json_object_array_length(q.found); i-- > 0;)
		json_object_array_add(
			turned, json_object_get(json_object_array_get_idx(q.found, i)));
	json_object_put(q.found);
	*ret = turned;
	return 0;
}

int events_next(
	struct events *l, uint64_t since, int limit, struct json_object **ret, struct err *e)
{
	struct query q = {
		.since = clamp_seq(since),
		.limit = max_of(limit, 1),
		.order = OLDEST_FIRST,
		.found = json_object_new_array(),
	};
	int r = search_db(l, &q, e);

	if (r < 0) {
		json_object_put(q.found);
		return r;
	}
	search_ring(l, &q);
	*ret = q.found;
	return 0;
}
