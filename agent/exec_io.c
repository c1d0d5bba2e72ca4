/* Bytes of a running command: stdin within its credit, stdout and stderr while the connection's
 * queue has room, so that a slow host blocks the command and nobody else. */
#include "agent/exec.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/pty.h"
#include "agent/util.h"

/* Stdin bytes taken before the host is told: a quarter of its window. */
#define CREDIT_STEP (WIRE_STDIN_CREDIT / 4)
/* Less room than this is not worth a read. */
#define READ_MIN  4096
#define READ_ROOM (EXEC_RESERVE + WIRE_HEADER + READ_MIN)

/* One read and one frame a turn, so that no command keeps the loop from the others. */
static void exec_read(struct exec *x, struct watch *w, uint8_t type)
{
	size_t room = conn_room(&x->conn), n;
	uint8_t *p;
	ssize_t r;

	if (room < READ_ROOM || quiesce_on(&x->agent->quiesce)) {
		exec_pump(x);
		return;
	}
	n = min_of(room - EXEC_RESERVE - WIRE_HEADER, (size_t)WIRE_CHUNK);
	p = conn_reserve(&x->conn, WIRE_HEADER + n);
	r = read(w->fd, p + WIRE_HEADER, n);
	if (r > 0) {
		wire_header(p, type, (uint32_t)r);
		conn_queue(&x->conn, WIRE_HEADER + (int)r);
		if (x->state == EXEC_DRAINING)
			exec_set_state(x, EXEC_DRAINING, EXEC_DRAIN_MS);
	} else if (!r || (errno != EAGAIN && errno != EINTR)) {
		/* A terminal's end of file is EIO. */
		watch_close(&x->agent->loop, w);
	}
	exec_pump(x);
}

static void on_out(void *user, uint32_t events)
{
	struct exec *x = user;

	(void)events;
	exec_read(x, &x->out, WIRE_STDOUT);
}

static void on_err(void *user, uint32_t events)
{
	struct exec *x = user;

	(void)events;
	exec_read(x, &x->err, WIRE_STDERR);
}

/* Stdin is closed, by either side: what is left of it is dropped, and counted as taken. */
static void input_close(struct exec *x)
{
	x->credit += (uint32_t)ring_used(&x->input);
	ring_release(&x->input, x->input.next);
	watch_close(&x->agent->loop, &x->in);
}

static void input_end(struct exec *x)
{
	uint8_t c;

	if (x->flags & WIRE_REQ_TTY) {
		c = pty_eof_char(x->in.fd);
		if (write(x->in.fd, &c, 1) < 0)
			say_step("command %d: cannot end its terminal input", (int)x->pid);
	}
	input_close(x);
}

static void input_write(struct exec *x)
{
	ssize_t n = ring_drain(&x->input, x->in.fd);

	if (n > 0)
		x->credit += (uint32_t)n;
	if (n < 0 && n != -EAGAIN && n != -EINTR)
		input_close(x);
	else if (x->eof && !ring_used(&x->input))
		input_end(x);
}

static void on_in(void *user, uint32_t events)
{
	struct exec *x = user;

	if (events & EPOLLERR)
		input_close(x);
	else
		input_write(x);
	exec_pump(x);
}

static int input_bytes(struct exec *x, const struct wire_frame *f)
{
	if (!(x->flags & WIRE_REQ_STDIN) || x->eof || f->len > ring_room(&x->input))
		return -EPROTO;
	ring_put(&x->input, f->payload, f->len);
	if (x->in.fd >= 0)
		input_write(x);
	else
		input_close(x);
	return 0;
}

static int input_signal(const struct exec *x, const struct wire_frame *f)
{
	pid_t group = x->pid;
	uint8_t sig;

	if (wire_get_u8(f, &sig) < 0 || sig < 1 || sig > SIGRTMAX)
		return -EPROTO;
	if (x->state != EXEC_RUNNING)
		return 0;
	if (x->flags & WIRE_REQ_TTY && x->out.fd >= 0 && pty_foreground(x->out.fd))
		group = pty_foreground(x->out.fd);
	kill(-group, sig);
	return 0;
}

static int input_resize(const struct exec *x, const struct wire_frame *f)
{
	uint16_t rows, cols;

	if (wire_get_size(f, &rows, &cols) < 0)
		return -EPROTO;
	if (x->flags & WIRE_REQ_TTY && x->out.fd >= 0)
		pty_resize(x->out.fd, rows, cols);
	return 0;
}

int exec_input(struct exec *x, const struct wire_frame *f)
{
	int r = 0;

	switch (f->type) {
	case WIRE_STDIN:
		r = input_bytes(x, f);
		break;
	case WIRE_STDIN_EOF:
		if (f->len || !(x->flags & WIRE_REQ_STDIN))
			return -EPROTO;
		x->eof = true;
		if (x->in.fd >= 0 && !ring_used(&x->input))
			input_end(x);
		break;
	case WIRE_SIGNAL:
		return input_signal(x, f);
	case WIRE_RESIZE:
		return input_resize(x, f);
	default:
		return -EPROTO;
	}
	if (!r)
		exec_pump(x);
	return r;
}

static void exec_watch(struct exec *x)
{
	struct loop *l = &x->agent->loop;
	bool wanted = conn_room(&x->conn) >= READ_ROOM && !quiesce_on(&x->agent->quiesce);
	uint32_t in = wanted ? EPOLLIN : 0;

	loop_set(l, x->out.slot, in);
	loop_set(l, x->err.slot, in);
	loop_set(l, x->in.slot, ring_used(&x->input) ? EPOLLOUT : 0);
}

void exec_pump(struct exec *x)
{
	const size_t n = WIRE_HEADER + 5;
	int r;

	if (x->credit >= CREDIT_STEP && conn_room(&x->conn) >= 2 * n) {
		conn_queue(&x->conn,
			wire_put_u32(conn_reserve(&x->conn, n), n, WIRE_CREDIT, x->credit));
		x->credit = 0;
	}
	if (x->state == EXEC_DRAINING && x->out.fd < 0 && x->err.fd < 0 &&
		conn_room(&x->conn) >= n && !quiesce_on(&x->agent->quiesce)) {
		conn_queue(&x->conn,
			wire_put_exit(conn_reserve(&x->conn, n), n, WIRE_EXIT, x->how, x->value));
		exec_detach(x);
		exec_set_state(x, EXEC_CLOSING, 0);
	}
	r = conn_flush(&x->conn);
	if (r < 0 || (x->state == EXEC_CLOSING && !x->conn.out_len)) {
		exec_lost(x);
		return;
	}
	exec_watch(x);
	quiesce_on_progress(&x->agent->quiesce);
}

int exec_attach(struct exec *x, const int fd[3])
{
	static loop_fn *const handlers[3] = {on_in, on_out, on_err};
	struct watch *w[3] = {&x->in, &x->out, &x->err};
	struct execs *xs = &x->agent->execs;
	int r = 0;

	ring_init(&x->input, xs->memory[x - xs->slot].input, WIRE_STDIN_CREDIT);
	for (int i = 0; i < 3; i++) {
		int own = fd[i];

		if (own >= 0 && !r)
			r = watch_open(&x->agent->loop, w[i], own, i ? EPOLLIN : 0, handlers[i], x);
		else
			close_fd(&own);
	}
	return r;
}

void exec_detach(struct exec *x)
{
	struct loop *l = &x->agent->loop;

	watch_close(l, &x->in);
	watch_close(l, &x->out);
	watch_close(l, &x->err);
}
