#include "agent/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/util.h"

/* Read and sent in one turn at most, so that a flood leaves the loop to the others. */
#define TURN_BYTES 65536
/* Less room than this in the ring is not worth a read. */
#define ROOM_MIN 4096
/* Input taken before the host is told. */
#define CREDIT_STEP (OUTPUT_INPUT / 4)
#define SMALL_MAX   64

bool output_stored(const struct output *o)
{
	return !ring_used(&o->ring);
}

bool output_blocked(const struct output *o)
{
	return ring_room(&o->ring) < ROOM_MIN || quiesce_on(&o->agent->quiesce);
}

/* ---- sources ---- */

static void on_source(void *user, uint32_t events)
{
	struct output_source *s = user;
	struct output *o = s->output;
	ssize_t n;

	(void)events;
	if (output_blocked(o)) {
		output_pump(o);
		return;
	}
	n = ring_fill(&o->ring, s->w.fd, TURN_BYTES);
	output_pump(o);
	if (n == -EAGAIN || n == -EINTR)
		return;
	/* A terminal's end of file is EIO. */
	if (n <= 0)
		output_detach(o, s);
	if (s->on_data)
		s->on_data(s->user, n <= 0);
}

int output_attach(struct output *o, struct output_source *s, int fd)
{
	int i = 0, r;

	s->output = o;
	while (i < OUTPUT_SOURCES && o->sources[i])
		i++;
	if (i == OUTPUT_SOURCES) {
		close_fd(&fd);
		return -ENOSPC;
	}
	r = watch_open(&o->agent->loop, &s->w, fd, EPOLLIN, on_source, s);
	if (!r)
		o->sources[i] = s;
	return r;
}

void output_detach(struct output *o, struct output_source *s)
{
	watch_close(&o->agent->loop, &s->w);
	for (int i = 0; i < OUTPUT_SOURCES; i++)
		if (o->sources[i] == s)
			o->sources[i] = NULL;
}

void output_text(struct output *o, const char *text)
{
	ring_put(&o->ring, text, min_of(strlen(text), ring_room(&o->ring)));
	output_pump(o);
}

/* ---- to the host ---- */

