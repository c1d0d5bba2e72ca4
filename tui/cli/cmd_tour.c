/* tour: what vmdeck does, shown once with a real VM, as plain text. Snapshots and clones are in
 * tour_clones.c. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/grab.h"
#include "tui/cli/text.h"
#include "tui/cli/tour.h"
#include "tui/cli/work.h"

#define IMAGE       "mini"
#define EXEC_S      60 /* limits of waits for the guest, s */
#define OUTPUT_S    60
#define OUTPUT_SHOW 3 /* lines */

/* The guest's main process: numbered lines, so that it is seen to go on. */
#define MAIN_SCRIPT                                                                                \
	"n=0; while :; do n=$((n+1)); echo \"line $n of the main process, up $(cut -d ' ' -f 1 "   \
	"/proc/uptime) s\"; sleep 1; done"

struct step {
	const char *name, *what;
	int (*run)(struct tour *t, struct err *e);
};

void tour_say(const struct tour *t, const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fputs("    ", stdout);
	cli_puts(t->c, line);
	putchar('\n');
	fflush(stdout);
}

static int show_image(struct tour *t, struct err *e)
{
	autojson struct json_object *image = NULL;
	struct work w = {.c = t->c, .image = IMAGE, .draw = t->c->tty_err, .lines = !t->c->tty_err};
	char size[32];
	/* One that is ready and up to date is not built again. */
	int r = work_build(&w, false, &image, e);

	if (r == 0)
		tour_say(t, "%s is ready: kernel %s, %s", IMAGE, jsonx_str(image, "kernel"),
			str_bytes(size, sizeof(size), (uint64_t)jsonx_int(image, "bytes", 0)));
	return r;
}

/* What happened since the boot was asked for, from the event log. */
static int show_events(struct tour *t, struct err *e)
{
	autojson struct json_object *list = NULL;
	struct json_object *params = cli_vm_params(t->vm);
	int64_t begin = 0;
	int r;

	jsonx_add_int(params, "limit", 1000);
	r = cli_call(t->c, "event.list", params, CLI_CALL_S, &list, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *ev = json_object_array_get_idx(list, i);
		struct json_object *fields = jsonx_get(ev, "fields");
		const char *name = jsonx_str(ev, "name"), *what = jsonx_str(fields, "step");
		int64_t at = jsonx_int(ev, "mono_ns", 0);

		if (!name || strcmp(name, "vitals") == 0)
			continue;
		begin = begin ? begin : at;
		what = what ? what : jsonx_str(fields, "method");
		tour_say(t, "%+8.3f s  %s%s%s", (double)(at - begin) / 1e9, name, what ? " " : "",
			what ? what : "");
	}
	return 0;
}

static struct json_object *boot_params(const struct tour *t)
{
	static const char *const argv[] = {"/bin/sh", "-c", MAIN_SCRIPT};
	struct json_object *params = json_object_new_object(), *cmd = json_object_new_array();

	for (size_t i = 0; i < countof(argv); i++)
		json_object_array_add(cmd, json_object_new_string(argv[i]));
	jsonx_add_str(params, "name", t->vm);
	jsonx_add_str(params, "image", IMAGE);
	json_object_object_add(params, "cmd", cmd);
	return params;
}

static int show_boot(struct tour *t, struct err *e)
{
	autojson struct json_object *vm = NULL;
	struct work w = {.c = t->c, .draw = t->c->tty_err};
	char ready[32];
	int r;

	t->booted = true;
	r = work_boot(&w, boot_params(t), &vm, e);
	if (r < 0)
		return r;
	tour_say(t, "%s runs: %s %s %s, %d MiB, its agent answered after %s", t->vm,
		jsonx_str(vm, "vmm"), jsonx_str(vm, "version"), jsonx_str(vm, "accel"),
		(int)jsonx_int(vm, "mem_mib", 0),
		str_duration(ready, sizeof(ready),
			(uint64_t)(json_object_get_double(jsonx_get(vm, "boot_ms")) * 1e6)));
	return show_events(t, e);
}

void tour_say_lines(const struct tour *t, char *text)
{
	for (char *line = strtok_r(text, "\n", &text); line; line = strtok_r(NULL, "\n", &text)) {
		line[strcspn(line, "\r")] = '\0';
		tour_say(t, "%s", line);
	}
}

int tour_command(struct tour *t, const char *vm, const char *command, struct err *e)
{
	struct json_object *params = cli_vm_params(vm), *argv = json_object_new_array();
	uint64_t begin = mono_ns();
	struct grab g;
	char took[32];
	int r;

	json_object_array_add(argv, json_object_new_string("/bin/sh"));
	json_object_array_add(argv, json_object_new_string("-c"));
	json_object_array_add(argv, json_object_new_string(command));
	json_object_object_add(params, "argv", argv);
	tour_say(t, "%s$ %s", strcmp(vm, t->vm) == 0 ? "" : vm, command);
	r = grab_run(&g, t->c, "vm.exec", params, 0, EXEC_S, e);
	if (r == 0) {
		tour_say_lines(t, (char *)g.text.data + g.text.head);
		tour_say(t, "(%s %d, %s)", g.how == 1 ? "signal" : "exit code", g.value,
			str_duration(took, sizeof(took), mono_ns() - begin));
	}
	grab_fini(&g);
	return r;
}

