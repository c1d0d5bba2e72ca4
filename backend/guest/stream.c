#include "backend/guest/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "backend/guest/framed.h"

#define FRAMES_PER_WAKEUP 8 /* of WIRE_CHUNK, so that others get their turn */
#define DATA_HEADER       (WIRE_HEADER + sizeof(uint64_t))

struct stream_feed {
	struct ev_loop *loop;
	struct stream_callbacks cb;
	void *user;
	int busy; /* wakeups under way; freed when it is 0 and over */
	bool over;
	struct framed conn;
	ev_io more;         /* there is more to send: when the socket takes it, in its turn */
	struct outlog *log; /* or: */
	int file, notify;   /* notify: inotify, -1 when nothing is awaited */
	ev_io changed;
	uint64_t pos;
	uint64_t stop_at; /* UINT64_MAX: follow */
	bool tell_exit;   /* OUT_MAIN_EXIT before the end */
	uint8_t how;
	int32_t value;
	size_t input_done; /* bytes of the held input frame that were taken */
	uint8_t *chunk;    /* DATA_HEADER + WIRE_CHUNK */
};

/* ---- life ---- */

static void feed_enter(struct stream_feed *s)
{
	s->busy++;
}

static void feed_leave(struct stream_feed *s)
{
	if (--s->busy || !s->over)
		return;
	free(s->chunk);
	free(s);
}

static void end(struct stream_feed *s, int r, const struct err *e)
{
	struct err none = {0};

	if (s->over)
		return;
	s->over = true;
	ev_io_stop(s->loop, &s->more);
	if (s->notify >= 0)
		ev_io_stop(s->loop, &s->changed);
	close_fd(&s->notify);
	close_fd(&s->file);
	socket_finish(framed_release(&s->conn));
	s->cb.on_end(s, r, e ? e : &none);
}

/* ---- source ---- */

static int source_end(struct stream_feed *s, uint64_t *ret, struct err *e)
{
	struct stat st;

	if (s->log) {
		*ret = outlog_end(s->log);
		return 0;
	}
	if (fstat(s->file, &st) < 0)
		return err_errno(e, "cannot look at the file that is followed");
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* At most n bytes at s->pos, which jumps over what is not kept. 0: none now. */
static ssize_t source_read(struct stream_feed *s, void *out, size_t n, struct err *e)
{
	ssize_t r;

	if (s->log) {
		s->pos = outlog_seek(s->log, s->pos);
		n = s->pos < s->stop_at ? min_of(n, s->stop_at - s->pos) : 0;
		return n ? outlog_read(s->log, s->pos, out, n, e) : 0;
	}
	n = s->pos < s->stop_at ? min_of(n, s->stop_at - s->pos) : 0;
	do
		r = n ? pread(s->file, out, n, (off_t)s->pos) : 0;
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_errno(e, "cannot read the file that is followed") : r;
}

/* ---- output ---- */

/* Sends the next frame. 1: sent; 0: nothing more now. */
static int send_chunk(struct stream_feed *s, struct err *e)
{
	uint8_t *data = s->chunk + DATA_HEADER;
	ssize_t n = source_read(s, data, WIRE_CHUNK, e);

	if (n <= 0)
		return (int)n;
	wire_header(s->chunk, WIRE_OUT_DATA, (uint32_t)(sizeof(uint64_t) + (size_t)n));
	for (size_t i = 0; i < sizeof(uint64_t); i++)
		s->chunk[WIRE_HEADER + i] = (uint8_t)(s->pos >> (8 * i));
	s->pos += (uint64_t)n;
	(void)framed_send(
		&s->conn, s->chunk, DATA_HEADER + (size_t)n); /* -EPIPE: its end follows */
	return 1;
}

static void send_exit(struct stream_feed *s)
{
	uint8_t b[WIRE_HEADER + 8];

	if (!s->tell_exit)
		return;
	s->tell_exit = false;
	(void)framed_send(&s->conn, b,
		(size_t)wire_put_exit(b, sizeof(b), WIRE_OUT_MAIN_EXIT, s->how, s->value));
}

/* Sends until the socket is full, the source is at its end or the turn is over. 1: all was sent and
 * nothing more will come; 0: wait; -errno. */
static int pump(struct stream_feed *s, struct err *e)
{
	int r = 1;

	ev_io_stop(s->loop, &s->more);
	if (s->conn.broken)
		return 0;
	for (int i = 0; r == 1 && i < FRAMES_PER_WAKEUP; i++) {
		if (framed_queued(&s->conn))
			return 0; /* on_drained goes on */
		r = send_chunk(s, e);
	}
	if (r < 0)
		return r;
	if (r == 1) {
		if (!framed_queued(&s->conn))
			ev_io_start(s->loop, &s->more);
		return 0;
	}
	if (s->stop_at == UINT64_MAX)
		return 0;
	send_exit(s);
	return !framed_queued(&s->conn) && !s->conn.broken;
}

/* pump from a watcher: may end the feed. */
static void run(struct stream_feed *s)
{
	struct err e = {0};
	int r;

	if (s->over)
		return;
	r = pump(s, &e);
	if (r < 0)
		end(s, r, &e);
	else if (r == 1)
		end(s, 0, NULL);
}

static void on_more(struct ev_loop *loop, ev_io *w, int revents)
{
	struct stream_feed *s = w->data;

	(void)loop;
	(void)revents;
	feed_enter(s);
	run(s);
	feed_leave(s);
}

void stream_feed_wake(struct stream_feed *s)
{
	struct err e;

	/* What can end the feed happens in a watcher. */
	if (s->over || ev_is_active(&s->more) || framed_queued(&s->conn))
		return;
	if (s->stop_at != UINT64_MAX || pump(s, &e) < 0)
		ev_io_start(s->loop, &s->more);
}

static void on_changed(struct ev_loop *loop, ev_io *w, int revents)
{
	struct stream_feed *s = w->data;
	char waste[4096];

	(void)loop;
	(void)revents;
	while (read(s->notify, waste, sizeof(waste)) > 0)
		;
	feed_enter(s);
	run(s);
	feed_leave(s);
}

/* ---- input ---- */

static struct stream_feed *of(struct framed *c)
{
	return container_of(c, struct stream_feed, conn);
}

static int on_input_frame(struct stream_feed *s, const struct wire_frame *f)
{
	size_t left = f->len - s->input_done;

	if (left)
		s->input_done += s->cb.on_input(s, f->payload + s->input_done, left);
	if (s->input_done < f->len)
		return FRAMED_HOLD;
	s->input_done = 0;
	return 0;
}

static int on_frame(struct framed *c, const struct wire_frame *f, struct err *e)
{
	struct stream_feed *s = of(c);
	uint16_t rows, cols;

	if (s->cb.on_input && f->type == WIRE_OUT_INPUT)
		return on_input_frame(s, f);
	if (s->cb.on_input && f->type == WIRE_OUT_RESIZE) {
		if (wire_get_size(f, &rows, &cols) < 0)
			return err_set(e, EPROTO, "the client sent a malformed OUT_RESIZE");
		if (s->cb.on_resize)
			s->cb.on_resize(s, rows, cols);
		return 0;
	}
	return err_set(
		e, EPROTO, "the client sent %s on an output stream", wire_type_name(f->type));
}

static void on_drained(struct framed *c)
{
	run(of(c));
}

static void on_conn_end(struct framed *c, int r, const struct err *e)
{
	struct err why = {0};

	if (r == -EPROTO)
		err_set(&why, EPROTO, "%s", e->msg);
	else
		err_set(&why, EPIPE, "the client went away");
	end(of(c), -why.code, &why);
}

static void on_conn_enter(struct framed *c)
{
	feed_enter(of(c));
}

static void on_conn_leave(struct framed *c)
{
	feed_leave(of(c));
}

static const struct framed_ops feed_ops = {
	.hangup_ends = true,
	.queue_max = DATA_HEADER + WIRE_CHUNK + WIRE_HEADER + 8,
	.on_frame = on_frame,
	.on_drained = on_drained,
	.on_end = on_conn_end,
	.enter = on_conn_enter,
	.leave = on_conn_leave,
};

void stream_feed_input_room(struct stream_feed *s)
{
	if (!s->over)
		framed_unhold(&s->conn);
}

/* ---- begin and end ---- */

static int open_file(struct stream_feed *s, const char *path, bool follow, struct err *e)
{
	s->file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (s->file < 0)
		return err_errno(e, "cannot read '%s'", path);
	if (!follow)
		return 0;
	s->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->notify < 0)
		return err_errno(e,
			"cannot follow '%s': no more inotify instances for this user "
			"(fs.inotify.max_user_instances)",
			path);
	if (inotify_add_watch(s->notify, path, IN_MODIFY) < 0)
		return err_errno(e, "cannot follow '%s'", path);
	return 0;
}

