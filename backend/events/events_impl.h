/* Private to backend/events: the log's struct, and its database. */
#ifndef VMDECK_EVENTS_IMPL_H
#define VMDECK_EVENTS_IMPL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "backend/events/events.h"

#define EVENTS_BATCH 512       /* rows of one transaction */
#define EVENTS_BLOCK (1 << 20) /* sequence numbers reserved ahead */

/* An event with its strings behind it in one allocation. */
struct entry {
	int refs; /* the ring's and the writer's; under the lock */
	struct event ev;
	char text[];
};

/* The database as the writer uses it. */
struct edb {
	sqlite3 *c;
	sqlite3_stmt *insert, *prune, *reserve;
	int64_t rows;
};

struct events {
	events_sink *sink;
	void *user;
	char *path;
	int64_t keep;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* of all up to the next blank line */
	pthread_cond_t wake;
	struct entry *ring[EVENTS_RING]; /* by seq modulo size; changed by the loop's thread only */
	uint64_t seq;                    /* newest */
	uint64_t first;                  /* oldest in the ring, seq + 1 when it is empty */
	uint64_t written;                /* all up to here are stored or given up */
	uint64_t in_flight;              /* newest that the writer is storing now */
	uint64_t reserved;               /* newest number that may be used */
	uint64_t dropped;                /* rows given up and not told yet */
	bool failing;                    /* the last write failed */
	bool damaged;                    /* a reader met damage: the writer sets the file aside */
	bool stop;
	char *aside; /* fields of an events.broken that is not told yet */

	struct edb db; /* the writer's alone while it runs */

	pthread_mutex_t reader_lock; /* the writer closes the reader before it moves the file */
	sqlite3 *reader;
};

/* events.c: events_open with another number of rows to keep. */
int events_open_keep(struct events **ret, const char *db_path, int64_t keep, events_sink *sink,
	void *user, struct err *e);

/* writer.c */
void *events_writer(void *arg);
void entry_unref(struct entry *en);

/* db.c. Errors: -EBADMSG the file is damaged or no database of ours, -ENOSPC, -EROFS, -EIO... */
int edb_error(sqlite3 *c, const char *what, struct err *e);
/* On failure db is as after edb_fini. */
int edb_open(struct edb *db, const char *path, struct err *e);
void edb_fini(struct edb *db);
/* Newest stored number, and the newest that was reserved (0: none). */
int edb_numbers(struct edb *db, uint64_t *ret_stored, uint64_t *ret_reserved, struct err *e);
/* Makes sure, on disk, that no number up to this one is used again. */
int edb_reserve(struct edb *db, uint64_t seq, struct err *e);
/* Stores n rows and removes the oldest above keep, all or nothing. */
int edb_write(struct edb *db, struct entry *const *rows, size_t n, int64_t keep, struct err *e);
/* Renames the database's files; *ret_fields: fields of events.broken (caller's). */
int edb_set_aside(const char *path, const char *why, char **ret_fields, struct err *e);

#endif
