#include "tests/support/exec_sh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

int exec_setup(void **state)
{
	struct agent_proc *a = malloc(sizeof(*a));

	assert_non_null(a);
	agent_up(a);
	*state = a;
	return 0;
}

int exec_teardown(void **state)
{
	agent_stop(*state);
	free(*state);
	return 0;
}

struct exec_result exec_sh(const struct agent_proc *a, const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	const struct exec_spec s = {.argv = argv};
	struct exec_result r;

	exec_run(a, &s, &r);
	return r;
}

pid_t exec_sh_start(const struct agent_proc *a, struct peer *p, const char *script, bool tty)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	const struct exec_spec s = {.argv = argv, .in = true, .tty = tty, .rows = 30, .cols = 90};

	return exec_start(a, p, &s);
}

void exec_refused(
	const struct agent_proc *a, const struct exec_spec *s, uint8_t code, const char *part)
{
	char why[512];
	struct peer p;

	exec_connect(a, &p);
	exec_send_req(&p, s);
	exec_expect_refused(&p, code, why, sizeof(why));
	if (!strstr(why, part))
		fail_msg("'%s' is not in the reason '%s'", part, why);
}
