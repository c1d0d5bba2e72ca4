/* resolv.conf of the guest: what HELLO says of resolvers and search names. */
#ifndef VMDECK_AGENT_RESOLV_H
#define VMDECK_AGENT_RESOLV_H

#include <stddef.h>

#include "agent/wire.h"

/* Makes DIR/resolv.conf say what n says, by a temporary file and rename; a symbolic link in its
 * place is replaced, not followed. Nothing is written when it says so already, or when n has no
 * resolvers. What is no address or no name is left out and said in why. 0, -EINVAL for such, or
 * another -errno with why filled. */
int resolv_write(const char *dir, const struct wire_network *n, char *why, size_t cap);

#endif
