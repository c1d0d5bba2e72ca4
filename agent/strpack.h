/* Strings of a request, copied out of its frame: NUL-ended, one behind the other. */
#ifndef VMDECK_AGENT_STRPACK_H
#define VMDECK_AGENT_STRPACK_H

#include "agent/wire.h"

struct strpack {
	char *buf; /* the owner's */
	size_t cap, len, count;
};

void strpack_init(struct strpack *p, void *buf, size_t cap);
/* 0 or -E2BIG. A frame's strings always fit into WIRE_PAYLOAD_MAX: each had a length of 2 bytes. */
int strpack_add(struct strpack *p, const struct wire_str *s);
int strpack_addv(struct strpack *p, const struct wire_str *v, uint16_t n);
/* Pointers to `n` strings after the first `skip` into out, then NULL; out has n + 1 places. Strings
 * that are not there are left out. Returns how many were found. */
size_t strpack_list(const struct strpack *p, size_t skip, size_t n, char **out);

#endif
