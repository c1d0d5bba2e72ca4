// LIBS: vmm base
/* The QMP session without I/O: a text of the monitor's lines in, a text of what was called out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/vmm/qmp.h"

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "         \
	"\"package\": \"Debian 1:7.2\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define AGREED "{\"return\": {}, \"id\": 1}\r\n"

struct session {
	struct qmp q;
	char heard[2048]; /* "ready 7.2.22\nevent STOP\n..." */
	struct err e;
	bool end_in_callback;
};

static void hear(struct session *s, const char *fmt, ...) printf_like(2, 3);

static void hear(struct session *s, const char *fmt, ...)
{
	size_t at = strlen(s->heard);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->heard + at, sizeof(s->heard) - at, fmt, ap);
	va_end(ap);
	if (s->end_in_callback)
		qmp_fini(&s->q);
}

static void on_ready(void *user, const char *version)
{
	hear(user, "ready %s\n", version);
}

static void on_event(void *user, const char *name, struct json_object *data)
{
	hear(user, "event %s %s\n", name, data ? jsonx_line(data) : "-");
}

static void on_call(void *user, const char *command, uint64_t ns, const char *error)
{
	assert_true(ns < 60000000000u);
	hear(user, "call %s %s\n", command, error ? error : "ok");
}

static void on_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	if (r < 0)
		hear(user, "reply %s: %s\n", strerror(-r), e->msg);
	else
		hear(user, "reply %s\n", jsonx_line(result));
}

static const struct qmp_handler handler = {on_ready, on_event, on_call};

static int feed(struct session *s, const char *text)
{
	return qmp_feed(&s->q, text, strlen(text), &s->e);
}

static void setup(struct session *s)
{
	*s = (struct session){0};
	qmp_init(&s->q, &handler, s);
}

/* A session that has agreed; what was said until then is forgotten. */
static void setup_ready(struct session *s)
{
	setup(s);
	assert_int_equal(feed(s, GREETING AGREED), 0);
	assert_string_equal(s->heard, "call qmp_capabilities ok\nready 7.2.22\n");
	s->heard[0] = '\0';
	buf_consume(&s->q.out, s->q.out.len);
}

static void assert_sent(struct session *s, const char *text)
{
	assert_int_equal(s->q.out.len, strlen(text));
	assert_memory_equal(buf_peek(&s->q.out), text, strlen(text));
	buf_consume(&s->q.out, s->q.out.len);
}

static void handshake(void **state)
{
	struct session s;

	(void)state;
	setup(&s);
	assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), -ENOTCONN);
	assert_int_equal(feed(&s, GREETING), 0);
	assert_sent(&s, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
	assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), -ENOTCONN);
	assert_int_equal(feed(&s, "{\"event\": \"RESET\"}\n" AGREED), 0);
	assert_string_equal(s.heard, "event RESET -\ncall qmp_capabilities ok\nready 7.2.22\n");
	qmp_fini(&s.q);
	qmp_fini(&s.q);
	qmp_fini(NULL);
}

/* What QEMU had still to say to the session before this one. */
static void rest_of_an_earlier_session(void **state)
{
	struct session s;

	(void)state;
	setup(&s);
	assert_int_equal(
		feed(&s,
			"{\"return\": {}, \"id\": 9}\n{\"event\": \"STOP\"}\n"
			"{\"error\": {\"class\": \"GenericError\"}, \"id\": 10}\n" GREETING AGREED),
		0);
	assert_string_equal(s.heard, "call qmp_capabilities ok\nready 7.2.22\n");
	qmp_fini(&s.q);
	setup(&s);
	for (int i = 0; i < QMP_STALE_MAX; i++)
		assert_int_equal(feed(&s, "{\"event\": \"STOP\"}\n"), 0);
	assert_int_equal(feed(&s, "{\"event\": \"STOP\"}\n"), -EPROTO);
	qmp_fini(&s.q);
}

