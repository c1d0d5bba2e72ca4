// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* The views of the console: what their rows and details say, and what their actions do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/test_console_env.h"

#define VMS                                                                                        \
	"[{\"id\":\"a1\",\"name\":\"web\",\"state\":\"running\",\"agent\":{\"connected\":true},"   \
	"\"created_ns\":1,\"mem_mib\":256,\"origin\":\"boot\",\"snapshot\":\"\",\"health\":"       \
	"\"unknown\"},{\"id\":\"b2\",\"name\":\"web-1\",\"state\":\"running\",\"agent\":"          \
	"{\"connected\":true},\"created_ns\":2,\"mem_mib\":256,\"origin\":\"restore\","            \
	"\"snapshot\":\"base\",\"health\":\"healthy\"}]"
#define SNAPSHOTS                                                                                  \
	"[{\"name\":\"base\",\"id\":\"6b1b\",\"state\":\"ready\",\"why\":\"\",\"created_ns\":"     \
	"1700000000000000000,\"temporary\":false,\"source\":{\"id\":\"a1\",\"name\":\"web\"},"     \
	"\"parent\":\"\",\"vmm\":\"qemu\",\"vmm_version\":\"7.2\",\"accel\":\"tcg\",\"image\":"    \
	"\"mini\",\"vcpus\":1,\"mem_mib\":256,\"memory_bytes\":72351744,\"state_bytes\":101376,"   \
	"\"disks\":[{\"size\":5,\"layers\":1,\"bytes\":1048576}],\"pause_ms\":11.5,"               \
	"\"quiesce_ms\":5.0,\"took_ms\":291.0,\"drained\":true,\"users\":[\"web-1\",\"web-2\"],"   \
	"\"pool\":{\"wanted\":2,\"ready\":1,\"idle_mib\":33.5,\"why\":\"\"},\"restores\":"         \
	"{\"count\":57,\"failed\":1,\"p50_ms\":124.0,\"p90_ms\":131.0,\"p99_ms\":210.0,"           \
	"\"max_ms\":212.0}},"                                                                      \
	"{\"name\":\"child\",\"id\":\"77\",\"state\":\"ready\",\"created_ns\":"                    \
	"1700000001000000000,\"parent\":\"base\",\"source\":{\"id\":\"b2\",\"name\":\"web-1\"}},"  \
	"{\"name\":\"torn\",\"state\":\"damaged\",\"why\":\"state: 5 bytes are missing\","         \
	"\"created_ns\":1700000002000000000}]"
#define TIMINGS                                                                                    \
	"[{\"kind\":\"restore\",\"id\":\"b2\",\"vm\":\"b2\",\"vm_name\":\"web-1\",\"subject\":"    \
	"\"base\",\"result\":\"ok\",\"started_ns\":1600000003000000000,\"total_ms\":124.0,"        \
	"\"phases\":[{\"name\":\"spawn\",\"at_ms\":0.5,\"ms\":30.0},{\"name\":\"hello\","          \
	"\"at_ms\":30.5,\"ms\":90.0,\"limit_s\":10.0}]},"                                          \
	"{\"kind\":\"restore\",\"id\":\"x9\",\"vm\":\"x9\",\"vm_name\":\"bad\",\"subject\":"       \
	"\"torn\",\"result\":\"failed\",\"step\":\"check\",\"last_event\":\"vm.create\",\"why\":"  \
	"\"state: 5 bytes are missing\",\"started_ns\":1600000002500000000,\"total_ms\":0.4,"      \
	"\"phases\":[]}]"

static void take(
	struct app *a, unsigned (*set)(struct model *, struct json_object *), const char *text)
{
	struct json_object *o = json(text);

	app_refresh(a, set(&a->model, o));
	json_object_put(o);
}

static struct app *loaded(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, VMS);
	images(a, "ready");
	take(a, model_set_snapshots, SNAPSHOTS);
	take(a, model_set_timings, TIMINGS);
	return a;
}

static bool shows(struct app *a, const char *text)
{
	return find(a, text) >= 0;
}

