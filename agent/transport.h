/* Where the host is: vsock in a guest, or the hybrid convention over UNIX sockets (--unix PATH) for
 * an agent that runs as an ordinary process: it listens on PATH ("CONNECT PORT\n" answered by
 * "OK n\n") and dials PATH_<port>. */
#ifndef VMDECK_AGENT_TRANSPORT_H
#define VMDECK_AGENT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

struct transport {
	const char *unix_path; /* NULL: vsock */
	int listen_fd;
};

/* Listens for exec connections: 0 or -errno. */
int transport_listen(struct transport *t);
/* Stops listening; removes the UNIX socket. */
void transport_fini(struct transport *t);
/* Starts connecting to a port of the host: a non-blocking descriptor, or -errno. *ret_connecting:
 * writable means done, see SO_ERROR. */
int transport_dial(const struct transport *t, uint32_t port, bool *ret_connecting);
/* The next waiting connection, non-blocking, or -errno (-EAGAIN: none). */
int transport_accept(const struct transport *t);
/* UNIX only: takes the CONNECT line from a new connection and answers it. 0 done, -EAGAIN not all
 * there yet, -EPROTO not for us. */
int transport_preface(int fd);

#endif
