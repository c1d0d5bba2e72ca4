/* The guest's one ethernet interface, its default route and its resolvers, as HELLO asks. */
#ifndef VMDECK_AGENT_NETWORK_H
#define VMDECK_AGENT_NETWORK_H

#include <stdbool.h>

#include "agent/wire.h"

struct network {
	const char *etc; /* the folder of resolv.conf; NULL: the network here is not the agent's */
	bool loaded;     /* the driver, or there is no device */
	char why[WIRE_WHY_MAX + 1]; /* the first failure of the last HELLO */
};

/* Whether the machine has a virtio network device; the driver need not be there. */
bool network_device(void);
/* Loads the driver when there is a device, once: some 20 ms emulated, so best while an answer of
 * the host is on its way. Only in a guest of ours. */
void network_prepare(struct network *n);
/* Sets up what w asks for and puts state, and why it failed, into ack (network_why points into n).
 * What is as it should be is left alone, so that this may come at any HELLO. restored: what the
 * machine that this one was copied from knew and had open is forgotten first. Takes 2 s at most;
 * after a failure the other parts are done all the same. */
void network_apply(
	struct network *n, const struct wire_network *w, bool restored, struct wire_hello_ack *ack);

#endif
