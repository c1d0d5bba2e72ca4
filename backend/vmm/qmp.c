#include "backend/vmm/qmp.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"
#include "backend/base/str.h"

static const struct {
	const char *name;
	int code;
} classes[] = {
	{"CommandNotFound", ENOSYS},
	{"DeviceNotFound", ENODEV},
	{"DeviceNotActive", ENXIO},
	{"GenericError", EIO},
};

void qmp_init(struct qmp *q, const struct qmp_handler *handler, void *user)
{
	*q = (struct qmp){.handler = handler, .user = user};
	buf_init(&q->in, QMP_LINE_MAX + 1);
	buf_init(&q->out, QMP_OUT_MAX);
}

void qmp_fini(struct qmp *q)
{
	if (!q)
		return;
	if (q->gone)
		*q->gone = true;
	buf_fini(&q->in);
	buf_fini(&q->out);
	*q = (struct qmp){.state = QMP_DEAD};
}

static struct qmp_call *find_call(struct qmp *q, uint32_t id)
{
	for (size_t i = 0; i < countof(q->calls); i++)
		if (q->calls[i].id == id)
			return &q->calls[i];
	return NULL;
}

static int send_command(struct qmp *q, const char *command, struct json_object *args, qmp_reply *fn,
	void *user, struct err *e)
{
	autojson struct json_object *o = json_object_new_object();
	struct qmp_call *call = find_call(q, 0);

	if (args)
		json_object_object_add(o, "arguments", args);
	if (!call)
		return err_set(e, EBUSY, "%s: %d commands wait for QEMU's answer already", command,
			QMP_PENDING_MAX);
	if (++q->last_id == 0)
		q->last_id = 1;
	jsonx_add_str(o, "execute", command);
	jsonx_add_int(o, "id", q->last_id);
	if (buf_printf(&q->out, "%s\n", jsonx_line(o)) < 0)
		return err_set(e, ENOBUFS, "%s: QEMU does not take commands", command);
	*call = (struct qmp_call){q->last_id, command, mono_ns(), fn, user};
	return 0;
}

int qmp_command(struct qmp *q, const char *command, struct json_object *args, qmp_reply *fn,
	void *user, struct err *e)
{
	if (q->state != QMP_READY) {
		json_object_put(args);
		return err_set(e, ENOTCONN, "%s: no connection to QEMU's monitor", command);
	}
	return send_command(q, command, args, fn, user, e);
}

/* The handshake's own command is answered into q itself. */
static void on_capabilities(void *user, int r, struct json_object *result, const struct err *e)
{
	struct qmp *q = user;

	(void)result;
	(void)e;
	if (r < 0)
		return; /* still NEGOTIATING: feed_line sees it */
	q->state = QMP_READY;
	q->handler->on_ready(q->user, q->version);
}

static bool is_stale(struct qmp *q, struct json_object *o)
{
	bool old = jsonx_get(o, "return") || jsonx_get(o, "error") || jsonx_str(o, "event");

	return old && q->stale++ < QMP_STALE_MAX;
}

static int feed_greeting(struct qmp *q, struct json_object *o, struct err *e)
{
	struct json_object *v = jsonx_get(jsonx_get(jsonx_get(o, "QMP"), "version"), "qemu");
	int64_t major = jsonx_int(v, "major", -1), minor = jsonx_int(v, "minor", -1),
		micro = jsonx_int(v, "micro", -1);

	if (major < 0 || major > 999 || minor < 0 || minor > 999 || micro < 0 || micro > 999)
		return err_set(e, EPROTO, "the monitor's first line is not QEMU's greeting");
	snprintf(q->version, sizeof(q->version), "%d.%d.%d", (int)major, (int)minor, (int)micro);
	q->state = QMP_NEGOTIATING;
	return send_command(q, "qmp_capabilities", NULL, on_capabilities, q, e);
}

