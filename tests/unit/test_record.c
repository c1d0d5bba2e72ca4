// LIBS: record base
/* Recordings: what is written is read again, and hostile files are refused with their line. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "backend/base/jsonx.h"
#include "backend/record/record.h"

#define HEAD                                                                                       \
	"{\"vmdeck_recording\":1,\"version\":\"t\",\"host\":\"h\",\"wall_ns\":5,\"mono_ns\":6}\n"

#define EVENT "{\"name\":\"vm.remove\",\"vm\":\"a\",\"seq\":7}"

static int parse(struct recording *rec, const char *text, struct err *e)
{
	return recording_parse(rec, "f", xstrdup(text), strlen(text), e);
}

static void refuse(const char *text, const char *sentence)
{
	struct recording rec;
	struct err e = {0};

	assert_int_equal(parse(&rec, text, &e), -EINVAL);
	if (!strstr(e.msg, sentence))
		fail_msg("'%s' does not say '%s'", e.msg, sentence);
	assert_null(rec.text);
}

static void test_round_trip(void **state)
{
	char dir[] = "/tmp/record-XXXXXX", path[64];
	autojson struct json_object *event = NULL, *list = NULL;
	struct record_writer w;
	struct recording rec;
	uint8_t bytes[256];
	struct stat st;
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(record_create(&w, path, "1.2", 1 << 20, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(jsonx_parse(EVENT, strlen(EVENT), &event, &e), 0);
	assert_int_equal(jsonx_parse("[{\"id\":\"a\"}]", 12, &list, &e), 0);
	assert_int_equal(record_answer(&w, "vm.list", NULL, 0, list, &e), 0);
	assert_int_equal(record_data(&w, "a", RECORD_SERIAL, 10, bytes, sizeof(bytes), &e), 0);
	assert_int_equal(record_event(&w, event, &e), 0);
	assert_int_equal(record_mark(&w, "here", &e), 0);
	assert_int_equal(record_mark(&w, "there", &e), 0);
	record_close(&w, "done");
	/* A file that is there is never written over. */
	assert_int_equal(record_create(&w, path, "1.2", 1 << 20, &e), -EEXIST);

	assert_int_equal(recording_load(&rec, path, &e), 0);
	assert_int_equal(rec.count, 5);
	assert_string_equal(rec.version, "1.2");
	assert_int_equal(rec.vms, 1);
	assert_int_equal(recording_vm(&rec, "a"), 0);
	for (size_t i = 0; i < rec.count; i++) {
		const struct record_entry *en = &rec.entry[i];

		if (en->kind == RECORD_DATA) {
			assert_int_equal(en->size, 256);
			assert_memory_equal(en->data, bytes, 256);
			assert_int_equal(en->at, 10);
			assert_int_equal(en->source, RECORD_SERIAL);
		}
		if (en->kind == RECORD_EVENT)
			assert_true(en->removes && en->seq == 7 && en->vm == 0);
	}
	/* Each mark can be gone to, however fast they came. */
	assert_int_equal(rec.entry[3].kind, RECORD_MARK);
	assert_true(rec.entry[4].ms > rec.entry[3].ms);
	assert_true(rec.length_ms > rec.entry[4].ms);
	recording_fini(&rec);
	unlink(path);
	rmdir(dir);
}

static void test_limit(void **state)
{
	char dir[] = "/tmp/record-XXXXXX", path[64], bytes[4096];
	struct record_writer w;
	struct recording rec;
	struct stat st;
	struct err e = {0};
	int r = 0;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/f", dir);
	assert_int_equal(record_create(&w, path, "1", 65536, &e), 0);
	while (r == 0)
		r = record_data(&w, "a", RECORD_OUTPUT, 0, bytes, sizeof(bytes), &e);
	assert_int_equal(r, -EFBIG);
	record_close(&w, e.msg);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size <= 65536);
	assert_int_equal(recording_load(&rec, path, &e), 0);
	assert_false(rec.cut);
	recording_fini(&rec);
	unlink(path);
	rmdir(dir);
}

static void test_hostile(void **state)
{
	(void)state;
	refuse("", "no whole line");
	refuse(HEAD + 1, "no recording");
	refuse("[]\n", "no recording");
	refuse("{\"vmdeck_recording\":2}\n", "format 2");
	refuse(HEAD "nonsense\n", "line 2: no JSON object");
	refuse(HEAD "{\"event\":{\"name\":\"x\"}}\n", "line 2: no time");
	refuse(HEAD "{\"ms\":5,\"mark\":\"a\"}\n{\"ms\":4,\"mark\":\"a\"}\n",
		"line 3: its time is before");
	refuse(HEAD "{\"ms\":9223372036854775807,\"mark\":\"a\"}\n", "too far");
	refuse(HEAD "{\"ms\":1,\"event\":{\"vm\":\"a\"}}\n", "without a name");
	refuse(HEAD "{\"ms\":1,\"data\":\"output\",\"vm\":\"a\"}\n", "no bytes");
	refuse(HEAD "{\"ms\":1,\"data\":\"output\",\"vm\":\"a\",\"bytes\":\"\\u0100\"}\n",
		"over 255");
	refuse(HEAD "{\"ms\":1,\"data\":\"screen\",\"vm\":\"a\",\"bytes\":\"\"}\n", "no VM");
	refuse(HEAD "{\"ms\":1,\"data\":\"output\",\"bytes\":\"\"}\n", "no VM");
	refuse(HEAD "{\"ms\":1,\"data\":\"output\",\"vm\":\"a\",\"at\":-1,\"bytes\":\"\"}\n",
		"no VM");
	refuse(HEAD "{\"ms\":1,\"answer\":\"vm.get\",\"result\":{}}\n", "no VM");
}

static void test_cut_and_unknown(void **state)
{
	struct recording rec;
	struct err e = {0};

	(void)state;
	/* kill -9 within a line; a kind of a later version. */
	assert_int_equal(
		parse(&rec,
			HEAD
			"{\"ms\":3,\"keys\":\"abc\"}\n{\"ms\":4,\"mark\":\"m\"}\n{\"ms\":5,\"ma",
			&e),
		0);
	assert_true(rec.cut);
	assert_int_equal(rec.count, 1);
	assert_int_equal(rec.length_ms, 4);
	recording_fini(&rec);
}

static void test_answers_stand_where_they_were_asked(void **state)
{
	struct recording rec;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		parse(&rec,
			HEAD
			"{\"ms\":3,\"event\":{\"name\":\"vm.state\",\"vm\":\"a\"}}\n"
			"{\"ms\":7,\"mark\":\"m\"}\n"
			"{\"ms\":9,\"answer\":\"vm.get\",\"of\":\"a\",\"asked\":3,\"result\":{}}\n",
			&e),
		0);
	assert_int_equal(rec.count, 3);
	assert_int_equal(rec.entry[0].kind, RECORD_EVENT);
	assert_int_equal(rec.entry[1].kind, RECORD_ANSWER);
	assert_int_equal(rec.entry[1].ms, 3);
	assert_int_equal(rec.entry[2].kind, RECORD_MARK);
	recording_fini(&rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_cut_and_unknown),
		cmocka_unit_test(test_answers_stand_where_they_were_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
