// LIBS: events base
// OBJS: tests/support/looptest.c
/* Timings in the event log's database: order, percentiles, bounds, kill -9, a file of version 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/base/jsonx.h"
#include "backend/events/events_impl.h"
#include "tests/support/looptest.h"

#define MS 1000000ull

static struct events *l;

static const char *db(void)
{
	return t_path("vmdeck.db");
}

static void open_keep(int64_t keep)
{
	struct err e;

	if (events_open_keep(&l, db(), (struct edb_keep){EVENTS_KEEP, keep}, NULL, NULL, &e) < 0)
		fail_msg("%s", e.msg);
}

static void open_log(void)
{
	open_keep(TIMINGS_KEEP);
}

static void close_log(void)
{
	events_close(l);
	l = NULL;
}

static int teardown(void **state)
{
	close_log();
	return t_teardown(state);
}

static int64_t ask_db(const char *sql)
{
	sqlite3_stmt *s;
	sqlite3 *c;
	int64_t v;

	assert_int_equal(sqlite3_open_v2(db(), &c, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(c, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(c);
	return v;
}

static void change_db(const char *sql)
{
	char *why = NULL;
	sqlite3 *c;

	assert_int_equal(sqlite3_open(db(), &c), SQLITE_OK);
	sqlite3_busy_timeout(c, 10000);
	if (sqlite3_exec(c, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
	sqlite3_close(c);
}

/* A restore of snapshot `subject` that took ms: three phases. */
static struct timing restore(const char *id, const char *subject, uint64_t ms)
{
	return (struct timing){
		.kind = "restore",
		.id = id,
		.vm = id,
		.vm_name = "web",
		.subject = subject,
		.subject_id = subject,
		.vmm = "qemu",
		.result = "ok",
		.started_ns = 1767323045678000000ull,
		.total_ns = ms * MS,
		.phases = {{"spawn", 0, ms * MS / 2, 5000 * MS},
			{"load", ms * MS / 2, ms * MS / 4, 2000 * MS},
			{"hello", ms * MS * 3 / 4, ms * MS / 4, 0}},
		.phase_count = 3,
	};
}

static void add(const char *id, const char *subject, uint64_t ms)
{
	struct timing t = restore(id, subject, ms);

	timings_add(l, &t);
}

static void add_result(const char *subject, const char *result)
{
	struct timing t = restore("0badcafe", subject, 7);

	t.result = result;
	t.step = "hello";
	t.last_event = "vmm.resume";
	t.why = "hello: no answer in 5 s";
	timings_add(l, &t);
}

static struct json_object *get(const char *kind, const char *id)
{
	struct json_object *o = NULL;
	struct err e;

	if (timings_get(l, kind, id, &o, &e) < 0)
		fail_msg("%s", e.msg);
	return o;
}

static struct json_object *usual(const char *subject_id)
{
	struct json_object *o = NULL;
	struct err e;

	if (timings_usual(l, "restore", subject_id, &o, &e) < 0)
		fail_msg("%s", e.msg);
	return o;
}

static size_t listed(const char *kind, const char *subject, int limit)
{
	autojson struct json_object *a = NULL;

	assert_int_equal(timings_list(l, kind, subject, limit, &a, NULL), 0);
	return json_object_array_length(a);
}

static double num(struct json_object *o, const char *key)
{
	return json_object_get_double(jsonx_get(o, key));
}