/* QEMU's error object as our error: the class decides the code. */
static int reply_error(struct qmp_call *call, struct json_object *error, struct err *e)
{
	const char *class = jsonx_str(error, "class"), *desc = jsonx_str(error, "desc");
	char safe[300];
	int code = EIO;

	for (size_t i = 0; class && i < countof(classes); i++)
		if (strcmp(classes[i].name, class) == 0)
			code = classes[i].code;
	return err_set(e, code, "%s: %s", call->command,
		str_safe(safe, sizeof(safe), desc ? desc : "QEMU refused without a reason"));
}

static int feed_reply(struct qmp *q, struct json_object *o, struct err *e)
{
	int64_t id = jsonx_int(o, "id", 0);
	struct qmp_call *slot = id > 0 && id <= UINT32_MAX ? find_call(q, (uint32_t)id) : NULL;
	struct json_object *result = jsonx_get(o, "return"), *error = jsonx_get(o, "error");
	struct qmp_call call;
	struct err failed = {0};
	bool *gone = q->gone;
	int r;

	if (!slot)
		return err_set(e, EPROTO, "QEMU answered a command that was not sent");
	if (!result == !error || (error && !json_object_is_type(error, json_type_object)))
		return err_set(
			e, EPROTO, "%s: QEMU's answer is neither result nor error", slot->command);
	call = *slot;
	*slot = (struct qmp_call){0};
	r = error ? reply_error(&call, error, &failed) : 0;
	if (q->handler->on_call)
		q->handler->on_call(
			q->user, call.command, mono_ns() - call.sent_ns, r < 0 ? failed.msg : NULL);
	if (!*gone && call.fn)
		call.fn(call.user, r, result, &failed);
	if (!*gone && q->state == QMP_NEGOTIATING)
		return err_set(e, EPROTO, "QEMU refused the monitor session: %s", failed.msg);
	return 0;
}

static int feed_line(struct qmp *q, const char *line, size_t len, struct err *e)
{
	autojson struct json_object *o = NULL;
	struct err why;
	const char *event;

	if (jsonx_parse(line, len, &o, &why) < 0)
		return err_set(e, EPROTO, "QEMU's monitor: %s", why.msg);
	if (!json_object_is_type(o, json_type_object))
		return err_set(e, EPROTO, "QEMU's monitor sent a line that is not an object");
	if (q->state == QMP_GREETING)
		return is_stale(q, o) ? 0 : feed_greeting(q, o, e);
	event = jsonx_str(o, "event");
	if (!event)
		return feed_reply(q, o, e);
	q->handler->on_event(q->user, event, jsonx_get(o, "data"));
	return 0;
}

/* Hands on all whole lines. gone: set by qmp_fini, after which q must not be touched. */
static int feed_lines(struct qmp *q, const bool *gone, struct err *e)
{
	char *line;
	size_t len;
	int r;

	while ((r = lines_next(&q->in, QMP_LINE_MAX, &line, &len)) > 0) {
		r = feed_line(q, line, len, e);
		if (*gone)
			return err_set(e, ECANCELED, "the monitor session was closed");
		if (r < 0)
			return r;
	}
	if (r < 0)
		return err_set(e, E2BIG, "QEMU's monitor sent a line over %u bytes", QMP_LINE_MAX);
	return 0;
}

int qmp_feed(struct qmp *q, const void *data, size_t n, struct err *e)
{
	const uint8_t *at = data;
	bool gone = false;
	int r = 0;

	if (q->state == QMP_DEAD)
		return err_set(e, ENOTCONN, "the monitor session is closed");
	/* Taken back below, and by qmp_fini. */
	/* cppcheck-suppress autoVariables */
	q->gone = &gone;
	while (n && r == 0) {
		size_t take = min_of(n, buf_room(&q->in));

		r = buf_append(&q->in, at, take);
		at += take;
		n -= take;
		if (r == 0)
			r = feed_lines(q, &gone, e);
	}
	if (gone)
		return r;
	q->gone = NULL;
	if (r < 0)
		q->state = QMP_DEAD;
	return r;
}
