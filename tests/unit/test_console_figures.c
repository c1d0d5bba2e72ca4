// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* Figures: rings, sparklines, the host view, the pages of a VM, waits with what is usual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#include "tests/unit/test_console_env.h"

#define shows(a, text) (find(a, text) >= 0)

static void test_ring(void **state)
{
	struct ring r = {0};
	char line[400];

	(void)state;
	assert_true(ring_at(&r, 0) < 0);
	assert_string_equal(ring_spark(&r, 4, 0, true, line, sizeof(line)), "    ");
	ring_add(&r, -1); /* not known */
	assert_int_equal(r.count, 0);
	for (int i = 0; i <= 8; i++)
		ring_add(&r, i);
	assert_string_equal(ring_spark(&r, 9, 8, true, line, sizeof(line)), "...:-=+*#");
	assert_string_equal(ring_spark(&r, 3, 8, false, line, sizeof(line)), "▆▇█");
	assert_string_equal(ring_spark(&r, 11, 8, true, line, sizeof(line)), "  ...:-=+*#");
	/* Two rows: the upper one shows what is above the half. */
	assert_string_equal(ring_graph(&r, 3, 8, 0, 2, true, line, sizeof(line)), "-+#");
	assert_string_equal(ring_graph(&r, 3, 8, 1, 2, true, line, sizeof(line)), "###");
	for (int i = 0; i < 1000; i++)
		ring_add(&r, i);
	assert_int_equal(r.count, RING_SIZE);
	assert_int_equal((int)ring_min(&r), 1000 - RING_SIZE);
	assert_int_equal((int)ring_max(&r), 999);
	assert_true(ring_at(&r, RING_SIZE) < 0);
	/* More than fits is cut between signs. */
	ring_spark(&r, 60, 0, false, line, 10);
	assert_int_equal(strlen(line), 9);
}

#define VM(id, name)                                                                               \
	"{\"id\":\"" id "\",\"name\":\"" name                                                      \
	"\",\"state\":\"running\",\"image\":\"mini\",\"vmm\":\"qemu\",\"vcpus\":1,\"mem_mib\":"    \
	"256,\"agent\":{\"connected\":true,\"since_ns\":1700000000000000000}}"

static void stats(struct app *a, int second, double busy)
{
	char text[1200];
	struct json_object *o;

	snprintf(text, sizeof(text),
		"{\"at_ns\":%llu,\"cpus\":[12.5,null],\"cpu\":12.5,\"mem\":{\"total\":8589934592,"
		"\"available\":4294967296},\"load\":[0.5,0.4,0.3],\"disk\":{\"total\":1073741824,"
		"\"free\":536870912},\"daemon\":{\"pid\":77,\"version\":\"0.1.0\",\"started_ns\":1,"
		"\"rss\":1048576,\"connections\":2,\"seq\":123,\"cpu\":0.1},\"queues\":[{\"name\":"
		"\"restores\",\"slots\":2,\"busy\":1,\"waiting\":3}],\"vms\":[{\"id\":\"a1\","
		"\"cpu\":%.1f,\"rss\":2097152,\"pss\":1048576,\"out_end\":%d,\"load_milli\":250,"
		"\"procs\":9,\"oom_kills\":0,\"mem_total\":268435456,\"mem_available\":134217728},"
		"{\"id\":\"b2\",\"cpu\":50.0,\"rss\":null,\"out_end\":0},{\"id\":\"zz\"},7]}",
		1700000000000000000ull + (unsigned long long)second * 1000000000ull, busy,
		second * 2048);
	o = json(text);
	app_link_handler.on_stats(a, o);
	json_object_put(o);
}

static void test_host(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, "[" VM("a1", "web") "," VM("b2", "db") "]");
	keys(a, "6");
	assert_int_equal(a->at, VIEW_HOST);
	assert_true(shows(a, "[6 Host]"));
	assert_true(shows(a, "measuring"));
	stats(a, 1, 10);
	assert_true(shows(a, "12.5 %"));
	assert_true(shows(a, "12% -"));
	assert_true(shows(a, "0.50 0.40 0.30"));
	assert_true(shows(a, "4.0 GiB of 8.0 GiB used"));
	keys(a, "\tG");
	assert_true(shows(a, "pid 77"));
	assert_true(shows(a, "restores: 1 of 2 under way, 3 waiting"));
	keys(a, "\t");
	/* By CPU, most first, and anew with each sample. */
	assert_true(find(a, "db") < find(a, "web"));
	stats(a, 2, 90);
	assert_true(find(a, "web") < find(a, "db"));
	assert_true(shows(a, "90.0 %"));
	keys(a, "1");
	size(a, 24, 110);
	assert_true(shows(a, "90.0 %"));
}

static void test_pages(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, "[" VM("a1", "web") "]");
	keys(a, "v");
	assert_true(shows(a, "[vitals]"));
	stats(a, 1, 10);
	stats(a, 2, 30);
	event(a, "a1", "exec.ack", "{\"id\":\"x\",\"ms\":12.5}");
	assert_true(shows(a, "now 30.0 %"));
	assert_true(shows(a, "min 10.0 %"));
	assert_true(shows(a, "2.0 KiB/s"));
	assert_true(shows(a, "now 12 ms") || shows(a, "now 13 ms"));
	assert_true(shows(a, "1.0 MiB of its own share"));
	keys(a, "h");
	assert_true(shows(a, "its agent is connected"));
	assert_true(shows(a, "last check"));
	event(a, "a1", "agent.lost", "{}");
	assert_true(shows(a, "unreachable"));
	keys(a, "d");
	assert_true(shows(a, "[describe]"));
	assert_true(shows(a, "a boot"));
	keys(a, "d");
	assert_true(shows(a, "[output]"));
}

