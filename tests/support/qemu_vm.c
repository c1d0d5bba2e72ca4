// cmocka first: its header wants these before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/qemu_vm.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/file.h"
#include "backend/base/path.h"

#define DEADLINE 30. /* s */

void qemu_vm_wake(struct qemu_vm *vm)
{
	if (vm->until && vm->until(vm))
		ev_break(vm->loop, EVBREAK_ALL);
}

static void on_event(struct vmm *v, enum vmm_event ev, const char *detail)
{
	struct qemu_vm *vm = v->user;

	assert_int_equal(vm->events[VMM_EV_EXIT], 0); /* it is always last */
	vm->events[ev]++;
	snprintf(vm->detail, sizeof(vm->detail), "%s", detail ? detail : "");
	qemu_vm_wake(vm);
}

static void on_log(struct vmm *v, const char *name, const char *fields)
{
	struct qemu_vm *vm = v->user;

	assert_int_equal(fields[0], '{');
	vm->spawns += strcmp(name, "vmm.spawn") == 0;
	vm->calls += strcmp(name, "api.call") == 0;
}

void qemu_vm_on_done(struct vmm *v, int r, const struct err *e)
{
	struct qemu_vm *vm = v->user;

	assert_true(r == 0 ? e == NULL : e != NULL && e->code == -r);
	vm->dones++;
	vm->result = r;
	if (e)
		vm->why = *e;
	if (vm->destroy_in_done) {
		v->ops->destroy(v);
		vm->v = NULL;
	}
	qemu_vm_wake(vm);
}

bool qemu_vm_done(struct qemu_vm *vm)
{
	return vm->dones > 0;
}

bool qemu_vm_exited(struct qemu_vm *vm)
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

void qemu_vm_wait(struct qemu_vm *vm, bool (*until)(struct qemu_vm *vm))
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

void qemu_vm_renew(struct qemu_vm *vm)
{
	const struct vmm_callbacks cb = {.on_event = on_event, .on_log = on_log};

	vm->v = vmm_qemu.create();
	vmm_setup(vm->v, vm->loop, &vm->config, &cb, vm);
	vm->dones = 0;
	memset(vm->events, 0, sizeof(vm->events));
}

void qemu_vm_setup(struct qemu_vm *vm, enum pvh_guest guest)
{
	*vm = (struct qemu_vm){.base = "/tmp/vmdeck-test-XXXXXX"};
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
	qemu_vm_renew(vm);
}

void qemu_vm_teardown(struct qemu_vm *vm)
{
	pid_t pid = vm->v ? vm->v->proc.id.pid : 0; /* other VMs may live on */
	idtype_t which = pid ? P_PID : P_ALL;
	ev_timer deadline;

	if (vm->v) {
		vm->v->ops->kill(vm->v);
		vm->v->ops->destroy(vm->v);
	}
	/* The loop reaps what was killed. */
	ev_now_update(vm->loop);
	ev_timer_init(&deadline, on_deadline, DEADLINE, 0.);
	ev_timer_start(vm->loop, &deadline);
	while (waitid(which, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) == 0)
		ev_run(vm->loop, EVRUN_ONCE);
	ev_timer_stop(vm->loop, &deadline);
	ev_loop_destroy(vm->loop);
	assert_int_equal(tree_remove(vm->base, NULL), 0);
}

int qemu_vm_start(struct qemu_vm *vm)
{
	vm->dones = 0;
	return vm->v->ops->start(vm->v, qemu_vm_on_done, &vm->why);
}

void qemu_vm_start_well(struct qemu_vm *vm)
{
	if (qemu_vm_start(vm) < 0)
		fail_msg("%s", vm->why.msg);
	qemu_vm_wait(vm, qemu_vm_done);
	if (vm->result < 0)
		fail_msg("%s", vm->why.msg);
}

static int count_entries(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *de;
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0;
	closedir(d);
	return n;
}

void qemu_vm_nothing_left(struct qemu_vm *vm)
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

void qemu_vm_need(void)
{
	struct vmm_detect d;

	find_build();
	vmm_qemu.detect(&d);
	if (!d.found) {
		print_message("%s\n", d.why);
		skip();
	}
}
