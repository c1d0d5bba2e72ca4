/* Slots of the commands: connections, deadlines, the end of the process or of the connection. */
#include "agent/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/pty.h"
#include "agent/util.h"

/* After running out of descriptors; nothing tells when there are some again. */
#define ACCEPT_PAUSE_MS 100
/* Slots whose memory stays in use; the pages of higher ones go back after each command. */
#define SLOTS_WARM 4

static void exec_frames(struct exec *x);
static void on_accept(void *user, uint32_t events);

static void exec_free(struct exec *x)
{
	struct execs *xs = &x->agent->execs;
	size_t i = (size_t)(x - xs->slot);

	exec_set_state(x, EXEC_FREE, 0);
	exec_detach(x);
	conn_close(&x->conn);
	x->counted = false;
	x->pid = 0;
	if (i >= SLOTS_WARM)
		madvise(&xs->memory[i], sizeof(xs->memory[i]), MADV_DONTNEED);
	while (xs->top && xs->slot[xs->top - 1].state == EXEC_FREE)
		xs->top--;
	loop_set(&x->agent->loop, xs->listen_slot, EPOLLIN);
	power_on_progress(&x->agent->power);
	quiesce_on_progress(&x->agent->quiesce);
}

static bool leader_exists(const struct exec *x)
{
	return x->state == EXEC_RUNNING || x->state == EXEC_LOST;
}

/* A command may be taken, or begin: the host is known, and no snapshot is being made. */
static bool may_begin(const struct exec *x)
{
	return x->agent->serving && !quiesce_on(&x->agent->quiesce);
}

/* The leader is not reaped yet, so its group's number is nobody else's. */
static void kill_groups(const struct exec *x, int sig)
{
	pid_t sid;

	kill(-x->pid, sig);
	if (!x->foreground || x->foreground == x->pid)
		return;
	sid = getsid(x->foreground);
	if (sid == x->pid || (sid < 0 && errno == ESRCH))
		kill(-x->foreground, sig);
}

static void on_deadline(void *user)
{
	struct exec *x = user;
	struct execs *xs = &x->agent->execs;

	switch (x->state) {
	case EXEC_WAITING:
	case EXEC_ACKED:
		if (!may_begin(x))
			exec_set_state(
				x, x->state, x->state == EXEC_ACKED ? EXEC_GO_MS : EXEC_REQUEST_MS);
		else
			exec_lost(x);
		break;
	case EXEC_DRAINING:
		/* Output that waits to be read, by the host or by us, is not over. */
		if (conn_room(&x->conn) < EXEC_RESERVE + WIRE_CHUNK ||
			quiesce_on(&x->agent->quiesce)) {
			exec_set_state(x, EXEC_DRAINING, EXEC_DRAIN_MS);
			break;
		}
		exec_detach(x);
		exec_pump(x);
		break;
	case EXEC_LOST:
		kill_groups(x, SIGKILL);
		break;
	case EXEC_PREFACE:
	case EXEC_CLOSING:
		exec_lost(x);
		break;
	case EXEC_FREE:
	case EXEC_RUNNING:
		say_error("command slot %d: a deadline without a wait", (int)(x - xs->slot));
		break;
	}
}

void exec_set_state(struct exec *x, enum exec_state state, uint32_t deadline_ms)
{
	x->state = state;
	if (deadline_ms)
		timer_start(&x->agent->loop, &x->timer, deadline_ms, on_deadline, x);
	else
		timer_stop(&x->timer);
}

static bool begun(const struct exec *x)
{
	return x->state == EXEC_ACKED || x->state == EXEC_RUNNING;
}