static void test_switch(void **state)
{
	struct app *a = loaded(state);

	size(a, 24, 110); /* the word that the daemon is away needs its room */
	assert_true(shows(a, "[1 VMs 2]  2 Snapshots 3   3 Restores 2   4 Images 1   5 Events"));
	assert_true(shows(a, "● healthy"));
	assert_true(shows(a, "clone of base"));
	keys(a, "2");
	assert_true(shows(a, "[2 Snapshots 3]"));
	assert_string_equal(app_table(a)->selected, "base");
	assert_null(app_selected(a));
	keys(a, "j");
	assert_string_equal(app_table(a)->selected, "child");
	keys(a, "3");
	assert_true(shows(a, "[3 Restores 2]"));
	keys(a, "4");
	assert_true(shows(a, "[4 Images 1]"));
	keys(a, "5");
	assert_true(shows(a, "No event yet"));
	keys(a, ":snapshots\r");
	/* Each view keeps its place. */
	assert_string_equal(app_table(a)->selected, "child");
	app_key(a, K_ESC);
	assert_int_equal(a->at, VIEW_VMS);
	/* What belongs to another view says so. */
	keys(a, "2x");
	assert_non_null(strstr(a->notice.text, "does nothing here"));
	keys(a, ":stop\r");
	assert_non_null(strstr(a->notice.text, "not in this view"));
	keys(a, "q");
	assert_int_equal(a->at, VIEW_VMS);
}

static void test_health(void **state)
{
	struct app *a = loaded(state);

	size(a, 24, 110);
	event(a, "a1", "health.change",
		"{\"from\":\"starting\",\"to\":\"healthy\",\"reason\":\"HTTP 200\",\"probe\":"
		"\"http\",\"ms\":3.5}");
	keys(a, "k");
	assert_true(shows(a, "● running   ● healthy"));
	event(a, "a1", "health.change",
		"{\"from\":\"healthy\",\"to\":\"unhealthy\",\"reason\":\"HTTP \\u001b "
		"503\",\"probe\":"
		"\"http\",\"ms\":2.0}");
	assert_true(shows(a, "✗ unhealthy"));
	assert_true(shows(a, "unhealthy: HTTP"));
	/* Where the list is narrow the last column says it. */
	size(a, 24, 80);
	assert_false(shows(a, "✗ unhealthy"));
	assert_true(shows(a, "unhealthy: HTTP"));
	size(a, 40, 110);
	keys(a, "h");
	assert_true(shows(a, "health       ✗ unhealthy for "));
	assert_true(shows(a, "why          HTTP \\x1b 503"));
	/* What is asked for while it is looked at. */
	take(a, model_set_health,
		"{\"id\":\"a1\",\"state\":\"unhealthy\",\"reason\":\"Connection "
		"refused\",\"probe\":"
		"\"http\",\"target\":\"http://10.0.2.100/"
		"\",\"at_ns\":1,\"took_ms\":0.5,\"since_ns\":1,"
		"\"interval_s\":10.0,\"timeout_s\":5.0,\"failed\":7}");
	assert_true(shows(a, ", 7 failed checks in a row"));
	assert_true(shows(a, "why          Connection refused"));
	assert_true(shows(a, "probe        http: http://10.0.2.100/"));
	assert_true(shows(a, "ago, took 0.5"));
	assert_true(shows(a, "every 10 s while healthy, limit 5 s"));
	event(a, "a1", "health.snapshot",
		"{\"snapshot\":\"warm\",\"result\":\"skipped\",\"why\":\"it exists\"}");
	assert_non_null(strstr(a->notice.text, "startup snapshot warm skipped: it exists"));
	event(a, "a1", "vm.state", "{\"from\":\"running\",\"to\":\"paused\",\"reason\":\"\"}");
	event(a, "a1", "health.change",
		"{\"from\":\"unhealthy\",\"to\":\"unknown\",\"reason\":\"paused\",\"probe\":"
		"\"http\","
		"\"ms\":2.0}");
	assert_true(shows(a, "? unknown"));
	/* One that ended has its state. */
	event(a, "a1", "vm.state", "{\"from\":\"paused\",\"to\":\"failed\",\"reason\":\"gone\"}");
	assert_true(shows(a, "✗ failed    -"));
}

