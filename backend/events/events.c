/* The log as the daemon's loop sees it: numbering, the ring, opening and closing.
 *
 * Theory of operation: the ring is also the writer's queue. An event is put into its slot under the
 * lock and the writer is woken; what is overwritten before it was stored is counted as dropped. So
 * there is one bound for memory, and the loop never waits for the disk. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "backend/base/jsonx.h"
#include "backend/events/timings_impl.h"

/* ---- entries --------------------------------------------------------------------------------- */

static char *put_text(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *start = *at;

	memcpy(start, text, n);
	*at += n;
	return start;
}

static struct entry *entry_new(
	const char *vm, const char *vm_name, const char *name, const char *fields)
{
	char cut[32], *at;
	struct entry *en;

	vm = vm ? vm : "";
	vm_name = vm_name ? vm_name : "";
	name = name ? name : "";
	fields = fields ? fields : "{}";
	if (strlen(fields) > EVENTS_FIELDS_MAX) {
		snprintf(cut, sizeof(cut), "{\"cut\":%zu}", strlen(fields));
		fields = cut;
	}
	en = xcalloc(
		1, sizeof(*en) + strlen(vm) + strlen(vm_name) + strlen(name) + strlen(fields) + 4);
	at = en->text;
	en->refs = 1;
	en->ev.mono_ns = mono_ns();
	en->ev.wall_ns = wall_ns();
	en->ev.vm = put_text(&at, vm);
	en->ev.vm_name = put_text(&at, vm_name);
	en->ev.name = put_text(&at, name);
	en->ev.fields = put_text(&at, fields);
	return en;
}

