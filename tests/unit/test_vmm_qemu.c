// LIBS: vmm base
// OBJS: tests/support/qemu_vm.c tests/support/pvh.c
/* The life of a VM under the QEMU driver, with a real QEMU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/vmm/qemu.h"
#include "tests/support/qemu_vm.h"

static char *read_log(struct qemu_vm *vm, const char *name)
{
	char path[160], *text = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", vm->dir, name);
	assert_int_equal(file_read(path, 1 << 20, &text, &n, NULL), 0);
	return text;
}

static void start_pause_resume_kill(void **state)
{
	struct qemu_vm vm;
	struct proc_id id, on_disk;
	char path[160], comm[64] = "";
	autofile FILE *f = NULL;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	qemu_vm_start_well(&vm);
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
	/* Guest memory is where a snapshot will look for it. */
	snprintf(path, sizeof(path), "/proc/%d/fd/4", (int)id.pid);
	memset(comm, 0, sizeof(comm));
	assert_true(readlink(path, comm, sizeof(comm) - 1) > 0);
	assert_non_null(strstr(comm, "vmdeck-ram-00c0ffee"));

	vm.dones = 0;
	assert_int_equal(vmm_qemu.resume(vm.v, qemu_vm_on_done, &vm.why), -EALREADY);
	assert_int_equal(vmm_qemu.start(vm.v, qemu_vm_on_done, &vm.why), -EINVAL);
	assert_int_equal(vmm_qemu.pause(vm.v, qemu_vm_on_done, &vm.why), 0);
	assert_int_equal(vmm_qemu.pause(vm.v, qemu_vm_on_done, &vm.why), -EBUSY);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_PAUSED);
	assert_int_equal(vm.events[VMM_EV_PAUSED], 1);

	vm.dones = 0;
	assert_int_equal(vmm_qemu.resume(vm.v, qemu_vm_on_done, &vm.why), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_RUNNING);
	assert_int_equal(vm.events[VMM_EV_RUNNING], 2);

	vmm_qemu.kill(vm.v);
	qemu_vm_wait(&vm, qemu_vm_exited);
	assert_int_equal(vm.v->state, VMM_GONE);
	assert_string_equal(vm.detail, "killed by signal 9 (Killed)");
	assert_false(proc_id_alive(id));
	assert_int_equal(vmm_qemu.pause(vm.v, qemu_vm_on_done, &vm.why), -ESRCH);
	qemu_vm_teardown(&vm);
}

static void guest_reset_ends_it(void **state)
{
	struct qemu_vm vm;
	autofree char *text = NULL;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_RESET);
	assert_int_equal(qemu_vm_start(&vm), 0);
	/* The guest may be gone before its monitor is asked: either way one clear end. */
	qemu_vm_wait(&vm, qemu_vm_done);
	if (vm.result == 0) {
		qemu_vm_wait(&vm, qemu_vm_exited);
		assert_int_equal(vm.events[VMM_EV_POWEROFF], 1);
		assert_non_null(strstr(vm.detail, "after guest-reset"));
		text = read_log(&vm, "serial.log");
		assert_string_equal(text, "bye\n");
	} else {
		assert_non_null(strstr(vm.why.msg, "QEMU ended: "));
		qemu_vm_nothing_left(&vm);
	}
	qemu_vm_teardown(&vm);
}

static void adopted_by_another(void **state)
{
	struct qemu_vm vm;
	struct proc_id id;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	qemu_vm_start_well(&vm);
	vm.dones = 0;
	assert_int_equal(vmm_qemu.pause(vm.v, qemu_vm_on_done, &vm.why), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	id = vm.v->proc.id;
	vmm_qemu.destroy(vm.v);
	assert_true(proc_id_alive(id));

	qemu_vm_renew(&vm);
	assert_int_equal(vmm_qemu.adopt(vm.v, qemu_vm_on_done, &vm.why), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_PAUSED);
	assert_int_equal(vm.v->proc.id.pid, id.pid);
	vm.dones = 0;
	assert_int_equal(vmm_qemu.resume(vm.v, qemu_vm_on_done, &vm.why), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.v->state, VMM_RUNNING);
	vmm_qemu.kill(vm.v);
	qemu_vm_wait(&vm, qemu_vm_exited);
	assert_false(proc_id_alive(id));

	vmm_qemu.destroy(vm.v);
	qemu_vm_renew(&vm);
	assert_int_equal(vmm_qemu.adopt(vm.v, qemu_vm_on_done, &vm.why), -ESRCH);
	qemu_vm_teardown(&vm);
}

static void adopt_says_that_the_monitor_is_gone(void **state)
{
	struct qemu_vm vm;
	char path[160];

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	qemu_vm_start_well(&vm);
	vmm_qemu.destroy(vm.v);
	snprintf(path, sizeof(path), "%s/qmp.sock", vm.run);
	assert_int_equal(unlink(path), 0);
	qemu_vm_renew(&vm);
	assert_int_equal(vmm_qemu.adopt(vm.v, qemu_vm_on_done, &vm.why), -ENOENT);
	assert_non_null(strstr(vm.why.msg, "monitor"));
	/* The owner ends what it cannot drive. */
	struct proc_id id;
	struct proc p;
	snprintf(path, sizeof(path), "%s/vmm.pid", vm.dir);
	assert_int_equal(proc_read_pid_file(path, &id), 0);
	assert_int_equal(proc_adopt(&p, vm.loop, id, NULL, NULL, NULL), 0);
	proc_signal(&p, SIGKILL);
	proc_forget(&p);
	qemu_vm_teardown(&vm);
}

static void destroy_before_done_leaves_nothing(void **state)
{
	struct qemu_vm vm;
	struct proc_id id;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	assert_int_equal(qemu_vm_start(&vm), 0);
	id = vm.v->proc.id;
	vmm_qemu.destroy(vm.v);
	vm.v = NULL;
	assert_false(proc_id_alive(id));
	qemu_vm_nothing_left(&vm);
	assert_int_equal(vm.dones, 0);
	qemu_vm_teardown(&vm);
}

static bool has_printed(struct qemu_vm *vm)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/serial.log", vm->dir);
	return stat(path, &st) == 0 && st.st_size > 100000;
}

