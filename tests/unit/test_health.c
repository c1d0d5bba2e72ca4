// LIBS: health guest base
// OBJS: tests/support/looptest.c
/* The monitor by a probe of the test's: states, when the next check is due, what is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/health/health.h"
#include "tests/support/looptest.h"

static struct {
	int starts, cancels;
	struct probe *under_way;
	int refuse; /* code that start fails with; 0: none */
} fake;

static struct {
	int changes, withheld;
	enum health_state from;
	char reason[HEALTH_REASON];
} told;

static struct health_spec spec;
static struct health h;

static struct probe *fake_start(const struct probe_env *env, const struct health_spec *s,
	probe_done *done, void *user, struct err *e)
{
	(void)env;
	(void)s;
	assert_null(fake.under_way); /* never two at once */
	fake.starts++;
	if (fake.refuse) {
		err_set(e, fake.refuse, "refused by the test");
		return NULL;
	}
	fake.under_way = xcalloc(1, sizeof(*fake.under_way));
	*fake.under_way = (struct probe){NULL, done, user};
	return fake.under_way;
}

static void fake_cancel(struct probe *p, char *doing, size_t n)
{
	assert_ptr_equal(p, fake.under_way);
	fake.cancels++;
	fake.under_way = NULL;
	free(p);
	if (doing)
		snprintf(doing, n, "it dozed");
}

static const struct probe_ops fake_ops = {
	.name = "fake", .start = fake_start, .cancel = fake_cancel};

static void on_change(struct health *m, enum health_state from)
{
	told.changes++;
	told.from = from;
	snprintf(told.reason, sizeof(told.reason), "%s", m->reason);
}

static void on_withheld(struct health *m)
{
	(void)m;
	told.withheld++;
}

static const struct health_callbacks cb = {on_change, on_withheld};

static int setup(void **state)
{
	struct probe_env env;

	if (t_setup(state) < 0)
		return -1;
	memset(&fake, 0, sizeof(fake));
	memset(&told, 0, sizeof(told));
	spec = (struct health_spec){0};
	env = (struct probe_env){.loop = t_loop};
	health_init(&h, &spec, &env, &cb, NULL);
	h.ops = &fake_ops;
	return 0;
}

static int teardown(void **state)
{
	health_fini(&h);
	assert_null(fake.under_way);
	health_spec_fini(&spec);
	return t_teardown(state);
}

/* The check under way ends. */
static void answer(enum health_state verdict, const char *reason)
{
	struct probe p = *fake.under_way;

	free(fake.under_way);
	fake.under_way = NULL;
	p.done(p.user, verdict, reason);
}

static void until_check(void)
{
	T_UNTIL(fake.under_way, "a check");
}

/* ---- states ---------------------------------------------------------------------------------- */

static void test_first_check_at_once(void **state)
{
	(void)state;
	spec.interval = 0.1;
	assert_int_equal(h.state, HEALTH_STARTING);
	health_start(&h);
	until_check();
	assert_int_equal(h.state, HEALTH_STARTING);
	answer(HEALTH_UNHEALTHY, "not \x1b yet");
	assert_int_equal(h.state, HEALTH_STARTING); /* it never was healthy: it still starts */
	assert_string_equal(h.reason, "not \\x1b yet");
	assert_int_equal(told.changes, 0);
	until_check();
	answer(HEALTH_HEALTHY, "well");
	assert_int_equal(h.state, HEALTH_HEALTHY);
	assert_int_equal(told.changes, 1);
	assert_int_equal(told.from, HEALTH_STARTING);
	until_check();
	answer(HEALTH_HEALTHY, "well again");
	assert_int_equal(told.changes, 1); /* no news */
	assert_string_equal(h.reason, "well again");
	until_check();
	answer(HEALTH_UNHEALTHY, "ill");
	assert_int_equal(h.state, HEALTH_UNHEALTHY);
	assert_int_equal(h.failed, 1);
	until_check();
	answer(HEALTH_TIMEOUT, "slow");
	assert_int_equal(h.state, HEALTH_TIMEOUT);
	assert_int_equal(h.failed, 2);
	until_check();
	answer(HEALTH_HEALTHY, "well");
	assert_int_equal(h.failed, 0);
	assert_int_equal(told.changes, 4);
	assert_int_equal(h.checks, 6);
}

static void test_no_time_left_to_start(void **state)
{
	(void)state;
	spec.start_limit = 0.1;
	health_start(&h);
	until_check();
	t_quiet(0.12);
	answer(HEALTH_UNHEALTHY, "never");
	assert_int_equal(h.state, HEALTH_UNHEALTHY);
}

