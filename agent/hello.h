/* What the host told this guest in HELLO, and the steps that make the guest itself (again). */
#ifndef VMDECK_AGENT_HELLO_H
#define VMDECK_AGENT_HELLO_H

#include <stdbool.h>

#include "agent/strpack.h"

struct agent;

struct identity {
	uint8_t boot[WIRE_ID];       /* the kernel's */
	uint8_t generation[WIRE_ID]; /* zero before the first HELLO */
	uint8_t instance[WIRE_ID];
	struct strpack env; /* for the main process and every command */
	int random_fd;      /* of the random generator, opened early: a restore has no time */
	char env_buf[WIRE_PAYLOAD_MAX];
};

void identity_init(struct identity *id);
/* Reads the kernel's boot id and opens what HELLO needs (after /proc and /dev are mounted). */
void identity_read_boot(struct identity *id);
/* The guest's wall clock minus the host's, which was host_ns when the monotonic time was came_ns.
 * Sets the guest's when the guest is ours and it is off by CLOCK_SLACK_NS or more, or always. */
int64_t clock_fix(const struct agent *a, uint64_t host_ns, uint64_t came_ns, bool always);

/* Applies h; came_ns is the monotonic time it arrived. A generation already known changes nothing,
 * except a clock that stood still for CLOCK_SLACK_NS or more (a paused machine). Steps that fail
 * are said on the console and do not stop the others. */
void hello_apply(
	struct agent *a, const struct wire_hello *h, uint64_t came_ns, struct wire_hello_ack *ack);

#endif