/* Numbers that no host has, other types, nothing at all. */
static void test_odd_figures(void **state)
{
	static const char *const odd[] = {"{}", "7", "[]", "{\"vms\":7,\"cpus\":{},\"load\":\"x\"}",
		"{\"at_ns\":-1,\"cpu\":1e308,\"cpus\":[1e308,\"9\",-5,{}],\"mem\":{\"total\":1e308,"
		"\"available\":-1},\"load\":[1e308],\"disk\":{\"total\":1e300,\"free\":1e308},"
		"\"daemon\":{\"version\":\"\\u001b[31m\",\"rss\":1e308},\"queues\":[7,{}],\"vms\":["
		"{"
		"\"id\":\"a1\",\"cpu\":1e308,\"rss\":1e308,\"pss\":\"x\",\"mem_total\":1e308,"
		"\"mem_available\":0,\"procs\":1e308,\"out_end\":-9,\"oom_kills\":1e308}]}"};
	struct app *a = &((struct env *)*state)->app;

	vms(a, "[" VM("a1", "web") "]");
	for (size_t i = 0; i < countof(odd); i++) {
		struct json_object *o = json(odd[i]);

		app_link_handler.on_stats(a, o);
		json_object_put(o);
		for (const char *k = "6\tGg\t1vhdd"; *k; k++) {
			app_key(a, *k == '\t' ? K_TAB : key_from_char((unsigned char)*k));
			draw_screen(a);
		}
	}
	assert_int_equal(a->model.count, 1);
}

/* Ascii only, everywhere. */
static void test_ascii(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	a->paint.ascii = true;
	vms(a, "[" VM("a1", "web") "]");
	for (int i = 0; i < 70; i++)
		stats(a, i, i);
	for (const char *k = "6vhd1"; *k; k++) {
		app_key(a, key_from_char((unsigned char)*k));
		draw_screen(a);
		for (int y = 0; y < a->rows; y++)
			for (const char *s = row(y); *s; s++)
				assert_true((unsigned char)*s < 128);
	}
}

#define RESTORE(id, ms)                                                                            \
	"{\"kind\":\"restore\",\"vm\":\"" id                                                       \
	"\",\"subject\":\"base\",\"result\":\"ok\",\"phases\":"                                    \
	"[{\"name\":\"hello\",\"at_ms\":1,\"ms\":" ms "}]}"

static void test_waits(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct json_object *o = json("[" RESTORE("r1", "100") "," RESTORE("r2", "120") "]");
	struct deck_wait w = {.name = "hello", .usual_ms = 120, .since_ns = 1000000000};
	char text[160];

	vms(a, "[]");
	app_refresh(a, model_set_timings(&a->model, o));
	json_object_put(o);
	event(a, "c3", "vm.create", "{\"snapshot\":\"base\"}");
	event(a, "c3", "flow.step", "{\"flow\":\"restore\",\"step\":\"hello\",\"n\":1,\"of\":9}");
	assert_int_equal((int)model_find(&a->model, "c3")->wait.usual_ms, 120);
	size(a, 24, 99); /* the words need their room */
	assert_true(shows(a, "hello (1 of 9), usually 0.1 s"));
	assert_string_equal(wait_text(&w, 3100000000, text, sizeof(text)),
		"waiting for hello since 2.1 s, usually 0.1");
}

static void test_progress(void **state)
{
	char text[80];

	(void)state;
	assert_string_equal(
		progress_text(10 << 20, 40 << 20, 1, 1000000001, true, text, sizeof(text)),
		"25 %, 10 MiB/s, 4 s left");
	assert_string_equal(progress_text(1, 0, 1, 2, true, text, sizeof(text)), "");
	assert_string_equal(progress_text(9, 4, 1, 2, true, text, sizeof(text)), "100 %");
}

static void test_read_only(void **state)
{
	struct env *e = *state;
	struct app *a = &e->app;
	struct action_on on;
	char why[300];

	e->opts.read_only = true;
	vms(a, "[" VM("a1", "web") "]");
	assert_true(shows(a, "READ-ONLY"));
	on = app_on(a);
	for (int i = 0; i < ACT__COUNT; i++)
		if (action_writes((enum action)i))
			assert_false(action_allowed((enum action)i, &on, why, sizeof(why)));
	keys(a, "X");
	assert_non_null(strstr(a->notice.text, "kill: this console is read-only"));
	assert_null(a->top);
	keys(a, ":restore base\r");
	assert_non_null(strstr(a->notice.text, "restore: this console is read-only"));
	keys(a, "6");
	assert_int_equal(a->at, VIEW_HOST);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring),
		T(test_host),
		T(test_pages),
		T(test_odd_figures),
		T(test_ascii),
		T(test_waits),
		cmocka_unit_test(test_progress),
		T(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