static struct json_object *phase(struct json_object *o, size_t i)
{
	return json_object_array_get_idx(jsonx_get(o, "phases"), i);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void check_row(struct json_object *o)
{
	assert_string_equal(jsonx_str(o, "kind"), "restore");
	assert_string_equal(jsonx_str(o, "id"), "0badcafe");
	assert_string_equal(jsonx_str(o, "vm_name"), "web");
	assert_string_equal(jsonx_str(o, "subject"), "base");
	assert_string_equal(jsonx_str(o, "result"), "ok");
	assert_null(jsonx_str(o, "why"));
	assert_int_equal(jsonx_int(o, "started_ns", 0), 1767323045678000000);
	assert_true(num(o, "total_ms") == 100);
	assert_true(jsonx_bool(jsonx_get(o, "extra"), "pool", false));
	assert_int_equal(json_object_array_length(jsonx_get(o, "phases")), 3);
	assert_string_equal(jsonx_str(phase(o, 1), "name"), "load");
	assert_true(num(phase(o, 1), "at_ms") == 50);
	assert_true(num(phase(o, 1), "ms") == 25);
	assert_true(num(phase(o, 1), "limit_s") == 2);
}

static void test_row(void **state)
{
	struct timing t = restore("0badcafe", "base", 100);
	autojson struct json_object *at_once = NULL, *again = NULL, *failed = NULL;

	(void)state;
	t.extra = "{\"pool\":true}";
	open_log();
	timings_add(l, &t);
	at_once = get("restore", "0badcafe");
	check_row(at_once);
	close_log();
	open_log();
	again = get("restore", "web");
	check_row(again);
	assert_int_equal(ask_db("SELECT count(*) FROM event WHERE name = 'timing'"), 1);
	add_result("base", "failed");
	failed = get(NULL, "web");
	assert_string_equal(jsonx_str(failed, "step"), "hello");
	assert_string_equal(jsonx_str(failed, "last_event"), "vmm.resume");
	assert_string_equal(jsonx_str(failed, "why"), "hello: no answer in 5 s");
}

static void test_get(void **state)
{
	struct timing boot = restore("cafe0001", "mini", 1400), snap = restore("gen-1", "base", 9);
	autojson struct json_object *a = NULL, *b = NULL, *c = NULL, *d = NULL, *none = NULL;
	struct err e;

	(void)state;
	open_log();
	boot.kind = "boot";
	boot.vm_name = "db";
	snap.kind = "snapshot";
	snap.vm_name = "db";
	timings_add(l, &boot);
	timings_add(l, &snap);
	add("cafe0002", "base", 100);
	add("cafe0003", "base", 200);
	a = get("boot", "db");
	assert_string_equal(jsonx_str(a, "id"), "cafe0001");
	b = get("restore", "web"); /* the newest of that name */
	assert_string_equal(jsonx_str(b, "id"), "cafe0003");
	c = get("snapshot", "base");
	assert_string_equal(jsonx_str(c, "id"), "gen-1");
	d = get(NULL, "cafe0002");
	assert_string_equal(jsonx_str(d, "kind"), "restore");
	assert_int_equal(timings_get(l, "boot", "web", &none, &e), -ENOENT);
	assert_string_equal(e.msg, "no boot of 'web' has been timed");
	assert_int_equal(timings_get(l, NULL, "x' OR 1=1 --", &none, &e), -ENOENT);
}

static void test_list(void **state)
{
	autojson struct json_object *list = NULL;
	struct timing boot = restore("b", "mini", 5);

	(void)state;
	open_log();
	assert_int_equal(listed(NULL, NULL, 10), 0);
	for (uint64_t i = 1; i <= 30; i++)
		add("r", i % 3 ? "base" : "other", i);
	boot.kind = "boot";
	timings_add(l, &boot);
	assert_int_equal(listed(NULL, NULL, 100), 31);
	assert_int_equal(listed("restore", NULL, 100), 30);
	assert_int_equal(listed("restore", "other", 100), 10);
	assert_int_equal(listed(NULL, "mini", 100), 1);
	assert_int_equal(listed("boot", "base", 100), 0);
	assert_int_equal(listed("snapshot", NULL, 100), 0);
	assert_int_equal(timings_list(l, "restore", "base", 5, &list, NULL), 0);
	assert_int_equal(json_object_array_length(list), 5);
	assert_true(num(json_object_array_get_idx(list, 0), "total_ms") == 29);
	assert_true(num(json_object_array_get_idx(list, 4), "total_ms") == 23);
}

static void test_mark(void **state)
{
	struct timing_phase p = {"first exec", 100 * MS, 60 * MS, 0};
	autojson struct json_object *o = NULL, *same = NULL, *full = NULL;

	(void)state;
	open_log();
	add("cafe0001", "base", 100);
	add("cafe0002", "base", 100);
	timings_mark(l, "restore", "cafe0001", &p);
	timings_mark(l, "restore", "nobody", &p);
	timings_mark(l, "boot", "cafe0001", &p);
	o = get("restore", "cafe0001");
	assert_int_equal(json_object_array_length(jsonx_get(o, "phases")), 4);
	assert_string_equal(jsonx_str(phase(o, 3), "name"), "first exec");
	assert_true(num(phase(o, 3), "at_ms") == 100);
	assert_true(num(phase(o, 3), "ms") == 60);
	same = get("restore", "cafe0002");
	assert_int_equal(json_object_array_length(jsonx_get(same, "phases")), 3);
	for (int i = 0; i < 50; i++)
		timings_mark(l, "restore", "cafe0002", &p);
	full = get("restore", "cafe0002");
	assert_int_equal(json_object_array_length(jsonx_get(full, "phases")), TIMING_PHASES);
}

static void test_odd_rows(void **state)
{
	struct timing t = {
		.kind = "boot", .id = "odd", .phase_count = 1000, .total_ns = UINT64_MAX};
	autojson struct json_object *o = NULL, *broken = NULL, *u = NULL;

	(void)state;
	t.extra = "{no json";
	open_log();
	timings_add(l, &t);
	o = get("boot", "odd");
	assert_int_equal(json_object_array_length(jsonx_get(o, "phases")), TIMING_PHASES);
	assert_string_equal(jsonx_str(jsonx_get(o, "extra"), "text"), "{no json");
	assert_true(num(o, "total_ms") > 9e12);
	/* Other hands were in the file. */
	add("cafe0001", "base", 100);
	assert_int_equal(listed("restore", NULL, 10), 1);
	change_db("UPDATE timing SET total_ns = -5, extra = '[]',"
		  " phases = '[[\"spawn\",1,2,3],[\"x\",-1,1e99,{}],7,[[[' WHERE id = 'cafe0001'");
	timings_mark(l, "restore", "cafe0001", &(struct timing_phase){"late", 1, 1, 1});
	broken = get("restore", "cafe0001");
	assert_int_equal(json_object_array_length(jsonx_get(broken, "phases")), 0);
	u = usual("base");
	assert_int_equal(jsonx_int(u, "count", 0), 1);
	assert_int_equal(json_object_array_length(jsonx_get(u, "phases")), 1);
	/* Nothing is held up by it. */
	add("cafe0002", "base", 50);
	assert_int_equal(listed("restore", NULL, 10), 2);
}

/* ---- percentiles ------------------------------------------------------------------------------
 */

static void check_usual(const char *subject, const double want[5], int failed)
{
	static const char *const keys[] = {"count", "p50_ms", "p90_ms", "p99_ms", "max_ms"};
	autojson struct json_object *u = usual(subject);

	for (size_t i = 0; i < countof(keys); i++)
		if (num(u, keys[i]) != want[i])
			fail_msg(
				"%s of %s: %g, not %g", keys[i], subject, num(u, keys[i]), want[i]);
	assert_int_equal(jsonx_int(u, "failed", -1), failed);
}

static void test_percentiles(void **state)
{
	autojson struct json_object *u = NULL;

	(void)state;
	open_log();
	check_usual("none", (const double[]){0, 0, 0, 0, 0}, 0);
	add("r", "one", 42);
	check_usual("one", (const double[]){1, 42, 42, 42, 42}, 0);
	add("r", "two", 20);
	add("r", "two", 10);
	check_usual("two", (const double[]){2, 10, 20, 20, 20}, 0);
	for (uint64_t i = 1; i <= 100; i++)
		add("r", "hundred", i * 37 % 101);
	check_usual("hundred", (const double[]){100, 50, 90, 99, 100}, 0);
	for (int i = 0; i < 5; i++)
		add_result("hundred", i ? "failed" : "cancelled");
	check_usual("hundred", (const double[]){100, 50, 90, 99, 100}, 4);
	u = usual("hundred");
	assert_int_equal(json_object_array_length(jsonx_get(u, "phases")), 3);
	assert_string_equal(jsonx_str(phase(u, 0), "name"), "spawn");
	assert_true(num(phase(u, 0), "ms") == 25);
	assert_string_equal(jsonx_str(phase(u, 2), "name"), "hello");
	assert_true(num(phase(u, 2), "at_ms") == 37.5);
	assert_true(num(phase(u, 2), "ms") == 12.5);
}

/* Of many rows only the newest count, and looking costs no more than a few ms. */
static void test_many(void **state)
{
	char names[TIMING_PHASES - 10][16];
	struct timing t = restore("r", "base", 100);
	uint64_t best = UINT64_MAX;

	(void)state;
	open_log();
	t.phase_count = countof(names);
	for (uint64_t i = 0; i < 20000; i++) {
		/* The old ones were slow. */
		t.total_ns = (i < 18000 ? 900 : 100 + i % 10) * MS;
		for (uint64_t k = 0; k < countof(names); k++) {
			snprintf(names[k], sizeof(names[k]), "phase %d", (int)k);
			t.phases[k] = (struct timing_phase){names[k], k * MS, MS + i, 5000 * MS};
		}
		timings_add(l, &t);
		if (i % 2000 == 1999) /* not faster than the disk, so that nothing is dropped */
			assert_int_equal(listed("restore", NULL, 1), 1);
	}
	assert_int_equal(ask_db("SELECT count(*) FROM timing"), 20000);
	check_usual("base", (const double[]){20000, 104, 108, 109, 109}, 0);
	for (int i = 0; i < 5; i++) {
		uint64_t begin = mono_ns();

		json_object_put(usual("base"));
		best = min_of(best, mono_ns() - begin);
	}
	print_message("usual of 20,000 rows: %.1f ms\n", (double)best / 1e6);
#ifndef __SANITIZE_ADDRESS__
	assert_true(best < 20 * MS);
#endif
}

static void test_prune(void **state)
{
	int64_t rows;

	(void)state;
	open_keep(3000);
	for (int i = 0; i < 9000; i++) {
		add("r", "base", 1);
		if (i % 1000 == 999)
			assert_int_equal(listed(NULL, NULL, 1), 1);
	}
	close_log();
	rows = ask_db("SELECT count(*) FROM timing");
	assert_in_range(rows, 3000, 4100);
	assert_int_equal(ask_db("SELECT max(n) FROM timing"), 9000);
	assert_int_equal(ask_db("SELECT min(n) FROM timing"), 9000 - rows + 1);
	open_keep(3000);
	assert_int_equal(listed(NULL, NULL, 10000), rows);
}

/* ---- the file -------------------------------------------------------------------------------- */

/* As version 1 made it, word for word. */
static const char version_1[] =
	"PRAGMA journal_mode=WAL;BEGIN;"
	"CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS event(seq INTEGER PRIMARY KEY, mono_ns INTEGER NOT NULL,"
	" wall_ns INTEGER NOT NULL, vm TEXT NOT NULL, vm_name TEXT NOT NULL, name TEXT NOT NULL,"
	" fields TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS event_vm ON event(vm, seq) WHERE vm <> '';"
	"CREATE INDEX IF NOT EXISTS event_vm_name ON event(vm_name, seq) WHERE vm_name <> '';"
	"PRAGMA user_version=1;COMMIT;"
	"INSERT INTO event VALUES(1,5,6,'0badcafe','web','vm.boot','{\"ms\":1}');"
	"INSERT INTO event VALUES(2,7,8,'','','daemon.stop','{}');"
	"INSERT INTO meta VALUES('reserved',2);";

static void test_version_1(void **state)
{
	autojson struct json_object *a = NULL;

	(void)state;
	change_db(version_1);
	open_log();
	assert_int_equal(events_seq(l), 2);
	assert_int_equal(events_list(l, "web", 0, 10, &a, NULL), 0);
	assert_int_equal(json_object_array_length(a), 1);
	add("cafe0001", "base", 100);
	assert_int_equal(listed("restore", "base", 10), 1);
	close_log();
	assert_int_equal(ask_db("PRAGMA user_version"), 2);
	assert_int_equal(ask_db("SELECT count(*) FROM event"), 3);
	assert_int_equal(ask_db("SELECT n FROM timing"), 3);
	open_log();
	assert_int_equal(events_seq(l), 3);
	assert_int_equal(listed("restore", "base", 10), 1);
	close_log();
	/* A table of that name that is none of ours: set aside like any damaged file. */
	change_db("DROP TABLE timing; CREATE TABLE timing(a, b)");
	open_log();
	assert_true(events_seq(l) > 1000000);
	add("cafe0001", "base", 100);
	assert_int_equal(listed(NULL, NULL, 10), 1);
}

static void write_for_ever(int fd)
{
	struct json_object *a;
	char byte = 0;

	if (events_open(&l, db(), NULL, NULL, NULL) < 0)
		_exit(2);
	for (;;) {
		for (int i = 0; i < 20; i++) {
			add("cafe0001", "base", 100);
			timings_mark(l, "restore", "cafe0001",
				&(struct timing_phase){"first exec", 1, 1, 0});
		}
		/* What was read is stored, and must be there whatever comes. */
		if (timings_list(l, NULL, NULL, 1, &a, NULL) < 0)
			_exit(3);
		json_object_put(a);
		if (write(fd, &byte, 1) != 1)
			_exit(1);
	}
}

static int kill_writer(int count)
{
	int fds[2], got = 0;
	pid_t pid;
	char byte;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		write_for_ever(fds[1]);
	}
	close(fds[1]);
	while (read(fds[0], &byte, 1) == 1)
		if (++got == count)
			kill(pid, SIGKILL);
	close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(got >= count);
	return got;
}

