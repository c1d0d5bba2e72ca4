/* How long the console takes for a key or an event with many rows: everything from the key to the
 * bytes for the terminal. Prints a line each: median ms, slowest ms, name. */
#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/console/app.h"

#define ROUNDS_MAX 2000

struct bench {
	struct app *app;
	int rows;
	double ms[ROUNDS_MAX];
	int rounds;
	uint64_t from_ns;
};

static int by_ms(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void begin(struct bench *b)
{
	b->from_ns = mono_ns();
}

static void end(struct bench *b)
{
	if (b->rounds < ROUNDS_MAX)
		b->ms[b->rounds++] = (double)(mono_ns() - b->from_ns) / 1e6;
}

static void report(struct bench *b, const char *name)
{
	qsort(b->ms, (size_t)b->rounds, sizeof(b->ms[0]), by_ms);
	printf("%.3f %.3f %s\n", b->ms[b->rounds / 2], b->ms[b->rounds - 1], name);
	b->rounds = 0;
}

static void frame(struct bench *b)
{
	draw_screen(b->app);
	doupdate();
}

static void key(struct bench *b, console_key k)
{
	begin(b);
	app_key(b->app, k);
	frame(b);
	end(b);
}

static void type(struct bench *b, const char *text)
{
	for (; *text; text++)
		key(b, (console_key)(unsigned char)*text);
}

/* ---- VMs ------------------------------------------------------------------------------------- */

static struct json_object *vm_json(int i)
{
	static const char *const states[] = {"running", "stopped", "paused", "running", "failed"};
	struct json_object *o = json_object_new_object();
	char text[64];

	snprintf(text, sizeof(text), "%08x", (unsigned)i * 2654435761u);
	jsonx_add_str(o, "id", text);
	snprintf(text, sizeof(text), "%s-%d", i % 3 ? "web" : "worker", i);
	jsonx_add_str(o, "name", text);
	jsonx_add_str(o, "state", states[i % 5]);
	jsonx_add_str(o, "image", i % 7 ? "mini" : "debian");
	jsonx_add_str(o, "vmm", "qemu");
	jsonx_add_int(o, "created_ns", 1700000000000000000 + i);
	jsonx_add_int(o, "since_ns", 1700000000000000000 + (i * 7919 % 10007) * 1000000000LL);
	jsonx_add_int(o, "mem_mib", 128 + i * 31 % 1024);
	return o;
}

static double load_ms(struct bench *b, int n)
{
	struct json_object *list = json_object_new_array();
	double ms;

	for (int i = 0; i < n; i++)
		json_object_array_add(list, vm_json(i));
	begin(b);
	app_refresh(b->app, model_set_vms(&b->app->model, list));
	frame(b);
	ms = (double)(mono_ns() - b->from_ns) / 1e6;
	json_object_put(list);
	return ms;
}

static void event(struct bench *b, const char *id, const char *name, const char *fields)
{
	struct json_object *o = json_object_new_object(), *f = NULL;
	struct err e;

	if (jsonx_parse(fields, strlen(fields), &f, &e) < 0)
		abort();
	jsonx_add_str(o, "name", name);
	jsonx_add_str(o, "vm", id);
	jsonx_add_str(o, "vm_name", id);
	jsonx_add_int(o, "wall_ns", (int64_t)wall_ns());
	json_object_object_add(o, "fields", f);
	app_link_handler.on_event(b->app, o, false);
	json_object_put(o);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void bench_filters(struct bench *b)
{
	static const struct {
		const char *text, *name;
	} filters[] = {
		{"web-12", "key in a text filter"},
		{"/^w.*-[0-9]+5$", "key in a regular expression"},
		{"~wb99", "key in a fuzzy filter"},
		{"state=running", "key in state=running"},
		{"web !7 state!=stopped", "key in a filter of three terms"},
	};

	for (size_t i = 0; i < countof(filters); i++) {
		for (int n = 0; n < 5; n++) {
			app_key(b->app, '/');
			type(b, filters[i].text);
			app_key(b->app, K_ESC);
		}
		report(b, filters[i].name);
	}
}

static void bench_moves(struct bench *b)
{
	for (int i = 0; i < 200; i++)
		key(b, K_PAGE_DOWN);
	report(b, "one page down");
	for (int i = 0; i < 20; i++)
		key(b, i % 2 ? 'g' : 'G');
	report(b, "to the other end");
	app_key(b->app, 'g');
	for (int i = 0; i < 100; i++)
		key(b, ' ');
	report(b, "mark a row");
	for (int i = 0; i < 10; i++)
		key(b, '*');
	report(b, "invert all marks");
	app_key(b->app, 'U');
}

static void bench_sorts(struct bench *b)
{
	for (int i = 0; i < 30; i++)
		key(b, '>');
	report(b, "sort by the next column");
	for (int i = 0; i < 20; i++)
		key(b, 'I');
	report(b, "turn the order round");
}

static void bench_events(struct bench *b)
{
	for (int i = 0; i < 1000; i++) {
		char id[16], fields[96];

		snprintf(id, sizeof(id), "%08x", (unsigned)(i % 100) * 2654435761u);
		snprintf(fields, sizeof(fields), "{\"mem_total\":268435456,\"mem_available\":%d}",
			100000000 + i);
		begin(b);
		event(b, id, "vitals", fields);
		end(b);
	}
}

static void bench_life(struct bench *b)
{
	uint64_t from;

	from = mono_ns();
	for (int i = 0; i < b->rows; i++) {
		char id[16];

		snprintf(id, sizeof(id), "new%d", i);
		event(b, id, "vm.create", "{}");
	}
	printf("%.3f %.3f vm.create, one of as many again\n",
		(double)(mono_ns() - from) / 1e6 / b->rows, 0.);
}

int main(int argc, char **argv)
{
	static struct app app;
	static struct console_opts opts;
	static struct bench b = {.app = &app};
	FILE *out = fopen("/dev/null", "w"), *in = fopen("/dev/null", "r");
	double some, all;

	b.rows = argc > 1 ? atoi(argv[1]) : 10000;
	setlocale(LC_ALL, "C.UTF-8");
	if (!out || !in || b.rows < 10 || !newterm("xterm-256color", out, in))
		return 2;
	start_color();
	use_default_colors();
	app_init(&app, &opts);
	theme_builtin(&app.theme);
	paint_init(&app.paint, &app.theme, DEPTH_256, false);
	resizeterm(50, 160);
	app_take_size(&app);
	some = load_ms(&b, b.rows / 10);
	(void)load_ms(&b, 0);
	all = load_ms(&b, b.rows);
	printf("%.3f %.3f load all\n", all, some * 10);
	bench_filters(&b);
	bench_moves(&b);
	bench_events(&b);
	report(&b, "event of one VM");
	bench_sorts(&b);
	app_table(&app)->sort = 0; /* by name */
	app_refill(&app);
	app_key(&app, '/');
	type(&b, "state=running");
	app_key(&app, K_ENTER);
	b.rounds = 0;
	bench_events(&b);
	report(&b, "event of one VM, sorted and filtered");
	app_key(&app, K_ESC);
	bench_life(&b);
	app_fini(&app);
	endwin();
	return 0;
}
