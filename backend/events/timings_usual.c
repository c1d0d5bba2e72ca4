/* What is usual: percentiles of the newest successful rows of one subject, medians of their phases.
 */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/events/timings_impl.h"

#define NAME_MAX_  40
#define NAMES_MAX_ 32 /* phases of different names; further ones are left out */

/* All samples of the phases of one name. */
struct samples {
	char name[NAME_MAX_];
	uint64_t *at, *ns; /* TIMINGS_SAMPLES each, owned */
	size_t n;
};

struct usual {
	const char *kind, *subject_id;
	int64_t count, failed;
	uint64_t totals[TIMINGS_SAMPLES];
	size_t n;
	struct samples phases[NAMES_MAX_];
	size_t phase_count;
};

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort(uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
}

/* Nearest rank: the smallest value that at least `percent` of all are not above. v is sorted. */
static uint64_t percentile(const uint64_t *v, size_t n, unsigned percent)
{
	size_t rank = (n * percent + 99) / 100;

	return n ? v[rank ? rank - 1 : 0] : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A cursor over [["name",1,2,3],...] as this folder wrote it. Parsing a thousand rows as general
 * JSON would take several times as long; where the text is another one, the row's rest is left out.
 */
static bool take(const char **p, char c)
{
	if (**p == ' ')
		++*p;
	if (**p != c)
		return false;
	++*p;
	return true;
}

static bool take_number(const char **p, uint64_t *ret)
{
	uint64_t v = 0;

	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; ++*p)
		v = v < UINT64_MAX / 10 - 1 ? v * 10 + (uint64_t)(**p - '0') : v;
	*ret = v;
	return true;
}

/* Names are short words: one with an escape is none of ours. */
static bool take_name(const char **p, char name[NAME_MAX_])
{
	size_t n;

	if (!take(p, '"'))
		return false;
	n = strcspn(*p, "\"\\");
	if ((*p)[n] != '"')
		return false;
	snprintf(name, NAME_MAX_, "%.*s", (int)min_of(n, (size_t)NAME_MAX_ - 1), *p);
	*p += n + 1;
	return true;
}

static bool take_phase(const char **p, char name[NAME_MAX_], uint64_t *at, uint64_t *ns)
{
	uint64_t limit;

	return take(p, '[') && take_name(p, name) && take(p, ',') && take_number(p, at) &&
	       take(p, ',') && take_number(p, ns) && take(p, ',') && take_number(p, &limit) &&
	       take(p, ']');
}

static struct samples *samples_of(struct usual *u, const char *name)
{
	struct samples *s;

	for (size_t i = 0; i < u->phase_count; i++)
		if (strcmp(u->phases[i].name, name) == 0)
			return &u->phases[i];
	if (u->phase_count == NAMES_MAX_)
		return NULL;
	s = &u->phases[u->phase_count++];
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->at = xcalloc(TIMINGS_SAMPLES, sizeof(*s->at));
	s->ns = xcalloc(TIMINGS_SAMPLES, sizeof(*s->ns));
	return s;
}

static void add_phases(struct usual *u, const char *text)
{
	char name[NAME_MAX_];
	uint64_t at, ns;

	if (!take(&text, '['))
		return;
	for (int i = 0; i < TIMING_PHASES && take_phase(&text, name, &at, &ns); i++) {
		struct samples *s = samples_of(u, name);

		if (s && s->n < TIMINGS_SAMPLES) {
			s->at[s->n] = at;
			s->ns[s->n++] = ns;
		}
		if (!take(&text, ','))
			break;
	}
}

static void bind(sqlite3_stmt *s, const struct usual *u)
{
	sqlite3_bind_text(s, 1, u->kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, u->subject_id, -1, SQLITE_STATIC);
}

