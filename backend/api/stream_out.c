/* Input of a stream: one bounded queue of frames, stdin within the guest's credit. */
#include "backend/api/stream_impl.h"

#include <errno.h>
#include <string.h>

static bool put_frame(struct api_stream *s, uint8_t type, const void *payload, size_t n)
{
	uint8_t *room = buf_reserve(&s->out, WIRE_HEADER + n);

	if (!room)
		return false;
	wire_header(room, type, (uint32_t)n);
	if (n)
		memcpy(room + WIRE_HEADER, payload, n);
	buf_commit(&s->out, WIRE_HEADER + n);
	return true;
}

static void put_resize(struct api_stream *s)
{
	uint8_t frame[WIRE_HEADER + 8];
	int n = wire_put_size(frame, sizeof(frame),
		s->kind == STREAM_EXEC ? WIRE_RESIZE : WIRE_OUT_RESIZE, s->rows, s->cols);

	if (n > 0 && buf_append(&s->out, frame, (size_t)n) == 0)
		s->resize_due = false;
}

void stream_flush(struct api_stream *s)
{
	ssize_t r = 1;

	if (s->state != STREAM_CALLING && s->state != STREAM_OPEN)
		return;
	if (s->state == STREAM_OPEN && s->resize_due)
		put_resize(s);
	if (s->state == STREAM_OPEN && s->eof_due && put_frame(s, WIRE_STDIN_EOF, NULL, 0))
		s->eof_due = false;
	while (s->out.len && r > 0)
		r = buf_write(&s->out, s->fd);
	if (r < 0 && r != -EAGAIN) {
		/* Reading tells why. */
		s->out_broken = true;
		buf_consume(&s->out, s->out.len);
	}
	if (s->out.len)
		ev_io_start(s->loop, &s->wr);
	else
		ev_io_stop(s->loop, &s->wr);
}

/* Input bytes that can be taken now. */
static size_t stream_room(const struct api_stream *s)
{
	size_t room = s->out.len < STREAM_QUEUE_MAX ? STREAM_QUEUE_MAX - s->out.len : 0;

	if (s->state != STREAM_OPEN || room <= WIRE_HEADER)
		return 0;
	return (size_t)min_of((uint64_t)(room - WIRE_HEADER), s->credit);
}

void stream_tell_room(struct api_stream *s)
{
	if (s->closed || !s->starved || s->eof || s->out.len > STREAM_QUEUE_MAX / 2 ||
		!stream_room(s))
		return;
	s->starved = false;
	if (s->h->on_room)
		s->h->on_room(s);
}

ssize_t api_stream_write(struct api_stream *s, const void *data, size_t n)
{
	uint8_t type = s->kind == STREAM_EXEC ? WIRE_STDIN : WIRE_OUT_INPUT;
	size_t taken = 0, k;

	if (s->kind == STREAM_LOGS)
		return -EOPNOTSUPP;
	if (s->eof || s->out_broken || s->state > STREAM_OPEN)
		return -EPIPE;
	while (taken < n && (k = min_of(stream_room(s), min_of(n - taken, WIRE_CHUNK))) > 0) {
		if (!put_frame(s, type, (const uint8_t *)data + taken, k))
			break;
		taken += k;
		if (s->kind == STREAM_EXEC)
			s->credit -= k;
	}
	s->starved = taken < n;
	stream_flush(s);
	return (ssize_t)taken;
}

int api_stream_eof(struct api_stream *s)
{
	if (s->kind != STREAM_EXEC)
		return -EOPNOTSUPP;
	if (s->state > STREAM_OPEN)
		return -EPIPE;
	if (!s->eof)
		s->eof = s->eof_due = true;
	stream_flush(s);
	return 0;
}

int api_stream_resize(struct api_stream *s, uint16_t rows, uint16_t cols)
{
	if (s->kind == STREAM_LOGS)
		return -EOPNOTSUPP;
	if (s->state > STREAM_OPEN)
		return -EPIPE;
	s->rows = rows;
	s->cols = cols;
	s->resize_due = true;
	stream_flush(s);
	return 0;
}

int api_stream_signal(struct api_stream *s, int sig)
{
	uint8_t number = (uint8_t)sig;

	if (s->kind != STREAM_EXEC)
		return -EOPNOTSUPP;
	if (sig < 1 || sig > 64)
		return -EINVAL;
	if (s->state > STREAM_OPEN)
		return -EPIPE;
	if (s->state != STREAM_OPEN || !put_frame(s, WIRE_SIGNAL, &number, 1))
		return -EAGAIN;
	stream_flush(s);
	return 0;
}
