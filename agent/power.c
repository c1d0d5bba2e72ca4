#include "agent/power.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/util.h"

/* The host's answer to the last close. */
#define CLOSE_MS 1000

static void power_enter(struct power *p, enum power_state state);

void power_now(void)
{
	sync();
	/* Reset, not ACPI power off: a Firecracker guest has no power-off, QEMU's microvm ends at
	 * either (it runs with -no-reboot). */
	reboot(RB_AUTOBOOT);
	say_error("reboot failed: %s", strerror(errno));
	for (;;)
		pause();
}

/* An agent that is no PID 1 has its own subtree only: what a command leaves behind becomes its
 * child (subreaper), and most children lead a group. */
static void signal_children(int sig)
{
	char path[64], text[8192], *p = text;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if (file_slurp(path, text, sizeof(text)) < 0)
		return;
	while ((pid = (pid_t)strtol(p, &p, 10)) > 1)
		if (kill(-pid, sig) < 0)
			kill(pid, sig);
}

static void signal_all(const struct power *p, int sig)
{
	if (p->agent->pid1)
		kill(-1, sig);
	else
		signal_children(sig);
}

static bool no_children(void)
{
	siginfo_t si = {0};

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static void finish(struct power *p)
{
	struct agent *a = p->agent;

	output_close(&a->output, CLOSE_MS);
	control_close(&a->control, CLOSE_MS);
	if (a->pid1)
		power_now();
	loop_quit(&a->loop);
}

static void on_timeout(void *user)
{
	struct power *p = user;

	if (p->state == POWER_STORE || p->state == POWER_LAST) {
		say_error("power off: the host has not taken all output in time");
		p->gave_up = true;
	}
	power_enter(p, p->state + 1);
}

static void wait_ms(struct power *p, uint32_t ms)
{
	timer_start(&p->agent->loop, &p->timer, ms, on_timeout, p);
}

static void enter_term(struct power *p)
{
	control_bye(&p->agent->control, (uint8_t)p->reason, p->status);
	signal_all(p, SIGTERM);
	/* An interactive shell ignores SIGTERM; a stopped process sees neither until it continues.
	 */
	main_hangup(&p->agent->main);
	signal_all(p, SIGCONT);
	if (no_children())
		power_enter(p, POWER_LAST);
	else
		wait_ms(p, p->grace_ms);
}

/* Whether there is nothing to wait for in STORE or LAST. */
static bool settled(const struct power *p)
{
	struct agent *a = p->agent;

	if (p->gave_up)
		return true;
	/* What others write after the main process ended is not waited for while they live. */
	if (p->state == POWER_STORE)
		return a->output.ring.first >= p->main_end;
	return output_stored(&a->output) && !execs_busy(&a->execs) && !main_draining(&a->main);
}

static void power_enter(struct power *p, enum power_state state)
{
	timer_stop(&p->timer);
	p->state = state;
	switch (state) {
	case POWER_UP:
		break;
	case POWER_STORE:
	case POWER_LAST:
		if (settled(p))
			power_enter(p, state + 1);
		else
			wait_ms(p, POWER_STORE_MS);
		break;
	case POWER_TERM:
		enter_term(p);
		break;
	case POWER_KILL:
		signal_all(p, SIGKILL);
		wait_ms(p, POWER_KILL_MS);
		break;
	case POWER_DONE:
		finish(p);
		break;
	}
}

void power_begin(struct power *p, enum power_reason reason, int32_t status, uint32_t grace_ms)
{
	if (p->state == POWER_STORE) {
		p->grace_ms = grace_ms;
		power_enter(p, POWER_TERM);
		return;
	}
	if (p->state != POWER_UP)
		return;
	say_step("power off begins, reason %d", (int)reason);
	quiesce_thaw(&p->agent->quiesce);
	control_flush(&p->agent->control);
	p->reason = reason;
	p->status = status;
	p->grace_ms = grace_ms;
	p->main_end = p->agent->output.ring.next;
	power_enter(p, reason == POWER_MAIN_ENDED ? POWER_STORE : POWER_TERM);
}

bool power_going(const struct power *p)
{
	return p->state != POWER_UP;
}

void power_on_progress(struct power *p)
{
	p->gave_up = false;
	if (p->state == POWER_STORE || p->state == POWER_LAST)
		power_enter(p, p->state);
}

void power_on_reaped(struct power *p)
{
	/* Its own children are ours now. PID 1 has hit them all at once. */
	if (p->state == POWER_KILL && !p->agent->pid1)
		signal_all(p, SIGKILL);
}

void power_on_no_children(struct power *p)
{
	if (p->state == POWER_TERM || p->state == POWER_KILL)
		power_enter(p, POWER_LAST);
}

void power_init(struct power *p, struct agent *a)
{
	*p = (struct power){.agent = a};
}
