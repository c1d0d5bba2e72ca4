#include "backend/health/health.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define WAIT_LEAST 0.1
#define WAIT_MOST  5.0
#define OWN_MARGIN 0.5 /* s, for a probe that has a deadline itself */

const char *const health_state_names[] = {
	[HEALTH_UNKNOWN] = "unknown",
	[HEALTH_STARTING] = "starting",
	[HEALTH_HEALTHY] = "healthy",
	[HEALTH_UNHEALTHY] = "unhealthy",
	[HEALTH_TIMEOUT] = "timeout",
	[HEALTH_UNREACHABLE] = "unreachable",
	[HEALTH_STOPPED] = "stopped",
};
_Static_assert(countof(health_state_names) == HEALTH__COUNT, "a name for each state");

const struct probe_ops *probe_of(enum health_kind kind)
{
	static const struct probe_ops *const probes[] = {
		[HEALTH_AGENT] = &probe_agent,
		[HEALTH_EXEC] = &probe_exec,
		[HEALTH_HTTP] = &probe_http,
		[HEALTH_TCP] = &probe_tcp,
	};
	_Static_assert(countof(probes) == HEALTH_KIND__COUNT, "a probe for each kind");

	return probes[kind];
}

/* ---- state ----------------------------------------------------------------------------------- */

static void set_state(struct health *h, enum health_state to, const char *reason)
{
	enum health_state from = h->state;

	if (reason != h->reason)
		str_safe(h->reason, sizeof(h->reason), reason);
	if (from == to)
		return;
	h->state = to;
	h->since_ns = wall_ns();
	if (h->cb->on_change)
		h->cb->on_change(h, from);
}

static double limit_of_start(const struct health *h)
{
	return h->spec->start_limit > 0 ? h->spec->start_limit : HEALTH_START_S;
}