static void test_deadline(void **state)
{
	(void)state;
	spec.timeout = 0.1;
	health_start(&h);
	until_check();
	T_UNTIL(fake.cancels, "the deadline");
	assert_null(fake.under_way);
	assert_int_equal(h.state, HEALTH_STARTING);
	assert_string_equal(h.reason, "no answer within 0.1 s: it dozed");
	h.seen_healthy = true;
	until_check();
	T_UNTIL(fake.cancels == 2, "the deadline");
	assert_int_equal(h.state, HEALTH_TIMEOUT);
}

static void test_refused(void **state)
{
	(void)state;
	spec.interval = 60;
	fake.refuse = ENOTCONN;
	health_start(&h);
	T_UNTIL(fake.starts, "a check");
	assert_int_equal(h.state, HEALTH_UNREACHABLE);
	fake.refuse = EBUSY; /* says nothing of the VM */
	T_UNTIL(fake.starts >= 3, "another try");
	assert_int_equal(h.state, HEALTH_UNREACHABLE);
	assert_int_equal(h.checks, 1);
	h.seen_healthy = true;
	fake.refuse = ECONNREFUSED;
	T_UNTIL(h.state != HEALTH_UNREACHABLE, "a verdict");
	assert_int_equal(h.state, HEALTH_UNHEALTHY);
	assert_string_equal(h.reason, "refused by the test");
}

/* ---- intervals ------------------------------------------------------------------------------- */

/* s until the next check begins. */
static double next_check(void)
{
	ev_tstamp begin = ev_time();

	until_check();
	return ev_time() - begin;
}

static void test_intervals(void **state)
{
	(void)state;
	spec.interval = 0.6;
	health_start(&h);
	assert_true(ev_timer_remaining(t_loop, &h.timer) < 0.05); /* at once */
	until_check();
	answer(HEALTH_UNHEALTHY, "quick"); /* the least */
	assert_true(next_check() >= 0.09);
	t_quiet(0.3);
	answer(HEALTH_UNHEALTHY, "it took 0.3 s");
	assert_true(next_check() >= 0.29);
	answer(HEALTH_HEALTHY, "well");
	assert_true(next_check() >= 0.59);
	/* The most. */
	h.began_ns = mono_ns() - 3600u * 1000000000ull;
	answer(HEALTH_UNHEALTHY, "it took an hour");
	assert_true(ev_timer_remaining(t_loop, &h.timer) <= 5.01);
	assert_true(ev_timer_remaining(t_loop, &h.timer) > 4.5);
}

/* ---- hold and go ----------------------------------------------------------------------------- */

static void test_hold(void **state)
{
	int starts;

	(void)state;
	spec.interval = 0.1;
	health_start(&h);
	until_check();
	answer(HEALTH_HEALTHY, "well");
	until_check();
	health_hold(&h, HEALTH_UNKNOWN, "paused");
	assert_int_equal(fake.cancels, 1); /* what was under way says nothing */
	assert_int_equal(h.state, HEALTH_UNKNOWN);
	starts = fake.starts;
	t_quiet(0.25);
	assert_int_equal(fake.starts, starts);
	health_go(&h);
	assert_string_equal(h.reason, "paused before; not checked since");
	assert_int_equal(h.state, HEALTH_UNKNOWN);
	assert_true(ev_timer_remaining(t_loop, &h.timer) < 0.05); /* at once */
	until_check();
	health_go(&h); /* it goes already */
	answer(HEALTH_HEALTHY, "well");
	assert_int_equal(h.state, HEALTH_HEALTHY);
	/* Kept: nobody is told. */
	until_check();
	told.changes = 0;
	health_keep(&h);
	health_start(&h);
	until_check();
	answer(HEALTH_HEALTHY, "well");
	assert_int_equal(told.changes, 0);
	health_hold(&h, HEALTH_STOPPED, "killed");
	assert_int_equal(told.from, HEALTH_HEALTHY);
	assert_string_equal(told.reason, "killed");
}

static void test_gone_within_a_check(void **state)
{
	(void)state;
	health_start(&h);
	until_check();
	health_fini(&h);
	assert_int_equal(fake.cancels, 1);
	assert_int_equal(told.changes, 0);
}

static void test_passed_by_another(void **state)
{
	(void)state;
	health_passed(&h, 3000000, "the chain's probe");
	assert_int_equal(h.state, HEALTH_HEALTHY);
	assert_int_equal(h.took_ns / 1000000, 3);
	health_start(&h); /* nothing more to do before the interval is over */
	assert_int_equal(fake.starts, 0);
	assert_true(ev_timer_remaining(t_loop, &h.timer) > 9);
}

/* ---- withheld -------------------------------------------------------------------------------- */

static void check_withheld(bool is)
{
	struct json_object *o = health_to_json(&h);

	assert_int_equal(jsonx_bool(o, "withheld", false), is);
	assert_int_equal(
		strstr(jsonx_str(o, "reason"), "withheld until snapshot 'warm'") != NULL, is);
	json_object_put(o);
}

