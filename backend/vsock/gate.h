/* A lock between one busy thread, which holds it while it works and gives it up while it waits for
 * events, and callers that must get in soon: a caller waits for one pass of the thread at most, as
 * the thread never enters past a waiting caller. (A plain mutex may be taken again and again by a
 * thread that gives it up only for a moment.) */
#ifndef VMDECK_VSOCK_GATE_H
#define VMDECK_VSOCK_GATE_H

#include <pthread.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t calm;
	unsigned callers; /* waiting or inside; atomic */
};

static inline void gate_init(struct gate *g)
{
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->calm, NULL);
	g->callers = 0;
}

static inline void gate_fini(struct gate *g)
{
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->calm);
}

static inline void gate_enter(struct gate *g)
{
	__atomic_add_fetch(&g->callers, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&g->lock);
}

static inline void gate_leave(struct gate *g)
{
	if (__atomic_sub_fetch(&g->callers, 1, __ATOMIC_SEQ_CST) == 0)
		pthread_cond_signal(&g->calm);
	pthread_mutex_unlock(&g->lock);
}

static inline void gate_thread_enter(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	while (__atomic_load_n(&g->callers, __ATOMIC_SEQ_CST) > 0)
		pthread_cond_wait(&g->calm, &g->lock);
}

static inline void gate_thread_leave(struct gate *g)
{
	pthread_mutex_unlock(&g->lock);
}

#endif