static void test_kill_9(void **state)
{
	int batches = 0;

	(void)state;
	for (int i = 1; i <= 6; i++)
		batches += kill_writer(i * 3);
	assert_true(ask_db("SELECT count(*) FROM timing") >= 20 * batches);
	assert_int_equal(ask_db("SELECT count(*) FROM timing t WHERE NOT EXISTS"
				"(SELECT 1 FROM event e WHERE e.seq = t.n AND e.name = 'timing')"),
		0);
	assert_int_equal(
		ask_db("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"),
		1);
	open_log();
	add("cafe0009", "base", 1);
}

/* Nothing can be stored: adding and reading go on, what is lost is counted with the events. */
static void test_no_space(void **state)
{
	struct rlimit old, low;
	int64_t dropped, lost;
	uint64_t begin;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	open_log();
	for (int i = 0; i < 50; i++)
		add("r", "base", 1);
	assert_int_equal(listed(NULL, NULL, 100), 50);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 131072;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	for (int i = 0; i < EVENTS_RING + 2000; i++)
		add("r", "base", 1);
	begin = mono_ns();
	assert_true(listed(NULL, NULL, 1) == 1);
	assert_true(mono_ns() - begin < 5000 * MS);
	close_log(); /* gives up, does not hang */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	open_log();
	add("r", "base", 1);
	assert_int_equal(listed(NULL, NULL, 1), 1);
	close_log();
	lost = EVENTS_RING + 2000 + 51 - ask_db("SELECT count(*) FROM timing");
	assert_true(lost > 0);
	dropped = ask_db("SELECT max(seq) FROM event") - ask_db("SELECT count(*) FROM event");
	assert_true(dropped >= lost);
	signal(SIGXFSZ, SIG_DFL);
}