int stream_feed_start(struct stream_feed **ret, struct ev_loop *loop,
	const struct stream_spec *spec, const struct stream_callbacks *cb, void *user,
	struct err *e)
{
	struct stream_feed *s = xcalloc(1, sizeof(*s));
	int r = 0;

	s->file = s->notify = -1;
	s->loop = loop;
	s->cb = *cb;
	s->user = user;
	s->log = spec->log;
	s->pos = spec->offset;
	s->stop_at = UINT64_MAX;
	if (!s->log)
		r = open_file(s, spec->file, spec->follow, e);
	if (!r && !spec->follow)
		r = source_end(s, &s->stop_at, e);
	if (r < 0) {
		close_fd(&s->file);
		close_fd(&s->notify);
		free(s);
		socket_finish(spec->client_fd);
		return r;
	}
	s->chunk = xcalloc(1, DATA_HEADER + WIRE_CHUNK);
	framed_open(&s->conn, loop, spec->client_fd, &feed_ops, false);
	ev_io_init(&s->more, on_more, spec->client_fd, EV_WRITE);
	ev_io_init(&s->changed, on_changed, s->notify, EV_READ);
	s->more.data = s->changed.data = s;
	if (s->notify >= 0)
		ev_io_start(loop, &s->changed);
	ev_io_start(loop, &s->more);
	*ret = s;
	return 0;
}

void *stream_feed_user(const struct stream_feed *s)
{
	return s->user;
}

uint64_t stream_feed_offset(const struct stream_feed *s)
{
	return s->pos;
}

void stream_feed_stop(struct stream_feed *s)
{
	struct err e;

	if (s->over)
		return;
	if (s->stop_at == UINT64_MAX && source_end(s, &s->stop_at, &e) < 0)
		s->stop_at = s->pos;
	if (!framed_queued(&s->conn))
		ev_io_start(s->loop, &s->more);
}

void stream_feed_finish(struct stream_feed *s, uint8_t how, int32_t value)
{
	s->tell_exit = true;
	s->how = how;
	s->value = value;
	stream_feed_stop(s);
}

void stream_feed_abort(struct stream_feed *s)
{
	struct err e = {0};

	feed_enter(s);
	err_set(&e, ECANCELED, "ended");
	end(s, -ECANCELED, &e);
	feed_leave(s);
}
