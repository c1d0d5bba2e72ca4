/* A migration that nobody waits for any more: its daemon died, or its save was given up. It would
 * end at some moment, stop and start the vCPUs for that, and its event would be taken for a later
 * save's. So before the first operation of an adopted VM, and the first after a failed save, it is
 * cancelled and waited for. Fact: the capability "events", without which nothing would tell its
 * end, stays set from the command that came before it. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/vmm/qemu.h"

static bool is_final(const char *status)
{
	static const char *const final[] = {"none", "completed", "failed", "cancelled"};

	for (size_t i = 0; i < countof(final); i++)
		if (strcmp(status, final[i]) == 0)
			return true;
	return false;
}

static void settled(struct qemu *q)
{
	q->settle = QEMU_SETTLED;
	qemu_op_send(q);
}

static void on_cancel(void *user, int r, struct json_object *result, const struct err *e)
{
	(void)result;
	if (r < 0)
		qemu_op_end(user, r, e);
}

static void on_status(void *user, int r, struct json_object *result, const struct err *e)
{
	const char *status = jsonx_str(result, "status");
	struct qemu *q = user;
	struct err why;

	if (r < 0) {
		qemu_op_end(q, r, e);
		return;
	}
	/* The event may come before an answer that is older. */
	if (q->settle == QEMU_ENDED || !status || is_final(status)) {
		settled(q);
		return;
	}
	q->settle = QEMU_CANCELLED;
	r = qemu_call(q, "migrate_cancel", NULL, -1, on_cancel, &why);
	if (r < 0)
		qemu_op_end(q, r, &why);
}

int qemu_settle(struct qemu *q, struct err *e)
{
	q->settle = QEMU_ASKED;
	return qemu_call(q, "query-migrate", NULL, -1, on_status, e);
}

void qemu_settle_event(struct qemu *q, const char *status)
{
	if (!is_final(status))
		return;
	if (q->settle == QEMU_ASKED)
		q->settle = QEMU_ENDED;
	else if (q->settle == QEMU_CANCELLED)
		settled(q);
}