/* Somebody holds the file, then lets go: what was dropped is told. */
static void test_dropped_is_told(void **state)
{
	autojson struct json_object *a = NULL;
	int64_t told = 0;
	sqlite3 *c;

	(void)state;
	open_log();
	add("r", "base", 1);
	assert_int_equal(listed(NULL, NULL, 1), 1);
	assert_int_equal(sqlite3_open_v2(db(), &c, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(c, 10000);
	assert_int_equal(sqlite3_exec(c, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < EVENTS_RING + 1000; i++)
		add("r", "base", 1);
	assert_int_equal(sqlite3_exec(c, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(c);
	close_log();
	open_log();
	assert_int_equal(events_list(l, NULL, 0, 10, &a, NULL), 0);
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		struct json_object *o = json_object_array_get_idx(a, i);

		if (strcmp(jsonx_str(o, "name"), "events.dropped") == 0)
			told = jsonx_int(jsonx_get(o, "fields"), "rows", 0);
	}
	assert_true(told > 0);
	assert_int_equal(EVENTS_RING + 1001 - ask_db("SELECT count(*) FROM timing"), told);
}

#define T(name) cmocka_unit_test_setup_teardown(name, t_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_row),
		T(test_get),
		T(test_list),
		T(test_mark),
		T(test_odd_rows),
		T(test_percentiles),
		T(test_many),
		T(test_prune),
		T(test_version_1),
		T(test_kill_9),
		T(test_no_space),
		T(test_dropped_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
