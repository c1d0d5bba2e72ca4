/* What VMs' networks have left on the host when their keeper was killed. */
#ifndef VMDECK_DAEMON_SWEEP_H
#define VMDECK_DAEMON_SWEEP_H

#include <json-c/json.h>

#include "backend/base/path.h"
#include "backend/base/task.h"

/* As net_sweep, for all VMs of this home that do not live. */
int sweep_network(const struct paths *p, bool remove, struct json_object **ret, struct err *e);
/* Removes it on a thread; what was found is logged. */
void sweep_network_later(struct task *t, struct ev_loop *loop, const struct paths *p);

#endif
