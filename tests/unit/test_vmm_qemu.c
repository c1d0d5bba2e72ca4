// LIBS: vmm base
// OBJS: tests/support/pvh.c
/* The QEMU driver with a real QEMU, on a kernel of a few bytes that is made here: a guest that says
 * "hi" on its console and then halts or resets. The vsock device needs vmdeck-vsock.so;
 * without QEMU or it, the tests that start a VM are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/file.h"
#include "backend/base/path.h"
#include "backend/base/str.h"
#include "backend/vmm/qemu.h"
#include "backend/vmm/vmm.h"
#include "tests/support/pvh.h"

#define DEADLINE 30. /* s */

/* ---- a VM and what it said ------------------------------------------------------------------ */

struct vm {
	char base[64], dir[96], run[96], vsock[128], kernel[128];
	struct ev_loop *loop;
	struct vmm_config config;
	struct vmm *v;
	int dones, result;
	struct err why;
	int events[VMM_EV_EXIT + 1];
	enum vmm_event last;
	char detail[400];
	int spawns, calls;
	bool destroy_in_done;
	bool (*until)(struct vm *vm);
};

static void check_until(struct vm *vm)
{
	if (vm->until && vm->until(vm))
		ev_break(vm->loop, EVBREAK_ALL);
}

static void on_event(struct vmm *v, enum vmm_event ev, const char *detail)
{
	struct vm *vm = v->user;

	assert_int_equal(vm->events[VMM_EV_EXIT], 0); /* it is always last */
	vm->events[ev]++;
	vm->last = ev;
	snprintf(vm->detail, sizeof(vm->detail), "%s", detail ? detail : "");
	check_until(vm);
}

static void on_log(struct vmm *v, const char *name, const char *fields)
{
	struct vm *vm = v->user;

	assert_int_equal(fields[0], '{');
	vm->spawns += strcmp(name, "vmm.spawn") == 0;
	vm->calls += strcmp(name, "api.call") == 0;
}

static void on_done(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;

	assert_true(r == 0 ? e == NULL : e != NULL && e->code == -r);
	vm->dones++;
	vm->result = r;
	if (e)
		vm->why = *e;
	if (vm->destroy_in_done) {
		v->ops->destroy(v);
		vm->v = NULL;
	}
	check_until(vm);
}

static bool until_done(struct vm *vm)
{
	return vm->dones > 0;
}

static bool until_exit(struct vm *vm)
{
	return vm->events[VMM_EV_EXIT] > 0;
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	fail_msg("nothing came in %g s", DEADLINE);
}

static void wait_for(struct vm *vm, bool (*until)(struct vm *vm))
{
	ev_timer deadline;

	if (until(vm))
		return;
	vm->until = until;
	ev_now_update(vm->loop);
	ev_timer_init(&deadline, on_deadline, DEADLINE, 0.);
	ev_timer_start(vm->loop, &deadline);
	ev_run(vm->loop, 0);
	ev_timer_stop(vm->loop, &deadline);
	vm->until = NULL;
}

static void new_vmm(struct vm *vm)
{
	const struct vmm_callbacks cb = {.on_event = on_event, .on_log = on_log};

	vm->v = vmm_qemu.create();
	vmm_setup(vm->v, vm->loop, &vm->config, &cb, vm);
	vm->dones = 0;
	memset(vm->events, 0, sizeof(vm->events));
}

static void setup_vm(struct vm *vm, enum pvh_guest guest)
{
	*vm = (struct vm){.base = "/tmp/vmdeck-test-XXXXXX"};
	assert_non_null(mkdtemp(vm->base));
	snprintf(vm->dir, sizeof(vm->dir), "%s/d,i r", vm->base); /* a comma, a space */
	snprintf(vm->run, sizeof(vm->run), "%s/r", vm->base);
	snprintf(vm->vsock, sizeof(vm->vsock), "%s/v.sock", vm->run);
	snprintf(vm->kernel, sizeof(vm->kernel), "%s/kernel", vm->base);
	assert_int_equal(mkdir(vm->dir, 0700), 0);
	assert_int_equal(mkdir(vm->run, 0700), 0);
	assert_int_equal(pvh_write(vm->kernel, guest), 0);
	vm->loop = ev_loop_new(EVFLAG_AUTO);
	vm->config = (struct vmm_config){.id = "00c0ffee",
		.dir = vm->dir,
		.run_dir = vm->run,
		.vsock_path = vm->vsock,
		.kernel = vm->kernel,
		.vcpus = 1,
		.mem_mib = 64,
		.cid = 3};
	new_vmm(vm);
}

