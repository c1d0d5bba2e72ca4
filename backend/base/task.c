#include "backend/base/task.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "backend/base/util.h"

/* Shared by the loop's thread and the worker: freed by whoever is the last. */
struct task_job {
	struct task *task; /* the loop's only */
	task_run *run;
	void *arg;
	void (*fini)(void *arg);
	bool idle;
	atomic_bool cancelled;
	pthread_t thread;
	ev_async ended;
	int result;
	struct err why;
};

/* Its signals are the loop's; what it does is for later. */
static void *work(void *p)
{
	struct task_job *j = p;
	const struct sched_param none = {0};

	if (j->idle)
		(void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
	j->result = j->run(j->task, j->arg, &j->why);
	ev_async_send(j->task->loop, &j->ended);
	return NULL;
}

static void job_free(struct task *t)
{
	struct task_job *j = t->job;

	ev_async_stop(t->loop, &j->ended);
	pthread_join(j->thread, NULL);
	t->job = NULL;
	if (j->fini)
		j->fini(j->arg);
	free(j);
}

static void on_ended(struct ev_loop *loop, ev_async *w, int revents)
{
	struct task_job *j = container_of(w, struct task_job, ended);
	struct task *t = j->task;
	void (*fini)(void *arg) = j->fini;
	void *arg = j->arg;
	int r = j->result;
	struct err why = j->why;

	(void)loop;
	(void)revents;
	j->fini = NULL;
	job_free(t);
	t->done(t, r, r < 0 ? &why : NULL); /* t may be gone now */
	if (fini)
		fini(arg);
}

static int spawn_quiet(struct task_job *j)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&j->thread, NULL, work, j);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int task_start(struct task *t, struct ev_loop *loop, bool idle, task_run *run, void *arg,
	void (*fini)(void *arg), task_done *done, void *user, struct err *e)
{
	struct task_job *j = xcalloc(1, sizeof(*j));
	int r;

	*j = (struct task_job){.task = t, .run = run, .arg = arg, .fini = fini, .idle = idle};
	t->loop = loop;
	t->job = j;
	t->done = done;
	t->user = user;
	ev_async_init(&j->ended, on_ended);
	ev_async_start(loop, &j->ended);
	r = spawn_quiet(j);
	if (r == 0)
		return 0;
	ev_async_stop(loop, &j->ended);
	t->job = NULL;
	free(j);
	return err_set(e, -r, "cannot start a thread: %s", strerror(-r));
}

bool task_running(const struct task *t)
{
	return t->job != NULL;
}

bool task_cancelled(const struct task *t)
{
	return atomic_load_explicit(&t->job->cancelled, memory_order_relaxed);
}

void task_cancel(struct task *t)
{
	if (!t->job)
		return;
	atomic_store_explicit(&t->job->cancelled, true, memory_order_relaxed);
	job_free(t);
}
