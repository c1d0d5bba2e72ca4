/* Calls: a line becomes a checked call, a handler answers it now or later. */
#include "backend/rpc/rpc_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

/* ---- answers --------------------------------------------------------------------------------- */

static struct json_object *answer_new(
	struct json_object *id, const char *key, struct json_object *v)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "jsonrpc", "2.0");
	json_object_object_add(o, "id", json_object_get(id));
	json_object_object_add(o, key, v);
	return o;
}

void call_error(struct conn *c, struct json_object *id, int code, const char *message)
{
	struct json_object *error = json_object_new_object();
	autojson struct json_object *o = NULL;
	const char *line;

	jsonx_add_int(error, "code", code);
	jsonx_add_str(error, "message", message);
	o = answer_new(id, "error", error);
	line = jsonx_line(o);
	if (!conn_put(c, line, strlen(line)))
		conn_finish(c); /* it reads nothing and has megabytes to read */
}

static void call_error_of(struct conn *c, struct json_object *id, const struct err *e)
{
	call_error(c, id, RPC_ERRNO_BASE - (e->code > 0 ? e->code : EIO), e->msg);
}

/* ---- lifetime -------------------------------------------------------------------------------- */

static struct rpc_call *call_new(struct conn *c, enum proto_id method, struct json_object *id)
{
	struct rpc_call *call = xcalloc(1, sizeof(*call));

	call->conn = c;
	call->method = method;
	call->uid = c->uid;
	call->config_user = c->server->config.user;
	call->id = json_object_get(id);
	call->next = c->calls;
	c->calls = call;
	c->call_count++;
	c->upgrading = proto_methods[method].upgrade;
	return call;
}

static void call_unlink(struct rpc_call *call)
{
	struct conn *c = call->conn;

	if (!c)
		return;
	for (struct rpc_call **at = &c->calls; *at; at = &(*at)->next)
		if (*at == call) {
			*at = call->next;
			break;
		}
	c->call_count--;
	call->conn = NULL;
	if (c->upgrading) {
		c->upgrading = false;
		conn_wake(c);
	}
}

static void call_free(struct rpc_call *call)
{
	call_unlink(call);
	json_object_put(call->id);
	free(call);
}

