/* Every limit of the vsock device, in one place. What the guest or a host peer can make it hold or
 * wait for is bounded by these. */
#ifndef VMDECK_VSOCK_LIMITS_H
#define VMDECK_VSOCK_LIMITS_H

/* Connections at once, in every state, those without a CONNECT line yet included (Firecracker's
 * number). */
#define VSOCK_CONNS_MAX 1023

/* Bytes of a connection that the guest may send ahead of the host peer: the buf_alloc we announce.
 * Linux uses 256 KiB at most; many connections get less, so that all of them together stay below
 * VSOCK_CONNS_BIG * 256 KiB + the rest * 64 KiB = 88 MiB, and only when no host peer reads. */
#define VSOCK_BUF_BIG   262144u
#define VSOCK_BUF_SMALL 65536u
#define VSOCK_CONNS_BIG 128

/* Payload of one packet from the guest (Linux: VIRTIO_VSOCK_MAX_PKT_BUF_SIZE). */
#define VSOCK_PAYLOAD_MAX 65536u

/* Receive buffers that one connection fills before the next one has its turn. */
#define VSOCK_TURN_CHAINS 16
/* RSTs for packets without a connection that wait for a receive buffer; further ones are dropped
 * (the guest then runs into its own 2 s limit), and how many go out between two turns. */
#define VSOCK_REPLIES_MAX  256
#define VSOCK_REPLIES_TURN 16

/* Work of one pass, after which the thread looks at its events again. */
#define VSOCK_TX_CHAINS 256
#define VSOCK_TX_BYTES  1048576u
#define VSOCK_RX_CHAINS 64
#define VSOCK_ACCEPTS   64

/* Segments of one descriptor chain; more is a broken queue. QEMU has the same limit. */
#define VSOCK_SEGMENTS_MAX 1024

/* Smaller payloads are copied and written to the host together at the end of a pass. */
#define VSOCK_DIRECT_MIN 16384u

/* Waits, ms. */
#define VSOCK_GREETING_MS     10000 /* host peer connected -> its whole first line */
#define VSOCK_REQUEST_MS      10000 /* REQUEST -> RESPONSE of the guest */
#define VSOCK_CLOSE_MS        2000 /* SHUTDOWN of both directions -> RST, both ways (Firecracker's) */
#define VSOCK_LINGER_MS       60000 /* the guest is done -> host peer has read the last byte */
#define VSOCK_ACCEPT_PAUSE_MS 1000  /* no fd left -> next accept */

#endif