static void teardown_vm(struct vm *vm)
{
	ev_timer deadline;

	if (vm->v) {
		vm->v->ops->kill(vm->v);
		vm->v->ops->destroy(vm->v);
	}
	/* The loop reaps what was killed. */
	ev_now_update(vm->loop);
	ev_timer_init(&deadline, on_deadline, DEADLINE, 0.);
	ev_timer_start(vm->loop, &deadline);
	while (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) == 0)
		ev_run(vm->loop, EVRUN_ONCE);
	ev_timer_stop(vm->loop, &deadline);
	ev_loop_destroy(vm->loop);
	assert_int_equal(tree_remove(vm->base, NULL), 0);
}

static int start_vm(struct vm *vm)
{
	vm->dones = 0;
	return vm->v->ops->start(vm->v, on_done, &vm->why);
}

static void start_well(struct vm *vm)
{
	if (start_vm(vm) < 0)
		fail_msg("%s", vm->why.msg);
	wait_for(vm, until_done);
	if (vm->result < 0)
		fail_msg("%s", vm->why.msg);
}

static int count_entries(const char *dir)
{
	char cmd_free[256];
	struct stat st;
	int n = 0;
	static const char *const names[] = {
		"ram", "serial.log", "vmm.log", "vmm.pid", "vmm.pid.tmp", "qmp.sock", "v.sock"};

	for (size_t i = 0; i < countof(names); i++) {
		snprintf(cmd_free, sizeof(cmd_free), "%s/%s", dir, names[i]);
		n += lstat(cmd_free, &st) == 0;
	}
	return n;
}

static void assert_nothing_left(struct vm *vm)
{
	assert_int_equal(count_entries(vm->dir), 0);
	assert_int_equal(count_entries(vm->run), 0);
}

/* Where the programs of this build are: the parent of the tests' folder. */
static void find_build(void)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	*strrchr(exe, '/') = '\0';
	setenv("VMDECK_LIBEXEC", exe, 0);
}

static void need_qemu(void)
{
	struct vmm_detect d;

	vmm_qemu.detect(&d);
	if (!d.found) {
		print_message("%s\n", d.why);
		skip();
	}
}

/* ---- tests ---------------------------------------------------------------------------------- */

static char *read_log(struct vm *vm, const char *name)
{
	char path[160], *text = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", vm->dir, name);
	assert_int_equal(file_read(path, 1 << 20, &text, &n, NULL), 0);
	return text;
}

static void start_pause_resume_kill(void **state)
{
	struct vm vm;
	struct proc_id id, on_disk;
	char path[160], comm[32] = "";
	autofile FILE *f = NULL;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	start_well(&vm);
	assert_int_equal(vm.v->state, VMM_RUNNING);
	assert_int_equal(vm.events[VMM_EV_RUNNING], 1);
	assert_int_equal(vm.spawns, 1);
	assert_int_equal(vm.calls, 2); /* qmp_capabilities, query-status */
	id = vm.v->proc.id;
	snprintf(path, sizeof(path), "%s/vmm.pid", vm.dir);
	assert_int_equal(proc_read_pid_file(path, &on_disk), 0);
	assert_true(on_disk.pid == id.pid && on_disk.start == id.start);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)id.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(comm, sizeof(comm), f));
	assert_string_equal(comm, "vmdeck-00c0ffee\n");

	vm.dones = 0;
	assert_int_equal(vmm_qemu.resume(vm.v, on_done, &vm.why), -EALREADY);
	assert_int_equal(vmm_qemu.start(vm.v, on_done, &vm.why), -EINVAL);
	assert_int_equal(vmm_qemu.pause(vm.v, on_done, &vm.why), 0);
	assert_int_equal(vmm_qemu.pause(vm.v, on_done, &vm.why), -EBUSY);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_PAUSED);
	assert_int_equal(vm.events[VMM_EV_PAUSED], 1);

	vm.dones = 0;
	assert_int_equal(vmm_qemu.resume(vm.v, on_done, &vm.why), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_RUNNING);
	assert_int_equal(vm.events[VMM_EV_RUNNING], 2);

	vmm_qemu.kill(vm.v);
	wait_for(&vm, until_exit);
	assert_int_equal(vm.v->state, VMM_GONE);
	assert_string_equal(vm.detail, "killed by signal 9 (Killed)");
	assert_false(proc_id_alive(id));
	assert_int_equal(vmm_qemu.pause(vm.v, on_done, &vm.why), -ESRCH);
	teardown_vm(&vm);
}

