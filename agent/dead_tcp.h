/* TCP connections that a restored copy of a guest finds open and whose other end knows the guest it
 * was copied from, not this one: ended at once, so that programs see it and dial again. */
#ifndef VMDECK_AGENT_DEAD_TCP_H
#define VMDECK_AGENT_DEAD_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESSES_MAX 64

struct address {
	uint8_t ip[16]; /* IPv4: as ::ffff:a.b.c.d */
	uint8_t bits;   /* of its own family */
	bool v4;
	bool out; /* of the interface that leads out of the guest */
};

/* The guest's own addresses. */
struct addresses {
	struct address v[ADDRESSES_MAX];
	size_t n;
};

/* Ends each TCP connection from one of those that lead out to an address that is none of them;
 * listeners and connections inside the guest stay. until: monotonic ns. How many, or -errno:
 * -ENOENT when the kernel cannot (modules inet_diag, tcp_diag), -EOPNOTSUPP, -ETIMEDOUT. */
int dead_tcp_close(const struct addresses *all, uint64_t until);

#endif