/* Not healthy yet, and it has still time to become so. */
static bool is_starting(const struct health *h)
{
	return !h->seen_healthy && (double)(mono_ns() - h->start_ns) < limit_of_start(h) * 1e9;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void wait_for(struct health *h, double s)
{
	ev_timer_stop(h->env.loop, &h->timer);
	ev_now_update(h->env.loop);
	ev_timer_set(&h->timer, s, 0.);
	ev_timer_start(h->env.loop, &h->timer);
}

static double next_wait(const struct health *h, bool good)
{
	double took = (double)h->took_ns / 1e9;

	return good ? health_spec_interval(h->spec) : min_of(max_of(took, WAIT_LEAST), WAIT_MOST);
}

static void judge(struct health *h, enum health_state verdict, const char *reason)
{
	bool good = verdict == HEALTH_HEALTHY;

	h->took_ns = mono_ns() - h->began_ns;
	h->at_ns = wall_ns();
	h->checks++;
	h->failed = good ? 0 : h->failed + 1;
	wait_for(h, next_wait(h, good));
	if (good && h->withholds && !h->seen_healthy) {
		h->seen_healthy = h->withheld = true;
		set_state(h, HEALTH_STARTING, reason);
		h->cb->on_withheld(h);
		return;
	}
	if (!good && verdict != HEALTH_UNREACHABLE && is_starting(h))
		verdict = HEALTH_STARTING;
	h->seen_healthy = h->seen_healthy || good;
	if (good && h->withheld)
		verdict = HEALTH_STARTING;
	set_state(h, verdict, reason);
}

static void on_done(void *user, enum health_state verdict, const char *reason)
{
	struct health *h = user;

	h->probe = NULL;
	judge(h, verdict, reason);
}

static void begin(struct health *h)
{
	struct err e = {0};
	double limit = health_spec_timeout(h->spec);

	h->began_ns = mono_ns();
	h->probe = h->ops->start(&h->env, h->spec, on_done, h, &e);
	if (h->probe)
		wait_for(h, limit + (h->ops->own_deadline ? OWN_MARGIN : 0));
	else if (e.code == EBUSY)
		wait_for(h, WAIT_LEAST);
	else
		judge(h, e.code == ENOTCONN ? HEALTH_UNREACHABLE : HEALTH_UNHEALTHY, e.msg);
}

static void drop_probe(struct health *h, char *doing, size_t n)
{
	struct probe *p = h->probe;

	h->probe = NULL;
	if (p)
		h->ops->cancel(p, doing, n);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct health *h = w->data;
	char doing[200] = "", reason[HEALTH_REASON];

	(void)loop;
	(void)revents;
	if (!h->probe) {
		begin(h);
		return;
	}
	drop_probe(h, doing, sizeof(doing));
	snprintf(reason, sizeof(reason), "no answer within %g s%s%s", health_spec_timeout(h->spec),
		doing[0] ? ": " : "", doing);
	judge(h, HEALTH_TIMEOUT, reason);
}

/* ---- life ------------------------------------------------------------------------------------ */

void health_init(struct health *h, const struct health_spec *spec, const struct probe_env *env,
	const struct health_callbacks *cb, void *user)
{
	*h = (struct health){
		.spec = spec, .env = *env, .cb = cb, .user = user, .state = HEALTH_STARTING};
	snprintf(h->reason, sizeof(h->reason), "its agent has not answered yet");
	h->since_ns = wall_ns();
	ev_init(&h->timer, on_timer);
	h->timer.data = h;
}

void health_fini(struct health *h)
{
	if (!h->env.loop)
		return;
	drop_probe(h, NULL, 0);
	ev_timer_stop(h->env.loop, &h->timer);
}

bool health_started(const struct health *h)
{
	return h->start_ns != 0;
}

static void started(struct health *h)
{
	h->start_ns = mono_ns();
	h->held = h->stale = false;
	if (!h->ops)
		h->ops = probe_of(h->spec->kind);
}

void health_start(struct health *h)
{
	if (health_started(h)) {
		health_go(h);
		return;
	}
	started(h);
	wait_for(h, 0.);
	if (!h->seen_healthy)
		set_state(h, HEALTH_STARTING, "the first check is under way");
}

void health_keep(struct health *h)
{
	h->held = true;
	drop_probe(h, NULL, 0);
	ev_timer_stop(h->env.loop, &h->timer);
}

void health_hold(struct health *h, enum health_state state, const char *reason)
{
	health_keep(h);
	h->stale = true;
	set_state(h, state, reason);
}

void health_go(struct health *h)
{
	char before[200];

	if (!h->held || !health_started(h))
		return;
	h->held = false;
	if (h->stale) {
		snprintf(before, sizeof(before), "%.199s", h->reason);
		snprintf(h->reason, sizeof(h->reason), "%s before; not checked since", before);
	}
	h->stale = false;
	wait_for(h, 0.);
}

void health_passed(struct health *h, uint64_t took_ns, const char *reason)
{
	if (!health_started(h))
		started(h);
	h->began_ns = mono_ns() - took_ns;
	judge(h, HEALTH_HEALTHY, reason);
}

void health_release(struct health *h)
{
	if (!h->withheld)
		return;
	h->withheld = false;
	/* What came after it (a pause, a lost agent, a bad check) is newer. */
	if (h->state == HEALTH_STARTING && !h->failed)
		set_state(h, HEALTH_HEALTHY, h->reason);
}

/* ---- for people ------------------------------------------------------------------------------ */

static void add_ns(struct json_object *o, const char *key, uint64_t ns)
{
	json_object_object_add(o, key, ns ? json_object_new_uint64(ns) : NULL);
}

static void add_number(struct json_object *o, const char *key, double v)
{
	json_object_object_add(o, key, json_object_new_double(v));
}

struct json_object *health_to_json(const struct health *h)
{
	struct json_object *o = json_object_new_object();
	char target[HEALTH_REASON], safe[HEALTH_REASON];

	jsonx_add_str(o, "state", health_state_names[h->state]);
	if (h->withheld)
		snprintf(target, sizeof(target),
			"healthy, but withheld until snapshot '%s' is taken", h->spec->snapshot);
	jsonx_add_str(o, "reason", h->withheld ? target : h->reason);
	jsonx_add_str(o, "probe", probe_of(h->spec->kind)->name);
	health_spec_target(h->spec, target, sizeof(target));
	jsonx_add_str(o, "target", str_safe(safe, sizeof(safe), target));
	add_ns(o, "at_ns", h->at_ns);
	json_object_object_add(
		o, "took_ms", h->at_ns ? json_object_new_double((double)h->took_ns / 1e6) : NULL);
	add_ns(o, "since_ns", h->since_ns);
	add_number(o, "interval_s", health_spec_interval(h->spec));
	add_number(o, "timeout_s", health_spec_timeout(h->spec));
	jsonx_add_int(o, "checks", (int64_t)h->checks);
	jsonx_add_int(o, "failed", h->failed);
	jsonx_add_bool(o, "checking", h->probe != NULL);
	jsonx_add_bool(o, "withheld", h->withheld);
	return o;
}
