// LIBS: rpc events api base
/* Bytes of a hostile caller: lines into the decoder, the checks of the message table and every
 * handler. A handler sees only what the table allows, and every call is answered once. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"
#include "backend/rpc/rpc_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned answered;

static void on_call(struct rpc_call *call, struct json_object *params)
{
	struct err e;

	if (!json_object_is_type(params, json_type_object))
		abort();
	if (proto_check(rpc_method(call), params, &e) < 0)
		abort();
	answered++;
	if (answered % 2) {
		rpc_reply(call, json_object_get(params));
	} else {
		err_set(&e, EIO, "%s", jsonx_line(params));
		rpc_fail(call, &e);
	}
}

/* No loop runs: what is sent goes to /dev/null at once. */
static struct rpc_server *server(void)
{
	static struct rpc_server s;

	if (s.loop)
		return &s;
	s.loop = ev_loop_new(EVFLAG_AUTO);
	s.depth = 1;
	s.fd = -1;
	for (int i = 0; i < PROTO__COUNT; i++)
		s.config.handlers[i] = i == PROTO_EVENT_SUBSCRIBE ? NULL : on_call;
	return &s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_server *s = server();
	struct buf in;
	struct conn *c;
	char *line;
	size_t n;

	conn_open(s, open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	c = s->conns;
	buf_init(&in, 0);
	if (buf_append(&in, data, size) < 0 || buf_append(&in, "\n", 1) < 0)
		abort();
	while (c->state == CONN_OPEN && lines_next(&in, PROTO_LINE_MAX, &line, &n) > 0)
		call_line(c, line, n);
	buf_fini(&in);
	if (c->calls)
		abort();
	s->conns = NULL;
	conn_die(c);
	conn_free(c);
	return 0;
}
