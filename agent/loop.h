/* The agent's event loop: {descriptor, handler} slots and timers over epoll, all in fixed memory.
 *
 * A handler may add, change and delete any slot, its own too: an event that epoll had already
 * reported for a deleted slot is not delivered. */
#ifndef VMDECK_AGENT_LOOP_H
#define VMDECK_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* 72 commands with 4 descriptors each, and the agent's own. */
#define LOOP_SLOTS 320

typedef void loop_fn(void *user, uint32_t events);
typedef void timer_fn(void *user);

struct loop_slot {
	int fd; /* -1: free */
	uint32_t events, gen;
	loop_fn *fn;
	void *user;
};

/* Embedded in its owner; zeroed memory is a stopped timer. */
struct timer {
	uint64_t due; /* monotonic ns; 0: stopped */
	timer_fn *fn;
	void *user;
	struct timer *next, **link;
};

struct loop {
	int ep;
	bool quit;
	struct timer *timers;
	struct loop_slot slots[LOOP_SLOTS];
};

/* 0 or -errno. */
int loop_init(struct loop *l);
/* Runs until loop_quit. */
void loop_run(struct loop *l);
void loop_quit(struct loop *l);

/* Watches fd (which the caller keeps): the slot, or -ENOSPC or another -errno. events as of epoll,
 * level-triggered; 0: nothing is reported, not even an error or hang-up. */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *user);
void loop_set(struct loop *l, int slot, uint32_t events);
/* Stops watching and sets *slot to -1; call it before the descriptor is closed. -1 is fine. */
void loop_del(struct loop *l, int *slot);

/* A descriptor that is owned and watched. {-1, -1}: closed. */
struct watch {
	int fd, slot;
};

/* Takes fd (closes it on failure). 0 or -errno. */
int watch_open(struct loop *l, struct watch *w, int fd, uint32_t events, loop_fn *fn, void *user);
void watch_close(struct loop *l, struct watch *w);

/* Calls fn once in ms milliseconds; starting it again moves it. */
void timer_start(struct loop *l, struct timer *t, uint32_t ms, timer_fn *fn, void *user);
void timer_stop(struct timer *t);

#endif
