/* Private to backend/events: the log's struct, and its database. */
#ifndef VMDECK_EVENTS_IMPL_H
#define VMDECK_EVENTS_IMPL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "backend/events/events.h"
#include "backend/events/timings.h"

#define EVENTS_BATCH 512       /* rows of one transaction */
#define EVENTS_BLOCK (1 << 20) /* sequence numbers reserved ahead */

struct timing_row; /* timings_impl.h */

/* An event with its strings behind it in one allocation. A timing travels with the event that
 * tells of it: so both are stored in order, through the one bounded queue. */
struct entry {
	int refs; /* the ring's and the writer's; under the lock */
	struct event ev;
	struct timing_row *timing; /* owned; NULL: none */
	char text[];
};

/* Rows that stay on disk. */
struct edb_keep {
	int64_t events, timings;
};

/* The database as the writer uses it. */
struct edb {
	sqlite3 *c;
	sqlite3_stmt *insert, *prune, *reserve;
	sqlite3_stmt *timing_insert, *timing_mark, *timing_prune;
	int64_t rows, timing_rows;
};

struct events {
	events_sink *sink;
	void *user;
	char *path;
	struct edb_keep keep;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;            /* of all up to the next blank line */
	pthread_cond_t wake;             /* the writer has work */
	pthread_cond_t stored;           /* the writer has done some */
	struct entry *ring[EVENTS_RING]; /* by seq modulo size; changed by the loop's thread only */
	uint64_t seq;                    /* newest */
	uint64_t first;                  /* oldest in the ring, seq + 1 when it is empty */
	uint64_t written;                /* all up to here are stored or given up */
	uint64_t in_flight;              /* newest that the writer is storing now */
	uint64_t reserved;               /* newest number that may be used */
	uint64_t dropped;                /* rows given up and not told yet */
	uint64_t last_timing;            /* newest number that carries a timing, 0: none */
	bool failing;                    /* the last write failed */
	bool damaged;                    /* a reader met damage: the writer sets the file aside */
	bool stop;
	char *aside; /* fields of an events.broken that is not told yet */

	struct edb db; /* the writer's alone while it runs */

	pthread_mutex_t reader_lock; /* the writer closes the reader before it moves the file */
	sqlite3 *reader;
};

/* events.c: events_open with another number of rows to keep. */
int events_open_keep(struct events **ret, const char *db_path, struct edb_keep keep,
	events_sink *sink, void *user, struct err *e);
/* events_add; takes timing (may be NULL). */
void events_add_with(struct events *l, const struct event *ev, struct timing_row *timing);

/* writer.c */
void *events_writer(void *arg);
void entry_unref(struct entry *en);

/* query.c: runs fn with the reader's connection; damage that it meets sets the file aside. */
int events_read(struct events *l, int (*fn)(sqlite3 *c, void *arg, struct err *e), void *arg,
	struct err *e);

/* db.c. Errors: -EBADMSG the file is damaged or no database of ours, -ENOSPC, -EROFS, -EIO... */
int edb_error(sqlite3 *c, const char *what, struct err *e);
/* On failure db is as after edb_fini. */
int edb_open(struct edb *db, const char *path, struct err *e);
void edb_fini(struct edb *db);
/* Newest stored number, and the newest that was reserved (0: none). */
int edb_numbers(struct edb *db, uint64_t *ret_stored, uint64_t *ret_reserved, struct err *e);
/* Makes sure, on disk, that no number up to this one is used again. */
int edb_reserve(struct edb *db, uint64_t seq, struct err *e);
/* Stores n rows with their timings and removes the oldest above keep, all or nothing. */
int edb_write(
	struct edb *db, struct entry *const *rows, size_t n, struct edb_keep keep, struct err *e);
/* Renames the database's files; *ret_fields: fields of events.broken (caller's). */
int edb_set_aside(const char *path, const char *why, char **ret_fields, struct err *e);

#endif
