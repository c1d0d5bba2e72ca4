// LIBS: events base
// OBJS: tests/support/looptest.c
/* The event log: numbering across restarts and kill -9, reading, pruning, damage, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/jsonx.h"
#include "backend/events/events_impl.h"
#include "tests/support/looptest.h"

static struct events *l;
static uint64_t seen; /* newest seq the sink saw */
static char seen_name[64], seen_fields[400];

static void on_event(void *user, const struct event *ev)
{
	assert_ptr_equal(user, &l);
	assert_true(ev->seq > seen);
	seen = ev->seq;
	snprintf(seen_name, sizeof(seen_name), "%s", ev->name);
	snprintf(seen_fields, sizeof(seen_fields), "%.300s", ev->fields);
}

static const char *db(void)
{
	return t_path("vmdeck.db");
}

static void open_keep(int64_t keep)
{
	struct err e;

	if (events_open_keep(&l, db(), (struct edb_keep){keep, keep}, on_event, &l, &e) < 0)
		fail_msg("%s", e.msg);
}

static void open_log(void)
{
	open_keep(EVENTS_KEEP);
}

static void close_log(void)
{
	events_close(l);
	l = NULL;
}

static int setup(void **state)
{
	seen = 0;
	seen_name[0] = seen_fields[0] = '\0';
	return t_setup(state);
}

static int teardown(void **state)
{
	close_log();
	return t_teardown(state);
}

static void add(const char *vm, const char *name, int n)
{
	char fields[32];

	for (int i = 0; i < n; i++) {
		snprintf(fields, sizeof(fields), "{\"i\":%d}", i);
		events_add(l, vm, *vm ? "name-of-vm" : "", name, fields);
	}
}

static uint64_t seq_at(struct json_object *a, size_t i)
{
	return (uint64_t)jsonx_int(json_object_array_get_idx(a, i), "seq", 0);
}