void exec_lost(struct exec *x)
{
	if (!may_begin(x))
		x->agent->execs.lost += begun(x) || x->state == EXEC_DRAINING;
	if (x->state == EXEC_RUNNING) {
		x->foreground = x->flags & WIRE_REQ_TTY ? pty_foreground(x->out.fd) : 0;
		exec_set_state(x, EXEC_LOST, EXEC_KILL_MS);
		exec_detach(x);
		conn_close(&x->conn);
		/* A stopped process sees SIGHUP only when it continues. */
		kill_groups(x, SIGHUP);
		kill_groups(x, SIGCONT);
		return;
	}
	/* The command was reaped, but what it left behind in its group holds its output. The
	 * group's number is still its own unless a process has got it anew. */
	if (x->state == EXEC_DRAINING && x->pid && kill(x->pid, 0) < 0 && errno == ESRCH)
		kill(-x->pid, SIGKILL);
	if (x->state != EXEC_FREE && x->state != EXEC_LOST)
		exec_free(x);
}

void exec_refuse(struct exec *x, uint8_t code, const char *why)
{
	size_t n = WIRE_HEADER + 8 + strlen(why);

	conn_queue(&x->conn, wire_put_refused(conn_reserve(&x->conn, n), n, code, why));
	exec_set_state(x, EXEC_CLOSING, EXEC_CLOSE_MS);
	exec_pump(x);
}

static int exec_frame(struct exec *x, const struct wire_frame *f)
{
	switch (x->state) {
	case EXEC_WAITING:
		if (f->type != WIRE_REQ)
			return -EPROTO;
		exec_request(x, f);
		return 0;
	case EXEC_ACKED:
		if (f->type != WIRE_GO || f->len)
			return -EPROTO;
		exec_go(x);
		return 0;
	case EXEC_RUNNING:
	case EXEC_DRAINING:
		return exec_input(x, f);
	case EXEC_CLOSING:
		return 0;
	case EXEC_FREE:
	case EXEC_PREFACE:
	case EXEC_LOST:
		break;
	}
	return -EPROTO;
}

static bool takes_frames(const struct exec *x)
{
	switch (x->state) {
	case EXEC_WAITING:
	case EXEC_ACKED:
		return may_begin(x);
	case EXEC_FREE:
	case EXEC_PREFACE:
	case EXEC_LOST:
		return false;
	default:
		return true;
	}
}

static void exec_frames(struct exec *x)
{
	struct wire_frame f;
	int r = 0;

	while (!r && takes_frames(x)) {
		r = wire_next(&x->conn.in, &f);
		if (!r)
			break;
		if (r > 0)
			r = exec_frame(x, &f);
	}
	if (r < 0)
		exec_lost(x);
}

static void on_conn(void *user, uint32_t events)
{
	struct exec *x = user;
	int r = 0;

	if (x->state == EXEC_PREFACE) {
		r = transport_preface(x->conn.fd);
		if (!r)
			exec_set_state(x, EXEC_WAITING, EXEC_REQUEST_MS);
		else if (r != -EAGAIN)
			exec_lost(x);
		return;
	}
	if (events & EPOLLERR)
		r = -ECONNRESET;
	else if (events & (EPOLLIN | EPOLLHUP))
		r = conn_fill(&x->conn);
	if (r < 0 && r != -EAGAIN) {
		exec_lost(x);
		return;
	}
	exec_frames(x);
	if (events & EPOLLOUT && x->state != EXEC_FREE && x->state != EXEC_LOST)
		exec_pump(x);
}

static struct exec *exec_unused(struct execs *xs)
{
	for (int i = 0; i < EXEC_SLOTS; i++)
		if (xs->slot[i].state == EXEC_FREE)
			return &xs->slot[i];
	return NULL;
}

static void exec_open(struct exec *x, int fd)
{
	struct agent *a = x->agent;

	if (conn_open(&x->conn, fd, EPOLLIN, on_conn, x) < 0)
		return;
	a->execs.top = max_of(a->execs.top, (int)(x - a->execs.slot) + 1);
	x->eof = false;
	x->credit = 0;
	x->foreground = 0;
	exec_set_state(x, a->transport.unix_path ? EXEC_PREFACE : EXEC_WAITING, EXEC_REQUEST_MS);
}

static void on_pause_over(void *user)
{
	struct execs *xs = user;

	loop_set(&xs->agent->loop, xs->listen_slot, EPOLLIN);
}