void entry_unref(struct entry *en)
{
	if (!en || --en->refs)
		return;
	timing_row_free(en->timing);
	free(en);
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* The slot's old event leaves memory; not stored by now means never. */
static void ring_drop_oldest(struct events *l)
{
	struct entry **slot = &l->ring[l->first % EVENTS_RING];

	if (l->first > max_of(l->written, l->in_flight))
		l->dropped++;
	l->written = max_of(l->written, l->first);
	entry_unref(*slot);
	*slot = NULL;
	l->first++;
}

static void add_entry(struct events *l, struct entry *en)
{
	pthread_mutex_lock(&l->lock);
	if (l->seq == l->reserved) {
		l->dropped++;
		entry_unref(en);
		pthread_mutex_unlock(&l->lock);
		return;
	}
	if (l->seq + 1 - l->first == EVENTS_RING)
		ring_drop_oldest(l);
	en->ev.seq = ++l->seq;
	if (en->timing)
		l->last_timing = l->seq;
	l->ring[l->seq % EVENTS_RING] = en;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	/* The ring keeps it: only this thread takes events out of it. */
	if (l->sink)
		l->sink(l->user, &en->ev);
}

/* What happened on the writer's side and could not be an event there. */
static void tell_news(struct events *l)
{
	autofree char *aside = NULL;
	uint64_t dropped = 0;
	char fields[48];

	pthread_mutex_lock(&l->lock);
	aside = steal_ptr(&l->aside);
	if (!l->failing && l->seq - l->written < EVENTS_RING / 2) {
		dropped = l->dropped;
		l->dropped = 0;
	}
	pthread_mutex_unlock(&l->lock);
	if (aside)
		add_entry(l, entry_new("", "", "events.broken", aside));
	if (dropped) {
		snprintf(fields, sizeof(fields), "{\"rows\":%llu}", (unsigned long long)dropped);
		add_entry(l, entry_new("", "", "events.dropped", fields));
	}
}

void events_add(struct events *l, const char *vm, const char *vm_name, const char *name,
	const char *fields_json)
{
	tell_news(l);
	add_entry(l, entry_new(vm, vm_name, name, fields_json));
}

void events_add_with(struct events *l, const struct event *ev, struct timing_row *timing)
{
	struct entry *en;

	tell_news(l);
	en = entry_new(ev->vm, ev->vm_name, ev->name, ev->fields);
	en->timing = timing;
	add_entry(l, en);
}

uint64_t events_seq(const struct events *l)
{
	return l->seq;
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* The numbers that a lost database used are unknown, but fewer than one a microsecond since 1970.
 */
static uint64_t number_beyond_all(void)
{
	return wall_ns() / 1000;
}

static int open_db(struct events *l, uint64_t *ret_stored, uint64_t *ret_last, struct err *e)
{
	struct err why;
	int r = edb_open(&l->db, l->path, &why);

	if (!r)
		r = edb_numbers(&l->db, ret_stored, ret_last, &why);
	if (!r) {
		*ret_last = max_of(*ret_stored, *ret_last);
		return 0;
	}
	if (r != -EBADMSG)
		return err_set(e, -r, "%s", why.msg);
	edb_fini(&l->db);
	*ret_stored = *ret_last = number_beyond_all();
	r = edb_set_aside(l->path, why.msg, &l->aside, e);
	return r < 0 ? r : edb_open(&l->db, l->path, e);
}

static int start_writer(struct events *l, struct err *e)
{
	sigset_t all, old;
	int r;

	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&l->thread, NULL, events_writer, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return err_set(e, r, "event log: cannot start its writer: %s", strerror(r));
	l->started = true;
	return 0;
}

static void tell_hole(struct events *l, uint64_t stored, uint64_t last)
{
	char fields[96];

	if (stored == last)
		return;
	snprintf(fields, sizeof(fields), "{\"stored\":%llu,\"next\":%llu}",
		(unsigned long long)stored, (unsigned long long)last + 1);
	events_add(l, "", "", "events.hole", fields);
}

int events_open_keep(struct events **ret, const char *db_path, struct edb_keep keep,
	events_sink *sink, void *user, struct err *e)
{
	struct events *l = xcalloc(1, sizeof(*l));
	uint64_t stored = 0, last = 0;
	pthread_condattr_t monotonic;
	int r;

	l->sink = sink;
	l->user = user;
	l->path = xstrdup(db_path);
	l->keep = keep;
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->reader_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &monotonic);
	pthread_cond_init(&l->stored, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = open_db(l, &stored, &last, e);
	if (!r)
		r = edb_reserve(&l->db, last + EVENTS_BLOCK, e);
	l->seq = l->written = last;
	l->first = last + 1;
	l->reserved = last + EVENTS_BLOCK;
	if (!r)
		r = start_writer(l, e);
	if (r < 0) {
		events_close(l);
		return r;
	}
	tell_news(l);
	tell_hole(l, stored, last);
	*ret = l;
	return 0;
}

int events_open(
	struct events **ret, const char *db_path, events_sink *sink, void *user, struct err *e)
{
	struct edb_keep keep = {EVENTS_KEEP, TIMINGS_KEEP};

	return events_open_keep(ret, db_path, keep, sink, user, e);
}

/* The writer has ended, so the database is ours. The next log goes on without a hole. */
static void close_in_order(struct events *l)
{
	struct entry *en;
	char fields[48];

	if (l->failing)
		return;
	if (l->dropped && l->seq < l->reserved) {
		snprintf(fields, sizeof(fields), "{\"rows\":%llu}", (unsigned long long)l->dropped);
		en = entry_new("", "", "events.dropped", fields);
		add_entry(l, en);
		(void)edb_write(&l->db, &en, 1, l->keep, NULL);
	}
	(void)edb_reserve(&l->db, l->seq, NULL);
}

void events_close(struct events *l)
{
	if (!l)
		return;
	l->sink = NULL; /* what it needs may be gone already */
	if (l->started) {
		tell_news(l);
		pthread_mutex_lock(&l->lock);
		l->stop = true;
		pthread_cond_signal(&l->wake);
		pthread_mutex_unlock(&l->lock);
		pthread_join(l->thread, NULL);
		close_in_order(l);
	}
	sqlite3_close(l->reader);
	edb_fini(&l->db);
	for (size_t i = 0; i < EVENTS_RING; i++)
		entry_unref(l->ring[i]);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->reader_lock);
	pthread_cond_destroy(&l->wake);
	pthread_cond_destroy(&l->stored);
	free(l->aside);
	free(l->path);
	free(l);
}