static void handshake_refused(void **state)
{
	static const char *const bad[] = {
		"{}\n",
		"[]\n",
		"7\n",
		"hello\n",
		"{\"QMP\": 1}\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}}}\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": -7, \"minor\": 1, \"micro\": "
		"1}}}}\n",
		"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 9999, \"minor\": 1, \"micro\": "
		"1}}}}\n",
		GREETING GREETING,
		GREETING
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 1}\n",
		GREETING "{\"return\": {}, \"id\": 2}\n",
	};
	struct session s;

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		setup(&s);
		assert_int_equal(feed(&s, bad[i]), -EPROTO);
		assert_int_equal(s.e.code, EPROTO);
		assert_null(strstr(s.heard, "ready"));
		assert_int_equal(feed(&s, GREETING), -ENOTCONN); /* dead stays dead */
		qmp_fini(&s.q);
	}
}

/* All the same whatever the pieces the bytes arrive in. */
static void split_anywhere(void **state)
{
	static const char text[] = GREETING AGREED
		"{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 2}}\r\n"
		"{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true}}\n";
	static const char want[] = "call qmp_capabilities ok\nready 7.2.22\nevent STOP -\n"
				   "event SHUTDOWN {\"guest\":true}\n";
	struct session s;

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		setup(&s);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece)
			assert_int_equal(qmp_feed(&s.q, text + at,
						 min_of(piece, sizeof(text) - 1 - at), &s.e),
				0);
		assert_string_equal(s.heard, want);
		qmp_fini(&s.q);
	}
}

static void event_before_return(void **state)
{
	struct session s;

	(void)state;
	setup_ready(&s);
	assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), 0);
	assert_sent(&s, "{\"execute\":\"stop\",\"id\":2}\n");
	assert_int_equal(feed(&s, "{\"event\": \"STOP\"}\n{\"return\": {}, \"id\": 2}\n"), 0);
	assert_string_equal(s.heard, "event STOP -\ncall stop ok\nreply {}\n");
	qmp_fini(&s.q);
}

static void answers_by_id(void **state)
{
	struct json_object *args = json_object_new_object();
	struct session s;

	(void)state;
	setup_ready(&s);
	jsonx_add_str(args, "fdname", "a \"b\"\n");
	assert_int_equal(qmp_command(&s.q, "getfd", args, on_reply, &s, &s.e), 0);
	assert_int_equal(qmp_command(&s.q, "query-status", NULL, on_reply, &s, &s.e), 0);
	assert_int_equal(qmp_command(&s.q, "cont", NULL, NULL, NULL, &s.e), 0);
	assert_sent(&s,
		"{\"arguments\":{\"fdname\":\"a \\\"b\\\"\\n\"},\"execute\":\"getfd\",\"id\":2}\n"
		"{\"execute\":\"query-status\",\"id\":3}\n{\"execute\":\"cont\",\"id\":4}\n");
	assert_int_equal(feed(&s, "{\"return\": {}, \"id\": 4}\n"
				  "{\"return\": {\"status\": \"running\"}, \"id\": 3}\n"
				  "{\"id\": 2, \"error\": {\"class\": \"DeviceNotActive\", "
				  "\"desc\": \"No\\u001b[31m\"}}\n"),
		0);
	assert_string_equal(s.heard,
		"call cont ok\ncall query-status ok\nreply {\"status\":\"running\"}\n"
		"call getfd getfd: No\\x1b[31m\n"
		"reply No such device or address: getfd: No\\x1b[31m\n");
	qmp_fini(&s.q);
}

