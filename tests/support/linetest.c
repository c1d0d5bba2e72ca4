#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/linetest.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"

#define LINE_LIMIT (16u * 1024 * 1024)

static void too_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	*(int *)w->data = 1;
}

void t_until_is(const int *value, int want, const char *what)
{
	int late = 0;
	ev_timer t;

	ev_now_update(t_loop);
	ev_timer_init(&t, too_late, T_DEADLINE, 0.);
	t.data = &late;
	ev_timer_start(t_loop, &t);
	while (*value != want && !late)
		ev_run(t_loop, EVRUN_ONCE);
	ev_timer_stop(t_loop, &t);
	if (*value != want)
		fail_msg("%s is %d, not %d, after %g s", what, *value, want, T_DEADLINE);
}

static void set_flag(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	*(int *)w->data = 1;
}

static void wait_fd(int fd, int events, const char *what)
{
	int ready = 0;
	ev_io w;

	ev_io_init(&w, set_flag, fd, events);
	w.data = &ready;
	ev_io_start(t_loop, &w);
	t_until(&ready, what);
	ev_io_stop(t_loop, &w);
}

void liner_dial(struct liner *l, const char *path)
{
	struct peer p;

	peer_dial(&p, path);
	*l = (struct liner){.fd = p.fd};
	buf_init(&l->in, LINE_LIMIT);
}

void liner_close(struct liner *l)
{
	close_fd(&l->fd);
	buf_fini(&l->in);
	json_object_put(l->o);
	l->o = NULL;
}

bool liner_send(struct liner *l, const char *text)
{
	size_t n = strlen(text);

	while (n) {
		ssize_t r = send(l->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (r < 0 && errno == EAGAIN) {
			wait_fd(l->fd, EV_WRITE, "room to send");
			continue;
		}
		if (r < 0)
			return false;
		text += r;
		n -= (size_t)r;
	}
	return true;
}

void liner_call(struct liner *l, int id, const char *method, const char *params)
{
	autofree char *line = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"%s%s}\n",
		id, method, params ? ",\"params\":" : "", params ? params : "");

	assert_true(liner_send(l, line));
}

bool liner_next(struct liner *l)
{
	char *line;
	size_t n;

	for (;;) {
		ssize_t r;

		if (lines_next(&l->in, LINE_LIMIT, &line, &n) > 0)
			break;
		r = buf_read(&l->in, l->fd, 65536);
		if (r == -EAGAIN)
			wait_fd(l->fd, EV_READ, "line");
		else if (r == 0 || r == -ECONNRESET)
			return false;
		else
			assert_true(r > 0);
	}
	json_object_put(l->o);
	l->o = NULL;
	assert_int_equal(jsonx_parse(line, n, &l->o, NULL), 0);
	return true;
}

static void next_line(struct liner *l)
{
	if (!liner_next(l))
		fail_msg("end of file instead of a line");
}

struct json_object *liner_result(struct liner *l, int id)
{
	next_line(l);
	if (!json_object_object_get_ex(l->o, "result", NULL))
		fail_msg("no result: %s", jsonx_line(l->o));
	assert_string_equal(jsonx_str(l->o, "jsonrpc"), "2.0");
	assert_int_equal(jsonx_int(l->o, "id", -1), id);
	return jsonx_get(l->o, "result");
}

const char *liner_error(struct liner *l, int id, int code)
{
	struct json_object *error;

	next_line(l);
	error = jsonx_get(l->o, "error");
	if (!error || jsonx_int(error, "code", 0) != code)
		fail_msg("no error %d: %s", code, jsonx_line(l->o));
	assert_true(json_object_object_get_ex(l->o, "id", NULL));
	assert_int_equal(jsonx_int(l->o, "id", -1), id);
	return jsonx_str(error, "message");
}

uint64_t liner_event(struct liner *l)
{
	next_line(l);
	if (!jsonx_str(l->o, "method") || strcmp(jsonx_str(l->o, "method"), "event"))
		fail_msg("no event: %s", jsonx_line(l->o));
	return (uint64_t)jsonx_int(jsonx_get(l->o, "params"), "seq", 0);
}

void liner_expect_eof(struct liner *l)
{
	if (liner_next(l))
		fail_msg("%s instead of the end of file", jsonx_line(l->o));
}
