/* The writer thread: stores what the ring holds in batches, reserves numbers ahead, removes old
 * rows, and sets a damaged file aside. It never calls the loop's code. */
#include <errno.h>
#include <time.h>

#include "backend/events/events_impl.h"

#define RETRY_S 1 /* between tries while the disk takes nothing: there is no event to wait for */

/* What the writer found to do, under the lock. */
struct work {
	struct entry *rows[EVENTS_BATCH];
	size_t n;
	uint64_t reserve; /* 0: nothing to reserve */
	bool damaged;
	bool stop;
};

static bool low_on_numbers(const struct events *l)
{
	return l->reserved - l->seq < EVENTS_BLOCK / 2;
}

static bool has_work(const struct events *l)
{
	return l->stop || l->damaged || l->written < l->seq || low_on_numbers(l);
}

static void wait_for_work(struct events *l)
{
	struct timespec until;

	if (l->failing && !l->stop) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += RETRY_S;
		while (!l->stop && pthread_cond_timedwait(&l->wake, &l->lock, &until) != ETIMEDOUT)
			;
	}
	while (!has_work(l))
		pthread_cond_wait(&l->wake, &l->lock);
}

static void take_work(struct events *l, struct work *w)
{
	uint64_t from = max_of(l->written + 1, l->first);

	w->n = 0;
	for (uint64_t seq = from; seq <= l->seq && w->n < EVENTS_BATCH; seq++) {
		w->rows[w->n] = l->ring[seq % EVENTS_RING];
		w->rows[w->n++]->refs++;
	}
	l->in_flight = w->n ? w->rows[w->n - 1]->ev.seq : l->written;
	w->reserve = low_on_numbers(l) ? l->seq + EVENTS_BLOCK : 0;
	w->damaged = l->damaged;
	w->stop = l->stop;
}

/* A file that was just begun knows nothing of the numbers in use. */
static int open_file(struct events *l, struct err *e)
{
	int r = edb_open(&l->db, l->path, e);
	uint64_t reserved;

	pthread_mutex_lock(&l->lock);
	reserved = l->reserved;
	pthread_mutex_unlock(&l->lock);
	return r < 0 ? r : edb_reserve(&l->db, reserved, e);
}

/* The loop's reader holds the old file: it is closed first, so that no one has the name's old
 * meaning open when the new database appears under it. */
static int begin_anew(struct events *l, const char *why, struct err *e)
{
	char *fields = NULL;
	int r;

	pthread_mutex_lock(&l->reader_lock);
	sqlite3_close(l->reader);
	l->reader = NULL;
	edb_fini(&l->db);
	r = edb_set_aside(l->path, why, &fields, e);
	pthread_mutex_unlock(&l->reader_lock);
	if (r < 0)
		return r;
	pthread_mutex_lock(&l->lock);
	free(l->aside);
	l->aside = fields;
	l->damaged = false;
	pthread_mutex_unlock(&l->lock);
	return open_file(l, e);
}

static int do_work(struct events *l, const struct work *w, struct err *e)
{
	int r = 0;

	if (w->damaged)
		r = begin_anew(l, "found damaged while it was read", e);
	else if (!l->db.c)
		r = open_file(l, e); /* it could not be opened the last time */
	if (!r && w->reserve)
		r = edb_reserve(&l->db, w->reserve, e);
	if (!r && w->n)
		r = edb_write(&l->db, w->rows, w->n, l->keep, e);
	if (r == -EBADMSG) {
		struct err why = *e;

		r = begin_anew(l, why.msg, e);
		return r < 0 ? r : -EAGAIN; /* the same work, with the new file */
	}
	return r;
}

static void work_done(struct events *l, struct work *w, int r)
{
	uint64_t last = w->n ? w->rows[w->n - 1]->ev.seq : 0;

	for (size_t i = 0; i < w->n; i++) {
		/* Overwritten in the ring while it was under way, and not stored after all. */
		if (r < 0 && w->rows[i]->ev.seq < l->first)
			l->dropped++;
		entry_unref(w->rows[i]);
	}
	if (!r)
		l->written = max_of(l->written, last);
	if (!r && w->reserve)
		l->reserved = w->reserve;
	l->in_flight = l->written;
	l->failing = r < 0 && r != -EAGAIN;
	pthread_cond_broadcast(&l->stored);
}

void *events_writer(void *arg)
{
	struct events *l = arg;
	struct work w;
	struct err e;
	int r;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		wait_for_work(l);
		take_work(l, &w);
		pthread_mutex_unlock(&l->lock);
		r = do_work(l, &w, &e);
		pthread_mutex_lock(&l->lock);
		work_done(l, &w, r);
		/* On a disk that takes nothing the last rows are given up. */
		if (l->stop && (l->written >= l->seq || l->failing))
			break;
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}
