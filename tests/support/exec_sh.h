/* For unit tests of the agent's commands: one agent for a group of tests, and scripts of sh. */
#ifndef VMDECK_TESTS_EXEC_SH_H
#define VMDECK_TESTS_EXEC_SH_H

#include "tests/support/agent_client.h"

/* Group fixture: every test finds a running struct agent_proc in *state. */
int exec_setup(void **state);
int exec_teardown(void **state);

/* Runs `sh -c script` to its end, without stdin. */
struct exec_result exec_sh(const struct agent_proc *a, const char *script);
/* Starts `sh -c script` with stdin; a terminal has 30 rows and 90 columns. Returns its pid. */
pid_t exec_sh_start(const struct agent_proc *a, struct peer *p, const char *script, bool tty);
/* The request must be refused with that code, and part must be in the reason. */
void exec_refused(
	const struct agent_proc *a, const struct exec_spec *s, uint8_t code, const char *part);

#endif