void calls_gone(struct conn *c)
{
	while (c->calls) {
		struct rpc_call *call = c->calls;

		call_unlink(call);
		if (call->on_gone)
			call->on_gone(call, call->gone_user); /* may answer, which frees it */
	}
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool valid_id(struct json_object *id)
{
	if (json_object_is_type(id, json_type_int))
		return true;
	return json_object_is_type(id, json_type_string) &&
	       json_object_get_string_len(id) <= RPC_ID_MAX;
}

static void no_such_call(struct conn *c, struct json_object *id, const char *name)
{
	const char *near = proto_near(name);
	char shown[80], message[200];

	str_safe(shown, sizeof(shown), name);
	snprintf(message, sizeof(message), "there is no call '%s'%s%s%s", shown,
		near ? ": is it '" : "", near ? near : "", near ? "'?" : "");
	call_error(c, id, RPC_NO_METHOD, message);
}

/* A connection becomes a stream as a whole: nothing else may be under way on it. */
static bool may_start(struct conn *c, struct json_object *id, enum proto_id method)
{
	const char *name = proto_methods[method].name;
	char message[160];

	if (c->call_count >= RPC_CALLS_MAX) {
		snprintf(message, sizeof(message), "%s: %d calls are unanswered on this connection",
			name, c->call_count);
		call_error(c, id, RPC_ERRNO_BASE - EBUSY, message);
		return false;
	}
	if (proto_methods[method].upgrade && (c->call_count || c->sub != SUB_NONE)) {
		snprintf(message, sizeof(message), "%s needs a connection of its own", name);
		call_error(c, id, RPC_INVALID_REQUEST, message);
		return false;
	}
	return true;
}

static void dispatch(
	struct conn *c, struct json_object *id, enum proto_id method, struct json_object *given)
{
	rpc_handler *handler = c->server->config.handlers[method];
	autojson struct json_object *params = NULL;
	char message[80];

	if (!may_start(c, id, method))
		return;
	params = given ? json_object_get(given) : json_object_new_object();
	if (handler) {
		handler(call_new(c, method, id), params);
	} else if (method == PROTO_EVENT_SUBSCRIBE) {
		sub_start(c, call_new(c, method, id), params);
	} else {
		snprintf(message, sizeof(message), "%s is not available here",
			proto_methods[method].name);
		call_error(c, id, RPC_NO_METHOD, message);
	}
}

static bool may_write(struct conn *c, struct json_object *id, enum proto_id method)
{
	char message[160];

	if (!c->read_only || proto_methods[method].perm == PROTO_READ)
		return true;
	snprintf(message, sizeof(message),
		"read-only connection: %s is refused; connect without read-only for it",
		proto_methods[method].name);
	call_error(c, id, RPC_ERRNO_BASE - EPERM, message);
	return false;
}

static void request(struct conn *c, struct json_object *o)
{
	struct json_object *id = jsonx_get(o, "id"), *params = jsonx_get(o, "params");
	const char *method = jsonx_str(o, "method"), *version = jsonx_str(o, "jsonrpc");
	struct err e;
	int m;

	if (!valid_id(id)) {
		call_error(c, NULL, RPC_INVALID_REQUEST,
			"'id' must be a whole number or a string of up to 128 bytes: calls without "
			"an answer are not taken");
		return;
	}
	if (!version || strcmp(version, "2.0") != 0 || !method) {
		call_error(c, id, RPC_INVALID_REQUEST,
			"not a call: it needs \"jsonrpc\": \"2.0\" and a \"method\"");
		return;
	}
	m = proto_find(method);
	if (m < 0) {
		no_such_call(c, id, method);
		return;
	}
	if (!may_write(c, id, (enum proto_id)m))
		return;
	if (proto_check((enum proto_id)m, params, &e) < 0)
		call_error(c, id, RPC_BAD_PARAMS, e.msg);
	else
		dispatch(c, id, (enum proto_id)m, params);
}

void call_line(struct conn *c, const char *line, size_t n)
{
	autojson struct json_object *o = NULL;
	struct err e;

	if (!n)
		return;
	if (jsonx_parse(line, n, &o, &e) < 0) {
		call_error(c, NULL, RPC_PARSE_ERROR, e.msg);
		conn_finish(c);
	} else if (!json_object_is_type(o, json_type_object)) {
		call_error(c, NULL, RPC_INVALID_REQUEST, "not a call: one object a line is taken");
	} else {
		request(c, o);
	}
}

/* ---- public ---------------------------------------------------------------------------------- */

void *rpc_user(const struct rpc_call *call)
{
	return call->config_user;
}

enum proto_id rpc_method(const struct rpc_call *call)
{
	return call->method;
}

uid_t rpc_uid(const struct rpc_call *call)
{
	return call->uid;
}

void rpc_set_read_only(struct rpc_call *call)
{
	if (call->conn)
		call->conn->read_only = true;
}

bool rpc_alive(const struct rpc_call *call)
{
	return call->conn && call->conn->state == CONN_OPEN;
}

void rpc_on_gone(struct rpc_call *call, void (*fn)(struct rpc_call *call, void *user), void *user)
{
	call->on_gone = fn;
	call->gone_user = user;
}

void rpc_reply(struct rpc_call *call, struct json_object *result)
{
	autojson struct json_object *o = answer_new(call->id, "result", result);
	struct conn *c = call->conn;
	struct err e;
	const char *line;
	size_t n;

	if (rpc_alive(call)) {
		line = jsonx_line(o);
		n = strlen(line);
		if (n > RPC_QUEUE_MAX || !conn_put(c, line, n)) {
			err_set(&e, E2BIG,
				"%s: the answer has %zu bytes, too many to send: ask "
				"for less",
				proto_methods[call->method].name, n);
			call_error_of(c, call->id, &e);
		}
	}
	call_free(call);
}

void rpc_fail(struct rpc_call *call, const struct err *e)
{
	if (rpc_alive(call))
		call_error_of(call->conn, call->id, e);
	call_free(call);
}

/* ---- upgrade --------------------------------------------------------------------------------- */

static int check_quiet(const struct conn *c, const char *name, struct err *e)
{
	ssize_t n;
	char byte;

	if (c->in.len)
		return err_set(e, EPROTO, "%s: bytes were sent before the answer", name);
	if (c->out.len)
		return err_set(e, EBUSY, "%s: earlier answers are not read yet", name);
	n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		return err_set(e, EPROTO, "%s: bytes were sent before the answer", name);
	if (n == 0 || errno != EAGAIN)
		return err_set(e, EPIPE, "%s: the caller has gone", name);
	return 0;
}

/* The whole line at once: a new socket's empty buffer has room for it, and a stream cannot begin
 * behind half an answer. */
static int send_result(
	struct conn *c, struct rpc_call *call, struct json_object *result, struct err *e)
{
	autojson struct json_object *o = answer_new(call->id, "result", json_object_get(result));
	autofree char *line = xasprintf("%s\n", jsonx_line(o));
	size_t n = strlen(line);
	ssize_t r = send(c->fd, line, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (r == (ssize_t)n)
		return 0;
	if (r < 0 && (errno == EPIPE || errno == ECONNRESET))
		return err_set(
			e, EPIPE, "%s: the caller has gone", proto_methods[call->method].name);
	/* After half a line nothing more can be said. */
	conn_finish(c);
	return err_set(e, EBUSY, "%s: the caller's socket has no room for the answer",
		proto_methods[call->method].name);
}

int rpc_upgrade(struct rpc_call *call, struct json_object *result, int *ret_fd, struct err *e)
{
	autojson struct json_object *o = result;
	struct conn *c = call->conn;
	struct err why;
	int r;

	if (!rpc_alive(call))
		r = err_set(
			&why, EPIPE, "%s: the caller has gone", proto_methods[call->method].name);
	else
		r = check_quiet(c, proto_methods[call->method].name, &why);
	if (!r)
		r = send_result(c, call, o, &why);
	if (r < 0) {
		if (r != -EPIPE)
			rpc_fail(call, &why);
		else
			call_free(call);
		if (c && r != -EPIPE)
			conn_finish(c);
		return err_set(e, why.code, "%s", why.msg);
	}
	call_free(call);
	*ret_fd = conn_steal(c);
	return 0;
}
