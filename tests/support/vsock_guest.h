/* The guest's side of the vsock rings, for tests: guest memory between guard bytes, two split rings
 * driven as a driver does it (or as none should), and packets in and out. */
#ifndef VMDECK_TESTS_VSOCK_GUEST_H
#define VMDECK_TESTS_VSOCK_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/vsock/packet.h"
#include "backend/vsock/ring.h"

#define GUEST_CID       3
#define GUEST_BUF_ALLOC 262144
/* Two regions that touch in guest-physical space and do not in ours, then a hole. */
#define GUEST_GPA  0x100000u
#define GUEST_GPA2 (GUEST_GPA + GUEST_MEM)
#define GUEST_HOLE (GUEST_GPA2 + GUEST_MEM2)
#define GUEST_MEM  0x800000u
#define GUEST_MEM2 0x10000u

enum guest_flags { GUEST_EVENT_IDX = 1, GUEST_INDIRECT = 2 };
enum { GUEST_RX, GUEST_TX, GUEST_QUEUES };

/* One buffer of a chain. */
struct guest_seg {
	uint64_t gpa;
	uint32_t len;
	bool write;
};

struct guest_ring {
	uint16_t num;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t avail_idx, used_idx, kicked; /* kicked: avail_idx at the last look */
	uint16_t nfree;
	uint16_t *free_desc, *chain_len; /* stack of free ones; descriptors of the chain by head */
};

struct guest {
	uint8_t *raw[2];  /* malloc'd: guard, region, guard */
	uint8_t *base[2]; /* the regions */
	unsigned flags;
	uint16_t start; /* ring index to begin with */
	struct guest_ring rings[GUEST_QUEUES];
	uint64_t rx_bufs, tx_bufs, tables; /* gpa of a slot for each descriptor */
	uint32_t rx_size;
	uint16_t nslots, *slots, *slot_of; /* free tx buffers; the one a chain uses, by head */
	struct mem mem;
	uint8_t *last_payload; /* of guest_recv, in guest memory */
};

/* num descriptors in each ring (power of two, <= 128); rx buffers of rx_size bytes; start: first
 * index of both rings. */
void guest_init(struct guest *g, uint16_t num, uint32_t rx_size, unsigned flags);
void guest_init_at(struct guest *g, uint16_t num, unsigned flags, uint16_t start);
/* Fails the test when a guard byte was written. */
void guest_fini(struct guest *g);
void guest_check_guards(const struct guest *g);

/* What the VMM would tell the device. */
struct ring_layout guest_layout(const struct guest *g, unsigned queue);
void *guest_ptr(const struct guest *g, uint64_t gpa);
/* Empties both rings as a driver's reset does, indexes from 0. */
void guest_reset(struct guest *g);

/* Adds a chain; returns its head. Asserts that descriptors are left. */
uint16_t guest_add(struct guest *g, unsigned queue, const struct guest_seg *segs, unsigned n);
/* The same as one indirect descriptor. */
uint16_t guest_add_indirect(
	struct guest *g, unsigned queue, const struct guest_seg *segs, unsigned n);
/* Raw access: writes descriptor i, publishes a head without any check. */
void guest_desc(struct guest *g, unsigned queue, uint16_t i, uint64_t addr, uint32_t len,
	uint16_t flags, uint16_t next);
void guest_publish(struct guest *g, unsigned queue, uint16_t head);
void guest_set_avail_idx(struct guest *g, unsigned queue, uint16_t idx);
/* Takes the next used element: true and head, len. */
bool guest_used(struct guest *g, unsigned queue, uint16_t *ret_head, uint32_t *ret_len);
/* Frees all tx chains that came back; returns how many. */
unsigned guest_reclaim(struct guest *g);
/* True when the driver has to kick for what it added since the last call. */
bool guest_wants_kick(struct guest *g, unsigned queue);
/* EVENT_IDX: interrupt at the next used element; otherwise: flag on or off. */
void guest_irq(struct guest *g, unsigned queue, bool on);

/* Gives the device receive buffers: n, or all that are left. */
void guest_post(struct guest *g, unsigned n);
void guest_post_all(struct guest *g);
/* A packet of the guest on its way: header and payload as Linux lays them out (two descriptors, or
 * one indirect). false: no room is left. */
bool guest_send(struct guest *g, const struct packet *p, const void *payload);
/* The next packet from the device: true, its header, and last_payload. The buffer is free again
 * (not posted). Empty ones (a buffer given back) are skipped. */
bool guest_recv(struct guest *g, struct packet *ret);

/* Bytes of a stream by their place, with no period that the size of a ring or buffer could hide,
 * and a test that fails at the first wrong one. */
uint8_t pattern_at(uint64_t n);
void pattern_fill(void *p, uint64_t at, size_t n);
void pattern_check(const void *p, uint64_t at, size_t n);

/* A packet from the guest's port to the host's, with generous credit. */
struct packet guest_packet(uint32_t guest_port, uint32_t host_port, enum packet_op op);

#endif