static void on_accept(void *user, uint32_t events)
{
	struct execs *xs = user;
	struct agent *a = xs->agent;
	struct exec *x;
	int fd = 0;

	(void)events;
	while ((x = exec_unused(xs)) && (fd = transport_accept(&a->transport)) >= 0)
		exec_open(x, fd);
	if (!x) {
		/* The rest waits in the kernel until a slot is free. */
		loop_set(&a->loop, xs->listen_slot, 0);
	} else if (fd != -EAGAIN && fd != -EINTR && fd != -ECONNABORTED) {
		say_error("cannot accept a command: %s", strerror(-fd));
		loop_set(&a->loop, xs->listen_slot, 0);
		timer_start(&a->loop, &xs->pause, ACCEPT_PAUSE_MS, on_pause_over, xs);
	}
}

int execs_init(struct execs *xs, struct agent *a)
{
	xs->agent = a;
	xs->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (xs->null_fd < 0)
		return -errno;
	for (int i = 0; i < EXEC_SLOTS; i++) {
		struct exec *x = &xs->slot[i];
		struct exec_memory *m = &xs->memory[i];

		x->agent = a;
		x->in = x->out = x->err = (struct watch){.fd = -1, .slot = -1};
		conn_init(&x->conn, &a->loop, m->in, m->out, sizeof(m->out));
	}
	xs->listen_slot = loop_add(&a->loop, a->transport.listen_fd, EPOLLIN, on_accept, xs);
	return xs->listen_slot < 0 ? xs->listen_slot : 0;
}

void execs_serve(struct execs *xs)
{
	for (int i = 0; i < xs->top; i++)
		if (takes_frames(&xs->slot[i]))
			exec_frames(&xs->slot[i]);
}

void execs_drop(struct execs *xs)
{
	for (int i = 0; i < xs->top; i++) {
		struct exec *x = &xs->slot[i];

		if (x->state != EXEC_WAITING && x->state != EXEC_PREFACE)
			exec_lost(x);
	}
}

void execs_pump(struct execs *xs)
{
	for (int i = 0; i < xs->top; i++) {
		struct exec *x = &xs->slot[i];

		if (x->state == EXEC_RUNNING || x->state == EXEC_DRAINING)
			exec_pump(x);
	}
}

uint32_t execs_running(const struct execs *xs)
{
	uint32_t n = 0;

	for (int i = 0; i < xs->top; i++)
		n += leader_exists(&xs->slot[i]);
	return n;
}

uint32_t execs_begun(const struct execs *xs)
{
	uint32_t n = 0;

	for (int i = 0; i < xs->top; i++)
		n += begun(&xs->slot[i]);
	return n;
}

uint32_t execs_lost(const struct execs *xs)
{
	return xs->lost;
}

void execs_forget_lost(struct execs *xs)
{
	xs->lost = 0;
}

bool execs_busy(const struct execs *xs)
{
	for (int i = 0; i < xs->top; i++)
		if (xs->slot[i].state == EXEC_DRAINING || xs->slot[i].state == EXEC_CLOSING)
			return true;
	return false;
}

bool execs_drained(const struct execs *xs)
{
	for (int i = 0; i < xs->top; i++) {
		const struct exec *x = &xs->slot[i];

		if (x->conn.fd >= 0 && x->conn.out_len)
			return false;
	}
	return true;
}

static struct exec *exec_of(struct execs *xs, pid_t pid)
{
	for (int i = 0; i < xs->top; i++)
		if (leader_exists(&xs->slot[i]) && xs->slot[i].pid == pid)
			return &xs->slot[i];
	return NULL;
}

void execs_on_zombie(struct execs *xs, pid_t pid)
{
	const struct exec *x = exec_of(xs, pid);

	if (x && x->state == EXEC_LOST)
		kill_groups(x, SIGKILL);
}

bool execs_on_exit(struct execs *xs, pid_t pid, uint8_t how, int32_t value)
{
	struct exec *x = exec_of(xs, pid);

	if (!x)
		return false;
	if (x->state == EXEC_LOST) {
		exec_free(x);
		return true;
	}
	x->how = how;
	x->value = value;
	exec_set_state(x, EXEC_DRAINING, EXEC_DRAIN_MS);
	exec_pump(x);
	return true;
}
