/* Requests to the kernel over netlink sockets: built, sent, answered before a deadline. Nothing
 * here allocates; one answer is read at a time. */
#ifndef VMDECK_AGENT_NETLINK_H
#define VMDECK_AGENT_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>

struct netlink {
	int fd; /* -1: closed */
	uint32_t seq;
	uint64_t until; /* monotonic ns: no answer is waited for after it */
};

/* A request: header, a fixed struct and attributes. */
struct netlink_msg {
	union {
		struct nlmsghdr h;
		uint8_t bytes[256];
	};
	bool full; /* something did not fit; it is not sent */
};

/* protocol: NETLINK_ROUTE, NETLINK_SOCK_DIAG. 0 or -errno. */
int netlink_open(struct netlink *n, int protocol, uint64_t until);
void netlink_close(struct netlink *n);

/* Begins m with its fixed struct of len bytes; flags beside NLM_F_REQUEST. */
void netlink_begin(
	struct netlink_msg *m, uint16_t type, uint16_t flags, const void *fixed, size_t len);
void netlink_attr(struct netlink_msg *m, uint16_t type, const void *data, size_t len);

/* Sends m and waits for its acknowledgement: 0, the kernel's -errno, or -ETIMEDOUT. */
int netlink_do(struct netlink *n, struct netlink_msg *m);

/* One object of a dump; its fixed struct is there whole (see netlink_dump). fn must not use n. */
typedef void netlink_fn(void *user, const struct nlmsghdr *h);
/* Sends m as a dump and calls fn for each answer of that type whose fixed struct has len bytes.
 * 0 or -errno as netlink_do. */
int netlink_dump(struct netlink *n, struct netlink_msg *m, uint16_t type, size_t len,
	netlink_fn *fn, void *user);
/* The attribute's data when it has min bytes or more, else NULL. fixed: bytes of the fixed struct.
 */
const void *netlink_find(const struct nlmsghdr *h, size_t fixed, uint16_t type, size_t min);

#endif
