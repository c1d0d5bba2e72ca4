/* One split virtqueue, device side (virtio 1.2, 2.7). The guest owns every byte of it and may write
 * at any time: indexes are loaded once, each descriptor is copied once, every loop has a cap. What
 * no driver does breaks the ring: it is then left alone until it is set up again. */
#ifndef VMDECK_VSOCK_RING_H
#define VMDECK_VSOCK_RING_H

#include <stdbool.h>

#include "backend/vsock/mem.h"

#define RING_SIZE_MAX 32768

/* As the VMM gives it: user addresses, the index to go on from, negotiated features. */
struct ring_layout {
	uint32_t num;
	uint64_t desc, avail, used;
	uint16_t base;
	bool event_idx, indirect;
};

struct ring {
	const struct mem *mem; /* borrowed */
	struct ring_layout layout;
	uint16_t num;
	bool event_idx, indirect;
	uint8_t *desc, *avail, *used;
	uint16_t last_avail; /* next chain to take */
	uint16_t avail_idx;  /* the guest's index as loaded last */
	uint16_t used_idx;   /* next used element to write */
	uint16_t signalled;  /* used_idx when the guest was last considered for an interrupt */
	bool signalled_ok;   /* false after the start: the first interrupt is not suppressed */
	const char *broken;  /* what the guest did, or NULL */
};

/* A chain: n segments, the first n_read of them for the device to read, the others to write. */
struct ring_chain {
	uint16_t head;
	unsigned n, n_read;
	struct iovec *iov;
	size_t len; /* sum of all segments */
};

/* Binds r to guest memory and reads the used index from there. -EINVAL: size no power of two or
 * above RING_SIZE_MAX, an address not aligned, or the used ring over another part; -EFAULT: a part
 * outside the regions. *r is written only on success. */
int ring_init(struct ring *r, const struct mem *mem, const struct ring_layout *l);

/* The memory table has changed under the ring: finds its parts again. A ring that has lost a part
 * is broken. */
void ring_rebind(struct ring *r);

/* Looks at the chain `ahead` places after the next one without taking it: its segments go to iov
 * (max entries). 1: *ret is set; 0: there is none yet; -1: the ring is broken. */
int ring_peek(
	struct ring *r, uint16_t ahead, struct iovec *iov, unsigned max, struct ring_chain *ret);

/* Takes the next n chains, which were peeked at. */
void ring_take(struct ring *r, uint16_t n);

/* Gives a taken chain back with len bytes written into it. */
void ring_push(struct ring *r, uint16_t head, uint32_t len);

/* Whether the guest must be interrupted for what was pushed since the last call. */
bool ring_signal(struct ring *r);

/* Asks the guest not to kick (a hint), and to kick at the next chain it adds. The latter returns
 * true when there is one already: then no kick will come for it. */
void ring_kick_off(struct ring *r);
bool ring_kick_on(struct ring *r);

/* Marks the ring broken for the given reason; returns -1. */
int ring_break(struct ring *r, const char *why);

#endif
