// LIBS: vm net health snapshot guest image vmm base
// OBJS: tests/support/looptest.c tests/support/vmm_script.c tests/support/vm_world.c
/* The life of a VM by a scripted VMM: every caller is told once, nothing from outside breaks the
 * states, nothing is touched after its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "tests/support/vm_world.h"

#define ASSERT_TOLD(t, want_r, want_text)                                                          \
	do {                                                                                       \
		assert_int_equal((t).times, 1);                                                    \
		assert_int_equal((t).r, want_r);                                                   \
		if (!strstr((t).text, want_text))                                                  \
			fail_msg("told '%s', not '%s'", (t).text, want_text);                      \
	} while (0)

/* ---- boot ----------------------------------------------------------------------------------- */

static void test_boot(void **state)
{
	struct told t = {0};
	struct vm *vm = w_boot("a", &t);

	(void)state;
	assert_int_equal(vm->state, VM_STARTING);
	w_ready(vm); /* sooner than the driver's own answer */
	script_answer(0);
	assert_int_equal(vm->state, VM_RUNNING);
	ASSERT_TOLD(t, 0, "");
	assert_true(t.with_vm);
	assert_true(vm_host_busy(&w_host));
}

static void assert_nothing_left(void)
{
	struct vm *vm;

	assert_int_equal(vm_find(&w_host, "a", &vm, NULL), -ENOENT);
	assert_int_equal(w_host.count, 0);
	assert_null(script_last());
}

static void test_boot_fails(void **state)
{
	struct told t = {0};

	(void)state;
	w_boot("a", &t);
	script_answer(-EIO);
	ASSERT_TOLD(t, -EIO, "no good");
	assert_nothing_left();
	t = (struct told){0};
	w_boot("a", &t);
	script_exit("exit 1");
	assert_int_equal(t.times, 1);
	assert_nothing_left();
	t = (struct told){0};
	w_boot("a", &t);
	script_answer(0);
	script_exit("exit 1");
	ASSERT_TOLD(t, -EIO, "exit 1");
	assert_nothing_left();
}

static void test_boot_without_room(void **state)
{
	autofree char *vms = xasprintf("%s/vms", w_host.paths->home);
	struct told t = {0};
	struct vm *vm = vm_new(&w_host, NULL);

	(void)state;
	vm_free(vm);
	/* Nothing can be made below it. */
	assert_int_equal(tree_remove(vms, NULL), 0);
	assert_int_equal(file_write_atomic(vms, "", 0, 0600, NULL), 0);
	{
		struct vm_spec spec = {.name = "a", .driver = vmm_drivers[0]};

		assert_int_equal(vm_boot(&w_host, &spec, w_tell, &t, NULL), 0);
	}
	assert_int_equal(t.times, 1);
	assert_true(t.r < 0);
	assert_nothing_left();
}

static void test_kill_starting(void **state)
{
	struct told boot = {0}, kill = {0}, rm = {.remove = true};
	struct vm *vm = w_boot("a", &boot);

	(void)state;
	assert_int_equal(vm_stop(vm, 1, w_tell, &kill, NULL), -EBUSY);
	assert_int_equal(vm_pause(vm, w_tell, &kill, NULL), -EBUSY);
	assert_int_equal(vm_remove(vm, NULL), -EBUSY);
	assert_int_equal(kill.times, 0);
	assert_int_equal(vm_kill(vm, w_tell, &rm, NULL), 0);
	assert_int_equal(rm.times, 1);
	ASSERT_TOLD(boot, -ECANCELED, "killed by the operator");
	assert_nothing_left();
}

/* ---- what comes from outside ---------------------------------------------------------------- */

static struct vm *in_state(enum vm_state s)
{
	struct vm *vm;

	switch (s) {
	case VM_STARTING:
		return w_boot("a", NULL);
	case VM_PAUSED:
		return w_paused("a");
	case VM_STOPPING:
		vm = w_running("a");
		assert_int_equal(vm_stop(vm, 10, NULL, NULL, NULL), 0);
		return vm;
	default:
		return w_running("a");
	}
}

static void test_events_in_every_state(void **state)
{
	static const enum vm_state states[] = {VM_STARTING, VM_RUNNING, VM_PAUSED, VM_STOPPING};
	struct vm *vm;

	(void)state;
	for (size_t i = 0; i < countof(states); i++) {
		vm = in_state(states[i]);
		for (int twice = 0; twice < 2; twice++) {
			script_event(VMM_EV_POWEROFF);
			script_event(VMM_EV_PANIC);
			script_event(VMM_EV_PAUSED);
			script_event(VMM_EV_PAUSED);
			script_event(VMM_EV_RUNNING);
			script_event(VMM_EV_RUNNING);
		}
		assert_int_equal(vm->state, states[i] == VM_PAUSED ? VM_RUNNING : states[i]);
		script_exit("exit 0");
		if (states[i] == VM_STARTING) {
			assert_nothing_left();
			continue;
		}
		assert_int_equal(vm->state, VM_STOPPED);
		assert_null(script_last());
		assert_int_equal(vm_remove(vm, NULL), 0);
	}
}

