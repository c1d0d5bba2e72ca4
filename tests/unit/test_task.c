/* Blocking work on threads: its end comes to the loop once, cancelled work never, what it was given
 * is ended last. */
// LIBS: base
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/base/task.h"

#define LIMIT 20.0 /* s */

struct box {
	struct ev_loop *loop;
	struct task task;
	sem_t started;
	int result;                         /* what run gives back */
	int step, run_at, done_at, fini_at; /* order of what was called; 0: was not */
	int got;
	char said[400];
	int nice, policy;
	pthread_t thread;
	sigset_t mask;
};

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	fail_msg("the loop got no end of a task within %.0f s", LIMIT);
}

/* Runs the loop until somebody breaks it. */
static void run_loop(struct ev_loop *loop)
{
	ev_timer limit;

	ev_timer_init(&limit, on_limit, LIMIT, 0);
	ev_timer_start(loop, &limit);
	ev_run(loop, 0);
	ev_timer_stop(loop, &limit);
}

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	b->loop = ev_loop_new(EVFLAG_AUTO);
	sem_init(&b->started, 0, 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	task_cancel(&b->task);
	ev_loop_destroy(b->loop);
	sem_destroy(&b->started);
	free(b);
	return 0;
}

static int work(struct task *t, void *arg, struct err *e)
{
	struct box *b = arg;
	struct sched_param p;

	b->run_at = ++b->step;
	b->thread = pthread_self();
	b->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	pthread_getschedparam(pthread_self(), &b->policy, &p);
	pthread_sigmask(SIG_SETMASK, NULL, &b->mask);
	assert_false(task_cancelled(t));
	return b->result < 0 ? err_set(e, -b->result, "the disk is %s", "full") : b->result;
}

static void on_done(struct task *t, int r, const struct err *e)
{
	struct box *b = t->user;

	assert_false(task_running(t));
	b->done_at = ++b->step;
	b->got = r;
	snprintf(b->said, sizeof(b->said), "%s", e ? e->msg : "");
	assert_true(!e == (r >= 0));
	ev_break(b->loop, EVBREAK_ALL);
}

static void on_fini(void *arg)
{
	struct box *b = arg;

	b->fini_at = ++b->step;
}

static void end_comes_to_the_loop(void **state)
{
	struct box *b = *state;

	b->result = 7;
	assert_int_equal(
		task_start(&b->task, b->loop, false, work, b, on_fini, on_done, b, NULL), 0);
	assert_true(task_running(&b->task));
	assert_int_equal(b->done_at, 0); /* never before start has returned */
	run_loop(b->loop);
	assert_int_equal(b->run_at, 1);
	assert_int_equal(b->done_at, 2);
	assert_int_equal(b->fini_at, 3);
	assert_int_equal(b->got, 7);
	assert_false(pthread_equal(b->thread, pthread_self()));
	assert_int_equal(sigismember(&b->mask, SIGTERM), 1); /* signals are the loop's */
	assert_int_equal(b->policy, SCHED_OTHER);
}

static void errors_bring_their_sentence(void **state)
{
	struct box *b = *state;
	int ours = getpriority(PRIO_PROCESS, (id_t)gettid());

	b->result = -ENOSPC;
	assert_int_equal(task_start(&b->task, b->loop, true, work, b, NULL, on_done, b, NULL), 0);
	run_loop(b->loop);
	assert_int_equal(b->got, -ENOSPC);
	assert_string_equal(b->said, "the disk is full");
	assert_int_equal(b->policy, SCHED_BATCH); /* idle work steps back, and only it */
	assert_true(b->nice >= 10);
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)gettid()), ours);
}

/* ---- cancel --------------------------------------------------------------------------------- */

static int work_until_cancelled(struct task *t, void *arg, struct err *e)
{
	struct box *b = arg;

	sem_post(&b->started);
	while (!task_cancelled(t))
		poll(NULL, 0, 1); /* stands for a piece of work */
	b->run_at = ++b->step;
	return err_set(e, ECANCELED, "cancelled");
}

