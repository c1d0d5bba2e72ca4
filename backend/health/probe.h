/* Probes: one way each to check a VM once. A check is a struct probe from start to its one done, or
 * to cancel. Deadlines, intervals and states are the monitor's (health.h). */
#ifndef VMDECK_HEALTH_PROBE_H
#define VMDECK_HEALTH_PROBE_H

#include <ev.h>

#include "backend/base/err.h"
#include "backend/guest/guest.h"
#include "backend/health/spec.h"

#define HEALTH_REASON 300 /* bytes */

enum health_state {
	HEALTH_UNKNOWN,
	HEALTH_STARTING,
	HEALTH_HEALTHY,
	HEALTH_UNHEALTHY,
	HEALTH_TIMEOUT,
	HEALTH_UNREACHABLE,
	HEALTH_STOPPED,
	HEALTH__COUNT
};
extern const char *const health_state_names[HEALTH__COUNT];

/* A socket as socket(2) makes it, but inside the VM's network namespace. An fd, or -errno with e.
 */
typedef int health_open_socket(void *user, int family, int type, struct err *e);

/* What of the VM probes use; borrowed. guest NULL: it has no agent session. */
struct probe_env {
	struct ev_loop *loop;
	struct guest *guest;
	const char *vsock_path;
	health_open_socket *open_socket; /* NULL: the VM has no network */
	void *net_user;
};

/* The check ended; the probe is freed already. Never before start has returned. */
typedef void probe_done(void *user, enum health_state verdict, const char *reason);

struct probe {
	const struct probe_ops *ops;
	probe_done *done;
	void *user;
};

struct probe_ops {
	const char *name;
	/* The probe itself ends a check within spec's timeout, and says best what it waited for. */
	bool own_deadline;
	/* NULL with e: -EBUSY it cannot be asked just now (no verdict), -ENOTCONN no agent, else it
	 * is unhealthy. */
	struct probe *(*start)(const struct probe_env *env, const struct health_spec *spec,
		probe_done *done, void *user, struct err *e);
	/* Ends and frees it, done is not called. doing (n bytes; may be NULL) gets what it waited
	 * for. */
	void (*cancel)(struct probe *p, char *doing, size_t n);
};

extern const struct probe_ops probe_agent, probe_exec, probe_http, probe_tcp;
const struct probe_ops *probe_of(enum health_kind kind);

/* http:// with an address as host: names would be looked up outside of the VM's namespace. */
int probe_http_check(const char *url, struct err *e);

#endif
