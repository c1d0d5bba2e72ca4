/* One build under way: where it happens, who hears of its progress, what stops it. */
#ifndef VMDECK_IMAGE_JOB_H
#define VMDECK_IMAGE_JOB_H

#include <signal.h>

#include "backend/image/image.h"

struct job {
	const struct paths *paths;
	image_progress *fn;
	void *user;
	bool catch_signals; /* stop in order on SIGTERM, SIGINT and SIGHUP: worker processes only */
	bool stop;          /* set by the owner: give up at the next report */
	int signal_fd;      /* -1: not caught (yet) */
	sigset_t old_mask;
	const char *step; /* last reported; a literal */
	uint64_t last_ns;
};

void job_init(struct job *j, const struct paths *p, image_progress *fn, void *user);
/* Gives the signals back. NULL is fine. */
void job_fini(struct job *j);

/* From here on signals wait for the next job_report instead of killing at once. Until here there is
 * nothing to tidy up, and waiting for a lock stays interruptible. No-op unless catch_signals. */
int job_catch(struct job *j, struct err *e);

/* Tells progress (at most every 50 ms within a step; a literal as step). -ECANCELED: the build is
 * to stop. */
int job_report(struct job *j, const char *step, uint64_t done, uint64_t total, struct err *e);

/* -ECANCELED with the reason when the build is to stop. */
int job_check(struct job *j, struct err *e);

#endif
