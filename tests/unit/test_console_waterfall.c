// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* The waterfall at several widths: nothing timed, under way, huge, without and with the usual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/test_console_env.h"
#include "tui/console/waterfall.h"

#define START 1700000000000000000u
#define MS    1000000u

/* Draws into the whole screen; the number of lines. */
static int draw(struct app *a, const struct deck_timing *t, int cols, uint64_t after_ms, bool ascii)
{
	struct page pg = {
		.paint = &a->paint, .r = {0, 0, 24, cols}, .now_ns = START + after_ms * MS};

	paint_init(&a->paint, &a->theme, DEPTH_MONO, ascii);
	size(a, 24, 200);
	paint_clear(&a->paint);
	waterfall_draw(&pg, t);
	return pg.line;
}

/* The row that begins with the text behind the margin, as text; "" when there is none. */
static const char *line(const char *begin)
{
	for (int y = 0; y < 24; y++)
		if (strncmp(row(y) + 1, begin, strlen(begin)) == 0)
			return row(y);
	return "";
}

static int count(const char *s, const char *sign)
{
	int n = 0;

	while ((s = strstr(s, sign))) {
		n++;
		s += strlen(sign);
	}
	return n;
}

static struct deck_timing sample(enum deck_result result)
{
	return (struct deck_timing){
		.kind = "restore",
		.result = result,
		.started_ns = START,
		.total_ms = 100,
		.phases = 3,
		.phase = {{"queue", 0, 0.1, 600}, {"spawn", 0.1, 49.9, 0}, {"hello", 50, 50, 10}},
	};
}

static struct deck_usual usual_of_sample(double hello_ms)
{
	return (struct deck_usual){
		.total = {.count = 57, .failed = 2, .p50_ms = 90, .p99_ms = 200},
		.phases = 2,
		.phase = {{"spawn", 0, 50, 0}, {"hello", 50, hello_ms, 0}},
	};
}

static void test_nothing(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct deck_timing t = {.result = RESULT_RUNNING, .started_ns = START};

	for (int cols = 1; cols < 200; cols += 7)
		draw(a, &t, cols, 5, false);
	assert_int_equal(draw(a, &t, 80, 5, false), 2);
	assert_non_null(strstr(row(0), "running so far 5.00 ms"));
	assert_non_null(strstr(row(1), "No phase has been timed."));
}

static void test_no_usual(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct deck_timing t = sample(RESULT_OK);

	assert_int_equal(draw(a, &t, 80, 5000, false), 5);
	assert_non_null(strstr(row(0), "ok in 100 ms"));
	/* Half of the time each, one behind the other. */
	assert_in_range(count(line("spawn"), "█"), 15, 22);
	assert_in_range(count(line("hello"), "█"), 15, 22);
	assert_null(strstr(line("hello"), "slow"));
	assert_non_null(strstr(line("hello"), "10 s"));
	assert_int_equal(count(line("queue"), "█"), 0);
	assert_int_equal(count(line("queue"), "▏"), 1);
}

static void test_ghost(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct deck_timing t = sample(RESULT_OK);
	struct deck_usual fast = usual_of_sample(10), slow = usual_of_sample(150);

	/* Slower than usual: what is beyond looks otherwise, and a word says so. */
	t.usual = &fast;
	draw(a, &t, 80, 0, false);
	assert_non_null(strstr(row(0), "usually 90 ms, p99 200 ms (57 times, 2 failed)"));
	assert_in_range(count(line("hello"), "▓"), 10, 18);
	assert_non_null(strstr(line("hello"), "slow 5.0x"));
	/* Faster: the rest of the usual length is a track. */
	t.usual = &slow;
	draw(a, &t, 80, 0, false);
	assert_in_range(count(line("hello"), "░"), 14, 22);
	draw(a, &t, 80, 0, true);
	assert_in_range(count(line("hello"), "."), 14, 22);
	for (int y = 0; y < 24; y++)
		for (const char *s = row(y); *s; s++)
			assert_true((unsigned char)*s < 128);
}

static void test_running(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct deck_timing t = sample(RESULT_RUNNING);
	struct deck_usual u = usual_of_sample(30);
	char text[200];
	int before;

	t.usual = &u;
	draw(a, &t, 80, 2150, false);
	assert_non_null(strstr(row(0), "running so far 2.1 s"));
	assert_non_null(strstr(row(1), "hello: waiting since 2.1 s, limit 10 s, usually 30 ms"));
	assert_string_equal(waterfall_wait(&t, START + 2150 * MS, text, sizeof(text)),
		"hello: waiting since 2.1 s, limit 10 s, usually 30 ms");
	/* It grows: against a scale that grows with it, the earlier ones shrink. */
	draw(a, &t, 80, 100, false);
	before = count(line("spawn"), "█");
	draw(a, &t, 80, 400, false);
	assert_true(count(line("spawn"), "█") < before);
	/* A clock that is behind. */
	t.started_ns = START + 5000 * MS;
	draw(a, &t, 80, 0, false);
	assert_non_null(strstr(row(0), "so far 0.00 ms"));
}

static void test_widths(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct deck_timing t = sample(RESULT_FAILED);
	struct deck_usual u = usual_of_sample(30);

	t.usual = &u;
	snprintf(t.why, sizeof(t.why), "the agent did not answer");
	snprintf(t.step, sizeof(t.step), "hello");
	for (int cols = 1; cols < 200; cols++)
		draw(a, &t, cols, 0, cols % 2);
	draw(a, &t, 140, 0, false);
	assert_in_range(count(line("spawn"), "█"), 45, 60);
	assert_non_null(strstr(line("in step"), "hello"));
	assert_non_null(strstr(line("why"), "the agent did not answer"));
	draw(a, &t, 50, 0, false);
	assert_null(strstr(line("PHASE"), "LIMIT"));
	assert_non_null(strstr(line("PHASE"), "USUAL"));
	draw(a, &t, 40, 0, false);
	assert_null(strstr(line("PHASE"), "USUAL"));
	assert_non_null(strstr(line("hello"), "50 ms"));
	/* Nothing is written outside. */
	for (int y = 0; y < 24; y++)
		assert_true(text_columns(row(y)) <= 40);
}

static void test_huge(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct deck_timing t = sample(RESULT_OK);

	t.total_ms = 36e6;
	t.phase[1].ms = 36e6 - 50;
	t.phase[2].at_ms = 36e6 - 50;
	draw(a, &t, 80, 0, false);
	assert_non_null(strstr(row(0), "ok in"));
	assert_true(text_columns(line("spawn")) <= 79);
	t.total_ms = 1e300;
	t.phase[1].ms = t.phase[2].at_ms = 1e300;
	draw(a, &t, 80, 0, false);
	t.phases = TIMING_PHASES_MAX;
	assert_int_equal(draw(a, &t, 80, 0, false), 2 + TIMING_PHASES_MAX);
	/* A mark that came long after the end does not squash the rest. */
	t = sample(RESULT_OK);
	t.phase[3] = (struct deck_phase){"first exec", 60000, 80, 0};
	t.phases = 4;
	draw(a, &t, 80, 0, false);
	assert_in_range(count(line("spawn"), "█"), 12, 22);
	assert_non_null(strstr(line("first exec"), "later"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_usual, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ghost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_widths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_huge, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
