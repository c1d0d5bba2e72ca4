/* Work that blocks (copying, checksums, fsync), on a thread of its own; its end comes to the loop.
 */
#ifndef VMDECK_BASE_TASK_H
#define VMDECK_BASE_TASK_H

#include <ev.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "backend/base/err.h"

struct task;

/* On the thread: 0 or -errno with e. Long work asks task_cancelled now and then and returns
 * -ECANCELED. */
typedef int task_run(struct task *t, void *arg, struct err *e);
/* On the loop, once; t may be started again or freed here. r: what run returned. */
typedef void task_done(struct task *t, int r, const struct err *e);

struct task {
	struct ev_loop *loop;
	struct task_job *job; /* NULL: idle */
	task_done *done;
	void *user;
};

/* Starts run(arg) on a thread; idle: one that nobody waits for, scheduled behind those that
 * somebody does (SCHED_BATCH, niceness 10). arg belongs to the thread until done; fini ends it, on
 * the loop's thread, after done (or when a cancelled run has returned); NULL: nothing to end.
 * -EAGAIN: no thread can be made (fini was not called). t must be zeroed or idle. */
int task_start(struct task *t, struct ev_loop *loop, bool idle, task_run *run, void *arg,
	void (*fini)(void *arg), task_done *done, void *user, struct err *e);
bool task_running(const struct task *t);
/* For run: whether the owner has lost interest. */
bool task_cancelled(const struct task *t);
/* The owner goes: run is told, done is never called, arg's fini is called when run has returned
 * (waits for that: what run does between two looks at task_cancelled). Idle and zeroed are fine. */
void task_cancel(struct task *t);

#endif
