/* vm.logs of a recording: the bytes that had been written by now, then what comes as time passes.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agent/wire.h"
#include "backend/base/jsonx.h"
#include "backend/replay/replay.h"

#define OUT_MAX (256 * 1024) /* unsent bytes above which the reader is waited for */

struct replay_stream {
	struct replay *p;
	struct replay_stream *next;
	int fd, vm;
	enum record_source source;
	bool follow, left, ended;
	size_t entry; /* next one to look at */
	uint64_t at;  /* offset of the next byte */
	struct buf out;
	ev_io rd, wr;
};

static void stream_free(struct replay_stream *s)
{
	struct replay_stream **at = &s->p->streams;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	ev_io_stop(s->p->loop, &s->rd);
	ev_io_stop(s->p->loop, &s->wr);
	close(s->fd);
	buf_fini(&s->out);
	free(s);
}

static bool is_ours(const struct replay_stream *s, const struct record_entry *en)
{
	return en->vm == s->vm && en->kind >= RECORD_OPEN && en->kind <= RECORD_END &&
	       en->source == s->source;
}

static void put_data(struct replay_stream *s, const struct record_entry *en)
{
	uint64_t skip = en->at < s->at ? s->at - en->at : 0;

	while (skip < en->size) {
		size_t n = min_of(en->size - skip, (size_t)WIRE_CHUNK - 8);
		size_t room = WIRE_HEADER + 8 + n;
		uint8_t *to = buf_reserve(&s->out, room);
		int len = to ? wire_put_out_data(to, room, en->at + skip, en->data + skip, n) : -1;

		if (len < 0)
			return;
		buf_commit(&s->out, (size_t)len);
		skip += n;
		s->at = en->at + skip;
	}
}

/* Takes what has happened into the queue. */
static void fill(struct replay_stream *s)
{
	const struct recording *rec = &s->p->rec;

	while (!s->left && !s->ended && s->entry < s->p->next && s->out.len < OUT_MAX) {
		const struct record_entry *en = &rec->entry[s->entry++];

		if (!is_ours(s, en))
			continue;
		if (en->kind == RECORD_DATA)
			put_data(s, en);
		/* What was opened again later goes on. */
		else if (en->kind == RECORD_END)
			s->ended = true;
	}
	if (!s->left && !s->follow && s->entry == s->p->next)
		s->ended = true;
}

/* False: it is gone. */
static bool pump(struct replay_stream *s)
{
	for (;;) {
		ssize_t r;

		fill(s);
		if (!s->out.len)
			break;
		r = buf_write(&s->out, s->fd);
		if (r == -EAGAIN) {
			ev_io_start(s->p->loop, &s->wr);
			return true;
		}
		if (r < 0) {
			stream_free(s);
			return false;
		}
	}
	ev_io_stop(s->p->loop, &s->wr);
	if (s->ended && !s->left) {
		stream_free(s);
		return false;
	}
	return true;
}

static void on_write(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	(void)pump(w->data);
}

/* What the reader types (sizes) is of no use here; its end is. */
static void on_read(struct ev_loop *loop, ev_io *w, int revents)
{
	struct replay_stream *s = w->data;
	char drop[4096];
	ssize_t n = read(s->fd, drop, sizeof(drop));

	(void)loop;
	(void)revents;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		stream_free(s);
}

void streams_wake(struct replay *p)
{
	struct replay_stream *next;

	for (struct replay_stream *s = p->streams; s; s = next) {
		next = s->next;
		(void)pump(s);
	}
}

void streams_leave(struct replay *p)
{
	for (struct replay_stream *s = p->streams; s; s = s->next)
		s->left = true;
}

void streams_fini(struct replay *p)
{
	while (p->streams)
		stream_free(p->streams);
}

/* Bytes first..end had been written by now; false: nothing was recorded of it. */
static bool extent(const struct replay_stream *s, uint64_t *ret_first, uint64_t *ret_end)
{
	bool known = false;

	*ret_first = *ret_end = 0;
	for (size_t i = 0; i < s->p->next; i++) {
		const struct record_entry *en = &s->p->rec.entry[i];

		if (!is_ours(s, en) || (en->kind != RECORD_DATA && known))
			continue;
		if (!known)
			*ret_first = *ret_end = en->at;
		known = true;
		*ret_end = max_of(*ret_end, en->at + en->size);
	}
	return known;
}

static int start(
	struct replay_stream *s, struct rpc_call *call, struct json_object *params, struct err *e)
{
	struct json_object *o = json_object_new_object();
	int64_t since = jsonx_int(params, "since", -1), tail = jsonx_int(params, "tail", -1);
	uint64_t first, end;

	(void)extent(s, &first, &end);
	s->at = since >= 0                          ? (uint64_t)since
		: tail >= 0 && end > (uint64_t)tail ? end - (uint64_t)tail
						    : first;
	s->at = max_of(first, min_of(s->at, end));
	jsonx_add_int(o, "first", (int64_t)first);
	jsonx_add_int(o, "start", (int64_t)s->at);
	jsonx_add_int(o, "end", (int64_t)end);
	return rpc_upgrade(call, o, &s->fd, e);
}

void handle_stream(struct rpc_call *call, struct json_object *params)
{
	struct replay *p = rpc_user(call);
	int vm = recording_vm(&p->rec, jsonx_str(params, "vm"));
	struct replay_stream *s;
	struct err e = {0};

	if (vm < 0) {
		err_set(&e, ENOENT, "nothing of VM '%s' is in this recording",
			jsonx_str(params, "vm"));
		rpc_fail(call, &e);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->p = p;
	s->vm = vm;
	s->source = jsonx_bool(params, "serial", false) ? RECORD_SERIAL : RECORD_OUTPUT;
	s->follow = jsonx_bool(params, "follow", false);
	if (start(s, call, params, &e) < 0) {
		free(s);
		return;
	}
	buf_init(&s->out, 2 * OUT_MAX);
	ev_io_init(&s->rd, on_read, s->fd, EV_READ);
	ev_io_init(&s->wr, on_write, s->fd, EV_WRITE);
	s->rd.data = s->wr.data = s;
	ev_io_start(p->loop, &s->rd);
	s->next = p->streams;
	p->streams = s;
	(void)pump(s);
}