static void test_withheld(void **state)
{
	(void)state;
	spec.interval = 0.1;
	snprintf(spec.snapshot, sizeof(spec.snapshot), "warm");
	h.withholds = true;
	health_start(&h);
	until_check();
	answer(HEALTH_HEALTHY, "well");
	assert_int_equal(told.withheld, 1);
	assert_int_equal(told.changes, 0);
	assert_int_equal(h.state, HEALTH_STARTING);
	check_withheld(true);
	until_check();
	answer(HEALTH_HEALTHY, "still well");
	assert_int_equal(told.withheld, 1);
	assert_int_equal(h.state, HEALTH_STARTING);
	health_release(&h);
	assert_int_equal(h.state, HEALTH_HEALTHY);
	assert_string_equal(told.reason, "still well");
	check_withheld(false);
}

static void test_ill_while_withheld(void **state)
{
	(void)state;
	spec.interval = 0.1;
	snprintf(spec.snapshot, sizeof(spec.snapshot), "warm");
	h.withholds = true;
	health_start(&h);
	until_check();
	answer(HEALTH_HEALTHY, "well");
	until_check();
	answer(HEALTH_UNHEALTHY, "ill");
	health_release(&h);
	assert_int_equal(h.state, HEALTH_UNHEALTHY);
	until_check();
	answer(HEALTH_HEALTHY, "well");
	assert_int_equal(h.state, HEALTH_HEALTHY);
	assert_int_equal(told.withheld, 1);
}

/* ---- the spec -------------------------------------------------------------------------------- */

static void test_spec(void **state)
{
	static const struct {
		const char *key, *value, *part; /* NULL: fine */
	} rows[] = {
		{"exec", "test -e /x", NULL},
		{"exec", "", "1 to 4096 bytes"},
		{"url", "http://10.0.2.100:80/", NULL},
		{"url", "http://[::1]:80/x?y", NULL},
		{"url", "ftp://10.0.2.100/", "is not http://"},
		{"url", "http://web/", "names are not looked up"},
		{"url", "http://", "is no URL"},
		{"tcp", "80", NULL},
		{"tcp", "127.0.0.1:80", NULL},
		{"tcp", "localhost:80", "is not PORT"},
		{"tcp", "65536", "port"},
		{"interval", "0.5", NULL},
		{"interval", "0", "0.1 to"},
		{"interval", "nan", "0.1 to"},
		{"timeout", "5s", "0.1 to"},
		{"start_limit", "30", NULL},
		{"snapshot", "warm", NULL},
		{"snapshot", "../x", "snapshot name"},
		{"probe", "exec", "there is no 'probe'"},
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct health_spec s = {0};
		struct err e = {0};
		int r = health_spec_set(&s, rows[i].key, rows[i].value, &e);

		if (rows[i].part && !strstr(e.msg, rows[i].part))
			fail_msg("%s=%s: %s", rows[i].key, rows[i].value, e.msg);
		assert_int_equal(r < 0, rows[i].part != NULL);
		health_spec_fini(&s);
	}
}

static void test_spec_kept(void **state)
{
	const char *text = "{\"tcp\":\"127.0.0.1:80\",\"interval\":\"0.5\",\"start_limit\":\"9\","
			   "\"snapshot\":\"warm\"}";
	struct json_object *o = json_tokener_parse(text), *back;
	struct health_spec s = {0}, copy = {0};
	char **words, target[60];

	(void)state;
	assert_int_equal(health_spec_from_json(&s, o, NULL), 0);
	back = health_spec_to_json(&s);
	assert_string_equal(json_object_to_json_string_ext(back, JSON_C_TO_STRING_PLAIN), text);
	words = health_spec_words(&s);
	assert_int_equal(health_spec_from_words(&copy, words, NULL), 0);
	assert_string_equal(health_spec_target(&copy, target, sizeof(target)), "127.0.0.1:80");
	assert_true(copy.interval > 0.4 && copy.interval < 0.6);
	assert_string_equal(copy.snapshot, "");
	assert_true(copy.start_limit < 0.1);
	strv_free(words);
	health_spec_fini(&s);
	health_spec_fini(&copy);
	json_object_put(o);
	json_object_put(back);
	assert_null(health_spec_words(&s)); /* the default needs none */
	assert_int_equal(health_spec_from_words(&s, NULL, NULL), 0);
	o = json_tokener_parse("{\"exec\":\"a\",\"tcp\":\"1\"}");
	assert_int_equal(health_spec_from_json(&s, o, NULL), -EINVAL);
	json_object_put(o);
	health_spec_fini(&s);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_first_check_at_once),
		T(test_no_time_left_to_start),
		T(test_deadline),
		T(test_refused),
		T(test_intervals),
		T(test_hold),
		T(test_gone_within_a_check),
		T(test_passed_by_another),
		T(test_withheld),
		T(test_ill_while_withheld),
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_spec_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
