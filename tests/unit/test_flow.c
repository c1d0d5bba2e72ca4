// LIBS: base
/* Flows: order, waiting, timeout, undo in reverse, cancel; processes: spawn, exit, adoption. */
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
#include <sys/wait.h>
#include <unistd.h>

#include "backend/base/file.h"
#include "backend/base/flow.h"
#include "backend/base/proc.h"

struct probe {
	struct flow flow;
	char trace[200];
	int fail_at;
	int result;
	bool done;
};

static void note(struct flow *f, const char *what)
{
	struct probe *p = f->user;
	size_t n = strlen(p->trace);

	snprintf(p->trace + n, sizeof(p->trace) - n, "%s%d ", what, f->at);
}

static enum flow_verdict enter_next(struct flow *f)
{
	struct probe *p = f->user;

	note(f, "e");
	if (p->fail_at == f->at) {
		err_set(&f->err, ENOSPC, "no space");
		return FLOW_FAIL;
	}
	return FLOW_NEXT;
}

static enum flow_verdict enter_wait(struct flow *f)
{
	note(f, "w");
	return FLOW_WAIT;
}

static enum flow_verdict on_ev(struct flow *f, int ev, void *data)
{
	(void)data;
	note(f, "v");
	return ev ? FLOW_NEXT : FLOW_WAIT;
}

static void undo(struct flow *f)
{
	struct probe *p = f->user;
	size_t n = strlen(p->trace);

	snprintf(p->trace + n, sizeof(p->trace) - n, "u ");
}

static enum flow_verdict give_up(struct flow *f)
{
	note(f, "x");
	return FLOW_NEXT;
}

static void on_done(struct flow *f, int r)
{
	struct probe *p = f->user;

	assert_false(p->done);
	p->done = true;
	p->result = r;
}

static const struct flow_step steps[] = {
	{"one", 0, enter_next, NULL, undo, NULL, NULL},
	{"two", 0.05, enter_wait, on_ev, undo, NULL, NULL},
	{"three", 0, enter_next, NULL, NULL, NULL, NULL},
};

static const struct flow_step patient[] = {
	{"ask", FLOW_OWN_LIMIT, enter_wait, on_ev, undo, give_up, NULL},
	{"end", 0, enter_next, NULL, NULL, NULL, NULL},
};

static struct probe *start(struct probe *p, struct ev_loop *loop, const struct flow_step *s, int n)
{
	*p = (struct probe){.fail_at = -1};
	flow_init(&p->flow, loop, "boot", s, n, NULL, on_done, p);
	return p;
}

static void order(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct probe p;

	(void)state;
	start(&p, loop, steps, countof(steps));
	flow_start(&p.flow);
	assert_string_equal(flow_step_name(&p.flow), "two");
	flow_event(&p.flow, 0, NULL);
	assert_false(p.done);
	flow_event(&p.flow, 1, NULL);
	assert_true(p.done);
	assert_int_equal(p.result, 0);
	assert_string_equal(p.trace, "e0 w1 v1 v1 e2 ");
	assert_null(flow_step_name(&p.flow));
	flow_event(&p.flow, 1, NULL); /* nobody waits any more */
	ev_loop_destroy(loop);
}

static bool is_told(const struct flow *f)
{
	return ((struct probe *)f->user)->fail_at == -2;
}

static const struct flow_step skipping[] = {
	{"first", 0, enter_next, NULL, undo, NULL, is_told},
	{"wait", 1, enter_wait, on_ev, undo, NULL, NULL},
	{"last", 0, enter_next, NULL, undo, NULL, is_told},
};

static void steps_without_use_are_passed_over(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct probe p;

	(void)state;
	start(&p, loop, skipping, countof(skipping));
	assert_int_equal(flow_length(&p.flow), 3);
	p.fail_at = -2;
	assert_int_equal(flow_length(&p.flow), 1);
	flow_start(&p.flow);
	assert_string_equal(flow_step_name(&p.flow), "wait");
	assert_int_equal(flow_place(&p.flow), 1);
	flow_event(&p.flow, 1, NULL);
	assert_true(p.done);
	assert_int_equal(p.result, 0);
	assert_string_equal(p.trace, "w1 v1 ");
	start(&p, loop, skipping, countof(skipping));
	p.fail_at = -2;
	flow_start(&p.flow);
	flow_cancel(&p.flow, "enough"); /* the undo of what was passed over finds nothing */
	assert_string_equal(p.trace, "w1 u u ");
	ev_loop_destroy(loop);
}

static void timeout_undoes(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct probe p;

	(void)state;
	start(&p, loop, steps, countof(steps));
	flow_start(&p.flow);
	ev_run(loop, 0);
	assert_int_equal(p.result, -ETIMEDOUT);
	assert_string_equal(p.flow.err.msg, "boot: step 'two' had no answer in 0.05 s");
	assert_string_equal(p.trace, "e0 w1 u u ");
	ev_loop_destroy(loop);
}

static void expired_goes_on(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct probe p;

	(void)state;
	start(&p, loop, patient, countof(patient));
	p.flow.limit = 0.02;
	flow_start(&p.flow);
	assert_true(flow_step_limit(&p.flow) > 0.01);
	ev_run(loop, 0);
	assert_int_equal(p.result, 0);
	assert_string_equal(p.trace, "w0 x0 e1 ");
	ev_loop_destroy(loop);
}