static void guest_reset_ends_it(void **state)
{
	struct vm vm;
	autofree char *text = NULL;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_RESET);
	assert_int_equal(start_vm(&vm), 0);
	/* The guest may be gone before its monitor is asked: either way one clear end. */
	wait_for(&vm, until_done);
	if (vm.result == 0) {
		wait_for(&vm, until_exit);
		assert_int_equal(vm.events[VMM_EV_POWEROFF], 1);
		assert_non_null(strstr(vm.detail, "after guest-reset"));
		text = read_log(&vm, "serial.log");
		assert_string_equal(text, "bye\n");
	} else {
		assert_non_null(strstr(vm.why.msg, "QEMU ended: "));
		assert_nothing_left(&vm);
	}
	teardown_vm(&vm);
}

static void adopted_by_another(void **state)
{
	struct vm vm;
	struct proc_id id;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	start_well(&vm);
	vm.dones = 0;
	assert_int_equal(vmm_qemu.pause(vm.v, on_done, &vm.why), 0);
	wait_for(&vm, until_done);
	id = vm.v->proc.id;
	vmm_qemu.destroy(vm.v);
	assert_true(proc_id_alive(id));

	new_vmm(&vm);
	assert_int_equal(vmm_qemu.adopt(vm.v, on_done, &vm.why), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_PAUSED);
	assert_int_equal(vm.v->proc.id.pid, id.pid);
	vm.dones = 0;
	assert_int_equal(vmm_qemu.resume(vm.v, on_done, &vm.why), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.v->state, VMM_RUNNING);
	vmm_qemu.kill(vm.v);
	wait_for(&vm, until_exit);
	assert_false(proc_id_alive(id));

	vmm_qemu.destroy(vm.v);
	new_vmm(&vm);
	assert_int_equal(vmm_qemu.adopt(vm.v, on_done, &vm.why), -ESRCH);
	teardown_vm(&vm);
}

static void adopt_says_that_the_monitor_is_gone(void **state)
{
	struct vm vm;
	char path[160];

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	start_well(&vm);
	vmm_qemu.destroy(vm.v);
	snprintf(path, sizeof(path), "%s/qmp.sock", vm.run);
	assert_int_equal(unlink(path), 0);
	new_vmm(&vm);
	assert_int_equal(vmm_qemu.adopt(vm.v, on_done, &vm.why), -ENOENT);
	assert_non_null(strstr(vm.why.msg, "monitor"));
	/* The owner ends what it cannot drive. */
	struct proc_id id;
	struct proc p;
	snprintf(path, sizeof(path), "%s/vmm.pid", vm.dir);
	assert_int_equal(proc_read_pid_file(path, &id), 0);
	assert_int_equal(proc_adopt(&p, vm.loop, id, NULL, NULL, NULL), 0);
	proc_signal(&p, SIGKILL);
	proc_forget(&p);
	teardown_vm(&vm);
}

static void destroy_before_done_leaves_nothing(void **state)
{
	struct vm vm;
	struct proc_id id;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	assert_int_equal(start_vm(&vm), 0);
	id = vm.v->proc.id;
	vmm_qemu.destroy(vm.v);
	vm.v = NULL;
	assert_false(proc_id_alive(id));
	assert_nothing_left(&vm);
	assert_int_equal(vm.dones, 0);
	teardown_vm(&vm);
}

static void failure_of_qemu_is_told_and_cleaned_up(void **state)
{
	struct vm vm;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	vm.config.vcpus = 100000;
	vm.destroy_in_done = true;
	assert_int_equal(start_vm(&vm), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, -EIO);
	print_message("%s\n", vm.why.msg);
	assert_non_null(
		strstr(vm.why.msg, "QEMU ended: exit 1: qemu-system-x86_64: Invalid SMP CPUs"));
	assert_int_equal(vm.events[VMM_EV_EXIT], 0);
	assert_nothing_left(&vm);
	teardown_vm(&vm);
}

static void not_a_kernel(void **state)
{
	struct vm vm;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	assert_int_equal(file_write_atomic(vm.kernel, "garbage", 7, 0600, NULL), 0);
	assert_int_equal(start_vm(&vm), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, -EIO);
	print_message("%s\n", vm.why.msg);
	assert_nothing_left(&vm);
	teardown_vm(&vm);
}