static void test_how_it_ended(void **state)
{
	struct vm *vm = w_running("a");

	(void)state;
	script_exit("exit 1: bad thing");
	assert_int_equal(vm->state, VM_FAILED);
	assert_non_null(strstr(vm->reason, "bad thing"));
	assert_false(vm_host_busy(&w_host));
	assert_int_equal(vm_remove(vm, NULL), 0);
	vm = w_paused("a");
	vm->main_ended = true;
	vm->main_how = WIRE_EXITED;
	vm->main_value = 3;
	script_exit("exit 0");
	assert_int_equal(vm->state, VM_STOPPED);
	assert_string_equal(vm->reason, "main process exited with code 3");
}

/* ---- pause and resume ----------------------------------------------------------------------- */

static void test_pause(void **state)
{
	struct told a = {0}, b = {0}, c = {0};
	struct vm *vm = w_running("a");

	(void)state;
	assert_int_equal(vm_resume(vm, w_tell, &a, NULL), 0); /* it runs already */
	assert_int_equal(a.times, 1);
	a = (struct told){0};
	assert_int_equal(vm_pause(vm, w_tell, &a, NULL), 0);
	assert_int_equal(vm_pause(vm, w_tell, &b, NULL), -EBUSY);
	/* "Runs already" would be wrong in a moment. */
	assert_int_equal(vm_resume(vm, w_tell, &c, NULL), -EBUSY);
	script_answer(0);
	assert_int_equal(vm->state, VM_PAUSED);
	ASSERT_TOLD(a, 0, "");
	assert_int_equal(b.times + c.times, 0);
	assert_int_equal(vm_resume(vm, w_tell, &b, NULL), 0);
	script_answer(-EIO);
	ASSERT_TOLD(b, -EIO, "no good");
	assert_int_equal(vm->state, VM_PAUSED);
}

static void test_end_during_pause(void **state)
{
	struct told t = {0}, late = {0};
	struct vm *vm = w_running("a");

	(void)state;
	assert_int_equal(vm_pause(vm, w_tell, &t, NULL), 0);
	script_exit("exit 1");
	ASSERT_TOLD(t, -ESRCH, "");
	assert_int_equal(vm_pause(vm, w_tell, &late, NULL), -EINVAL);
	assert_int_equal(vm_remove(vm, NULL), 0);
	/* A driver that is not asked any more: the VM itself answers. */
	vm = w_running("a");
	t = (struct told){0};
	assert_int_equal(vm_pause(vm, w_tell, &t, NULL), 0);
	vm_end(vm, VM_FAILED, "for a reason");
	ASSERT_TOLD(t, -ESRCH, "for a reason");
}

/* Paused in the end, the guest could not power off: stop has to wait for the answer and wake it. */
static void test_stop_during_pause(void **state)
{
	struct told pause = {0}, stop = {0};
	struct vm *vm = w_running("a");

	(void)state;
	assert_int_equal(vm_pause(vm, w_tell, &pause, NULL), 0);
	assert_int_equal(vm_stop(vm, 0, w_tell, &stop, NULL), 0);
	assert_string_equal(flow_step_name(&vm->flow), "wake");
	script_state(VMM_PAUSED);
	script_answer(0);
	assert_int_equal(pause.times, 1);
	assert_int_equal(vm->state, VM_STOPPING);
	assert_non_null(script_last()->done); /* resume */
	script_answer(0);
	assert_int_equal(script_last()->kills, 1);
	script_exit("killed");
	ASSERT_TOLD(stop, 0, "killed");
}

/* ---- stop, kill, remove --------------------------------------------------------------------- */

static void test_stop_paused(void **state)
{
	struct told t = {0};
	struct vm *vm = w_paused("a");

	(void)state;
	assert_int_equal(vm_stop(vm, 0, w_tell, &t, NULL), 0);
	assert_int_equal(vm->state, VM_STOPPING);
	script_exit("exit 0"); /* while it is woken */
	assert_int_equal(vm->state, VM_STOPPED);
	assert_int_equal(t.times, 1);
}