static int show_exec(struct tour *t, struct err *e)
{
	static const char *const list[] = {
		"uname -a", "head -n 3 /proc/meminfo", "ps | head -n 5", "exit 3"};

	for (size_t i = 0; i < countof(list); i++) {
		int r = tour_command(t, t->vm, list[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int show_output(struct tour *t, struct err *e)
{
	struct json_object *params = cli_vm_params(t->vm);
	struct grab g;
	int r;

	jsonx_add_bool(params, "follow", true);
	r = grab_run(&g, t->c, "vm.logs", params, OUTPUT_SHOW, OUTPUT_S, e);
	if (r == 0)
		tour_say_lines(t, (char *)g.text.data + g.text.head);
	grab_fini(&g);
	return r;
}

static int show_ping(struct tour *t, struct err *e)
{
	autojson struct json_object *o = NULL;
	char rtt[32], up[32];
	int r = cli_call(t->c, "vm.ping", cli_vm_params(t->vm), CLI_CALL_S, &o, e);

	if (r == 0)
		tour_say(t, "the agent answered in %s; the guest is up for %s",
			str_duration(rtt, sizeof(rtt), (uint64_t)jsonx_int(o, "rtt_ns", 0)),
			str_duration(up, sizeof(up), (uint64_t)jsonx_int(o, "uptime_ns", 0)));
	return r;
}

static int call_and_tell(struct tour *t, const char *method, struct err *e)
{
	autojson struct json_object *vm = NULL;
	int r = cli_call(t->c, method, cli_vm_params(t->vm), CLI_CALL_S, &vm, e);

	if (r == 0)
		tour_say(t, "%s is %s", t->vm, jsonx_str(vm, "state"));
	return r;
}

static int show_pause(struct tour *t, struct err *e)
{
	int r = call_and_tell(t, "vm.pause", e);

	return r < 0 ? r : call_and_tell(t, "vm.resume", e);
}

static int show_stop(struct tour *t, struct err *e)
{
	return call_and_tell(t, "vm.stop", e);
}

int tour_remove(struct tour *t, const char *vm, struct err *e)
{
	struct json_object *params = cli_vm_params(vm);

	jsonx_add_bool(params, "force", true);
	return cli_call(t->c, "vm.rm", params, CLI_CALL_S, NULL, e);
}

static int show_rm(struct tour *t, struct err *e)
{
	int r = tour_remove(t, t->vm, e);

	if (r < 0)
		return r;
	t->booted = false;
	tour_say(t, "%s and its logs are removed", t->vm);
	r = tour_remove_clones(t, e);
	if (r == 0)
		tour_say(t, "its clones and its snapshot too");
	return r;
}

static const struct step steps[] = {
	{"image", "kernel and initramfs, built once", show_image},
	{"boot", "a new VM; then what happened when, from the event log", show_boot},
	{"exec", "commands in the guest, over vsock", show_exec},
	{"snapshot", "memory and devices, while the VM goes on", tour_snapshot},
	{"clone", "new VMs from it, each with an identity of its own", tour_clone},
	{"timeline", "where the time of one went; beside it what is usual", tour_timeline},
	{"restores", "all of them", tour_restores},
	{"output", "the main process' output, streamed and stored", show_output},
	{"ping", "a sign of life from the agent", show_ping},
	{"pause", "and resume", show_pause},
	{"stop", "the guest powers off", show_stop},
	{"rm", "nothing is left", show_rm},
};

static int run_steps(struct tour *t, struct err *e)
{
	for (size_t i = 0; i < countof(steps); i++) {
		uint64_t begin = mono_ns();
		char took[32];
		int r;

		printf("%s%zu/%zu %s%s: %s\n", tint_on(TINT_HEAD, t->c->color), i + 1,
			countof(steps), steps[i].name, tint_off(t->c->color), steps[i].what);
		fflush(stdout);
		r = steps[i].run(t, e);
		if (r < 0)
			return err_wrap(e, r, "%s", steps[i].name);
		tour_say(t, "took %s", str_duration(took, sizeof(took), mono_ns() - begin));
	}
	return 0;
}

/* A daemon that the tour started and nobody needs ends with it. */
static void end_daemon(struct cli *c)
{
	autojson struct json_object *vms = NULL;
	struct err e;

	if (cli_call(c, "vm.list", NULL, CLI_CALL_S, &vms, &e) == 0 &&
		json_object_is_type(vms, json_type_array) && !json_object_array_length(vms))
		(void)cli_call(c, "daemon.stop", NULL, CLI_CALL_S, NULL, &e);
}

int cmd_tour(struct cli *c)
{
	struct tour t = {.c = c};
	struct err e = {0}, later = {0};
	bool running = cli_open(c, true, &e) == 0;
	uint8_t tag[3];
	int r, code = EXIT_OK;

	random_bytes(tag, sizeof(tag));
	memcpy(t.vm, "tour-", sizeof("tour-"));
	hex_encode(t.vm + sizeof("tour-") - 1, tag, sizeof(tag));
	/* A name of its own: of a VM and a snapshot with the same name, the VM is cloned. */
	snprintf(t.snapshot, sizeof(t.snapshot), "%s-base", t.vm);
	printf("vmdeck tour: a real VM from image to removal; Ctrl-C cleans up\n");
	cli_catch(c);
	r = run_steps(&t, &e);
	if (r < 0)
		code = r == -EINTR ? EXIT_SIGNAL + c->signal : cli_fail(&e, EXIT_FAILED);
	if (r == -EINTR)
		fprintf(stderr, "vmdeck: interrupted: cleaning up\n");
	c->signal = 0;
	if (t.booted && tour_remove(&t, t.vm, &later) < 0 && later.code != ENOENT)
		code = cli_fail(&later, EXIT_FAILED);
	if (tour_remove_clones(&t, &later) < 0)
		code = cli_fail(&later, EXIT_FAILED);
	if (!running)
		end_daemon(c);
	cli_uncatch(c);
	if (code == EXIT_OK)
		puts("done: vmdeck opens the console, vmdeck help lists the commands");
	return code;
}