/* events_list must give exactly first..last. */
static void lists(const char *vm, uint64_t since, int limit, uint64_t first, uint64_t last)
{
	autojson struct json_object *a = NULL;
	size_t n = (size_t)(last - first + 1);
	struct err e;

	if (events_list(l, vm, since, limit, &a, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(json_object_array_length(a), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(seq_at(a, i), first + i);
}

static void follows(uint64_t since, int limit, uint64_t first, uint64_t last)
{
	autojson struct json_object *a = NULL;
	size_t n = (size_t)(last - first + 1);

	assert_int_equal(events_next(l, since, limit, &a, NULL), 0);
	assert_int_equal(json_object_array_length(a), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(seq_at(a, i), first + i);
}

/* One number of the database, read by a connection of its own. */
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

static int broken_files(void)
{
	DIR *d = opendir(t_dir);
	struct dirent *de;
	int n = 0;

	while ((de = readdir(d)))
		n += strstr(de->d_name, ".broken-") && !strstr(de->d_name, "-wal") &&
		     !strstr(de->d_name, "-shm");
	closedir(d);
	return n;
}

/* ---- numbering ------------------------------------------------------------------------------- */

static void test_numbers_go_on(void **state)
{
	(void)state;
	open_log();
	assert_int_equal(events_seq(l), 0);
	add("", "first", 3);
	assert_int_equal(events_seq(l), 3);
	assert_int_equal(seen, 3);
	close_log();
	for (uint64_t i = 0; i < 3; i++) {
		open_log();
		assert_int_equal(events_seq(l), 3 + i);
		add("", "more", 1);
		lists(NULL, 0, 100, 1, 4 + i);
		close_log();
	}
	open_log();
	lists(NULL, 0, 100, 1, 6);
}

static void test_json(void **state)
{
	autojson struct json_object *a = NULL;
	struct json_object *o;

	(void)state;
	open_log();
	events_add(l, "0badcafe", "web", "vmm.spawn", "{\"pid\":7,\"text\":\"\\u001b\xc3\xa4\"}");
	events_add(l, NULL, NULL, "plain", NULL);
	events_add(l, NULL, NULL, "no json", "{broken");
	close_log();
	open_log();
	assert_int_equal(events_list(l, NULL, 0, 10, &a, NULL), 0);
	o = json_object_array_get_idx(a, 0);
	assert_string_equal(jsonx_str(o, "vm"), "0badcafe");
	assert_string_equal(jsonx_str(o, "vm_name"), "web");
	assert_string_equal(jsonx_str(o, "name"), "vmm.spawn");
	assert_int_equal(jsonx_int(jsonx_get(o, "fields"), "pid", 0), 7);
	assert_string_equal(jsonx_str(jsonx_get(o, "fields"), "text"), "\033\xc3\xa4");
	assert_true(jsonx_int(o, "mono_ns", 0) > 0);
	assert_true(jsonx_int(o, "wall_ns", 0) > 1600000000000000000);
	o = json_object_array_get_idx(a, 1);
	assert_string_equal(jsonx_str(o, "vm"), "");
	assert_int_equal(json_object_object_length(jsonx_get(o, "fields")), 0);
	o = json_object_array_get_idx(a, 2);
	assert_string_equal(jsonx_str(jsonx_get(o, "fields"), "text"), "{broken");
}

static void test_large_fields(void **state)
{
	char *big = malloc(20000);

	(void)state;
	open_log();
	memset(big, 'x', 19999);
	big[19999] = '\0';
	events_add(l, "", "", "big", big);
	assert_string_equal(seen_fields, "{\"cut\":19999}");
	free(big);
}

/* ---- kill -9 --------------------------------------------------------------------------------- */

/* Tells each number to the parent as a subscriber would see it, for ever. */
static void tell_number(void *user, const struct event *ev)
{
	if (write(*(int *)user, &ev->seq, sizeof(ev->seq)) != sizeof(ev->seq))
		_exit(1);
}

static void write_for_ever(int fd)
{
	struct events *mine;

	if (events_open(&mine, db(), tell_number, &fd, NULL) < 0)
		_exit(2);
	for (int i = 0;; i++)
		events_add(
			mine, i % 3 ? "0badcafe" : "", "web", "loop", "{\"text\":\"some text\"}");
}

/* Reads the child's numbers until `count` came, kills it -9, and reads what it still sent: each is
 * larger than the one before, across all children. */
static uint64_t kill_writer(uint64_t last, int count)
{
	uint64_t seq;
	int fds[2], got = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		write_for_ever(fds[1]);
	}
	close(fds[1]);
	while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq)) {
		if (seq <= last)
			fail_msg("%llu was seen after %llu", (unsigned long long)seq,
				(unsigned long long)last);
		last = seq;
		if (++got == count)
			kill(pid, SIGKILL);
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(got >= count);
	return last;
}

static void test_kill_9(void **state)
{
	uint64_t last = 0;
	int64_t stored;

	(void)state;
	for (int i = 0; i < 12; i++)
		last = kill_writer(last, 1 + i * i * 60);
	/* Nothing is damaged, and the hole of the last kill is told. */
	stored = ask_db("SELECT max(seq) FROM event");
	/* On a busy machine a child may be killed before its writer had a turn. */
	for (int count = 1000; !stored && count < 2000000; count *= 2) {
		last = kill_writer(last, count);
		stored = ask_db("SELECT max(seq) FROM event");
	}
	open_log();
	assert_true(events_seq(l) > last);
	assert_string_equal(seen_name, "events.hole");
	assert_non_null(strstr(seen_fields, "\"stored\":"));
	close_log();
	assert_int_equal(broken_files(), 0);
	assert_int_equal(
		ask_db("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"),
		1);
	assert_true(stored > 0);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void test_list(void **state)
{
	autojson struct json_object *a = NULL;

	(void)state;
	open_log();
	lists(NULL, 0, 10, 1, 0);
	add("", "host", 3000);
	close_log();
	open_log();
	add("0badcafe", "vm", 2000); /* 3001..5000 */
	close_log();
	open_log();
	add("", "host", 1000); /* 5001..6000, in memory */
	lists(NULL, 0, 10, 5991, 6000);
	lists(NULL, 0, 1000, 5001, 6000);
	lists(NULL, 0, 1001, 5000, 6000);
	lists(NULL, 4990, 5000, 4991, 6000);
	lists(NULL, 6000, 10, 1, 0);
	lists(NULL, UINT64_MAX, 10, 1, 0);
	lists(NULL, 0, 10000, 1, 6000);
	lists("0badcafe", 0, 10, 4991, 5000);
	lists("name-of-vm", 0, 10, 4991, 5000);
	lists("name-of-vm", 4995, 10, 4996, 5000);
	lists("0badcafe", 0, 10000, 3001, 5000);
	lists("nobody", 0, 10, 1, 0);
	add("0badcafe", "vm", 2);
	assert_int_equal(events_list(l, "0badcafe", 0, 3, &a, NULL), 0);
	assert_int_equal(json_object_array_length(a), 3);
	assert_int_equal(seq_at(a, 0), 5000);
	assert_int_equal(seq_at(a, 2), 6002);
	follows(0, 10, 1, 10);
	follows(2995, 10, 2996, 3005);
	follows(4995, 10, 4996, 5005);
	follows(5990, 1000, 5991, 6002);
	follows(6002, 10, 1, 0);
}

/* More than the ring holds, while the writer is at work. */
static void test_ring_turns(void **state)
{
	(void)state;
	open_log();
	for (int i = 0; i < 40; i++) {
		add("", "host", 500);
		/* Not faster than the disk, so that nothing is dropped. */
		close_log();
		open_log();
	}
	add("", "host", EVENTS_RING + 100);
	lists(NULL, events_seq(l) - 50, 1000, events_seq(l) - 49, events_seq(l));
	lists(NULL, 0, 4000, events_seq(l) - 3999, events_seq(l));
}

static void test_list_is_bounded(void **state)
{
	autojson struct json_object *a = NULL;
	char *fields = malloc(8001);

	(void)state;
	memset(fields, ' ', 8000);
	memcpy(fields, "{", 1);
	memcpy(fields + 7999, "}", 2);
	open_log();
	for (int i = 0; i < 1000; i++)
		events_add(l, "", "", "big", fields);
	free(fields);
	assert_int_equal(events_list(l, NULL, 0, 10000, &a, NULL), 0);
	assert_in_range(json_object_array_length(a), 200, 300);
	assert_int_equal(seq_at(a, json_object_array_length(a) - 1), 1000);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void test_prune(void **state)
{
	int64_t rows;

	(void)state;
	open_keep(5000);
	for (int i = 0; i < 5; i++) {
		add("", "host", 3000);
		close_log();
		open_keep(5000);
	}
	close_log();
	rows = ask_db("SELECT count(*) FROM event");
	assert_in_range(rows, 5000, 6100);
	assert_int_equal(ask_db("SELECT max(seq) FROM event"), 15000);
	assert_int_equal(ask_db("SELECT min(seq) FROM event"), 15000 - rows + 1);
	open_keep(5000);
	assert_int_equal(events_seq(l), 15000);
}

/* Somebody holds the database: adding does not wait, what is not stored is counted and told. */
static void test_writer_behind(void **state)
{
	autojson struct json_object *a = NULL;
	struct json_object *o;
	int64_t dropped = 0;
	uint64_t last;
	sqlite3 *c;

	(void)state;
	open_log();
	add("", "before", 1);
	assert_int_equal(sqlite3_open_v2(db(), &c, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(c, 10000);
	assert_int_equal(sqlite3_exec(c, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	add("", "during", EVENTS_RING + 1000);
	last = events_seq(l);
	lists(NULL, last - 10, 100, last - 9, last);
	assert_int_equal(sqlite3_exec(c, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(c);
	close_log();
	open_log();
	assert_int_equal(events_list(l, NULL, 0, 10, &a, NULL), 0);
	for (size_t i = 0; i < json_object_array_length(a); i++) {
		o = json_object_array_get_idx(a, i);
		if (!strcmp(jsonx_str(o, "name"), "events.dropped"))
			dropped = jsonx_int(jsonx_get(o, "fields"), "rows", 0);
	}
	assert_true(dropped > 0);
	assert_int_equal(ask_db("SELECT max(seq) - count(*) FROM event"), dropped);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void overwrite(const char *path, off_t from, size_t n)
{
	int fd = open(path, O_WRONLY);
	char *junk = malloc(n);

	assert_true(fd >= 0);
	memset(junk, 0xa5, n);
	assert_int_equal(pwrite(fd, junk, n, from), (ssize_t)n);
	close(fd);
	free(junk);
}

static void test_no_database(void **state)
{
	uint64_t first;

	(void)state;
	open_log();
	add("", "old", 100);
	close_log();
	overwrite(db(), 0, 4096);
	open_log();
	assert_int_equal(broken_files(), 1);
	assert_string_equal(seen_name, "events.broken");
	assert_non_null(strstr(seen_fields, ".broken-"));
	first = events_seq(l);
	assert_true(first > 1000000); /* no number that the lost one may have used */
	lists(NULL, 0, 10, first, first);
	add("", "new", 3);
	close_log();
	open_log();
	assert_int_equal(events_seq(l), first + 3);
	lists(NULL, 0, 10, first, first + 3);
}

static void test_foreign_tables(void **state)
{
	sqlite3 *c;

	(void)state;
	assert_int_equal(sqlite3_open(db(), &c), SQLITE_OK);
	assert_int_equal(sqlite3_exec(c, "CREATE TABLE event(a, b)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(c);
	open_log();
	assert_int_equal(broken_files(), 1);
	assert_string_equal(seen_name, "events.broken");
}

static void test_newer_schema(void **state)
{
	struct err e;
	sqlite3 *c;

	(void)state;
	assert_int_equal(sqlite3_open(db(), &c), SQLITE_OK);
	assert_int_equal(sqlite3_exec(c, "PRAGMA user_version=7", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(c);
	assert_int_equal(events_open(&l, db(), NULL, NULL, &e), -EPROTONOSUPPORT);
	assert_non_null(strstr(e.msg, "newer vmdeck"));
	assert_int_equal(broken_files(), 0);
}

/* Damage deep in the file shows only when somebody reads there: the log goes on with a new file. */
static void test_damage_under_way(void **state)
{
	autojson struct json_object *a = NULL;
	struct err e;
	struct stat st;
	uint64_t seq;

	(void)state;
	open_log();
	for (int i = 0; i < 5; i++) {
		add("0badcafe", "old", 3000);
		close_log();
		open_log();
	}
	close_log();
	assert_int_equal(stat(db(), &st), 0);
	assert_true(st.st_size > 200000);
	overwrite(db(), 40960, (size_t)st.st_size - 40960);
	open_log();
	if (!broken_files()) {
		assert_int_equal(events_list(l, NULL, 0, 10000, &a, &e), -EBADMSG);
		assert_non_null(strstr(e.msg, "event log"));
	}
	add("", "new", 10);
	seq = events_seq(l);
	close_log();
	assert_int_equal(broken_files(), 1);
	open_log();
	assert_true(events_seq(l) >= seq);
	lists(NULL, seq - 5, 100, seq - 4, events_seq(l));
}

static void test_cannot_open(void **state)
{
	struct err e;

	(void)state;
	assert_true(events_open(&l, t_path("no/folder/x.db"), NULL, NULL, &e) < 0);
	assert_non_null(strstr(e.msg, "cannot open event log"));
	mkdir(t_path("folder.db"), 0700);
	assert_true(events_open(&l, t_path("folder.db"), NULL, NULL, &e) < 0);
}

/* No space left, by a limit on file sizes: events go on, and are stored again when there is room.
 */
static void test_no_space(void **state)
{
	struct rlimit old, low;
	uint64_t last;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	open_log();
	add("", "before", 100);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 65536;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	add("", "during", 2000);
	last = events_seq(l);
	assert_int_equal(last, 2100);
	close_log(); /* gives up the rest, does not hang */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(broken_files(), 0);
	open_log();
	assert_true(events_seq(l) > last);
	add("", "after", 5);
	close_log();
	assert_int_equal(ask_db("SELECT count(*) FROM event WHERE name='after'"), 5);
	assert_true(ask_db("SELECT count(*) FROM event WHERE name='during'") < 2000);
	signal(SIGXFSZ, SIG_DFL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_numbers_go_on),
		T(test_json),
		T(test_large_fields),
		T(test_kill_9),
		T(test_list),
		T(test_ring_turns),
		T(test_list_is_bounded),
		T(test_prune),
		T(test_writer_behind),
		T(test_no_database),
		T(test_foreign_tables),
		T(test_newer_schema),
		T(test_damage_under_way),
		T(test_cannot_open),
		T(test_no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
