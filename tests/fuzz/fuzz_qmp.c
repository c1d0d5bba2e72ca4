// LIBS: vmm base
/* Bytes of a hostile monitor: any bytes, in any pieces, with commands sent between them. The first
 * byte of the input chooses the size of the pieces, and whether the session is ended by a callback.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/vmm/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct qmp q;
	unsigned calls, end_at; /* the callback that ends the session; 0: none */
};

static void called(struct run *run)
{
	if (++run->calls == run->end_at)
		qmp_fini(&run->q);
}

static void on_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	(void)result;
	if (r < 0 && e->code != -r)
		abort();
	called(user);
}

static void on_ready(void *user, const char *version)
{
	struct run *run = user;

	if (!version[0])
		abort();
	if (qmp_command(&run->q, "stop", NULL, on_reply, run, NULL) < 0)
		abort();
	called(run);
}

static void on_event(void *user, const char *name, struct json_object *data)
{
	struct run *run = user;

	(void)name;
	(void)data;
	(void)qmp_command(&run->q, "query-status", NULL, on_reply, run, NULL);
	called(run);
}

static void on_call(void *user, const char *command, uint64_t ns, const char *error)
{
	(void)command;
	(void)ns;
	if (error && !error[0])
		abort();
	called(user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct qmp_handler handler = {on_ready, on_event, on_call};
	struct run run = {0};
	size_t piece;
	int r = 0;

	if (!size)
		return 0;
	piece = 1 + (data[0] & 63u);
	run.end_at = data[0] >> 6;
	data++;
	size--;
	qmp_init(&run.q, &handler, &run);
	while (size && r == 0) {
		size_t n = min_of(piece, size);

		r = qmp_feed(&run.q, data, n, NULL);
		data += n;
		size -= n;
		if (r == 0 && run.q.out.len)
			buf_consume(&run.q.out, run.q.out.len);
	}
	qmp_fini(&run.q);
	return 0;
}
