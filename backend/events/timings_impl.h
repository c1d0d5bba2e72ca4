/* Private to backend/events: timings on their way to the database. */
#ifndef VMDECK_EVENTS_TIMINGS_IMPL_H
#define VMDECK_EVENTS_TIMINGS_IMPL_H

#include "backend/events/events_impl.h"

/* n: the number of the event that came with it. The second index gives the newest successful rows
 * of a subject, and how many there are, without the rows themselves. phases: [[name, at_ns, ns,
 * limit_ns], ...]. */
#define TIMINGS_SCHEMA                                                                             \
	"CREATE TABLE IF NOT EXISTS timing(n INTEGER PRIMARY KEY, kind TEXT NOT NULL,"             \
	" id TEXT NOT NULL, vm TEXT NOT NULL, vm_name TEXT NOT NULL, subject TEXT NOT NULL,"       \
	" subject_id TEXT NOT NULL, vmm TEXT NOT NULL, result TEXT NOT NULL, step TEXT, "          \
	" last_event TEXT, why TEXT, started_ns INTEGER NOT NULL, total_ns INTEGER NOT NULL,"      \
	" extra TEXT NOT NULL, phases TEXT NOT NULL);"                                             \
	"CREATE INDEX IF NOT EXISTS timing_id ON timing(id, kind);"                                \
	"CREATE INDEX IF NOT EXISTS timing_peers ON timing(kind, subject_id, result);"             \
	"CREATE INDEX IF NOT EXISTS timing_subject ON timing(kind, subject);"                      \
	"CREATE INDEX IF NOT EXISTS timing_vm_name ON timing(vm_name);"

enum timing_text {
	TT_KIND,
	TT_ID,
	TT_VM,
	TT_VM_NAME,
	TT_SUBJECT,
	TT_SUBJECT_ID,
	TT_VMM,
	TT_RESULT,
	TT_STEP,
	TT_LAST_EVENT,
	TT_WHY,
	TT_EXTRA,
	TT_PHASES,
	TT__COUNT
};

/* A row to add, or a phase to append to one that was added before. */
struct timing_row {
	bool mark;
	char *text[TT__COUNT]; /* owned; of a mark: kind, id, and in TT_PHASES its name */
	uint64_t started_ns, total_ns;
	struct timing_phase phase; /* of a mark; its name is not used */
};

/* timings.c. NULL is fine. */
void timing_row_free(struct timing_row *row);

/* db.c, for timings_db.c */
int edb_prepare(struct edb *db, const char *sql, sqlite3_stmt **ret, struct err *e);
/* Runs a statement to its end and resets it. */
int edb_step(struct edb *db, sqlite3_stmt *s, const char *what, struct err *e);

/* timings_db.c */
int timings_prepare(struct edb *db, struct err *e);
void timings_unprepare(struct edb *db);
/* *rows grows by what was added. */
int timing_row_store(
	struct edb *db, uint64_t n, const struct timing_row *row, int64_t *rows, struct err *e);

/* timings_query.c: waits, at most TIMINGS_WAIT_S, until what was added is stored. */
#define TIMINGS_WAIT_S 1
void timings_settle(struct events *l);
/* Numbers as the calls give them. */
void timing_add_ms(struct json_object *o, const char *key, uint64_t ns);

#endif
