/* The event log's database: schema, rows, reserved numbers, damage. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/events/timings_impl.h"

#define SCHEMA_VERSION 2    /* 1: without timings */
#define BUSY_MS        2000 /* somebody looks into the file with another program */
#define PRUNE_SLACK    1024 /* rows above keep before the oldest go */
#define PRUNE_MAX      4096 /* rows that go with one transaction */

/* Partial indexes: most rows that are about no VM need not be in them. A database of an earlier
 * version gets what it lacks, in one transaction. */
static const char schema[] =
	"PRAGMA journal_mode=WAL;"
	"PRAGMA synchronous=NORMAL;"
	"PRAGMA journal_size_limit=4194304;"
	"BEGIN;"
	"CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS event(seq INTEGER PRIMARY KEY, mono_ns INTEGER NOT NULL,"
	" wall_ns INTEGER NOT NULL, vm TEXT NOT NULL, vm_name TEXT NOT NULL, name TEXT NOT NULL,"
	" fields TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS event_vm ON event(vm, seq) WHERE vm <> '';"
	"CREATE INDEX IF NOT EXISTS event_vm_name ON event(vm_name, seq) WHERE vm_name <> "
	"'';" TIMINGS_SCHEMA "PRAGMA user_version=2;"
	"COMMIT;";

static int errno_of(sqlite3 *c)
{
	switch (sqlite3_errcode(c)) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EBADMSG;
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	default:
		return EIO;
	}
}

int edb_error(sqlite3 *c, const char *what, struct err *e)
{
	return err_set(e, errno_of(c), "event log: cannot %s: %s", what, sqlite3_errmsg(c));
}

