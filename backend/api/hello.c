/* Opening a client: connection, hello and versions, without the loop and with one deadline. */
#include "backend/api/client_impl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"
#include "backend/base/str.h"

#define TIMEOUT_DEFAULT 10.0
#define OPEN_TRIES      5 /* a daemon that is just ending takes the connection and drops it */

static int daemon_pid(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 ? 0 : (int)cred.pid;
}

/* Sends what is queued and reads one line, without the loop. */
static int exchange(
	struct api_client *c, uint64_t deadline_ns, char **ret_line, size_t *ret_len, struct err *e)
{
	for (;;) {
		struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
		int r = lines_next(&c->in, API_ANSWER_MAX, ret_line, ret_len);

		if (r > 0)
			return 0;
		if (c->out.len)
			pfd.events |= POLLOUT;
		if (r == 0 && poll(&pfd, 1, client_ms_left(deadline_ns)) == 0)
			return err_set(e, ETIMEDOUT,
				"vmdeckd (pid %d) does not answer: see %s/daemon.log",
				daemon_pid(c->fd), c->paths.home);
		if ((pfd.revents & POLLOUT) && buf_write(&c->out, c->fd) < 0)
			buf_consume(&c->out, c->out.len); /* reading tells why */
		if (r == 0 && (pfd.revents & (POLLIN | POLLHUP | POLLERR))) {
			r = (int)buf_read(&c->in, c->fd, API_READ_MAX);
			r = r == 0 ? -ECONNRESET : r;
		}
		if (r < 0 && r != -EAGAIN)
			return err_set(e, ECONNRESET,
				"vmdeckd closes each connection at once: see %s/daemon.log",
				c->paths.home);
	}
}

static int check_versions(struct api_client *c, struct err *e)
{
	int64_t theirs = jsonx_int(c->hello, "protocol", -1);
	const char *version = jsonx_str(c->hello, "version");
	char shown[64];

	if (theirs == PROTO_VERSION)
		return 0;
	return err_set(e, EPROTONOSUPPORT,
		"vmdeckd %s (pid %d) speaks protocol %lld, this vmdeck speaks %d: end it with "
		"`vmdeck daemon stop` (VMs go on running) and try again",
		str_safe(shown, sizeof(shown), version ? version : "of an unknown version"),
		(int)jsonx_int(c->hello, "pid", daemon_pid(c->fd)), (long long)theirs,
		PROTO_VERSION);
}

int client_put_hello(
	struct api_client *c, struct buf *out, int64_t id, const char *client, struct err *e)
{
	struct json_object *params = json_object_new_object();

	jsonx_add_int(params, "protocol", PROTO_VERSION);
	if (client)
		jsonx_add_str(params, "client", client);
	if (c->read_only)
		jsonx_add_bool(params, "read_only", true);
	return client_put_call(out, id, "hello", params, e);
}

static int say_hello(
	struct api_client *c, const struct api_opts *opts, uint64_t deadline_ns, struct err *e)
{
	struct json_object *error;
	autojson struct json_object *o = NULL;
	char *line;
	size_t n;
	int r;

	r = client_put_hello(c, &c->out, 0, opts->client, e);
	if (!r)
		r = exchange(c, deadline_ns, &line, &n, e);
	if (!r)
		r = jsonx_parse(line, n, &o, e);
	if (r == -EINVAL)
		return err_set(e, EPROTO, "what answers at '%s' is not vmdeckd", c->socket_path);
	if (r < 0)
		return r;
	error = jsonx_get(o, "error");
	if (error && opts->any_version && jsonx_get(o, "id"))
		return 0;
	r = error ? client_take_error(error, e) : 0;
	if (r == -EPROTO || r == -EPROTONOSUPPORT)
		return err_wrap(e, r,
			"vmdeckd (pid %d) refuses this vmdeck: end it with `vmdeck daemon stop` "
			"(VMs go on running) and try again",
			daemon_pid(c->fd));
	if (r < 0)
		return r;
	c->hello = json_object_get(jsonx_get(o, "result"));
	return opts->any_version ? 0 : check_versions(c, e);
}

int api_open(
	struct api_client **ret, struct ev_loop *loop, const struct api_opts *opts, struct err *e)
{
	static const struct api_opts none;
	struct api_client *c;
	struct paths paths;
	uint64_t deadline_ns;
	int r = paths_find(&paths, e);

	if (r < 0)
		return r;
	opts = opts ? opts : &none;
	deadline_ns =
		mono_ns() + (uint64_t)((opts->timeout > 0 ? opts->timeout : TIMEOUT_DEFAULT) * 1e9);
	c = client_new(loop, &paths);
	c->read_only = opts->read_only;
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		buf_consume(&c->in, c->in.len);
		buf_consume(&c->out, c->out.len);
		close_fd(&c->fd);
		r = client_connect(&paths, opts->no_start, deadline_ns, &c->fd, e);
		if (!r) {
			client_nonblock(c->fd);
			r = say_hello(c, opts, deadline_ns, e);
		}
		if (r != -ECONNRESET)
			break;
	}
	if (r < 0) {
		api_close(c);
		return r;
	}
	client_live(c);
	*ret = c;
	return 0;
}
