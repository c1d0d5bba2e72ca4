#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/exec_job.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/str.h"

static void on_log(struct exec_relay *x, const char *name, const char *fields)
{
	struct job *j = exec_relay_user(x);
	size_t n = strlen(j->log);

	assert_memory_equal(fields, "{\"id\":\"", 7);
	snprintf(j->log + n, sizeof(j->log) - n, "%s ", name);
	if (strstr(fields, "why")) {
		n = strlen(j->log);
		snprintf(j->log + n, sizeof(j->log) - n, "%s ", fields);
	}
}

static void on_done(struct exec_relay *x, int r, const struct err *e, uint8_t how, int32_t value,
	const struct exec_times *t)
{
	struct job *j = exec_relay_user(x);

	j->done++;
	j->r = r;
	j->e = *e;
	j->how = how;
	j->value = value;
	j->t = *t;
	j->x = NULL;
}

int job_start(struct job *j, const char *vsock_path, const char *const *argv, uint8_t flags,
	double timeout)
{
	static const struct exec_callbacks callbacks = {on_log, on_done};
	struct wire_exec_req *req = xcalloc(1, sizeof(*req));
	int sv[2], r, small = 8192;

	memset(j, 0, sizeof(*j));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	/* A small buffer, so that a client that does not read is soon a slow one. */
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	peer_take(&j->client, sv[1]);
	random_bytes(req->id, WIRE_ID);
	req->flags = flags;
	for (; argv[req->argc]; req->argc++)
		req->argv[req->argc] =
			(struct wire_str){argv[req->argc], (uint16_t)strlen(argv[req->argc])};
	r = exec_relay_start(&j->x, t_loop, vsock_path, req, sv[0], timeout, &callbacks, j, &j->e);
	free(req);
	assert_int_equal(j->done, 0);
	return r;
}

void job_finish(struct job *j, char *out, size_t n)
{
	size_t at = 0;

	while (peer_next(&j->client)) {
		const struct wire_frame *f = &j->client.f;

		if (f->type != WIRE_STDOUT && f->type != WIRE_STDERR)
			continue;
		if (out && at + f->len < n) {
			memcpy(out + at, f->payload, f->len);
			at += f->len;
		}
	}
	if (out)
		out[at] = '\0';
	t_until(&j->done, "end of the relay");
	peer_close(&j->client);
}
