/* Runs one helper program (apt, dpkg, busybox) to its end for a build: bounded, cancellable, with
 * its complaint as the error. */
#ifndef VMDECK_IMAGE_RUN_H
#define VMDECK_IMAGE_RUN_H

#include "backend/base/buf.h"
#include "backend/image/job.h"

#define RUN_IDLE 120.0 /* s without a byte from or growth by the program: it is stuck */

struct run_spec {
	const char *const *argv; /* argv[0]: name, looked up in $PATH, or an absolute path */
	const char *cwd;         /* NULL: ours */
	/* Bytes of its stdout; NULL: thrown away. < 0 with e ends the program. */
	int (*on_out)(void *user, const uint8_t *p, size_t n, struct err *e);
	/* A file in cwd grew (inotify). < 0 with e ends the program. NULL: not watched. */
	int (*on_growth)(void *user, struct err *e);
	void *user;
};

/* 0: it exited with 0 and all output was handled. -EIO: "dpkg-deb: exit 2: <its complaint>";
 * -ETIMEDOUT; -ECANCELED (see job.h); -ENOENT: no such program. It is gone at return. */
int run_program(struct job *j, const struct run_spec *spec, struct err *e);

/* Its stdout (NUL-ended, at most max bytes) into *ret (caller frees). */
int run_capture(struct job *j, const char *const *argv, size_t max, char **ret, struct err *e);

#endif
