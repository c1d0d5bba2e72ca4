#include "agent/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

#include "agent/util.h"

/* Events taken in one turn; timers run between turns. */
#define TURN_EVENTS 64

int loop_init(struct loop *l)
{
	*l = (struct loop){.ep = epoll_create1(EPOLL_CLOEXEC)};
	for (int i = 0; i < LOOP_SLOTS; i++)
		l->slots[i].fd = -1;
	return l->ep < 0 ? -errno : 0;
}

void loop_quit(struct loop *l)
{
	l->quit = true;
}

static int slot_ctl(const struct loop *l, int slot, int op)
{
	const struct loop_slot *s = &l->slots[slot];
	struct epoll_event ev = {
		.events = s->events,
		.data.u64 = (uint64_t)s->gen << 32 | (uint32_t)slot,
	};

	return epoll_ctl(l->ep, op, s->fd, &ev) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *user)
{
	struct loop_slot *s;
	int slot = 0, r;

	while (slot < LOOP_SLOTS && l->slots[slot].fd >= 0)
		slot++;
	if (slot == LOOP_SLOTS)
		return -ENOSPC;
	s = &l->slots[slot];
	s->fd = fd;
	s->events = events;
	s->fn = fn;
	s->user = user;
	r = events ? slot_ctl(l, slot, EPOLL_CTL_ADD) : 0;
	if (r < 0) {
		s->fd = -1;
		return r;
	}
	return slot;
}

void loop_set(struct loop *l, int slot, uint32_t events)
{
	struct loop_slot *s;
	uint32_t old;
	int r;

	if (slot < 0 || l->slots[slot].events == events)
		return;
	s = &l->slots[slot];
	old = s->events;
	s->events = events;
	/* Out of the set for 0: epoll reports hang-ups whether asked or not, again and again. */
	r = slot_ctl(l, slot, !old ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL);
	if (r < 0)
		say_error("epoll_ctl of descriptor %d failed: errno %d", s->fd, -r);
}

void loop_del(struct loop *l, int *slot)
{
	struct loop_slot *s;

	if (*slot < 0)
		return;
	s = &l->slots[*slot];
	if (s->events)
		slot_ctl(l, *slot, EPOLL_CTL_DEL);
	s->fd = -1;
	s->events = 0;
	s->gen++;
	*slot = -1;
}

int watch_open(struct loop *l, struct watch *w, int fd, uint32_t events, loop_fn *fn, void *user)
{
	int slot = loop_add(l, fd, events, fn, user);

	if (slot < 0) {
		close_fd(&fd);
		return slot;
	}
	w->fd = fd;
	w->slot = slot;
	return 0;
}

void watch_close(struct loop *l, struct watch *w)
{
	loop_del(l, &w->slot);
	close_fd(&w->fd);
}

void timer_start(struct loop *l, struct timer *t, uint32_t ms, timer_fn *fn, void *user)
{
	timer_stop(t);
	t->due = mono_ns() + (uint64_t)ms * 1000000u;
	t->fn = fn;
	t->user = user;
	t->next = l->timers;
	t->link = &l->timers;
	if (t->next)
		t->next->link = &t->next;
	l->timers = t;
}

void timer_stop(struct timer *t)
{
	if (!t->due)
		return;
	*t->link = t->next;
	if (t->next)
		t->next->link = t->link;
	t->due = 0;
}

/* Milliseconds to the first timer, rounded up; -1 without one. */
static int next_timeout(const struct loop *l)
{
	uint64_t first = UINT64_MAX, now;

	if (!l->timers)
		return -1;
	for (const struct timer *t = l->timers; t; t = t->next)
		first = min_of(first, t->due);
	now = mono_ns();
	if (first <= now)
		return 0;
	return (int)min_of((first - now + 999999u) / 1000000u, (uint64_t)INT_MAX);
}

/* Any timer function may start and stop any timer: look again from the start after each. */
static void run_timers(struct loop *l)
{
	uint64_t now;
	struct timer *t;

	if (!l->timers)
		return;
	now = mono_ns();
	do {
		for (t = l->timers; t && t->due > now; t = t->next)
			;
		if (t) {
			timer_stop(t);
			t->fn(t->user);
		}
	} while (t && !l->quit);
}

void loop_run(struct loop *l)
{
	struct epoll_event ev[TURN_EVENTS];

	while (!l->quit) {
		int n = epoll_wait(l->ep, ev, TURN_EVENTS, next_timeout(l));

		for (int i = 0; i < n && !l->quit; i++) {
			const struct loop_slot *s = &l->slots[(uint32_t)ev[i].data.u64];

			if (s->fd >= 0 && s->events && s->gen == ev[i].data.u64 >> 32)
				s->fn(s->user, ev[i].events);
		}
		run_timers(l);
	}
}
