/* Address translation by libnftables: on the host for what goes in and out of bridged VMs, in each
 * VM's namespace for what its only link brings. */
#ifndef VMDECK_NET_KEEPER_NAT_H
#define VMDECK_NET_KEEPER_NAT_H

#include "backend/net/net.h"

#define NAT_INNER_PORT 30000 /* of the first published port, inside the namespace */

/* Rules of the calling thread's namespace, a VM's: from up0 and its loopback to the guest, and back
 * out. */
int nat_inside(const struct net_publish *p, int count, struct err *e);

struct nat_host {
	const char *tag;  /* comment on each entry: whose it is */
	uint32_t address; /* the VM's own on the host */
	uint32_t inner;   /* in its namespace */
	const struct net_publish *publish;
	int count;
};
/* On the host (calling thread's namespace): the common table when it is not there, and this VM's
 * entries; -EADDRINUSE when another VM has one of the ports. All or nothing. */
int nat_host_add(const struct nat_host *n, struct err *e);
/* Entries that are not there are done. */
int nat_host_remove(const struct nat_host *n, struct err *e);
/* The common table, once no VM of any home has a link; gives back what forwarding was. */
int nat_host_end(struct err *e);
/* Notes in the table that the host forwarded nothing before: nat_host_end sets it back. */
int nat_note_forwarding_off(struct err *e);

/* Calls fn for each entry with its comment and the text that removes it. */
int nat_foreach(
	void (*fn)(void *user, const char *tag, const char *remove), void *user, struct err *e);
/* Runs one command. */
int nat_run(const char *command, struct err *e);

#endif
