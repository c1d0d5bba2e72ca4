#include "backend/image/job.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>

#define REPORT_NS 50000000u

void job_init(struct job *j, const struct paths *p, image_progress *fn, void *user)
{
	*j = (struct job){.paths = p, .fn = fn, .user = user, .signal_fd = -1};
}

void job_fini(struct job *j)
{
	struct signalfd_siginfo info;

	if (!j || j->signal_fd < 0)
		return;
	/* What came has been obeyed: it must not kill when it is let through again. */
	while (read(j->signal_fd, &info, sizeof(info)) > 0)
		;
	close_fd(&j->signal_fd);
	sigprocmask(SIG_SETMASK, &j->old_mask, NULL);
}

int job_catch(struct job *j, struct err *e)
{
	sigset_t set;

	if (!j->catch_signals || j->signal_fd >= 0)
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &j->old_mask);
	j->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (j->signal_fd < 0) {
		sigprocmask(SIG_SETMASK, &j->old_mask, NULL);
		return err_errno(e, "cannot watch signals");
	}
	return 0;
}

int job_check(struct job *j, struct err *e)
{
	struct pollfd p = {.fd = j->signal_fd, .events = POLLIN};

	if (j->stop)
		return err_set(e, ECANCELED, "the build was stopped: nobody reads its progress");
	if (j->signal_fd >= 0 && poll(&p, 1, 0) > 0)
		return err_set(e, ECANCELED, "the build was stopped by a signal");
	return 0;
}

int job_report(struct job *j, const char *step, uint64_t done, uint64_t total, struct err *e)
{
	uint64_t now = mono_ns();

	if (!j->step || strcmp(j->step, step) != 0 || done == total ||
		now - j->last_ns >= REPORT_NS) {
		j->step = step;
		j->last_ns = now;
		if (j->fn)
			j->fn(j->user, step, done, total);
	}
	return job_check(j, e);
}
