/* The thread: waits for events, then does one pass of everything under the gate. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>

#include "backend/base/util.h"
#include "backend/vsock/hybrid_internal.h"

#define EVENTS         64
#define COMPLAINTS_MAX 10

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void poke(int fd)
{
	uint64_t one = 1;

	/* Only a counter at its end could fail, and then the other side is awake. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

/* Event descriptors are watched edge-triggered and never read: each write is a new edge. The pass
 * that follows the events does the work. */
static void on_event(struct hybrid *h, struct source *s, uint32_t events)
{
	(void)h;
	(void)s;
	(void)events;
}

static void watch_event(struct hybrid *h, int fd, struct source *s)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = s};

	s->fn = on_event;
	if (fd >= 0)
		epoll_ctl(h->epfd, EPOLL_CTL_ADD, fd, &ev);
}

static void unwatch(struct hybrid *h, int fd)
{
	if (fd >= 0)
		epoll_ctl(h->epfd, EPOLL_CTL_DEL, fd, NULL);
}

/* A ring the guest made nonsense of: the device is dead until the guest resets it. */
static void broken(struct hybrid *h)
{
	uint16_t base[HYBRID_QUEUES];

	for (unsigned i = 0; i < HYBRID_QUEUES; i++) {
		const char *what = h->queues[i].ring.broken;

		if (!what)
			continue;
		/* The guest can make this happen at will: it must not fill a log. */
		if (h->complaints++ < COMPLAINTS_MAX)
			fprintf(stderr,
				"vmdeck-vsock: %s queue: %s; the device stops until the guest "
				"resets "
				"it\n",
				i == HYBRID_RX ? "receive" : "transmit", what);
		poke(h->queues[i].fds[HYBRID_ERR]);
	}
	hybrid_stop(h, base);
	hybrid_forget_guest(h);
}

static void pass(struct hybrid *h)
{
	unsigned r;

	if (h->running) {
		mux_tick(&h->mux, h->now - h->stopped);
		stream_dial_waiting(h);
	}
	r = mux_run(&h->mux);
	if (r & MUX_SIGNAL_RX)
		poke(h->queues[HYBRID_RX].fds[HYBRID_CALL]);
	if (r & MUX_SIGNAL_TX)
		poke(h->queues[HYBRID_TX].fds[HYBRID_CALL]);
	if (r & MUX_BROKEN)
		broken(h);
	h->more = (r & MUX_MORE) != 0;
	stream_expire(h);
	if (h->accept_at && h->accept_at <= h->now)
		listen_update(h);
	stream_reap(h);
}

/* ms until something is due; -1: nothing is. */
static int wait_ms(const struct hybrid *h)
{
	uint64_t next = UINT64_MAX;

	if (h->more || h->quit)
		return 0;
	if (h->running) {
		uint64_t d = mux_deadline(&h->mux);

		next = d == UINT64_MAX ? d : d + h->stopped;
	}
	if (!list_empty(&h->greeting))
		next = min_of(next, container_of(h->greeting.next, struct stream, node)->deadline);
	if (h->accept_at)
		next = min_of(next, h->accept_at);
	if (next == UINT64_MAX)
		return -1;
	return next <= h->now ? 0 : (int)(next - h->now);
}

static void *thread_main(void *arg)
{
	struct hybrid *h = arg;
	struct epoll_event ev[EVENTS];
	int timeout = 0;
	bool quit = false;

	while (!quit) {
		int n = epoll_wait(h->epfd, ev, EVENTS, timeout);

		gate_thread_enter(&h->gate);
		h->now = now_ms();
		for (int i = 0; i < n; i++) {
			struct source *s = ev[i].data.ptr;

			s->fn(h, s, ev[i].events);
		}
		pass(h);
		timeout = wait_ms(h);
		quit = h->quit;
		gate_thread_leave(&h->gate);
	}
	return NULL;
}

