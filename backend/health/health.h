/* The health of one VM: one check at a time, when the next one is due, and the state that follows
 * from them.
 *
 * Theory of operation:
 *	start: Starting, the first check at once
 *	a check ends: Healthy, or (before it ever was healthy, for a while) Starting with the
 *reason, or Unhealthy, Timeout, Unreachable the next check: after the interval while Healthy, else
 *after the time the last one took, clamped to 0.1 to 5 s hold: no checks (paused, no agent, gone);
 *what is under way is dropped, it counts for nothing go: the next check at once */
#ifndef VMDECK_HEALTH_HEALTH_H
#define VMDECK_HEALTH_HEALTH_H

#include "backend/health/probe.h"

#define HEALTH_START_S 60. /* without a start limit: failed checks say Starting for so long */

struct health;

struct health_callbacks {
	/* The state changed (h->state, h->reason); last thing a call of this header does. */
	void (*on_change)(struct health *h, enum health_state from);
	/* The first good check of one that withholds it: Healthy only follows health_release. */
	void (*on_withheld)(struct health *h);
};

/* Embedded by its owner; others read only. */
struct health {
	const struct health_spec *spec; /* borrowed */
	const struct probe_ops *ops;
	struct probe_env env;
	const struct health_callbacks *cb;
	void *user;
	enum health_state state;
	char reason[HEALTH_REASON];
	uint64_t since_ns, at_ns; /* wall clock: of the state, of the last check's end (0: none) */
	uint64_t took_ns;         /* the last check */
	uint64_t start_ns;        /* monotonic; 0: not started */
	uint64_t began_ns;        /* monotonic, of the check under way */
	uint64_t checks;
	unsigned failed; /* in a row */
	bool held;
	bool stale;          /* held, and the state is not a check's */
	bool seen_healthy;   /* once: it does not start any more */
	bool withholds;      /* set by the owner before start: the first Healthy waits */
	bool withheld;       /* it waits just now */
	struct probe *probe; /* under way */
	ev_timer timer;      /* the next check, or the deadline of the one under way */
};

/* Starting, not started. env's guest may be changed by the owner while held. */
void health_init(struct health *h, const struct health_spec *spec, const struct probe_env *env,
	const struct health_callbacks *cb, void *user);
/* Drops what is under way; no callback. */
void health_fini(struct health *h);
/* Checks begin; the first one now. When started already: as health_go. */
void health_start(struct health *h);
bool health_started(const struct health *h);
/* No checks, the state stays. */
void health_keep(struct health *h);
/* No checks, in this state. */
void health_hold(struct health *h, enum health_state state, const char *reason);
void health_go(struct health *h);
/* A check that somebody else made of a VM not started yet was good: Healthy, the next one after the
 * interval. */
void health_passed(struct health *h, uint64_t took_ns, const char *reason);
/* What was withheld is published. */
void health_release(struct health *h);

/* {state, reason, probe, target, at_ns, took_ms, since_ns, interval_s, timeout_s, checks, failed,
 * checking, withheld}; the caller's. */
struct json_object *health_to_json(const struct health *h);

#endif
