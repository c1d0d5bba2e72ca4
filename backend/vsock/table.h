/* The connections of a device by (host port, guest port), their number limited. */
#ifndef VMDECK_VSOCK_TABLE_H
#define VMDECK_VSOCK_TABLE_H

#include "backend/vsock/conn.h"

#define TABLE_BUCKETS 1024 /* power of two */

struct table {
	struct list all;
	unsigned count; /* every connection that is not freed, GONE ones included */
	struct conn *buckets[TABLE_BUCKETS];
	uint32_t next_port; /* of the next host-initiated connection */
};

void table_init(struct table *t);

/* The connection the guest means by these ports, or NULL. */
struct conn *table_find(const struct table *t, uint32_t host_port, uint32_t guest_port);

/* A new connection that the table owns; the ports are free. NULL: the limit is reached, or memory
 * is gone. */
struct conn *table_add(struct table *t, uint32_t host_port, uint32_t guest_port);

/* The ports mean nothing any more; the connection stays. */
void table_unhash(struct table *t, struct conn *c);

/* Takes it out of the table (not out of other lists, not freed). */
void table_remove(struct table *t, struct conn *c);

/* A host port for a connection to guest_port: 2^30 .. 2^31 - 1 in sequence, so that one that was
 * used lately never comes back. */
uint32_t table_new_port(struct table *t, uint32_t guest_port);

#endif