int hybrid_new(struct hybrid **ret, const char *path, char *why, size_t why_n)
{
	struct hybrid *h = calloc(1, sizeof(*h));
	int r = -ENOMEM;

	if (!h) {
		snprintf(why, why_n, "vsock socket '%s': out of memory", path);
		return r;
	}
	gate_init(&h->gate);
	mux_init(&h->mux, &stream_ops, h);
	list_init(&h->greeting);
	list_init(&h->waiting);
	list_init(&h->dead);
	for (unsigned i = 0; i < HYBRID_QUEUES; i++)
		for (unsigned k = 0; k < HYBRID_FDS; k++)
			h->queues[i].fds[k] = -1;
	h->listen_fd = h->wake = -1;
	h->now = h->stopped_at = now_ms();
	h->epfd = epoll_create1(EPOLL_CLOEXEC);
	h->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (h->epfd < 0 || h->wake < 0) {
		r = -errno;
		snprintf(why, why_n, "vsock socket '%s': cannot make event descriptors: %s", path,
			strerror(-r));
	} else {
		watch_event(h, h->wake, &h->wake_source);
		r = listen_open(h, path, why, why_n);
	}
	if (r < 0) {
		hybrid_free(h);
		return r;
	}
	*ret = h;
	return 0;
}

int hybrid_spawn(struct hybrid *h)
{
	sigset_t all, old;
	int r;

	if (h->spawned)
		return 0;
	/* The process' signals are its own business: its threads get them, this one never. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&h->thread, NULL, thread_main, h);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return -r;
	h->spawned = true;
	pthread_setname_np(h->thread, "vmdeck-vsock");
	return 0;
}

void hybrid_free(struct hybrid *h)
{
	if (!h)
		return;
	if (h->spawned) {
		hybrid_enter(h);
		h->quit = true;
		hybrid_leave(h);
		poke(h->wake);
		pthread_join(h->thread, NULL);
	}
	mux_fini(&h->mux);
	stream_close_greeting(h);
	stream_reap(h);
	for (unsigned i = 0; i < HYBRID_QUEUES; i++)
		for (unsigned k = 0; k < HYBRID_FDS; k++)
			cleanup_fd(&h->queues[i].fds[k]);
	cleanup_fd(&h->listen_fd);
	cleanup_fd(&h->wake);
	cleanup_fd(&h->epfd);
	gate_fini(&h->gate);
	free(h);
}

void hybrid_enter(struct hybrid *h)
{
	gate_enter(&h->gate);
}

void hybrid_leave(struct hybrid *h)
{
	gate_leave(&h->gate);
}

void hybrid_set_fd(struct hybrid *h, enum hybrid_queue q, enum hybrid_fd which, int fd)
{
	struct queue *u = &h->queues[q];

	if (which == HYBRID_KICK && h->running)
		unwatch(h, u->fds[which]);
	cleanup_fd(&u->fds[which]);
	u->fds[which] = fd;
	if (which == HYBRID_KICK && h->running)
		watch_event(h, fd, &u->source);
}

void hybrid_set_ram(struct hybrid *h, struct ram *ram)
{
	h->ram = ram;
}

void hybrid_set_cid(struct hybrid *h, uint64_t cid)
{
	h->mux.guest_cid = cid;
}

void hybrid_start(struct hybrid *h, const struct ring rings[HYBRID_QUEUES])
{
	for (unsigned i = 0; i < HYBRID_QUEUES; i++) {
		h->queues[i].ring = rings[i];
		if (!h->running)
			watch_event(h, h->queues[i].fds[HYBRID_KICK], &h->queues[i].source);
	}
	if (!h->running)
		h->stopped += now_ms() - h->stopped_at;
	mux_attach(&h->mux, &h->queues[HYBRID_RX].ring, &h->queues[HYBRID_TX].ring);
	h->running = true;
	/* The rings may hold chains already, and the thread sleeps. */
	poke(h->wake);
}

void hybrid_stop(struct hybrid *h, uint16_t ret_base[HYBRID_QUEUES])
{
	for (unsigned i = 0; i < HYBRID_QUEUES; i++) {
		ret_base[i] = h->queues[i].ring.last_avail;
		if (h->running)
			unwatch(h, h->queues[i].fds[HYBRID_KICK]);
	}
	if (h->running)
		h->stopped_at = now_ms();
	mux_detach(&h->mux);
	h->running = false;
}

void hybrid_rebind(struct hybrid *h)
{
	if (!h->running)
		return;
	for (unsigned i = 0; i < HYBRID_QUEUES; i++)
		ring_rebind(&h->queues[i].ring);
	poke(h->wake); /* a broken one is found by the next pass */
}

void hybrid_forget_guest(struct hybrid *h)
{
	mux_forget_guest(&h->mux);
}

void hybrid_random_ports(struct hybrid *h)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) == (ssize_t)sizeof(r))
		h->mux.table.next_port += r % (UINT32_C(1) << 29);
}

unsigned hybrid_count(const struct hybrid *h)
{
	return h->mux.table.count + h->greeting_count;
}