static void failure_and_cancel(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct probe p;

	(void)state;
	start(&p, loop, steps, countof(steps));
	p.fail_at = 2;
	flow_start(&p.flow);
	flow_event(&p.flow, 1, NULL);
	assert_int_equal(p.result, -ENOSPC);
	assert_string_equal(p.trace, "e0 w1 v1 e2 u u ");
	start(&p, loop, steps, countof(steps));
	flow_start(&p.flow);
	flow_cancel(&p.flow, "killed");
	assert_int_equal(p.result, -ECANCELED);
	assert_string_equal(p.flow.err.msg, "boot: killed");
	flow_cancel(&p.flow, "again");
	start(&p, loop, steps, countof(steps));
	flow_start_at(&p.flow, 1);
	flow_cancel(&p.flow, "x");
	assert_string_equal(p.trace, "w1 u u ");
	ev_loop_destroy(loop);
}

/* ---- processes ------------------------------------------------------------------------------ */

struct ended {
	struct ev_loop *loop;
	int status;
	int calls;
};

static void on_exit_note(struct proc *p, int status)
{
	struct ended *x = p->user;

	x->status = status;
	x->calls++;
	ev_break(x->loop, EVBREAK_ALL);
}

static void spawn_is_clean(void **state)
{
	char dir[] = "/tmp/deck-proc-XXXXXX", pid_file[64], *text, out[64];
	const char *argv[] = {"/bin/sh", "-c",
		"ls /proc/self/fd | wc -l; ps -o sid= -p $$ | tr -d ' '; echo $$ $DECK_X; exit 3",
		NULL};
	const char *env[] = {"DECK_X=set", NULL};
	struct ended x = {ev_loop_new(0), 0, 0};
	struct proc_fd map = {.to = 1};
	struct proc_spec spec = {.argv = argv, .env = env, .fds = &map, .fd_count = 1};
	struct err e;
	struct proc p;
	struct proc_id id;
	int leak, fds, sid, pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(pid_file, sizeof(pid_file), "%s/pid", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	spec.pid_file = pid_file;
	map.from = open(out, O_WRONLY | O_CREAT, 0600);
	leak = open("/dev/null", O_RDONLY); /* not close-on-exec on purpose */
	assert_int_equal(proc_spawn(&p, x.loop, &spec, on_exit_note, &x, &e), 0);
	assert_int_equal(proc_read_pid_file(pid_file, &id), 0);
	assert_int_equal(id.pid, p.id.pid);
	ev_run(x.loop, 0);
	assert_int_equal(x.calls, 1);
	assert_true(WIFEXITED(x.status) && WEXITSTATUS(x.status) == 3);
	assert_false(proc_running(&p));
	assert_false(proc_id_alive(id));
	assert_int_equal(file_read(out, 1000, &text, NULL, &e), 0);
	assert_int_equal(sscanf(text, "%d %d %d set", &fds, &sid, &pid), 3);
	assert_int_equal(fds, 4);   /* 0-2 and the folder that ls reads */
	assert_int_equal(sid, pid); /* its own session */
	free(text);
	close(leak);
	close(map.from);
	tree_remove(dir, NULL);
	ev_loop_destroy(x.loop);
}

static void spawn_fails_here(void **state)
{
	const char *argv[] = {"/no/such/program", NULL};
	struct proc_spec spec = {.argv = argv};
	struct ev_loop *loop = ev_loop_new(0);
	struct err e;
	struct proc p;

	(void)state;
	assert_int_equal(proc_spawn(&p, loop, &spec, NULL, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/no/such/program"));
	assert_false(proc_running(&p));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
	ev_loop_destroy(loop);
}

static void adopt_signal_forget(void **state)
{
	const char *argv[] = {"/bin/sleep", "1000", NULL};
	struct proc_spec spec = {.argv = argv};
	struct ended x = {ev_loop_new(0), 0, 0};
	struct proc p, other;
	struct proc_id wrong;
	struct err e;

	(void)state;
	assert_int_equal(proc_spawn(&p, x.loop, &spec, NULL, NULL, &e), 0);
	wrong = p.id;
	wrong.start++;
	assert_int_equal(proc_adopt(&other, x.loop, wrong, NULL, NULL, &e), -ESRCH);
	assert_int_equal(proc_adopt(&other, x.loop, p.id, on_exit_note, &x, &e), 0);
	proc_forget(&p); /* still reaped when it ends */
	proc_forget(&p);
	proc_forget(NULL);
	assert_int_equal(proc_signal(&p, SIGTERM), -ESRCH);
	assert_int_equal(proc_signal(&other, SIGTERM), 0);
	while (!x.calls)
		ev_run(x.loop, EVRUN_ONCE);
	assert_int_equal(x.status, -1);
	while (waitpid(-1, NULL, WNOHANG) == 0)
		ev_run(x.loop, EVRUN_ONCE);
	ev_loop_destroy(x.loop);
}

/* The loop goes while a child that nobody watches lives. */
static void loop_ends_before_a_forgotten_child(void **state)
{
	const char *argv[] = {"/bin/sleep", "1000", NULL};
	struct proc_spec spec = {.argv = argv};
	struct ev_loop *loop = ev_loop_new(0);
	int next = dup(0);
	pid_t pids[2];
	struct proc p;

	(void)state;
	close(next);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(proc_spawn(&p, loop, &spec, NULL, NULL, NULL), 0);
		pids[i] = p.id.pid;
		proc_forget(&p);
	}
	ev_run(loop, 0); /* they alone keep no loop going */
	ev_loop_destroy(loop);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], NULL, WNOHANG), 0);
		kill(pids[i], SIGKILL);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	}
	assert_true(dup(0) <= next);
	close(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(steps_without_use_are_passed_over),
		cmocka_unit_test(timeout_undoes),
		cmocka_unit_test(expired_goes_on),
		cmocka_unit_test(failure_and_cancel),
		cmocka_unit_test(spawn_is_clean),
		cmocka_unit_test(spawn_fails_here),
		cmocka_unit_test(adopt_signal_forget),
		cmocka_unit_test(loop_ends_before_a_forgotten_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
