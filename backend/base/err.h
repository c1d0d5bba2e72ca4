/* One error idiom: a code for the program, a sentence for a person. */
#ifndef VMDECK_BASE_ERR_H
#define VMDECK_BASE_ERR_H

#include "backend/base/util.h"

struct err {
	int code; /* errno value, 0 = none */
	char msg[400];
};

/* Fills e (may be NULL) and returns -code. code is a positive errno. Use as
 * `return err_set(e, ENOSPC, "disk '%s': need %s", ...)`. */
int err_set(struct err *e, int code, const char *fmt, ...) printf_like(3, 4);

/* Puts "fmt: " before the message e already holds; returns r. For callers that know more. */
int err_wrap(struct err *e, int r, const char *fmt, ...) printf_like(3, 4);

/* err_set with ": strerror(errno)" appended; returns -errno. */
int err_errno(struct err *e, const char *fmt, ...) printf_like(2, 3);

#endif