static void cancelled_work_is_never_told(void **state)
{
	struct box *b = *state;

	assert_int_equal(task_start(&b->task, b->loop, false, work_until_cancelled, b, on_fini,
				 on_done, b, NULL),
		0);
	sem_wait(&b->started);
	task_cancel(&b->task);
	assert_int_equal(b->run_at, 1); /* it has returned */
	assert_int_equal(b->fini_at, 2);
	assert_false(task_running(&b->task));
	ev_run(b->loop, EVRUN_NOWAIT);
	assert_int_equal(b->done_at, 0);
	task_cancel(&b->task); /* idle is fine */
}

static int work_quick(struct task *t, void *arg, struct err *e)
{
	struct box *b = arg;

	(void)t;
	(void)e;
	b->run_at = ++b->step;
	sem_post(&b->started);
	return 0;
}

/* Its end is on the way to the loop already. */
static void cancelled_when_it_has_ended(void **state)
{
	struct box *b = *state;

	for (int i = 0; i < 200; i++) {
		b->fini_at = 0;
		assert_int_equal(task_start(&b->task, b->loop, false, work_quick, b, on_fini,
					 on_done, b, NULL),
			0);
		sem_wait(&b->started);
		if (i % 2)
			sched_yield();
		task_cancel(&b->task);
		assert_int_not_equal(b->fini_at, 0);
		ev_run(b->loop, EVRUN_NOWAIT);
		assert_int_equal(b->done_at, 0);
	}
}

/* ---- the owner goes, or goes on ------------------------------------------------------------- */

struct owner {
	struct ev_loop *loop;
	struct task *task;
	int *left;
};

static int add_one(struct task *t, void *arg, struct err *e)
{
	(void)t;
	(void)e;
	++*(int *)arg;
	return 0;
}

static void free_owner(struct task *t, int r, const struct err *e)
{
	struct owner *o = t->user;

	(void)e;
	assert_int_equal(r, 0);
	if (--*o->left == 0)
		ev_break(o->loop, EVBREAK_ALL);
	free(o->task);
	free(o);
}

static void many_and_freed_when_done(void **state)
{
	struct box *b = *state;
	int left = 64, sums[64] = {0};

	for (int i = 0; i < 64; i++) {
		struct owner *o = calloc(1, sizeof(*o));

		*o = (struct owner){b->loop, calloc(1, sizeof(struct task)), &left};
		assert_int_equal(task_start(o->task, b->loop, i % 2, add_one, &sums[i], NULL,
					 free_owner, o, NULL),
			0);
	}
	run_loop(b->loop);
	for (int i = 0; i < 64; i++)
		assert_int_equal(sums[i], 1);
}

static void start_again(struct task *t, int r, const struct err *e)
{
	struct box *b = t->user;

	(void)e;
	assert_int_equal(r, 0);
	if (b->step >= 100)
		ev_break(b->loop, EVBREAK_ALL);
	else
		assert_int_equal(task_start(t, b->loop, false, add_one, &b->step, NULL, start_again,
					 b, NULL),
			0);
}

static void started_again_from_done(void **state)
{
	struct box *b = *state;

	assert_int_equal(
		task_start(&b->task, b->loop, false, add_one, &b->step, NULL, start_again, b, NULL),
		0);
	run_loop(b->loop);
	assert_int_equal(b->step, 100);
}

static void zeroed_is_idle(void **state)
{
	struct task t = {0};

	(void)state;
	assert_false(task_running(&t));
	task_cancel(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(end_comes_to_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_bring_their_sentence, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled_work_is_never_told, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled_when_it_has_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(many_and_freed_when_done, setup, teardown),
		cmocka_unit_test_setup_teardown(started_again_from_done, setup, teardown),
		cmocka_unit_test(zeroed_is_idle),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