static void test_snapshots(void **state)
{
	struct app *a = loaded(state);

	keys(a, "2");
	size(a, 40, 120);
	assert_true(shows(a, "NAME"));
	assert_int_equal(find(a, "› base"), -1);
	assert_int_equal(find(a, "›● base"), 2);
	assert_true(shows(a, "70 MiB") && shows(a, "1/2") && shows(a, "57/1!"));
	assert_true(shows(a, "124 ms") && shows(a, "210 ms"));
	assert_true(shows(a, "damaged: state: 5 bytes are missing"));
	assert_true(shows(a, "users        web-1, web-2"));
	assert_true(shows(a, "1 of 2 ready, 33.5 MiB idle"));
	assert_true(shows(a, "57 (1 failed): p50 124 ms"));
	keys(a, "j");
	assert_true(shows(a, "lineage      base > child"));
	assert_true(shows(a, "none: D removes it"));
	size(a, 24, 80);
	assert_true(shows(a, "P99") && shows(a, "child of web-1"));
	size(a, 10, 40);
	assert_true(shows(a, "child"));
	size(a, 24, 80);
	/* One being made grows by events alone. */
	event(a, "a1", "flow.step",
		"{\"flow\":\"snapshot\",\"snapshot\":\"fresh\",\"step\":\"memory\",\"n\":9,\"of\":"
		"10,\"limit_s\":600}");
	event(a, "a1", "snapshot.progress",
		"{\"snapshot\":\"fresh\",\"done\":41943040,\"total\":104857600}");
	assert_true(shows(a, "◐ fresh"));
	assert_true(shows(a, "memory 40 %, 40 MiB of 100 MiB ██"));
	keys(a, "1");
	assert_true(shows(a, "snapshotting: memory 40 %"));
	event(a, "a1", "vm.snapshot", "{\"snapshot\":\"fresh\",\"pause_ms\":12.0}");
	assert_false(shows(a, "snapshotting"));
	/* The list has the whole one. */
	take(a, model_set_snapshots, SNAPSHOTS);
	assert_int_equal(a->model.snapshots, 3);
	take(a, model_set_snapshots, "[]");
	keys(a, "2");
	assert_true(shows(a, "No snapshot yet."));
}

static void test_restores(void **state)
{
	struct app *a = loaded(state);

	keys(a, "3");
	assert_true(shows(a, "hello 90 ms"));
	assert_true(shows(a, "restore of web-1 from base"));
	assert_true(shows(a, "ok in 124 ms"));
	keys(a, "j");
	assert_true(shows(a, "failed in 0.40 ms"));
	assert_true(shows(a, "why          state: 5 bytes are missing"));
	assert_true(shows(a, "No phase has been timed."));
	keys(a, "g");
	/* A new one is followed from the top, and grows. */
	event(a, "c3", "vm.create",
		"{\"snapshot\":\"base\",\"snapshot_id\":\"6b1b\",\"vmm\":\"qemu\",\"mem_mib\":"
		"256}");
	assert_string_equal(app_table(a)->selected, "c3");
	event(a, "c3", "flow.step",
		"{\"flow\":\"restore\",\"step\":\"queue\",\"n\":1,\"of\":12,\"limit_s\":600}");
	event(a, "c3", "queue.wait", "{\"queue\":\"restore\",\"place\":3,\"busy\":2}");
	assert_true(shows(a, "queue: waiting since"));
	assert_true(shows(a, "◐ running"));
	keys(a, "1");
	assert_true(shows(a, "queue: place 3"));
	event(a, "c3", "flow.step",
		"{\"flow\":\"restore\",\"step\":\"check\",\"n\":2,\"of\":12,\"limit_s\":120}");
	assert_true(shows(a, "check (2 of 12)"));
	event(a, "c3", "vm.restore.failed",
		"{\"step\":\"check\",\"last_event\":\"flow.step\",\"reason\":\"no such kernel\"}");
	keys(a, "3");
	assert_true(shows(a, "✗ failed"));
	assert_true(shows(a, "why          no such kernel"));
	size(a, 24, 120);
	assert_true(shows(a, "check: no such kernel"));
	size(a, 24, 80);
	keys(a, "\r");
	assert_true(a->zoom);
	assert_true(shows(a, "in step      check"));
	keys(a, "q");
	assert_false(a->zoom);
}