/* The rest of the data frame in one call: 1 all sent, 0 the socket is full, -errno. */
static int send_frame(struct output *o)
{
	struct output_frame *f = &o->frame;
	size_t head = f->header_left, data = (size_t)(f->end - o->sent);
	struct iovec iov[3] = {
		{.iov_base = f->header + sizeof(f->header) - head, .iov_len = head},
	};
	struct msghdr msg = {.msg_iov = iov};
	ssize_t n;

	msg.msg_iovlen = 1 + (size_t)ring_iov(&o->ring, o->sent, data, iov + 1);
	n = sendmsg(o->link.conn.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	f->header_left -= min_of((size_t)n, head);
	o->sent += (size_t)n - min_of((size_t)n, head);
	return o->sent == f->end && !f->header_left;
}

static void next_frame(struct output *o)
{
	size_t n = min_of((size_t)(o->ring.next - o->sent), (size_t)WIRE_CHUNK);
	struct output_frame *f = &o->frame;

	wire_header(f->header, WIRE_OUT_DATA, (uint32_t)(8 + n));
	for (int i = 0; i < 8; i++)
		f->header[WIRE_HEADER + i] = (uint8_t)(o->sent >> (8 * i));
	f->header_left = sizeof(f->header);
	f->end = o->sent + n;
}

static bool between_frames(const struct output *o)
{
	return o->sent == o->frame.end && !o->frame.header_left;
}

bool output_drained(const struct output *o)
{
	return output_stored(o) &&
	       (o->link.state != LINK_UP || (between_frames(o) && !o->link.conn.out_len));
}

/* Another data frame may begin. */
static bool may_send(const struct output *o)
{
	return o->sent < o->ring.next && !quiesce_held(&o->agent->quiesce);
}

static void queue_small(struct output *o)
{
	struct conn *c = &o->link.conn;
	uint8_t *p;

	if (o->credit >= CREDIT_STEP && (p = conn_reserve(c, SMALL_MAX))) {
		conn_queue(c, wire_put_u32(p, SMALL_MAX, WIRE_OUT_CREDIT, o->credit));
		o->credit = 0;
	}
	if (o->main_exit_due && o->sent == o->ring.next && (p = conn_reserve(c, SMALL_MAX))) {
		const struct mainproc *m = &o->agent->main;

		conn_queue(c, wire_put_exit(p, SMALL_MAX, WIRE_OUT_MAIN_EXIT, m->how, m->value));
		o->main_exit_due = false;
	}
}

/* Sends in the order: rest of a data frame, small frames, next data frame. 0 or -errno. */
static int output_send(void *user)
{
	struct output *o = user;
	struct conn *c = &o->link.conn;
	size_t budget = TURN_BYTES;
	bool full = false;
	int r;

	while (!full && budget >= WIRE_CHUNK) {
		if (!between_frames(o)) {
			r = send_frame(o);
			if (r < 0)
				return r;
			full = !r;
			budget -= WIRE_CHUNK;
			continue;
		}
		if (o->resumed)
			queue_small(o);
		r = c->out_len ? conn_flush(c) : 0;
		if (r < 0)
			return r;
		if (c->out_len || !o->resumed || !may_send(o))
			break;
		next_frame(o);
	}
	full = c->out_len || !between_frames(o) || (o->resumed && may_send(o));
	loop_set(&o->agent->loop, c->slot, EPOLLIN | (full ? EPOLLOUT : 0));
	quiesce_on_progress(&o->agent->quiesce);
	return 0;
}

void output_pump(struct output *o)
{
	struct loop *l = &o->agent->loop;

	link_send(&o->link);
	for (int i = 0; i < OUTPUT_SOURCES; i++)
		if (o->sources[i])
			loop_set(l, o->sources[i]->w.slot, output_blocked(o) ? 0 : EPOLLIN);
	loop_set(l, o->input_to.slot, ring_used(&o->input) ? EPOLLOUT : 0);
}

void output_main_exit(struct output *o)
{
	o->main_exit_due = true;
	output_pump(o);
}

/* ---- from the host ---- */

static int on_resume(struct output *o, const struct wire_frame *f)
{
	uint64_t offset;
	int r = wire_get_u64(f, &offset);

	if (r < 0 || o->resumed)
		return -EPROTO;
	if (offset > o->ring.next) {
		say_error("output: the host has %llu bytes, the guest wrote %llu",
			(unsigned long long)offset, (unsigned long long)o->ring.next);
		return -EPROTO;
	}
	if (offset > o->ring.first)
		ring_release(&o->ring, offset);
	o->sent = o->frame.end = o->ring.first;
	o->resumed = true;
	/* The first word on the window: all the room there is. */
	output_input_write(o);
	o->credit = (uint32_t)ring_room(&o->input);
	link_proved(&o->link);
	power_on_progress(&o->agent->power);
	return 0;
}

static int on_stored(struct output *o, const struct wire_frame *f)
{
	uint64_t offset;
	int r = wire_get_u64(f, &offset);

	if (r < 0 || offset > o->sent)
		return -EPROTO;
	if (offset > o->ring.first)
		ring_release(&o->ring, offset);
	power_on_progress(&o->agent->power);
	return 0;
}

static int on_frame(void *user, const struct wire_frame *f)
{
	struct output *o = user;
	uint16_t rows, cols;
	int r;

	if (f->type == WIRE_OUT_RESUME)
		r = on_resume(o, f);
	else if (!o->resumed)
		return -EPROTO;
	else if (f->type == WIRE_OUT_STORED)
		r = on_stored(o, f);
	else if (f->type == WIRE_OUT_INPUT)
		r = output_on_input(o, f);
	else if (f->type == WIRE_OUT_RESIZE)
		r = wire_get_size(f, &rows, &cols);
	else
		return -EPROTO;
	if (r < 0)
		return r;
	if (f->type == WIRE_OUT_RESIZE)
		main_resize(&o->agent->main, rows, cols);
	output_pump(o);
	return 0;
}

static void on_up(void *user)
{
	struct output *o = user;
	struct wire_out_open m = {
		.first = o->ring.first,
		.next = o->ring.next,
		.main_state = main_wire_state(&o->agent->main),
	};
	const size_t n = WIRE_HEADER + 128;

	memcpy(m.stream, o->stream, WIRE_ID);
	memcpy(m.generation, o->agent->id.generation, WIRE_ID);
	o->resumed = false;
	o->credit = 0;
	o->frame.header_left = 0;
	o->frame.end = o->sent;
	o->main_exit_due = m.main_state == MAIN_ENDED;
	/* What the last connection sent and the main process has not taken yet is still its own. */
	conn_queue(&o->link.conn, wire_put_out_open(conn_reserve(&o->link.conn, n), n, &m));
	output_pump(o);
}

static void on_lost(void *user)
{
	struct output *o = user;

	o->resumed = false;
	o->frame.header_left = 0;
	o->frame.end = o->sent;
	/* The control connection of a restored copy is on its way down too: HELLO comes first. */
	if (!o->agent->serving || quiesce_held(&o->agent->quiesce))
		link_stop(&o->link);
}

static const struct link_ops output_ops = {
	.name = "output",
	.on_up = on_up,
	.on_frame = on_frame,
	.send = output_send,
	.on_lost = on_lost,
	.reserve = SMALL_MAX,
};

/* Made at the first dial: only HELLO brings the entropy that tells two guests apart. Not blocking:
 * an agent that may not reseed must not hang here. */
static void stream_id(struct output *o)
{
	static const uint8_t none[WIRE_ID];
	const uint64_t t[2] = {mono_ns(), wall_ns()};

	if (memcmp(o->stream, none, WIRE_ID) != 0)
		return;
	if (getrandom(o->stream, WIRE_ID, GRND_NONBLOCK) != WIRE_ID)
		memcpy(o->stream, t, WIRE_ID);
}

void output_hold(struct output *o)
{
	if (o->link.state != LINK_UP)
		link_stop(&o->link);
}

void output_thaw(struct output *o)
{
	if (o->agent->serving && o->link.state == LINK_OFF)
		link_start(&o->link);
	output_pump(o);
}

void output_close(struct output *o, uint32_t ms)
{
	link_close(&o->link, ms);
}

void output_dial(struct output *o)
{
	stream_id(o);
	on_lost(o);
	link_start(&o->link);
}

static int fifo_open(struct output *o, const char *path)
{
	int fd;

	unlink(path);
	if (mkfifo(path, 0622) < 0 || chmod(path, 0622) < 0)
		return -errno;
	/* Also open for writing: without a writer there would be an end of file. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return output_attach(o, &o->fifo, fd);
}

int output_init(struct output *o, struct agent *a, const char *fifo)
{
	int r;

	o->agent = a;
	o->input_to = o->fifo.w = (struct watch){.fd = -1, .slot = -1};
	ring_init(&o->ring, o->ring_buf, sizeof(o->ring_buf));
	ring_init(&o->input, o->input_buf, sizeof(o->input_buf));
	conn_init(&o->link.conn, &a->loop, o->in, o->small, sizeof(o->small));
	link_init(&o->link, &output_ops, &a->transport, WIRE_PORT_OUTPUT, o);
	r = fifo ? fifo_open(o, fifo) : 0;
	if (r < 0)
		say_error("cannot make the output FIFO '%s': %s", fifo, strerror(-r));
	return r;
}
