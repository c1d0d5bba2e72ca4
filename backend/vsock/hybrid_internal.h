/* Between hybrid.c (thread), listen.c (the socket) and stream.c (host streams) only. */
#ifndef VMDECK_VSOCK_HYBRID_INTERNAL_H
#define VMDECK_VSOCK_HYBRID_INTERNAL_H

#include <pthread.h>

#include "backend/vsock/gate.h"
#include "backend/vsock/hybrid.h"
#include "backend/vsock/line.h"
#include "backend/vsock/mux.h"

/* What an epoll event points to: embedded in its owner. */
struct source {
	void (*fn)(struct hybrid *h, struct source *s, uint32_t events);
};

struct stream {
	struct source source;
	struct list node;  /* greeting ones in order of deadline, waiting ones, or the dead */
	struct conn *conn; /* NULL: no CONNECT line yet, or waiting */
	int fd;            /* owned; -1: dead */
	bool eof, hup;     /* the peer sends no more; it has closed */
	bool armed;        /* epoll tells when it is writable */
	bool waiting;      /* for the device to run, then it dials */
	uint32_t port;     /* of the CONNECT line */
	uint64_t deadline; /* of the first line, ms */
	unsigned line_len;
	char line[LINE_MAX_BYTES];
};

struct queue {
	struct source source; /* the kick */
	struct ring ring;
	int fds[HYBRID_FDS];
};

struct hybrid {
	struct gate gate; /* everything below */
	struct mux mux;
	struct queue queues[HYBRID_QUEUES];
	bool running, quit, spawned;
	bool more; /* the last pass ended at its limit */
	pthread_t thread;
	int epfd, wake, listen_fd;
	struct source listen_source, wake_source;
	uint64_t now;     /* ms */
	uint64_t stopped; /* ms that the device did not run, all together */
	uint64_t stopped_at;
	uint64_t accept_at; /* no accept before; 0: at any time */
	struct list greeting, waiting, dead;
	unsigned greeting_count; /* the waiting ones too */
	struct ram *ram;         /* borrowed; NULL: nobody keeps it */
	unsigned complaints;     /* printed so far */
	char path[HYBRID_PATH_MAX + 1];
};

/* listen.c */
int listen_open(struct hybrid *h, const char *path, char *why, size_t why_n);
/* Accepts or not, by accept_at. */
void listen_update(struct hybrid *h);

/* stream.c */
extern const struct mux_ops stream_ops;
/* Takes over fd: a host peer that has to send its first line. */
void stream_accepted(struct hybrid *h, int fd);
/* The device runs: peers that waited for it dial. */
void stream_dial_waiting(struct hybrid *h);
/* Closes streams whose first line is overdue; frees the dead; closes those without a connection. */
void stream_expire(struct hybrid *h);
void stream_reap(struct hybrid *h);
void stream_close_greeting(struct hybrid *h);

/* Closes fd so that the peer reads an end of file and not a reset. */
void close_softly(int fd);

#endif
