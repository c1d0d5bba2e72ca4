/* For unit tests of libev code: one loop with a deadline for every wait, a temporary folder, and
 * peers that speak agent/wire.h over UNIX sockets inside the same process. A wait runs the loop, so
 * the code under test works while its peer waits; nothing sleeps. */
#ifndef VMDECK_TESTS_LOOPTEST_H
#define VMDECK_TESTS_LOOPTEST_H

#include <ev.h>
#include <stdbool.h>

#include "agent/wire.h"

#define T_DEADLINE 30.0 /* s, of one wait */

/* cmocka setup and teardown of each test: loop, folder; checks that no descriptor and no watcher is
 * left. */
int t_setup(void **state);
int t_teardown(void **state);

extern struct ev_loop *t_loop;
extern char t_dir[64];

/* "<t_dir>/name" in a ring of static buffers. */
const char *t_path(const char *name);
int t_count_fds(void);

/* Runs the loop until *flag is not 0. what names the wait. */
void t_until(const int *flag, const char *what);
/* Runs the loop until the condition holds. */
#define T_UNTIL(cond, what)                                                                        \
	do {                                                                                       \
		double t_end_ = ev_time() + T_DEADLINE;                                            \
		while (!(cond))                                                                    \
			t_turn(t_end_, what);                                                      \
	} while (0)
/* One turn of the loop; fails after the time `end`. */
void t_turn(double end, const char *what);
/* Runs the loop for s seconds: only to see that nothing happens. */
void t_quiet(double s);

struct peer {
	int fd;
	struct wire_reader r;
	uint8_t buf[WIRE_HEADER + WIRE_PAYLOAD_MAX];
	struct wire_frame f; /* the last one */
};

/* Connects to the socket. */
void peer_dial(struct peer *p, const char *path);
/* Takes fd. */
void peer_take(struct peer *p, int fd);
void peer_close(struct peer *p);
/* Sends all of it, running the loop while the other side does not read. False: broken pipe. */
bool peer_send(struct peer *p, const void *data, size_t n);
void peer_put(struct peer *p, int n, const void *frame); /* peer_send of an encoder's result */
/* The next frame in p->f; it must be of this type. */
void peer_expect(struct peer *p, uint8_t type);
/* The next frame in p->f; false: end of file. */
bool peer_next(struct peer *p);
/* Nothing but the end of file follows. */
void peer_expect_eof(struct peer *p);

/* A listening UNIX socket. */
int t_listen(const char *path);
/* Accepts, running the loop until someone comes. */
int t_accept(int listener);
/* Reads exactly n bytes of fd, running the loop. */
void t_read(int fd, void *out, size_t n);
/* Accepts a host's "CONNECT <port>\n" on a hybrid socket and answers "OK". */
void peer_accept_hybrid(struct peer *p, int listener, unsigned port);

#endif
