/* The table of timings as the writer uses it. */
#include "backend/events/timings_impl.h"

/* Phases that are no valid JSON (another program wrote them) stay as they are: failing here would
 * hold up all that is queued behind. */
static const char mark_sql[] =
	"UPDATE timing SET phases = json_insert(phases, '$[#]', json_array(?3, ?4, ?5, ?6))"
	" WHERE n = (SELECT max(n) FROM timing WHERE id = ?2 AND kind = ?1)"
	" AND CASE WHEN json_valid(phases) THEN json_array_length(phases) < ?7 ELSE 0 END";

int timings_prepare(struct edb *db, struct err *e)
{
	int r = edb_prepare(db,
		"INSERT OR REPLACE INTO timing VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,"
		"?14,?15,?16)",
		&db->timing_insert, e);

	if (!r)
		r = edb_prepare(db, mark_sql, &db->timing_mark, e);
	if (!r)
		r = edb_prepare(db,
			"DELETE FROM timing WHERE n <= "
			"(SELECT n FROM timing ORDER BY n LIMIT 1 OFFSET ?)",
			&db->timing_prune, e);
	return r;
}

void timings_unprepare(struct edb *db)
{
	sqlite3_finalize(db->timing_insert);
	sqlite3_finalize(db->timing_mark);
	sqlite3_finalize(db->timing_prune);
}

static void bind_ns(sqlite3_stmt *s, int at, uint64_t ns)
{
	sqlite3_bind_int64(s, at, (int64_t)min_of(ns, (uint64_t)INT64_MAX));
}

static int add(struct edb *db, uint64_t n, const struct timing_row *row, struct err *e)
{
	sqlite3_stmt *s = db->timing_insert;

	sqlite3_bind_int64(s, 1, (int64_t)n);
	/* The texts up to `why`, the two times, the texts behind. A NULL text binds NULL. */
	for (int i = 0; i < TT__COUNT; i++)
		sqlite3_bind_text(s, i + 2 + (i > TT_WHY ? 2 : 0), row->text[i], -1, SQLITE_STATIC);
	bind_ns(s, TT_WHY + 3, row->started_ns);
	bind_ns(s, TT_WHY + 4, row->total_ns);
	return edb_step(db, s, "store a timing", e);
}

static int mark(struct edb *db, const struct timing_row *row, struct err *e)
{
	sqlite3_stmt *s = db->timing_mark;

	sqlite3_bind_text(s, 1, row->text[TT_KIND], -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, row->text[TT_ID], -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 3, row->text[TT_PHASES], -1, SQLITE_STATIC);
	bind_ns(s, 4, row->phase.at_ns);
	bind_ns(s, 5, row->phase.ns);
	bind_ns(s, 6, row->phase.limit_ns);
	sqlite3_bind_int(s, 7, TIMING_PHASES);
	return edb_step(db, s, "add to a timing", e);
}

int timing_row_store(
	struct edb *db, uint64_t n, const struct timing_row *row, int64_t *rows, struct err *e)
{
	int r = row->mark ? mark(db, row, e) : add(db, n, row, e);

	if (!r && !row->mark)
		++*rows;
	return r;
}