static int run(struct edb *db, const char *sql, const char *what, struct err *e)
{
	return sqlite3_exec(db->c, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
								       : edb_error(db->c, what, e);
}

static int64_t number_of(struct edb *db, const char *sql, int64_t none, bool *ok)
{
	sqlite3_stmt *s;
	int64_t v = none;
	int r;

	if (sqlite3_prepare_v2(db->c, sql, -1, &s, NULL) != SQLITE_OK) {
		*ok = false;
		return none;
	}
	r = sqlite3_step(s);
	if (r == SQLITE_ROW)
		v = sqlite3_column_int64(s, 0);
	else if (r != SQLITE_DONE)
		*ok = false;
	sqlite3_finalize(s);
	return v;
}

int edb_prepare(struct edb *db, const char *sql, sqlite3_stmt **ret, struct err *e)
{
	return sqlite3_prepare_v3(db->c, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK
		       ? 0
		       : edb_error(db->c, "use its tables", e);
}

static int check_schema_version(struct edb *db, const char *path, struct err *e)
{
	bool ok = true;
	int64_t v = number_of(db, "PRAGMA user_version", 0, &ok);

	if (!ok)
		return edb_error(db->c, "read it", e);
	if (v > SCHEMA_VERSION)
		return err_set(e, EPROTONOSUPPORT,
			"'%s' was made by a newer vmdeck (version %lld, this one knows %d)", path,
			(long long)v, SCHEMA_VERSION);
	return 0;
}

static int open_tables(struct edb *db, const char *path, struct err *e)
{
	bool ok = true;
	int r;

	r = sqlite3_open_v2(path, &db->c, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (r != SQLITE_OK)
		return err_set(e, errno_of(db->c), "cannot open event log '%s': %s", path,
			sqlite3_errmsg(db->c));
	sqlite3_busy_timeout(db->c, BUSY_MS);
	r = check_schema_version(db, path, e);
	if (!r)
		r = run(db, schema, "make its tables", e);
	if (!r)
		r = edb_prepare(
			db, "INSERT OR REPLACE INTO event VALUES(?,?,?,?,?,?,?)", &db->insert, e);
	if (!r)
		r = edb_prepare(db,
			"DELETE FROM event WHERE seq <= "
			"(SELECT seq FROM event ORDER BY seq LIMIT 1 OFFSET ?)",
			&db->prune, e);
	if (!r)
		r = edb_prepare(
			db, "INSERT OR REPLACE INTO meta VALUES('reserved',?)", &db->reserve, e);
	if (!r)
		r = timings_prepare(db, e);
	if (r < 0)
		return r;
	db->rows = number_of(db, "SELECT count(*) FROM event", 0, &ok);
	db->timing_rows = number_of(db, "SELECT count(*) FROM timing", 0, &ok);
	return ok ? 0 : edb_error(db->c, "count its rows", e);
}

void edb_fini(struct edb *db)
{
	sqlite3_finalize(db->insert);
	sqlite3_finalize(db->prune);
	sqlite3_finalize(db->reserve);
	timings_unprepare(db);
	sqlite3_close(db->c);
	memset(db, 0, sizeof(*db));
}

int edb_open(struct edb *db, const char *path, struct err *e)
{
	int r;

	memset(db, 0, sizeof(*db));
	r = open_tables(db, path, e);
	/* A statement that does not fit the tables: they are not ours. */
	if (r == -EIO && sqlite3_errcode(db->c) == SQLITE_ERROR)
		r = err_set(e, EBADMSG, "%s", sqlite3_errmsg(db->c));
	if (r < 0)
		edb_fini(db);
	return r;
}

int edb_numbers(struct edb *db, uint64_t *ret_stored, uint64_t *ret_reserved, struct err *e)
{
	bool ok = true;
	int64_t stored = number_of(db, "SELECT max(seq) FROM event", 0, &ok);
	int64_t reserved = number_of(db, "SELECT value FROM meta WHERE key='reserved'", 0, &ok);

	if (!ok)
		return edb_error(db->c, "read its numbers", e);
	*ret_stored = stored > 0 ? (uint64_t)stored : 0;
	*ret_reserved = reserved > 0 ? (uint64_t)reserved : 0;
	return 0;
}

int edb_step(struct edb *db, sqlite3_stmt *s, const char *what, struct err *e)
{
	int r = sqlite3_step(s) == SQLITE_DONE ? 0 : edb_error(db->c, what, e);

	sqlite3_reset(s);
	return r;
}

/* Rows may be lost with the host's power, a reservation may not: it is synced. */
int edb_reserve(struct edb *db, uint64_t seq, struct err *e)
{
	int r = run(db, "PRAGMA synchronous=FULL", "reserve numbers", e), back;

	if (r < 0)
		return r;
	sqlite3_bind_int64(db->reserve, 1, (int64_t)seq);
	r = edb_step(db, db->reserve, "reserve numbers", e);
	back = run(db, "PRAGMA synchronous=NORMAL", "reserve numbers", r ? NULL : e);
	return r ? r : back;
}

static int insert(struct edb *db, const struct event *ev, struct err *e)
{
	const char *const texts[] = {ev->vm, ev->vm_name, ev->name, ev->fields};

	sqlite3_bind_int64(db->insert, 1, (int64_t)ev->seq);
	sqlite3_bind_int64(db->insert, 2, (int64_t)ev->mono_ns);
	sqlite3_bind_int64(db->insert, 3, (int64_t)ev->wall_ns);
	for (int i = 0; i < (int)countof(texts); i++)
		sqlite3_bind_text(db->insert, 4 + i, texts[i], -1, SQLITE_STATIC);
	return edb_step(db, db->insert, "store a row", e);
}

static int prune(struct edb *db, sqlite3_stmt *s, int64_t rows, int64_t keep, int64_t *ret_gone,
	struct err *e)
{
	int64_t over = min_of(rows - keep, PRUNE_MAX);
	int r;

	*ret_gone = 0;
	if (over < min_of(PRUNE_SLACK, keep))
		return 0;
	sqlite3_bind_int64(s, 1, over - 1);
	r = edb_step(db, s, "remove old rows", e);
	if (!r)
		*ret_gone = sqlite3_changes(db->c);
	return r;
}

/* Inserts, and what goes for it; *ret: how many rows there are then. */
static int write_all(struct edb *db, struct entry *const *rows, size_t n, struct edb_keep keep,
	struct edb_keep *ret, struct err *e)
{
	int64_t events = db->rows + (int64_t)n, timings = db->timing_rows, gone = 0, out = 0;
	int r = 0;

	for (size_t i = 0; !r && i < n; i++) {
		r = insert(db, &rows[i]->ev, e);
		if (!r && rows[i]->timing)
			r = timing_row_store(db, rows[i]->ev.seq, rows[i]->timing, &timings, e);
	}
	if (!r)
		r = prune(db, db->prune, events, keep.events, &gone, e);
	if (!r)
		r = prune(db, db->timing_prune, timings, keep.timings, &out, e);
	*ret = (struct edb_keep){events - gone, timings - out};
	return r;
}

int edb_write(
	struct edb *db, struct entry *const *rows, size_t n, struct edb_keep keep, struct err *e)
{
	struct edb_keep now;
	int r = run(db, "BEGIN IMMEDIATE", "begin a transaction", e);

	if (r < 0)
		return r;
	r = write_all(db, rows, n, keep, &now, e);
	if (!r)
		r = run(db, "COMMIT", "store rows", e);
	if (r < 0) {
		(void)run(db, "ROLLBACK", "roll back", NULL);
		return r;
	}
	db->rows = now.events;
	db->timing_rows = now.timings;
	return 0;
}

int edb_set_aside(const char *path, const char *why, char **ret_fields, struct err *e)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	autofree char *aside =
		xasprintf("%s.broken-%llu", path, (unsigned long long)wall_ns() / 1000000);
	autojson struct json_object *o = NULL;

	for (size_t i = 0; i < countof(tails); i++) {
		autofree char *from = xasprintf("%s%s", path, tails[i]);
		autofree char *to = xasprintf("%s%s", aside, tails[i]);

		if (rename(from, to) < 0 && errno != ENOENT)
			return err_errno(e, "cannot rename damaged event log '%s'", from);
	}
	o = json_object_new_object();
	jsonx_add_str(o, "file", aside);
	jsonx_add_str(o, "why", why);
	*ret_fields = xstrdup(jsonx_line(o));
	return 0;
}