static int read_counts(sqlite3 *c, struct usual *u)
{
	sqlite3_stmt *s;
	int r;

	if (sqlite3_prepare_v2(c,
		    "SELECT result, count(*) FROM timing WHERE kind = ?1 AND subject_id = ?2 "
		    "GROUP BY result",
		    -1, &s, NULL) != SQLITE_OK)
		return SQLITE_ERROR;
	bind(s, u);
	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		const char *result = (const char *)sqlite3_column_text(s, 0);

		if (result && strcmp(result, "ok") == 0)
			u->count = sqlite3_column_int64(s, 1);
		else if (result && strcmp(result, "failed") == 0)
			u->failed = sqlite3_column_int64(s, 1);
	}
	sqlite3_finalize(s);
	return r;
}

static int read_samples(sqlite3 *c, struct usual *u)
{
	sqlite3_stmt *s;
	int r;

	if (sqlite3_prepare_v2(c,
		    "SELECT total_ns, phases FROM timing WHERE kind = ?1 AND subject_id = ?2 "
		    "AND result = 'ok' ORDER BY n DESC LIMIT ?3",
		    -1, &s, NULL) != SQLITE_OK)
		return SQLITE_ERROR;
	bind(s, u);
	sqlite3_bind_int(s, 3, TIMINGS_SAMPLES);
	while ((r = sqlite3_step(s)) == SQLITE_ROW && u->n < TIMINGS_SAMPLES) {
		const char *phases = (const char *)sqlite3_column_text(s, 1);
		int64_t total = sqlite3_column_int64(s, 0);

		u->totals[u->n++] = total > 0 ? (uint64_t)total : 0;
		add_phases(u, phases ? phases : "");
	}
	sqlite3_finalize(s);
	return r == SQLITE_ROW ? SQLITE_DONE : r;
}

static int read_usual(sqlite3 *c, void *arg, struct err *e)
{
	struct usual *u = arg;
	int r = read_counts(c, u);

	if (r == SQLITE_DONE)
		r = read_samples(c, u);
	return r == SQLITE_DONE ? 0 : edb_error(c, "read the timings", e);
}

/* ---- answer ---------------------------------------------------------------------------------- */

/* In the order in which they usually begin: at[0] is the median by then. */
static int compare_begin(const void *a, const void *b)
{
	const struct samples *x = a, *y = b;

	return compare(&x->at[0], &y->at[0]);
}

static struct json_object *phases_json(struct usual *u)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < u->phase_count; i++) {
		struct samples *s = &u->phases[i];

		sort(s->at, s->n);
		sort(s->ns, s->n);
		s->at[0] = percentile(s->at, s->n, 50);
		s->ns[0] = percentile(s->ns, s->n, 50);
	}
	qsort(u->phases, u->phase_count, sizeof(u->phases[0]), compare_begin);
	for (size_t i = 0; i < u->phase_count; i++) {
		struct json_object *o = json_object_new_object();

		jsonx_add_str(o, "name", u->phases[i].name);
		timing_add_ms(o, "at_ms", u->phases[i].at[0]);
		timing_add_ms(o, "ms", u->phases[i].ns[0]);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *usual_json(struct usual *u)
{
	struct json_object *o = json_object_new_object();

	sort(u->totals, u->n);
	jsonx_add_int(o, "count", u->count);
	jsonx_add_int(o, "failed", u->failed);
	timing_add_ms(o, "p50_ms", percentile(u->totals, u->n, 50));
	timing_add_ms(o, "p90_ms", percentile(u->totals, u->n, 90));
	timing_add_ms(o, "p99_ms", percentile(u->totals, u->n, 99));
	timing_add_ms(o, "max_ms", percentile(u->totals, u->n, 100));
	json_object_object_add(o, "phases", phases_json(u));
	return o;
}

int timings_usual(struct events *l, const char *kind, const char *subject_id,
	struct json_object **ret, struct err *e)
{
	struct usual *u = xcalloc(1, sizeof(*u));
	int r;

	u->kind = kind;
	u->subject_id = subject_id;
	timings_settle(l);
	r = events_read(l, read_usual, u, e);
	if (!r)
		*ret = usual_json(u);
	for (size_t i = 0; i < u->phase_count; i++) {
		free(u->phases[i].at);
		free(u->phases[i].ns);
	}
	free(u);
	return r;
}