/* The place in the queue moves up when one before it leaves. */
static void test_queue_places(void **state)
{
	static const char *const ids[] = {"q1", "q2", "q3"};
	struct app *a = loaded(state);
	char fields[64];

	for (int i = 0; i < 3; i++) {
		event(a, ids[i], "vm.create", "{\"snapshot\":\"base\"}");
		event(a, ids[i], "flow.step", "{\"flow\":\"restore\",\"step\":\"queue\"}");
		snprintf(fields, sizeof(fields), "{\"place\":%d}", i + 1);
		event(a, ids[i], "queue.wait", fields);
	}
	event(a, "q1", "flow.step", "{\"flow\":\"restore\",\"step\":\"check\"}");
	assert_int_equal(model_find(&a->model, "q2")->wait.place, 1);
	assert_int_equal(model_find(&a->model, "q3")->wait.place, 2);
	event(a, "q2", "vm.remove", "{}");
	assert_int_equal(model_find(&a->model, "q3")->wait.place, 1);
}

static void test_timeline_tab(void **state)
{
	struct app *a = loaded(state);

	keys(a, "jt");
	assert_true(shows(a, "[timeline]"));
	assert_true(shows(a, "ok in 124 ms"));
	keys(a, "k");
	keys(a, "t");
	assert_true(shows(a, "No timing of this VM is known."));
	keys(a, "]]]]");
	assert_true(shows(a, "[output]"));
	keys(a, "[[[[");
	assert_true(shows(a, "[timeline]"));
	keys(a, "t");
	assert_true(shows(a, "[output]"));
}

static void test_events(void **state)
{
	struct app *a = loaded(state);

	for (int i = 0; i < 2 * MODEL_EVENTS_MAX; i++) {
		char text[200];
		struct json_object *o;

		snprintf(text, sizeof(text),
			"{\"seq\":%d,\"wall_ns\":1700000000000000000,\"vm\":\"\",\"vm_name\":\"\","
			"\"name\":\"%s\",\"fields\":{\"i\":%d}}",
			i + 1, i % 5 == 4 ? "vitals" : "lock.got", i);
		o = json(text);
		app_link_handler.on_event(a, o, false);
		json_object_put(o);
	}
	assert_int_equal(a->model.events, MODEL_EVENTS_MAX);
	keys(a, "5");
	/* The newest first, without the vitals. */
	assert_true(shows(a, "\"i\":1998"));
	assert_false(shows(a, "vitals"));
	keys(a, "jjjj");
	assert_true(shows(a, "fields       \"i\":1994") || shows(a, "fields       \"i\":1993"));
	keys(a, "/\"i\":1500\r");
	assert_int_equal(app_table(a)->count, 1);
	keys(a, "/");
	app_key(a, KEY_MOD_CTRL | 'u');
	keys(a, "nothing\r");
	assert_true(shows(a, "No event matches 'nothing'"));
	app_key(a, K_ESC);
	assert_int_equal(app_table(a)->count, MODEL_EVENTS_MAX);
	/* Stored ones that come late fall between. */
	take(a, model_set_events,
		"[{\"seq\":1999,\"name\":\"again\"},{\"seq\":9000,\"name\":\"later\"}]");
	assert_true(shows(a, "later"));
	assert_int_equal(a->model.events, MODEL_EVENTS_MAX);
}

static void test_sort(void **state)
{
	struct app *a = loaded(state);

	keys(a, "2>");
	assert_non_null(strstr(a->notice.text, "sorted by NAME"));
	keys(a, "I");
	assert_string_equal(((struct deck_snapshot *)app_table(a)->row[0])->name, "torn");
	assert_string_equal(app_table(a)->selected, "base");
	assert_true(shows(a, "NAME↓"));
	keys(a, "I>>");
	assert_non_null(strstr(a->notice.text, "sorted by DATA"));
	assert_string_equal(((struct deck_snapshot *)app_table(a)->row[2])->name, "base");
	keys(a, "<<<");
	assert_non_null(strstr(a->notice.text, "usual order"));
	keys(a, "1<I");
	assert_string_equal(app_table(a)->selected, "a1");
}