static void missing_files(void **state)
{
	struct vm vm;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	vm.config.initrd = "/nonexistent/initrd";
	assert_int_equal(start_vm(&vm), -ENOENT);
	assert_string_equal(vm.why.msg, "the guest's initrd '/nonexistent/initrd' cannot be read: "
					"No such file or directory");
	vm.config.initrd = NULL;
	vm.config.kernel = "/nonexistent/kernel";
	assert_int_equal(start_vm(&vm), -ENOENT);
	assert_nothing_left(&vm);
	teardown_vm(&vm);
}

static void program_missing(void **state)
{
	autofree char *path = xstrdup(getenv("PATH"));
	struct vmm_detect d;
	struct vm vm;

	(void)state;
	setup_vm(&vm, PVH_IDLE);
	setenv("PATH", "/nonexistent", 1);
	vmm_qemu.detect(&d);
	assert_false(d.found);
	assert_string_equal(d.why,
		"qemu-system-x86_64 was not found in PATH: install the package qemu-system-x86");
	assert_string_equal(d.program, "");
	assert_int_equal(start_vm(&vm), -ENOENT);
	assert_nothing_left(&vm);
	setenv("PATH", path, 1);
	teardown_vm(&vm);
}

/* A program of that name which is not QEMU: it talks and ends. */
static void program_is_something_else(void **state)
{
	static const char script[] =
		"#!/bin/sh\necho 'first line'; printf 'no \\033[31mQEMU\\n\\n' >&2\n"
		"exit 3\n";
	autofree char *path = xstrdup(getenv("PATH"));
	struct vmm_detect d;
	struct vm vm;
	char file[128];

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	snprintf(file, sizeof(file), "%s/qemu-system-x86_64", vm.base);
	assert_int_equal(file_write_atomic(file, script, sizeof(script) - 1, 0700, NULL), 0);
	setenv("PATH", vm.base, 1);
	vmm_qemu.detect(&d);
	assert_false(d.found);
	assert_non_null(strstr(d.why, "exit 3"));
	assert_int_equal(start_vm(&vm), 0);
	setenv("PATH", path, 1);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, -EIO);
	assert_string_equal(vm.why.msg, "QEMU ended: exit 3: no \\x1b[31mQEMU");
	assert_nothing_left(&vm);
	teardown_vm(&vm);
}

/* One that connects, but speaks no QMP: the start fails and the process is ended. */
static void monitor_speaks_garbage(void **state)
{
	static const char script[] = "#!/usr/bin/env python3\n"
				     "import socket\n"
				     "c, _ = socket.socket(fileno=3).accept()\n"
				     "c.sendall(b'hello\\n')\n"
				     "c.recv(1)\n"
				     "import signal; signal.pause()\n";
	autofree char *path = xstrdup(getenv("PATH")), *both = NULL;
	struct vm vm;
	char file[128];
	struct proc_id id;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	snprintf(file, sizeof(file), "%s/qemu-system-x86_64", vm.base);
	assert_int_equal(file_write_atomic(file, script, sizeof(script) - 1, 0700, NULL), 0);
	both = xasprintf("%s:%s", vm.base, path);
	setenv("PATH", both, 1);
	assert_int_equal(start_vm(&vm), 0);
	setenv("PATH", path, 1);
	id = vm.v->proc.id;
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, -EPROTO);
	assert_non_null(strstr(vm.why.msg, "not valid JSON"));
	assert_false(proc_id_alive(id));
	assert_nothing_left(&vm);
	teardown_vm(&vm);
}

/* The guest's memory file cannot have its size: the limit stands in for a full disk. */
static void no_room_for_memory(void **state)
{
	struct rlimit old, small = {1 << 20, RLIM_INFINITY};
	struct vm vm;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(start_vm(&vm), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, -EIO);
	print_message("%s\n", vm.why.msg);
	assert_nothing_left(&vm);
	teardown_vm(&vm);
}

/* ---- the monitor connection itself ---------------------------------------------------------- */

static void on_fd_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	struct vm *vm = user;

	(void)result;
	vm->dones++;
	vm->result = r;
	if (r < 0)
		vm->why = *e;
	check_until(vm);
}

static void io_ready(void *user, const char *version)
{
	struct vm *vm = user;

	assert_int_equal(version[1], '.');
	vm->dones++;
	check_until(vm);
}

static void io_event(void *user, const char *name, struct json_object *data)
{
	(void)user;
	(void)name;
	(void)data;
}

static void io_lost(void *user, int r, const struct err *e)
{
	(void)user;
	(void)r;
	fail_msg("%s", e->msg);
}

