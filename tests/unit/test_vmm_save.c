// LIBS: vmm base
// OBJS: tests/support/vmm_snap.c tests/support/qemu_vm.c tests/support/pvh.c
/* Saving and loading under the QEMU driver, with a real QEMU on a kernel of a few bytes: what is
 * left, what is refused, what happens when a side dies. What a guest notices: test_vmm_clone.c. */
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
#include <sys/socket.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/vmm/guest_ram.h"
#include "backend/vmm/qemu.h"
#include "tests/support/vmm_snap.h"

static off_t printed(const struct qemu_vm *vm)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/serial.log", vm->dir);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static bool prints(struct qemu_vm *vm)
{
	return printed(vm) > 1000;
}

static void on_look(struct ev_loop *loop, ev_stat *w, int revents)
{
	(void)loop;
	(void)revents;
	qemu_vm_wake(w->data);
}

/* The guest executes: PVH_FLOOD prints without end. */
static void runs(struct qemu_vm *vm)
{
	char path[160];
	ev_stat look;

	snprintf(path, sizeof(path), "%s/serial.log", vm->dir);
	ev_stat_init(&look, on_look, path, 0.);
	look.data = vm;
	ev_stat_start(vm->loop, &look);
	qemu_vm_wait(vm, prints);
	ev_stat_stop(vm->loop, &look);
}

static void kill_it(struct qemu_vm *vm)
{
	vmm_qemu.kill(vm->v);
	qemu_vm_wait(vm, qemu_vm_exited);
}

