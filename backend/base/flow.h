/* Long operations as const step tables.
 *
 * Theory of operation: a flow walks its table top-down. enter() starts a step and says WAIT (an
 * event will decide), NEXT or FAIL; event() is asked for each event while the step waits. A step
 * has a timeout and an undo. When a step fails, times out or the flow is cancelled, the undos of
 * all entered steps run in reverse order, then done() is called once, last: the flow may be freed
 * there. Nothing in a step sleeps; the table is also the progress bar (name, n of m, since, limit).
 */
#ifndef VMDECK_BASE_FLOW_H
#define VMDECK_BASE_FLOW_H

#include <ev.h>
#include <stdbool.h>

#include "backend/base/err.h"

struct flow;

enum flow_verdict { FLOW_WAIT, FLOW_NEXT, FLOW_FAIL };

struct flow_step {
	const char *name;
	double timeout; /* s; 0: the step never waits */
	enum flow_verdict (*enter)(struct flow *f);
	/* ev: what flow_event was given; its meaning is the owner's. NULL: events are ignored. */
	enum flow_verdict (*event)(struct flow *f, int ev, void *data);
	void (*undo)(struct flow *f); /* may be NULL; runs for every entered step on failure */
	/* Asked when the time is up; NULL: the flow fails with ETIMEDOUT and the step's name. */
	enum flow_verdict (*expired)(struct flow *f);
	/* The step has nothing to do here: passed over without a word. NULL: never. Its undo runs
	 * all the same. */
	bool (*skip)(const struct flow *f);
};

#define FLOW_OWN_LIMIT (-1.0) /* as timeout: the flow's own `limit` counts for this step */

/* Called when a step begins, and with at == count when all are done: progress, event log. */
typedef void flow_on_step(struct flow *f);
/* r: 0 or -errno with f->err filled. */
typedef void flow_on_done(struct flow *f, int r);

struct flow {
	const char *name;
	const struct flow_step *steps;
	int count;
	int at;
	bool running;
	bool in_step;
	struct ev_loop *loop;
	ev_timer timer;
	uint64_t started_ns; /* monotonic */
	uint64_t step_ns;    /* monotonic: when the step at `at` began */
	double limit;        /* s, for steps with FLOW_OWN_LIMIT; set it after flow_init */
	struct err err;      /* a step that says FAIL has filled it */
	flow_on_step *on_step;
	flow_on_done *on_done;
	void *user;
};

/* Sets the flow up; does not start it. */
void flow_init(struct flow *f, struct ev_loop *loop, const char *name,
	const struct flow_step *steps, int count, flow_on_step *on_step, flow_on_done *on_done,
	void *user);
/* Enters the first step. on_done may be called before this returns. */
void flow_start(struct flow *f);
/* Like flow_start, from step `at` on (adoption); undos of earlier steps run too on failure. */
void flow_start_at(struct flow *f, int at);
/* Gives an event to the waiting step; call it from watchers only, never from inside a step. */
void flow_event(struct flow *f, int ev, void *data);
/* Fails the flow with ECANCELED and the reason. No-op when it isn't running. */
void flow_cancel(struct flow *f, const char *why);
/* Fails the flow from outside with the given code and sentence. */
void flow_fail(struct flow *f, const struct err *why);
/* Ends it without a word: no undo, no done. For an owner that has ended otherwise; also when it was
 * never started. */
void flow_drop(struct flow *f);
/* Called before a step's enter (waits false), and when it says WAIT (true). Does nothing; a daemon
 * for tests links another one, which ends the process at the step it was told. */
void flow_probe(const struct flow *f, bool waits);
/* Name of the step under way, or NULL. */
const char *flow_step_name(const struct flow *f);
/* For "step 3 of 7": steps that are passed over do not count. */
int flow_place(const struct flow *f);
int flow_length(const struct flow *f);
/* Limit of the step under way, s; 0 when there is none. */
double flow_step_limit(const struct flow *f);

#endif