static void on_look(struct ev_loop *loop, ev_stat *w, int revents)
{
	(void)loop;
	(void)revents;
	qemu_vm_wake(w->data);
}

/* A guest that prints without end does not keep the monitor from being heard. */
static void flood_on_the_console(void **state)
{
	struct qemu_vm vm;
	char path[160];
	ev_stat look;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	snprintf(path, sizeof(path), "%s/serial.log", vm.dir);
	ev_stat_init(&look, on_look, path, 0.);
	look.data = &vm;
	ev_stat_start(vm.loop, &look);
	qemu_vm_wait(&vm, has_printed);
	ev_stat_stop(vm.loop, &look);
	for (int i = 0; i < 10; i++) {
		vm.dones = 0;
		assert_int_equal(
			(i % 2 ? vmm_qemu.resume : vmm_qemu.pause)(vm.v, qemu_vm_on_done, &vm.why),
			0);
		qemu_vm_wait(&vm, qemu_vm_done);
		assert_int_equal(vm.result, 0);
	}
	qemu_vm_teardown(&vm);
}

/* ---- the monitor connection itself ---------------------------------------------------------- */

static void on_fd_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	struct qemu_vm *vm = user;

	(void)result;
	vm->dones++;
	vm->result = r;
	if (r < 0)
		vm->why = *e;
	qemu_vm_wake(vm);
}

static void io_ready(void *user, const char *version)
{
	struct qemu_vm *vm = user;

	assert_int_equal(version[1], '.');
	vm->dones++;
	qemu_vm_wake(vm);
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

static void io_call(struct qemu_vm *vm, struct qmp_io *io, const char *command, int fd)
{
	vm->dones = 0;
	assert_int_equal(qmp_io_call(io, command, fdname(), fd, on_fd_reply, &vm->why), 0);
	qemu_vm_wait(vm, qemu_vm_done);
}

/* getfd with a file, then closefd of it, by a second client after the driver has let go. */
static void pass_an_fd(void **state)
{
	struct qmp_io io;
	struct qemu_vm vm;
	char path[160];
	autofd int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	qemu_vm_start_well(&vm);
	qmp_io_close(&((struct qemu *)(void *)vm.v)->qmp);
	snprintf(path, sizeof(path), "%s/qmp.sock", vm.run);
	qmp_io_init(&io);
	vm.dones = 0;
	assert_int_equal(qmp_io_open(&io, vm.loop, path, &io_handler, &vm, &vm.why), 0);
	assert_int_equal(qmp_io_call(&io, "stop", NULL, -1, on_fd_reply, &vm.why), -ENOTCONN);
	qemu_vm_wait(&vm, qemu_vm_done);
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
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, 0);
	io_call(&vm, &io, "nonsense", -1);
	assert_int_equal(vm.result, -ENOSYS);
	assert_string_equal(vm.why.msg, "nonsense: The command nonsense has not been found");
	qmp_io_close(&io);
	/* The driver connects again when it next needs to. */
	vm.dones = 0;
	assert_int_equal(vmm_qemu.pause(vm.v, qemu_vm_on_done, &vm.why), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, 0);
	assert_int_equal(vm.v->state, VMM_PAUSED);
	qemu_vm_teardown(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_pause_resume_kill),
		cmocka_unit_test(guest_reset_ends_it),
		cmocka_unit_test(adopted_by_another),
		cmocka_unit_test(adopt_says_that_the_monitor_is_gone),
		cmocka_unit_test(destroy_before_done_leaves_nothing),
		cmocka_unit_test(flood_on_the_console),
		cmocka_unit_test(pass_an_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
