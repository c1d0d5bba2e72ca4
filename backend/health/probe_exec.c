/* A command in the guest, by the same two-phase start as any other: exit code 0 is healthy. What it
 * writes is thrown away but for its last line, which is the reason. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/str.h"
#include "backend/guest/exec.h"
#include "backend/guest/framed.h"
#include "backend/health/probe.h"

#define LINE_MAX_BYTES 200

struct exec_check {
	struct probe base;
	struct exec_relay *relay; /* NULL: it has ended */
	struct framed conn;       /* our end of what would be a client's connection */
	bool over;                /* conn has ended: told in leave */
	enum health_state verdict;
	bool exited;
	char line[LINE_MAX_BYTES + 1];
	size_t len;
	bool line_ended;
	char reason[HEALTH_REASON];
};

/* ---- what it writes -------------------------------------------------------------------------- */

static void take_output(struct exec_check *c, const uint8_t *p, size_t n)
{
	for (; n; p++, n--) {
		if (*p == '\n' || *p == '\r' || *p == '\0') {
			c->line_ended = c->len > 0;
			continue;
		}
		if (c->line_ended)
			c->len = 0;
		c->line_ended = false;
		if (c->len < LINE_MAX_BYTES)
			c->line[c->len++] = (char)*p;
	}
	c->line[c->len] = '\0';
}

static void take_exit(struct exec_check *c, uint8_t how, int32_t value)
{
	char safe[LINE_MAX_BYTES + 1], end[48];
	bool good = how == WIRE_EXITED && value == 0;

	str_safe(safe, sizeof(safe), c->line);
	snprintf(end, sizeof(end), how == WIRE_SIGNALED ? "killed by signal %d" : "exit code %d",
		value);
	snprintf(c->reason, sizeof(c->reason), "%s%s%s", end, safe[0] ? ": " : "", safe);
	c->verdict = good ? HEALTH_HEALTHY : HEALTH_UNHEALTHY;
	c->exited = true;
}

static void take_refusal(struct exec_check *c, const struct wire_frame *f)
{
	struct wire_str why;
	uint8_t code;
	char text[LINE_MAX_BYTES];

	if (wire_get_refused(f, &code, &why) < 0)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)min_of((size_t)why.len, sizeof(text) - 1), why.s);
	snprintf(c->reason, sizeof(c->reason), "the command could not be run: ");
	str_safe(c->reason + strlen(c->reason), sizeof(c->reason) - strlen(c->reason), text);
	c->exited = true;
}

static int on_frame(struct framed *conn, const struct wire_frame *f, struct err *e)
{
	struct exec_check *c = container_of(conn, struct exec_check, conn);
	uint8_t how;
	int32_t value;

	if (f->type == WIRE_STDOUT || f->type == WIRE_STDERR)
		take_output(c, f->payload, f->len);
	else if (f->type == WIRE_REFUSED)
		take_refusal(c, f);
	else if (f->type == WIRE_EXIT && wire_get_exit(f, &how, &value) < 0)
		return err_set(e, EPROTO, "malformed EXIT");
	else if (f->type == WIRE_EXIT)
		take_exit(c, how, value);
	return 0;
}

/* ---- its end --------------------------------------------------------------------------------- */

static void on_end(struct framed *conn, int r, const struct err *e)
{
	struct exec_check *c = container_of(conn, struct exec_check, conn);

	(void)r;
	(void)e;
	c->over = true;
	if (!c->exited)
		snprintf(c->reason, sizeof(c->reason),
			"the connection to the command broke before it ended");
}

static void end_relay(struct exec_check *c)
{
	if (c->relay)
		exec_relay_abort(c->relay, "the health check is over");
}

static void on_enter(struct framed *conn)
{
	(void)conn;
}

static void on_leave(struct framed *conn)
{
	struct exec_check *c = container_of(conn, struct exec_check, conn);
	struct probe p = c->base;
	enum health_state verdict = c->verdict;
	char reason[HEALTH_REASON];

	if (!c->over)
		return;
	snprintf(reason, sizeof(reason), "%s", c->reason);
	end_relay(c);
	free(c);
	p.done(p.user, verdict, reason);
}

static const struct framed_ops conn_ops = {
	.queue_max = WIRE_HEADER + WIRE_PAYLOAD_MAX,
	.on_frame = on_frame,
	.on_end = on_end,
	.enter = on_enter,
	.leave = on_leave,
};

static void on_relay_done(struct exec_relay *x, int r, const struct err *e, uint8_t how,
	int32_t value, const struct exec_times *t)
{
	struct exec_check *c = exec_relay_user(x);

	(void)r;
	(void)e;
	(void)how;
	(void)value;
	(void)t;
	c->relay = NULL; /* the frames it sent are still to be read */
}

/* ---- begin ----------------------------------------------------------------------------------- */

static void add_word(struct wire_exec_req *q, const char *word)
{
	q->argv[q->argc++] = (struct wire_str){word, (uint16_t)strlen(word)};
}

static struct probe *start(const struct probe_env *env, const struct health_spec *spec,
	probe_done *done, void *user, struct err *e)
{
	static const struct exec_callbacks relay_cb = {.on_done = on_relay_done};
	autofree struct wire_exec_req *q = xcalloc(1, sizeof(*q));
	struct exec_check *c;
	int fds[2];

	if (!env->guest || !guest_connected(env->guest)) {
		err_set(e, ENOTCONN, "agent connection lost");
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		err_errno(e, "the health check's command cannot be started");
		return NULL;
	}
	random_bytes(q->id, sizeof(q->id));
	add_word(q, "/bin/sh");
	add_word(q, "-c");
	add_word(q, spec->command);
	c = xcalloc(1, sizeof(*c));
	c->base = (struct probe){&probe_exec, done, user};
	c->verdict = HEALTH_UNHEALTHY;
	framed_init(&c->conn);
	if (exec_relay_start(&c->relay, env->loop, env->vsock_path, q, fds[0],
		    health_spec_timeout(spec), &relay_cb, c, e) < 0) {
		close(fds[1]);
		free(c);
		return NULL;
	}
	framed_open(&c->conn, env->loop, fds[1], &conn_ops, false);
	return &c->base;
}

/* The agent ends the command's process group when its connection goes. */
static void cancel(struct probe *p, char *doing, size_t n)
{
	struct exec_check *c = container_of(p, struct exec_check, base);
	char safe[LINE_MAX_BYTES + 1];

	if (doing)
		snprintf(doing, n, "the command was ended%s%s",
			c->line[0] ? "; its last line: " : "",
			str_safe(safe, sizeof(safe), c->line));
	framed_close(&c->conn);
	end_relay(c);
	free(c);
}

const struct probe_ops probe_exec = {.name = "exec", .start = start, .cancel = cancel};
