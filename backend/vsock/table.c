/* Connection table: chained hash with a fixed number of buckets. */
#include "backend/vsock/table.h"

#include <stdlib.h>
#include <string.h>

#include "backend/vsock/limits.h"

#define PORT_FIRST (UINT32_C(1) << 30)
#define PORT_COUNT (UINT32_C(1) << 30)

void table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
	list_init(&t->all);
	t->next_port = PORT_FIRST;
}

/* The guest chooses its ports; a bucket holds all 1023 at worst, which is no harm. */
static unsigned bucket(uint32_t host_port, uint32_t guest_port)
{
	uint32_t h = (host_port * UINT32_C(2654435761)) ^ (guest_port * UINT32_C(2246822519));

	return (h >> 16 ^ h) % TABLE_BUCKETS;
}

struct conn *table_find(const struct table *t, uint32_t host_port, uint32_t guest_port)
{
	struct conn *c = t->buckets[bucket(host_port, guest_port)];

	while (c && (c->host_port != host_port || c->guest_port != guest_port))
		c = c->hash_next;
	return c;
}

struct conn *table_add(struct table *t, uint32_t host_port, uint32_t guest_port)
{
	struct conn **b = &t->buckets[bucket(host_port, guest_port)];
	uint32_t alloc = t->count < VSOCK_CONNS_BIG ? VSOCK_BUF_BIG : VSOCK_BUF_SMALL;
	struct conn *c;

	if (t->count >= VSOCK_CONNS_MAX)
		return NULL;
	c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	conn_init(c, host_port, guest_port, alloc);
	c->hash_next = *b;
	c->hashed = true;
	*b = c;
	list_push(&t->all, &c->node);
	t->count++;
	return c;
}

void table_unhash(struct table *t, struct conn *c)
{
	struct conn **p = &t->buckets[bucket(c->host_port, c->guest_port)];

	if (!c->hashed)
		return;
	while (*p != c)
		p = &(*p)->hash_next;
	*p = c->hash_next;
	c->hashed = false;
}

void table_remove(struct table *t, struct conn *c)
{
	table_unhash(t, c);
	list_del(&c->node);
	t->count--;
}

uint32_t table_new_port(struct table *t, uint32_t guest_port)
{
	uint32_t port;

	do {
		port = t->next_port;
		t->next_port = PORT_FIRST + (port + 1 - PORT_FIRST) % PORT_COUNT;
	} while (table_find(t, port, guest_port));
	return port;
}