static void test_kill_during_stop(void **state)
{
	struct told a = {0}, b = {0}, c = {0};
	struct vm *vm = w_running("a");

	(void)state;
	assert_int_equal(vm_stop(vm, 100, w_tell, &a, NULL), 0);
	vm->asked_poweroff = true;
	assert_int_equal(vm_stop(vm, 100, w_tell, &b, NULL), 0);
	assert_int_equal(vm_kill(vm, w_tell, &c, NULL), 0);
	assert_int_equal(script_last()->kills, 1);
	assert_int_equal(a.times + b.times + c.times, 0);
	script_exit("killed");
	ASSERT_TOLD(a, 0, "killed");
	ASSERT_TOLD(b, 0, "killed");
	ASSERT_TOLD(c, 0, "killed");
	assert_int_equal(vm_stop(vm, 1, w_tell, &(struct told){0}, NULL), 0);
	assert_int_equal(vm_kill(vm, w_tell, &(struct told){0}, NULL), 0);
}

static void test_remove_with_waiters(void **state)
{
	struct told before = {0}, rm = {.remove = true}, rm2 = {.remove = true}, after = {0};
	struct vm *vm = w_running("a");

	(void)state;
	assert_int_equal(vm_stop(vm, 100, w_tell, &before, NULL), 0);
	assert_int_equal(vm_kill(vm, w_tell, &rm, NULL), 0);
	assert_int_equal(vm_kill(vm, w_tell, &rm2, NULL), 0);
	assert_int_equal(vm_stop(vm, 100, w_tell, &after, NULL), 0);
	script_exit("killed");
	assert_int_equal(before.times, 1);
	assert_int_equal(rm.times, 1);
	assert_int_equal(rm2.times, 1);
	ASSERT_TOLD(after, -ENOENT, "removed");
	assert_nothing_left();
}

static void test_too_many_waiters(void **state)
{
	struct told t[VM_WAITERS + 1] = {0};
	struct vm *vm = w_running("a");

	(void)state;
	for (int i = 0; i < VM_WAITERS; i++)
		assert_int_equal(vm_stop(vm, 100, w_tell, &t[i], NULL), 0);
	assert_int_equal(vm_kill(vm, w_tell, &t[VM_WAITERS], NULL), -EBUSY);
	script_exit("exit 0");
	for (int i = 0; i < VM_WAITERS; i++)
		assert_int_equal(t[i].times, 1);
	assert_int_equal(t[VM_WAITERS].times, 0);
}

struct watcher {
	struct vm_watch watch;
	int changes, gone;
};

static void on_change(struct vm_watch *w, bool gone)
{
	struct watcher *x = container_of(w, struct watcher, watch);

	x->changes += !gone;
	x->gone += gone;
	assert_true(gone == !w->vm);
	if (!gone)
		vm_unwatch(w); /* as a stream that ends does */
}

static void test_watchers(void **state)
{
	struct watcher a = {.watch.on_change = on_change}, b = a, c = a;
	struct vm *vm = w_running("a");

	(void)state;
	vm_watch(vm, &a.watch);
	vm_watch(vm, &b.watch);
	script_state(VMM_PAUSED);
	assert_int_equal(a.changes + b.changes, 2);
	vm_unwatch(&a.watch);
	vm_watch(vm, &c.watch);
	vm_watch(vm, &a.watch);
	w_close();
	assert_int_equal(a.gone + c.gone, 2);
	assert_int_equal(b.gone, 0);
	w_open();
}

/* The daemon ends: nobody is left without an answer. */
static void test_close_answers(void **state)
{
	struct told boot = {0}, stop = {0}, pause = {0};
	struct vm *vm = w_running("b");

	(void)state;
	assert_int_equal(vm_pause(vm, w_tell, &pause, NULL), 0);
	assert_int_equal(vm_stop(vm, 100, w_tell, &stop, NULL), 0);
	w_boot("a", &boot);
	w_close();
	ASSERT_TOLD(boot, -ECANCELED, "daemon");
	ASSERT_TOLD(stop, -ECANCELED, "daemon");
	ASSERT_TOLD(pause, -ECANCELED, "daemon");
	w_open();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, w_setup, w_teardown)
	const struct CMUnitTest tests[] = {
		T(test_boot),
		T(test_boot_fails),
		T(test_boot_without_room),
		T(test_kill_starting),
		T(test_events_in_every_state),
		T(test_how_it_ended),
		T(test_pause),
		T(test_end_during_pause),
		T(test_stop_during_pause),
		T(test_stop_paused),
		T(test_kill_during_stop),
		T(test_remove_with_waiters),
		T(test_too_many_waiters),
		T(test_watchers),
		T(test_close_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