/* Source, two clones at once, and the generations after them; none writes into a file it maps. */
static void generations(void **state)
{
	struct qemu_vm vm, clones[2], child, grandchild;
	struct snap first, second, third;
	struct stat st;

	(void)state;
	qemu_vm_need();
	snap_init(&first);
	snap_init(&second);
	snap_init(&third);
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	runs(&vm);
	snap_take(&first, &vm);
	assert_int_equal(vm.v->state, VMM_RUNNING);
	assert_int_equal(stat(first.state, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(st.st_size > 10000);
	assert_int_equal(first.frozen.size, 64u << 20);
	assert_int_equal(first.frozen.run_count, 0);
	assert_int_equal(first.frozen.pages_fd, -1);
	for (int i = 0; i < 2; i++) {
		snap_clone(&first, &clones[i], &vm.config);
		assert_int_equal(clones[i].events[VMM_EV_RUNNING], 0);
		assert_int_equal(printed(&clones[i]), 0);
		snap_resume(&clones[i]);
		runs(&clones[i]);
	}
	snap_take(&second, &clones[0]);
	kill_it(&clones[0]); /* what was frozen lives without it */
	snap_clone(&second, &child, &vm.config);
	snap_resume(&child);
	runs(&child);
	snap_take(&third, &child);
	snap_clone(&third, &grandchild, &vm.config);
	snap_resume(&grandchild);
	runs(&grandchild);
	snap_is_untouched(&first);
	snap_is_untouched(&second);
	snap_is_untouched(&third);
	qemu_vm_teardown(&vm);
	qemu_vm_teardown(&clones[0]);
	qemu_vm_teardown(&clones[1]);
	qemu_vm_teardown(&child);
	qemu_vm_teardown(&grandchild);
	snap_forget(&first);
	snap_forget(&second);
	snap_forget(&third);
}

/* A second snapshot of the same VM: now only what it wrote since is copied. */
static void saved_twice(void **state)
{
	struct qemu_vm vm, clone;
	struct snap first, second;

	(void)state;
	qemu_vm_need();
	snap_init(&first);
	snap_init(&second);
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	runs(&vm);
	snap_take(&first, &vm);
	snap_take(&second, &vm);
	assert_string_equal(first.sum, second.sum); /* it writes no memory */
	/* The source ends: its file is held by what was frozen. */
	kill_it(&vm);
	snap_clone(&second, &clone, &vm.config);
	snap_resume(&clone);
	runs(&clone);
	qemu_vm_teardown(&vm);
	qemu_vm_teardown(&clone);
	snap_forget(&first);
	snap_forget(&second);
}

static void only_in_its_state(void **state)
{
	struct qemu_vm vm, clone;
	struct snap s, again;
	int r;

	(void)state;
	qemu_vm_need();
	snap_init(&s);
	snap_init(&again);
	qemu_vm_setup(&vm, PVH_IDLE);
	qemu_vm_start_well(&vm);
	r = vmm_qemu.save(vm.v, s.state, &s.frozen, qemu_vm_on_done, &vm.why);
	assert_int_equal(r, -EALREADY);
	assert_string_equal(vm.why.msg, "the VM is not paused");
	assert_int_equal(vmm_qemu.load(vm.v, qemu_vm_on_done, &vm.why), -EALREADY);
	assert_string_equal(vm.why.msg, "the VM is not waiting for a snapshot's state");
	snap_pause(&vm);
	vm.dones = 0;
	r = vmm_qemu.save(vm.v, s.state, &s.frozen, qemu_vm_on_done, &vm.why);
	assert_int_equal(r, 0);
	assert_int_equal(vmm_qemu.resume(vm.v, qemu_vm_on_done, &vm.why), -EBUSY);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, 0);
	snap_write(&s);
	/* The file is never written over. */
	r = vmm_qemu.save(vm.v, s.state, &s.frozen, qemu_vm_on_done, &vm.why);
	assert_int_equal(r, -EEXIST);
	/* QEMU saves once in a pause. */
	vm.dones = 0;
	r = vmm_qemu.save(vm.v, again.state, &again.frozen, qemu_vm_on_done, &vm.why);
	assert_int_equal(r, 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -EALREADY);
	assert_non_null(strstr(vm.why.msg, "resume the VM first"));
	assert_int_not_equal(access(again.state, F_OK), 0);
	snap_clone_setup(&s, &clone, &vm.config);
	qemu_vm_start_well(&clone);
	assert_int_equal(vmm_qemu.resume(clone.v, qemu_vm_on_done, &clone.why), -EALREADY);
	assert_int_equal(vmm_qemu.pause(clone.v, qemu_vm_on_done, &clone.why), -EALREADY);
	snap_load(&clone);
	assert_int_equal(vmm_qemu.load(clone.v, qemu_vm_on_done, &clone.why), -EALREADY);
	snap_resume(&vm);
	qemu_vm_teardown(&vm);
	qemu_vm_teardown(&clone);
	snap_forget(&s);
	snap_forget(&again);
}

/* A new daemon finds each of them: waiting, loaded, saved and not resumed. */
static void adopted(void **state)
{
	static const enum vmm_state want[] = {VMM_WAITING, VMM_PAUSED, VMM_PAUSED};
	struct qemu_vm vm, clone;
	struct snap s, again;

	(void)state;
	qemu_vm_need();
	snap_init(&s);
	snap_init(&again);
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	runs(&vm); /* before, its firmware needs the kernel that a clone is not given */
	snap_take(&s, &vm);
	snap_clone_setup(&s, &clone, &vm.config);
	qemu_vm_start_well(&clone);
	for (size_t i = 0; i < countof(want); i++) {
		vmm_qemu.destroy(clone.v);
		qemu_vm_renew(&clone);
		assert_int_equal(vmm_qemu.adopt(clone.v, qemu_vm_on_done, &clone.why), 0);
		qemu_vm_wait(&clone, qemu_vm_done);
		assert_int_equal(clone.result, 0);
		assert_int_equal(clone.v->state, want[i]);
		if (i == 0)
			snap_load(&clone);
		else if (i == 1)
			snap_save(&again, &clone);
	}
	snap_resume(&clone);
	runs(&clone);
	qemu_vm_teardown(&vm);
	qemu_vm_teardown(&clone);
	snap_forget(&s);
	snap_forget(&again);
}

/* ---- the library refuses -------------------------------------------------------------------- */

static void on_dialled(struct ev_loop *loop, ev_io *w, int revents)
{
	autofd int fd = accept(w->fd, NULL, NULL);
	char line[64] = "";

	(void)loop;
	(void)revents;
	assert_true(recv(fd, line, sizeof(line) - 1, 0) > 0);
	assert_string_equal(line, "MEMORY private\n");
	if (w->data)
		assert_int_equal(send(fd, w->data, strlen(w->data), MSG_NOSIGNAL), strlen(w->data));
}

static void save_is_a_copy(const char *answer)
{
	struct qemu_vm vm, clone;
	struct guest_ram ram;
	struct stat copy, file;
	struct snap s;
	ev_io dialled;
	autofd int fd = -1;
	int listener;

	snap_init(&s);
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	runs(&vm);
	assert_int_equal(qmp_listen(vm.vsock, &listener, NULL), 0); /* takes the library's place */
	ev_io_init(&dialled, on_dialled, listener, EV_READ);
	dialled.data = (void *)(uintptr_t)answer;
	ev_io_start(vm.loop, &dialled);
	snap_take(&s, &vm);
	ev_io_stop(vm.loop, &dialled);
	close(listener);
	assert_int_equal(guest_ram_open(vm.v->proc.id.pid, 4, &fd, NULL), 0);
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(fstat(s.frozen.base_fd, &copy), 0);
	assert_true(file.st_ino != copy.st_ino && file.st_size == copy.st_size);
	assert_true(copy.st_blocks > 0 && copy.st_blocks <= file.st_blocks);
	assert_int_equal(guest_ram_find(vm.v->proc.id.pid, fd, s.frozen.size, &ram, NULL), 0);
	assert_true(ram.shared);
	snap_clone(&s, &clone, &vm.config);
	snap_resume(&clone);
	runs(&clone);
	qemu_vm_teardown(&vm);
	qemu_vm_teardown(&clone);
	snap_forget(&s);
}

static void library_refuses(void **state)
{
	(void)state;
	qemu_vm_need();
	save_is_a_copy("ERR not now\n");
	save_is_a_copy(NULL); /* closes the connection */
}

/* One that lies is found out: the VM goes on, the file is gone. */
static void library_lies(void **state)
{
	struct qemu_vm vm;
	struct snap s;
	ev_io dialled;
	int listener;

	(void)state;
	qemu_vm_need();
	snap_init(&s);
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	assert_int_equal(qmp_listen(vm.vsock, &listener, NULL), 0);
	ev_io_init(&dialled, on_dialled, listener, EV_READ);
	dialled.data = (void *)(uintptr_t) "OK private\n";
	ev_io_start(vm.loop, &dialled);
	snap_pause(&vm);
	vm.dones = 0;
	assert_int_equal(vmm_qemu.save(vm.v, s.state, &s.frozen, qemu_vm_on_done, &vm.why), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -EIO);
	assert_non_null(strstr(vm.why.msg, "but it is not"));
	assert_int_equal(access(s.state, F_OK), -1);
	assert_int_equal(s.frozen.base_fd, -1);
	ev_io_stop(vm.loop, &dialled);
	close(listener);
	snap_resume(&vm);
	runs(&vm);
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

/* ---- refused, and broken -------------------------------------------------------------------- */

static void make_snapshot(struct snap *s, struct qemu_vm *vm)
{
	qemu_vm_need();
	snap_init(s);
	qemu_vm_setup(vm, PVH_IDLE);
	qemu_vm_start_well(vm);
	snap_take(s, vm);
}

static void load_fails(struct snap *s, const struct vmm_config *source, const char *why)
{
	struct qemu_vm clone;
	struct proc_id id;

	snap_clone_setup(s, &clone, source);
	qemu_vm_start_well(&clone);
	id = clone.v->proc.id;
	clone.dones = 0;
	assert_int_equal(vmm_qemu.load(clone.v, qemu_vm_on_done, &clone.why), 0);
	qemu_vm_wait(&clone, qemu_vm_done);
	print_message("%s\n", clone.why.msg);
	assert_int_equal(clone.result, -EIO);
	assert_non_null(strstr(clone.why.msg, why));
	qemu_vm_wait(&clone, qemu_vm_exited);
	assert_false(proc_id_alive(id));
	snap_is_untouched(s);
	qemu_vm_teardown(&clone);
}

static void bad_states(void **state)
{
	autofree char *text = NULL;
	struct qemu_vm vm;
	struct snap s;
	size_t n;

	(void)state;
	make_snapshot(&s, &vm);
	assert_int_equal(file_read(s.state, 1 << 24, &text, &n, NULL), 0);
	assert_int_equal(truncate(s.state, (off_t)n / 2), 0);
	load_fails(&s, &vm.config, "QEMU ended: exit 1: ");
	assert_int_equal(truncate(s.state, 0), 0);
	load_fails(
		&s, &vm.config, "Not a migration stream; qemu-system-x86_64: load of migration ");
	memset(text, 'x', 5000);
	assert_int_equal(file_write_atomic(s.state, text, n, 0600, NULL), 0);
	load_fails(&s, &vm.config, "Not a migration stream");
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

/* The state of a machine with one device more. (With one less QEMU takes it: what a machine lacks
 * in a state is no error to it, so the digest of ops.machine must be compared first.) */
static void another_machine(void **state)
{
	char path[96];
	struct vmm_disk disk = {.layers = {{path, "raw"}}, .count = 1};
	struct vmm_config other;
	struct qemu_vm vm;
	struct snap s;
	autofd int fd = -1;

	(void)state;
	qemu_vm_need();
	snap_init(&s);
	snprintf(path, sizeof(path), "%s/disk", s.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	qemu_vm_setup(&vm, PVH_IDLE);
	other = vm.config;
	vm.config.disks = &disk;
	vm.config.disk_count = 1;
	qemu_vm_start_well(&vm);
	snap_take(&s, &vm);
	load_fails(&s, &other, "QEMU ended: exit 1: ");
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

static void bad_files(void **state)
{
	struct qemu_vm vm, clone;
	struct snap s;

	(void)state;
	make_snapshot(&s, &vm);
	snap_clone_setup(&s, &clone, &vm.config);
	assert_int_equal(truncate(s.memory, (off_t)(64u << 20) - 4096), 0);
	assert_int_equal(qemu_vm_start(&clone), -EINVAL);
	assert_non_null(strstr(clone.why.msg, "is not a file of 64 MiB"));
	qemu_vm_nothing_left(&clone);
	assert_int_equal(unlink(s.memory), 0);
	assert_int_equal(qemu_vm_start(&clone), -ENOENT);
	assert_int_equal(mkfifo(s.memory, 0600), 0);
	assert_int_equal(qemu_vm_start(&clone), -EINVAL);
	assert_int_equal(unlink(s.state), 0);
	assert_int_equal(qemu_vm_start(&clone), -ENOENT);
	assert_non_null(strstr(clone.why.msg, "device state"));
	qemu_vm_nothing_left(&clone);
	qemu_vm_teardown(&vm);
	qemu_vm_teardown(&clone);
	snap_forget(&s);
}

/* The kernel's word counts, not a name: the file under another name is the same, a copy under the
 * old name is not, and is not loaded. */
static void memory_is_another_file(void **state)
{
	struct vmm_incoming incoming;
	struct qemu_vm vm, clone;
	struct snap s;
	char path[96];

	(void)state;
	make_snapshot(&s, &vm);
	snap_clone_setup(&s, &clone, &vm.config);
	qemu_vm_start_well(&clone);
	snprintf(path, sizeof(path), "%s/other", s.dir);
	assert_int_equal(link(s.memory, path), 0);
	incoming = (struct vmm_incoming){s.state, path};
	clone.config.incoming = &incoming;
	assert_int_equal(unlink(s.memory), 0);
	assert_int_equal(qemu_load_check((struct qemu *)(void *)clone.v, &clone.why), 0);
	/* A copy is another file. */
	snap_write(&s);
	clone.config.incoming = &s.incoming;
	clone.dones = 0;
	assert_int_equal(vmm_qemu.load(clone.v, qemu_vm_on_done, &clone.why), -ENOENT);
	assert_int_equal(clone.v->state, VMM_WAITING);
	qemu_vm_teardown(&clone);
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

/* ---- somebody dies -------------------------------------------------------------------------- */

static void killed_while_loading(void **state)
{
	struct qemu_vm vm, clone;
	struct snap s;

	(void)state;
	make_snapshot(&s, &vm);
	snap_clone_setup(&s, &clone, &vm.config);
	qemu_vm_start_well(&clone);
	clone.dones = 0;
	assert_int_equal(vmm_qemu.load(clone.v, qemu_vm_on_done, &clone.why), 0);
	vmm_qemu.kill(clone.v);
	qemu_vm_wait(&clone, qemu_vm_exited);
	assert_int_equal(clone.dones, 1);
	assert_int_equal(clone.result, -EIO);
	assert_string_equal(clone.why.msg, "QEMU ended: killed by signal 9 (Killed)");
	snap_is_untouched(&s);
	qemu_vm_teardown(&clone);
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

static void killed_while_saving(void **state)
{
	struct qemu_vm vm;
	struct snap s;

	(void)state;
	qemu_vm_need();
	snap_init(&s);
	qemu_vm_setup(&vm, PVH_IDLE);
	qemu_vm_start_well(&vm);
	snap_pause(&vm);
	vm.dones = 0;
	assert_int_equal(vmm_qemu.save(vm.v, s.state, &s.frozen, qemu_vm_on_done, &vm.why), 0);
	vmm_qemu.kill(vm.v);
	qemu_vm_wait(&vm, qemu_vm_exited);
	assert_int_equal(vm.dones, 1);
	assert_int_equal(vm.result, -ESRCH);
	assert_int_equal(access(s.state, F_OK), -1);
	assert_int_equal(s.frozen.base_fd, -1);
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

/* The daemon goes in the middle: the file goes with it, the VM goes on under the next one. */
static void owner_goes_while_saving(void **state)
{
	struct qemu_vm vm;
	struct snap s;

	(void)state;
	qemu_vm_need();
	snap_init(&s);
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	snap_pause(&vm);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			vmm_qemu.save(vm.v, s.state, &s.frozen, qemu_vm_on_done, &vm.why), 0);
		for (int k = 0; k < i; k++)
			ev_run(vm.loop, EVRUN_NOWAIT);
		vmm_qemu.destroy(vm.v);
		assert_int_equal(access(s.state, F_OK), -1);
		qemu_vm_renew(&vm);
		assert_int_equal(vmm_qemu.adopt(vm.v, qemu_vm_on_done, &vm.why), 0);
		qemu_vm_wait(&vm, qemu_vm_done);
		if (vm.result < 0)
			fail_msg("%s", vm.why.msg);
		assert_int_equal(vm.v->state, VMM_PAUSED);
		snap_resume(&vm);
		snap_pause(&vm);
	}
	snap_save(&s, &vm);
	snap_resume(&vm);
	runs(&vm);
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

/* A QEMU that stands still: the operation ends at its limit, with what it waited for. */
static void limits(void **state)
{
	struct qemu_vm vm;
	struct qemu *q;
	struct snap s;

	(void)state;
	qemu_vm_need();
	snap_init(&s);
	qemu_vm_setup(&vm, PVH_FLOOD);
	qemu_vm_start_well(&vm);
	snap_pause(&vm);
	q = (struct qemu *)(void *)vm.v;
	proc_signal(&vm.v->proc, SIGSTOP);
	vm.dones = 0;
	assert_int_equal(vmm_qemu.save(vm.v, s.state, &s.frozen, qemu_vm_on_done, &vm.why), 0);
	assert_true(ev_timer_remaining(vm.loop, &q->limit) > 29.);
	ev_feed_event(vm.loop, &q->limit, EV_TIMER); /* time passes */
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -ETIMEDOUT);
	assert_string_equal(vm.why.msg, "QEMU's monitor gave no answer to migrate in 30 s");
	assert_int_equal(access(s.state, F_OK), -1);
	proc_signal(&vm.v->proc, SIGCONT);
	snap_resume(&vm);
	runs(&vm);
	qemu_vm_teardown(&vm);
	snap_forget(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generations),
		cmocka_unit_test(saved_twice),
		cmocka_unit_test(only_in_its_state),
		cmocka_unit_test(adopted),
		cmocka_unit_test(library_refuses),
		cmocka_unit_test(library_lies),
		cmocka_unit_test(bad_states),
		cmocka_unit_test(another_machine),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(memory_is_another_file),
		cmocka_unit_test(killed_while_loading),
		cmocka_unit_test(killed_while_saving),
		cmocka_unit_test(owner_goes_while_saving),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