/* Dialogs have good defaults, say what is wrong, and send nothing then. */
static void test_dialogs(void **state)
{
	struct app *a = loaded(state);

	keys(a, "S");
	assert_true(shows(a, "snapshot of web") && shows(a, "web-1"));
	keys(a, "\t ");
	assert_true(shows(a, "[x] one of that name"));
	keys(a, "\t/\r");
	assert_true(shows(a, "is not valid"));
	app_key(a, K_ESC);
	keys(a, "C0\r");
	assert_non_null(a->top);
	app_key(a, K_ESC);
	keys(a, "C3\t");
	assert_true(shows(a, "clones of web"));
	keys(a, "\r");
	assert_null(a->top);
	assert_non_null(strstr(a->notice.text, "no daemon"));
	keys(a, "2\r");
	assert_true(shows(a, "a VM from snapshot base"));
	app_key(a, K_ESC);
	keys(a, "P");
	assert_true(shows(a, "VMMs kept loaded for base"));
	keys(a, "\x15");
	app_key(a, KEY_MOD_CTRL | 'u');
	keys(a, "x\r");
	assert_non_null(a->top);
	app_key(a, K_ESC);
	keys(a, "D");
	assert_true(shows(a, "Delete snapshot base?") && shows(a, "In use by web-1, web-2"));
	keys(a, "\r");
	assert_null(a->top);
	keys(a, "GC");
	assert_non_null(strstr(a->notice.text, "torn is damaged"));
	keys(a, "v");
	assert_non_null(strstr(a->notice.text, "damaged"));
	keys(a, "4D");
	assert_true(shows(a, "Delete image mini?"));
	keys(a, "n1:restore child\r");
	assert_true(shows(a, "a VM from snapshot child"));
	app_key(a, K_ESC);
}

/* No sign of ours above 127, no colour, any size. */
static void test_ascii_and_sizes(void **state)
{
	struct app *a = loaded(state);

	paint_init(&a->paint, &a->theme, DEPTH_MONO, true);
	for (int v = 1; v <= VIEW__COUNT; v++) {
		char key[2] = {(char)('0' + v), '\0'};

		keys(a, key);
		for (int rows = 1; rows <= 40; rows += 3)
			for (int cols = 1; cols <= 200; cols += 9) {
				size(a, rows, cols);
				draw_screen(a);
			}
		size(a, 24, 80);
		draw_screen(a);
		for (int y = 0; y < 24; y++)
			for (const char *s = row(y); *s; s++)
				assert_true((unsigned char)*s < 128);
	}
}

/* Wide names are cut with a sign, hostile ones made harmless. */
static void test_odd_names(void **state)
{
	struct app *a = loaded(state);

	take(a, model_set_snapshots,
		"[{\"name\":"
		"\"\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57\u6f22\u5b57"
		"\u6f22\u5b57\u6f22\u5b57\",\"state\":\"ready\"},{\"name\":\"a\\u001b[31mb\","
		"\"state\":"
		"\"ready\"},{\"state\":\"ready\"},7,null,{\"name\":\"\"}]");
	keys(a, "2");
	assert_int_equal(a->model.snapshots, 2);
	assert_true(shows(a, "…"));
	assert_true(shows(a, "a\\x1b[31mb"));
}

/* Nothing that an unknown daemon sends breaks the lists. */
static void test_odd_json(void **state)
{
	static const char *const odd[] = {"{}", "[]", "null", "3", "\"x\"", "[[],{},1,null]",
		"[{\"name\":1,\"vm\":2}]",
		"[{\"name\":\"n\",\"vm\":\"n\",\"kind\":\"restore\",\"phases\":{},\"usual\":[],"
		"\"users\":3,\"disks\":\"x\",\"pool\":[],\"restores\":1,\"total_ms\":\"x\"}]",
		"[{\"vm\":\"m\",\"kind\":\"restore\",\"result\":\"ok\",\"total_ms\":1e300,"
		"\"phases\":[{\"name\":\"a\",\"at_ms\":1e300,\"ms\":1e300,\"limit_s\":1e300},3]}]"};
	struct app *a = loaded(state);

	for (size_t i = 0; i < countof(odd); i++) {
		take(a, model_set_snapshots, odd[i]);
		take(a, model_set_timings, odd[i]);
		take(a, model_set_timing, odd[i]);
		take(a, model_set_events, odd[i]);
		keys(a, "2j3jj5j");
		draw_screen(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_health, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restores, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeline_tab, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sort, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dialogs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ascii_and_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_json, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
