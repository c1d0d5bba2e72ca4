// LIBS: vm net health base
/* The queue that work shares, and the trail of phases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/util.h"
#include "backend/vm/queue.h"
#include "backend/vm/trail.h"

/* ---- queue ----------------------------------------------------------------------------------- */

struct job {
	struct ticket ticket;
	int granted;
	bool leaves_at_once;
};

static void on_grant(struct ticket *t)
{
	struct job *j = container_of(t, struct job, ticket);

	j->granted++;
	if (j->leaves_at_once)
		queue_leave(t);
}

static bool enter(struct queue *q, struct job *j)
{
	j->ticket.on_grant = on_grant;
	return queue_enter(q, &j->ticket);
}

static void test_order_and_places(void **state)
{
	struct job j[5] = {0};
	struct queue q;

	(void)state;
	queue_init(&q, 2);
	assert_true(enter(&q, &j[0]));
	assert_true(enter(&q, &j[1]));
	for (int i = 2; i < 5; i++)
		assert_false(enter(&q, &j[i]));
	assert_int_equal(queue_place(&j[0].ticket), 0);
	assert_int_equal(queue_place(&j[2].ticket), 1);
	assert_int_equal(queue_place(&j[4].ticket), 3);
	queue_leave(&j[1].ticket);
	assert_int_equal(j[2].granted, 1);
	assert_int_equal(queue_place(&j[4].ticket), 2);
	assert_int_equal(q.busy, 2);
	assert_int_equal(q.waiting, 2);
}

static void test_one_gives_up_its_place(void **state)
{
	struct job j[3] = {0};
	struct queue q;

	(void)state;
	queue_init(&q, 1);
	enter(&q, &j[0]);
	enter(&q, &j[1]);
	enter(&q, &j[2]);
	queue_leave(&j[1].ticket);
	assert_int_equal(queue_place(&j[2].ticket), 1);
	queue_leave(&j[1].ticket); /* twice: nothing */
	queue_leave(&j[0].ticket);
	assert_int_equal(j[1].granted, 0);
	assert_int_equal(j[2].granted, 1);
	queue_leave(&j[2].ticket);
	assert_int_equal(q.busy, 0);
}

/* A step that fails at once gives its slot back while it is being granted. */
static void test_granted_ones_that_leave_at_once(void **state)
{
	struct job first = {0}, j[100] = {0}, last = {0};
	struct queue q;

	(void)state;
	queue_init(&q, 1);
	enter(&q, &first);
	for (int i = 0; i < 100; i++) {
		j[i].leaves_at_once = true;
		assert_false(enter(&q, &j[i]));
	}
	assert_false(enter(&q, &last));
	queue_leave(&first.ticket);
	for (int i = 0; i < 100; i++)
		assert_int_equal(j[i].granted, 1);
	assert_int_equal(last.granted, 1);
	assert_int_equal(q.busy, 1);
	assert_int_equal(q.waiting, 0);
}

static void test_newcomers_wait_behind(void **state)
{
	struct job j[3] = {0};
	struct queue q;

	(void)state;
	queue_init(&q, 1);
	enter(&q, &j[0]);
	enter(&q, &j[1]);
	queue_leave(&j[0].ticket); /* j[1] has it now */
	assert_false(enter(&q, &j[2]));
	assert_int_equal(queue_place(&j[2].ticket), 1);
}

/* ---- trail ----------------------------------------------------------------------------------- */

static void test_phases_follow_each_other(void **state)
{
	struct trail t;
	uint64_t end;

	(void)state;
	trail_begin(&t);
	trail_step(&t, "one", 0);
	trail_step(&t, "two", 2.5);
	trail_step(&t, "three", 30);
	trail_end(&t);
	assert_int_equal(t.count, 3);
	for (int i = 0; i + 1 < t.count; i++)
		assert_int_equal(t.phases[i].at_ns + t.phases[i].ns, t.phases[i + 1].at_ns);
	assert_int_equal(t.phases[2].at_ns + t.phases[2].ns, trail_ns(&t));
	assert_int_equal(t.phases[1].limit_ns, 2500000000u);
	assert_true(trail_phase_end(&t, "two", &end));
	assert_int_equal(end, t.phases[2].at_ns);
	assert_false(trail_phase_end(&t, "four", &end));
}

static void test_more_steps_than_phases(void **state)
{
	struct trail t;

	(void)state;
	trail_begin(&t);
	for (int i = 0; i < 3 * TIMING_PHASES; i++)
		trail_step(&t, "step", 1);
	trail_end(&t);
	assert_int_equal(t.count, TIMING_PHASES);
}

static void test_one_under_way_grows(void **state)
{
	autojson struct json_object *o = NULL;
	struct trail t, none = {0};
	struct json_object *last;
	double total, at;

	(void)state;
	assert_int_equal(trail_ns(&none), 0);
	trail_begin(&t);
	trail_step(&t, "one", 0);
	trail_step(&t, "two", 5);
	o = trail_json(&t);
	last = json_object_array_get_idx(jsonx_get(o, "phases"), 1);
	total = json_object_get_double(jsonx_get(o, "total_ms"));
	at = json_object_get_double(jsonx_get(last, "at_ms"));
	assert_string_equal(jsonx_str(last, "name"), "two");
	assert_true(at + json_object_get_double(jsonx_get(last, "ms")) <= total + 1e-6);
	assert_true(json_object_get_double(jsonx_get(last, "ms")) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_places),
		cmocka_unit_test(test_one_gives_up_its_place),
		cmocka_unit_test(test_granted_ones_that_leave_at_once),
		cmocka_unit_test(test_newcomers_wait_behind),
		cmocka_unit_test(test_phases_follow_each_other),
		cmocka_unit_test(test_more_steps_than_phases),
		cmocka_unit_test(test_one_under_way_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