static void garbage_ends_it(void **state)
{
	static const char *const bad[] = {
		"\n", "{\n", "{\"event\": \"STOP\"} x\n", "\xff\xfe\n", "[1]\n", "{\"event\": 3}\n",
		"{\"return\": {}}\n", "{\"return\": {}, \"id\": 7}\n",
		"{\"return\": {}, \"id\": \"2\"}\n", "{\"return\": {}, \"id\": 0}\n",
		"{\"return\": {}, \"id\": -1}\n", "{\"return\": {}, \"id\": 4294967298}\n",
		"{\"id\": 2}\n", "{\"return\": {}, \"error\": {}, \"id\": 2}\n",
		"{\"error\": \"text\", \"id\": 2}\n",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n",
		"{\"return\": {}, \"id\": 2}\n{\"return\": {}, \"id\": 2}\n", /* twice */
	};
	struct session s;

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		setup_ready(&s);
		assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), 0);
		if (feed(&s, bad[i]) != -EPROTO)
			fail_msg("%zu was taken", i);
		assert_true(s.e.msg[0]);
		assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), -ENOTCONN);
		qmp_fini(&s.q);
	}
	/* Error objects may lack all they should have. */
	setup_ready(&s);
	assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), 0);
	assert_int_equal(feed(&s, "{\"error\": {}, \"id\": 2}\n"), 0);
	assert_non_null(strstr(s.heard, "stop: QEMU refused without a reason"));
	qmp_fini(&s.q);
}

static void huge_line(void **state)
{
	static char text[QMP_LINE_MAX * 2];
	struct session s;
	int r = 0;

	(void)state;
	memset(text, ' ', sizeof(text));
	setup_ready(&s);
	assert_int_equal(qmp_feed(&s.q, text, sizeof(text), &s.e), -E2BIG);
	qmp_fini(&s.q);
	setup_ready(&s);
	for (size_t at = 0; at < sizeof(text) && r == 0; at += 1000)
		r = qmp_feed(&s.q, text + at, 1000, &s.e);
	assert_int_equal(r, -E2BIG);
	qmp_fini(&s.q);
	/* One just within the limit is fine. */
	memcpy(text, "{\"event\":\"RESET\"}", 17);
	text[QMP_LINE_MAX] = '\n';
	setup_ready(&s);
	assert_int_equal(qmp_feed(&s.q, text, QMP_LINE_MAX + 1, &s.e), 0);
	assert_string_equal(s.heard, "event RESET -\n");
	qmp_fini(&s.q);
}

static void pending_is_bounded(void **state)
{
	struct session s;

	(void)state;
	setup_ready(&s);
	for (int i = 0; i < QMP_PENDING_MAX; i++)
		assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), 0);
	assert_int_equal(qmp_command(&s.q, "cont", NULL, on_reply, &s, &s.e), -EBUSY);
	assert_int_equal(feed(&s, "{\"return\": {}, \"id\": 3}\n"), 0);
	assert_int_equal(qmp_command(&s.q, "cont", NULL, on_reply, &s, &s.e), 0);
	qmp_fini(&s.q);
}

static void ended_by_a_callback(void **state)
{
	static const char *const texts[] = {
		"{\"event\": \"STOP\"}\n{\"event\": \"RESUME\"}\n",
		"{\"return\": {}, \"id\": 2}\n{\"event\": \"RESUME\"}\n",
	};
	struct session s;

	(void)state;
	for (size_t i = 0; i < countof(texts); i++) {
		setup_ready(&s);
		assert_int_equal(qmp_command(&s.q, "stop", NULL, on_reply, &s, &s.e), 0);
		s.end_in_callback = true;
		assert_int_equal(feed(&s, texts[i]), -ECANCELED);
		assert_null(strstr(s.heard, "RESUME"));
	}
	setup(&s);
	s.end_in_callback = true;
	assert_int_equal(feed(&s, GREETING AGREED "{\"event\": \"STOP\"}\n"), -ECANCELED);
	assert_null(strstr(s.heard, "STOP"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake),
		cmocka_unit_test(handshake_refused),
		cmocka_unit_test(rest_of_an_earlier_session),
		cmocka_unit_test(split_anywhere),
		cmocka_unit_test(event_before_return),
		cmocka_unit_test(answers_by_id),
		cmocka_unit_test(garbage_ends_it),
		cmocka_unit_test(huge_line),
		cmocka_unit_test(pending_is_bounded),
		cmocka_unit_test(ended_by_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
