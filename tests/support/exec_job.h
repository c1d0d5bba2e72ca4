/* A relay under test with its client's connection, and what its callbacks said. */
#ifndef VMDECK_TESTS_EXEC_JOB_H
#define VMDECK_TESTS_EXEC_JOB_H

#include "backend/guest/exec.h"
#include "tests/support/looptest.h"

struct job {
	struct exec_relay *x;
	struct peer client;
	int done, r;
	uint8_t how;
	int32_t value;
	struct err e;
	struct exec_times t;
	char log[8192]; /* names of the events; the fields of those with a "why" */
};

/* Result of exec_relay_start for a request with a new id. */
int job_start(struct job *j, const char *vsock_path, const char *const *argv, uint8_t flags,
	double timeout);
/* Reads the client's side to its end: appends STDOUT and STDERR to out (n bytes, ended), takes EXIT
 * or REFUSED (how WIRE_NOT_STARTED), waits for on_done, closes. */
void job_finish(struct job *j, char *out, size_t n);

#endif
