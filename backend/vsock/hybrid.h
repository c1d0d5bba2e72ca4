/* The host side of the device: Firecracker's hybrid socket, and the thread that serves it and the
 * rings.
 *
 * A host peer connects to <path>, sends "CONNECT <port>\n" (32 bytes at most, any case, further
 * words ignored), gets "OK <host port>\n" and then the raw stream; every failure is a silent end of
 * file. While the device is stopped the line is taken, and acted on when it runs.
 * "MEMORY private\n" makes guest memory private (ram.h) and is answered by "OK private\n", or
 * "ERROR <sentence>\n"; "MEMORY state\n" by "OK none\n", "OK shared\n" or "OK private\n"; then
 * comes the end. Both work while the device is stopped, too.
 * A connection of the guest to host port P is a connection to <path>_P; nobody listening
 * there, or a full backlog, is an RST. Beyond Firecracker: a CONNECT line may come in pieces, a
 * half close is passed on both ways, and no byte that either side sent before its end is lost. */
#ifndef VMDECK_VSOCK_HYBRID_H
#define VMDECK_VSOCK_HYBRID_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/vsock/ring.h"

#define HYBRID_PATH_MAX 96 /* so that "<path>_4294967295" fits into a UNIX socket's address */

enum hybrid_queue { HYBRID_RX, HYBRID_TX, HYBRID_QUEUES };
enum hybrid_fd { HYBRID_KICK, HYBRID_CALL, HYBRID_ERR, HYBRID_FDS };

struct hybrid;
struct ram;

/* Binds and listens on path; a socket there that nobody serves is replaced. Connections are
 * accepted from hybrid_spawn on. On failure -errno, and why holds a sentence. */
int hybrid_new(struct hybrid **ret, const char *path, char *why, size_t why_n);

/* Starts the thread, all signals blocked; once. -errno. */
int hybrid_spawn(struct hybrid *h);

/* Ends the thread, closes everything; the socket's name stays. NULL is fine. */
void hybrid_free(struct hybrid *h);

/* The functions below are for the time between enter and leave, when the thread stands still. */
void hybrid_enter(struct hybrid *h);
void hybrid_leave(struct hybrid *h);

/* Takes over fd (-1: none) and closes the one it had. */
void hybrid_set_fd(struct hybrid *h, enum hybrid_queue q, enum hybrid_fd which, int fd);
/* What MEMORY lines act on; borrowed. NULL: there is none. */
void hybrid_set_ram(struct hybrid *h, struct ram *ram);
void hybrid_set_cid(struct hybrid *h, uint64_t cid);

/* From start to stop the thread serves the rings (copied); connections live
 * on over stop and start. After stop no guest memory is touched; ret_base gets the next index of
 * each ring. */
void hybrid_start(struct hybrid *h, const struct ring rings[HYBRID_QUEUES]);
void hybrid_stop(struct hybrid *h, uint16_t ret_base[HYBRID_QUEUES]);
/* The memory table that the rings refer to has changed. */
void hybrid_rebind(struct hybrid *h);

/* The guest was reset or replaced: its connections end. */
void hybrid_forget_guest(struct hybrid *h);
/* Host ports of coming connections start at a random place: the guest was restored and may still
 * know ports of its former life. */
void hybrid_random_ports(struct hybrid *h);

/* Connections in any state, those without a CONNECT line included (for tests and reports). */
unsigned hybrid_count(const struct hybrid *h);

#endif
