#include "backend/base/task.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/base/util.h"

#define IDLE_NICE 10 /* a tenth of the weight of a thread that somebody waits for */

/* Shared by the loop's thread, which frees it, and the worker, which is joined before that. */
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

/* Linux has niceness per thread. SCHED_BATCH besides: it never preempts one that just woke up. Not
 * SCHED_IDLE: a busy host would starve it for ever. */
static void step_back(void)
{
	const struct sched_param none = {0};

	(void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), IDLE_NICE);
}

static void *work(void *p)
{
	struct task_job *j = p;

	if (j->idle)
		step_back();
	j->result = j->run(j->task, j->arg, &j->why);
	ev_async_send(j->task->loop, &j->ended);
	return NULL;
}

/* Waits for the thread (it may still be inside ev_async_send), so that what it wrote can be read
 * and nobody but us has the job. */
static struct task_job *job_take(struct task *t)
{
	struct task_job *j = t->job;

	pthread_join(j->thread, NULL);
	ev_async_stop(t->loop, &j->ended);
	t->job = NULL;
	return j;
}

static void job_free(struct task_job *j)
{
	if (j->fini)
		j->fini(j->arg);
	free(j);
}

static void on_ended(struct ev_loop *loop, ev_async *w, int revents)
{
	struct task *t = container_of(w, struct task_job, ended)->task;
	struct task_job *j = job_take(t);

	(void)loop;
	(void)revents;
	t->done(t, j->result, j->result < 0 ? &j->why : NULL); /* t may be gone now */
	job_free(j);
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
	job_free(job_take(t));
}