static struct json_object *fdname(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "fdname", json_object_new_string("state"));
	return o;
}

static const struct qmp_io_handler io_handler = {
	.qmp = {.on_ready = io_ready, .on_event = io_event},
	.on_lost = io_lost,
};

static void io_call(struct vm *vm, struct qmp_io *io, const char *command, int fd)
{
	vm->dones = 0;
	assert_int_equal(qmp_io_call(io, command, fdname(), fd, on_fd_reply, &vm->why), 0);
	wait_for(vm, until_done);
}

/* getfd with a file, then closefd of it, by a second client after the driver has let go. */
static void pass_an_fd(void **state)
{
	struct qmp_io io;
	struct vm vm;
	char path[160];
	autofd int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	start_well(&vm);
	qmp_io_close(&((struct qemu *)(void *)vm.v)->qmp);
	snprintf(path, sizeof(path), "%s/qmp.sock", vm.run);
	qmp_io_init(&io);
	vm.dones = 0;
	assert_int_equal(qmp_io_open(&io, vm.loop, path, &io_handler, &vm, &vm.why), 0);
	assert_int_equal(qmp_io_call(&io, "stop", NULL, -1, on_fd_reply, &vm.why), -ENOTCONN);
	wait_for(&vm, until_done);
	io_call(&vm, &io, "closefd", -1);
	assert_int_equal(vm.result, -EIO);
	io_call(&vm, &io, "getfd", -1);
	assert_int_equal(vm.result, -EIO);
	io_call(&vm, &io, "getfd", fd);
	assert_int_equal(vm.result, 0);
	io_call(&vm, &io, "closefd", -1);
	assert_int_equal(vm.result, 0);
	/* A command queued before it must not get the file. */
	vm.dones = 0;
	assert_int_equal(qmp_io_call(&io, "query-status", NULL, -1, NULL, &vm.why), 0);
	assert_int_equal(qmp_io_call(&io, "getfd", fdname(), fd, on_fd_reply, &vm.why), 0);
	assert_int_equal(qmp_io_call(&io, "getfd", fdname(), fd, on_fd_reply, &vm.why), -EBUSY);
	assert_int_equal(qmp_io_call(&io, "query-status", NULL, -1, NULL, &vm.why), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, 0);
	io_call(&vm, &io, "nonsense", -1);
	assert_int_equal(vm.result, -ENOSYS);
	assert_string_equal(vm.why.msg, "nonsense: The command nonsense has not been found");
	qmp_io_close(&io);
	/* The driver connects again when it next needs to. */
	vm.dones = 0;
	assert_int_equal(vmm_qemu.pause(vm.v, on_done, &vm.why), 0);
	wait_for(&vm, until_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_PAUSED);
	teardown_vm(&vm);
}

/* A small filesystem of our own, in a mount namespace that ends with this process: so it is the
 * last test. */
static int mount_small(const char *path)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("small", path, "tmpfs", 0, "size=8m") < 0)
		return -errno;
	return 0;
}

static void no_space(void **state)
{
	struct vm vm;

	(void)state;
	need_qemu();
	setup_vm(&vm, PVH_IDLE);
	if (mount_small(vm.dir) == 0) {
		assert_int_equal(start_vm(&vm), -ENOSPC);
		assert_non_null(strstr(vm.why.msg, "no space left for a VM's logs"));
		assert_non_null(strstr(vm.why.msg, "8.0 MiB are free"));
		assert_non_null(strstr(vm.why.msg, "16 MiB are needed"));
		assert_nothing_left(&vm);
		assert_int_equal(umount(vm.dir), 0);
	} else {
		print_message("no mount namespace here: not tested\n");
	}
	teardown_vm(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_pause_resume_kill),
		cmocka_unit_test(guest_reset_ends_it),
		cmocka_unit_test(adopted_by_another),
		cmocka_unit_test(adopt_says_that_the_monitor_is_gone),
		cmocka_unit_test(destroy_before_done_leaves_nothing),
		cmocka_unit_test(failure_of_qemu_is_told_and_cleaned_up),
		cmocka_unit_test(not_a_kernel),
		cmocka_unit_test(missing_files),
		cmocka_unit_test(program_missing),
		cmocka_unit_test(program_is_something_else),
		cmocka_unit_test(monitor_speaks_garbage),
		cmocka_unit_test(no_room_for_memory),
		cmocka_unit_test(pass_an_fd),
		cmocka_unit_test(no_space),
	};

	find_build();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
