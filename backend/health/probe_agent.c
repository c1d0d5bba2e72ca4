/* PING to the agent, answered from its loop without a fork. */
#include <errno.h>
#include <string.h>

#include "backend/base/str.h"
#include "backend/health/probe.h"

/* Freed by its pong, which always comes; dropped: nobody wants it any more. */
struct ping_check {
	struct probe base;
	bool dropped;
};

static void on_pong(void *user, int r, uint64_t rtt_ns, uint64_t uptime_ns, uint32_t execs)
{
	struct ping_check *c = user;
	struct probe p = c->base;
	bool dropped = c->dropped;
	char text[100], took[32];

	(void)uptime_ns;
	(void)execs;
	free(c);
	if (dropped)
		return;
	if (r == 0)
		snprintf(text, sizeof(text), "the agent answered in %s",
			str_duration(took, sizeof(took), rtt_ns));
	else
		snprintf(text, sizeof(text), "%s",
			r == -ENOTCONN ? "agent connection lost" : "the agent did not answer");
	p.done(p.user,
		r == 0           ? HEALTH_HEALTHY
		: r == -ENOTCONN ? HEALTH_UNREACHABLE
				 : HEALTH_TIMEOUT,
		text);
}

static struct probe *start(const struct probe_env *env, const struct health_spec *spec,
	probe_done *done, void *user, struct err *e)
{
	struct ping_check *c;

	if (!env->guest) {
		err_set(e, ENOTCONN, "agent connection lost");
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->base = (struct probe){&probe_agent, done, user};
	/* The monitor's own deadline comes first. */
	if (guest_ping(env->guest, health_spec_timeout(spec) + 1, on_pong, c, e) < 0) {
		free(c);
		return NULL;
	}
	return &c->base;
}

static void cancel(struct probe *p, char *doing, size_t n)
{
	container_of(p, struct ping_check, base)->dropped = true;
	if (doing)
		snprintf(doing, n, "the agent is connected but silent");
}

const struct probe_ops probe_agent = {.name = "agent", .start = start, .cancel = cancel};
