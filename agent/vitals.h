/* Health of the guest, read from /proc without a fork. */
#ifndef VMDECK_AGENT_VITALS_H
#define VMDECK_AGENT_VITALS_H

#include <stddef.h>

#include "agent/wire.h"

#define VITALS_WHY_MAX 512

struct agent;

/* Fills v; what cannot be read is WIRE_VITAL_UNKNOWN with the reason in v->why, whose text is put
 * into why (n bytes). */
void vitals_read(const struct agent *a, struct wire_vitals *v, char *why, size_t n);

#endif
