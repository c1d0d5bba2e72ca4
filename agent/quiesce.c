#include "agent/quiesce.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/util.h"

/* Between two looks at the console; see console_busy. */
#define CONSOLE_MS 1

static void on_check(void *user);

/* Bytes written to the console are still in the guest. No event tells the end of that, and tcdrain
 * would keep the loop from everybody: it is looked at again and again, within the limit. */
static bool console_busy(const struct agent *a)
{
	unsigned status = 0;
	int queued = 0;

	if (!a->pid1)
		return false; /* not our own console */
	if (!ioctl(STDERR_FILENO, TIOCOUTQ, &queued) && queued > 0)
		return true;
	/* Behind the driver's queue a serial port has one of its own. */
	return !ioctl(STDERR_FILENO, TIOCSERGETLSR, &status) && !(status & TIOCSER_TEMT);
}

static void on_lapsed(void *user)
{
	struct quiesce *q = user;

	say_error("quiesced for %u ms without a word from the host: going on", q->limit_ms);
	quiesce_end(q);
}

static void answer(struct quiesce *q, bool drained)
{
	struct agent *a = q->agent;
	const struct wire_quiesced m = {
		.drained = drained,
		.us = (uint32_t)((mono_ns() - q->came_ns) / 1000),
		.execs = execs_begun(&a->execs),
		.next = a->output.ring.next,
	};

	timer_stop(&q->check);
	q->state = QUIESCE_HELD;
	timer_start(&a->loop, &q->limit, q->limit_ms, on_lapsed, q);
	control_quiesced(&a->control, &m);
}

static void on_limit(void *user)
{
	struct quiesce *q = user;

	answer(q, false);
	control_flush(&q->agent->control);
}

static void on_check(void *user)
{
	struct quiesce *q = user;
	struct agent *a = q->agent;

	if (!output_drained(&a->output) || !execs_drained(&a->execs))
		return; /* quiesce_on_progress comes back */
	if (console_busy(a)) {
		timer_start(&a->loop, &q->check, CONSOLE_MS, on_check, q);
		return;
	}
	answer(q, true);
	control_flush(&a->control);
}

void quiesce_begin(struct quiesce *q, uint32_t limit_ms, uint64_t came_ns)
{
	struct agent *a = q->agent;

	if (q->state == QUIESCE_DRAINING)
		answer(q, false);
	q->state = QUIESCE_DRAINING;
	q->limit_ms = min_of(limit_ms, (uint32_t)WIRE_QUIESCE_MS);
	q->came_ns = came_ns;
	timer_start(&a->loop, &q->limit, q->limit_ms, on_limit, q);
	execs_forget_lost(&a->execs);
	execs_pump(&a->execs);
	output_pump(&a->output);
	quiesce_on_progress(q);
}

void quiesce_on_progress(struct quiesce *q)
{
	/* Not from here: whoever made progress is not done with its own state yet. */
	if (q->state == QUIESCE_DRAINING)
		timer_start(&q->agent->loop, &q->check, 0, on_check, q);
}

void quiesce_end(struct quiesce *q)
{
	struct agent *a = q->agent;

	if (q->state == QUIESCE_OFF)
		return;
	q->state = QUIESCE_OFF;
	timer_stop(&q->limit);
	timer_stop(&q->check);
	output_thaw(&a->output);
	execs_pump(&a->execs);
	execs_serve(&a->execs);
}

void quiesce_thaw(struct quiesce *q)
{
	if (q->state == QUIESCE_DRAINING)
		answer(q, false);
	quiesce_end(q);
}

static void on_end(void *user)
{
	quiesce_end(user);
}

void quiesce_end_soon(struct quiesce *q)
{
	if (q->state == QUIESCE_OFF)
		return;
	q->state = QUIESCE_HELD; /* nobody is left to be answered */
	timer_stop(&q->limit);
	timer_start(&q->agent->loop, &q->check, 0, on_end, q);
}

void quiesce_init(struct quiesce *q, struct agent *a)
{
	*q = (struct quiesce){.agent = a};
}
