/* virtio-vsock packets: the 44-byte header (virtio 1.2, 5.10.6), little-endian on the ring. */
#ifndef VMDECK_VSOCK_PACKET_H
#define VMDECK_VSOCK_PACKET_H

#include <stdint.h>

#define PACKET_HEADER   44
#define PACKET_CID_HOST 2

enum packet_type { PACKET_STREAM = 1, PACKET_SEQPACKET = 2 };

enum packet_op {
	PACKET_REQUEST = 1,
	PACKET_RESPONSE = 2,
	PACKET_RST = 3,
	PACKET_SHUTDOWN = 4,
	PACKET_RW = 5,
	PACKET_CREDIT_UPDATE = 6,
	PACKET_CREDIT_REQUEST = 7,
};

/* Flags of SHUTDOWN: the sender will not receive, will not send any more. */
#define PACKET_SHUT_RCV  1u
#define PACKET_SHUT_SEND 2u
#define PACKET_SHUT_BOTH (PACKET_SHUT_RCV | PACKET_SHUT_SEND)

struct packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len; /* payload bytes that follow the header */
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc; /* credit: the sender's whole receive space, */
	uint32_t fwd_cnt;   /* and how many bytes it has passed on so far, mod 2^32 */
};

/* Any value is a header: the meaning is checked by the receiver (mux_tx.c). */
void packet_decode(const uint8_t in[PACKET_HEADER], struct packet *ret);
void packet_encode(uint8_t out[PACKET_HEADER], const struct packet *p);

/* "RW"; "?" for what is none. */
const char *packet_op_name(uint16_t op);

#endif
