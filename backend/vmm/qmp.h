/* QEMU Machine Protocol without I/O: bytes of the monitor in, events and replies out; commands in,
 * bytes to send out. The monitor belongs to a process that runs hostile guest code, so its bytes
 * are not trusted: lines are limited, types are checked, anything unexpected ends the session.
 *
 * Facts (measured on QEMU 7.2): one greeting {"QMP":{"version":...}}, then nothing but
 * qmp_capabilities is accepted; events may come before the return of the command that caused them;
 * a reply carries the id that was sent.
 */
#ifndef VMDECK_VMM_QMP_H
#define VMDECK_VMM_QMP_H

#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/buf.h"
#include "backend/base/err.h"

#define QMP_LINE_MAX    (256u * 1024) /* bytes of one answer or event */
#define QMP_OUT_MAX     (64u * 1024)  /* bytes of unsent commands */
#define QMP_PENDING_MAX 8             /* commands sent and not answered */

struct qmp;

/* r: 0 with the result (borrowed), or -errno with e ("stop: <QEMU's sentence>"). */
typedef void qmp_reply(void *user, int r, struct json_object *result, const struct err *e);

struct qmp_handler {
	/* Greeting read and capabilities agreed: commands may be sent. version: "7.2.22". */
	void (*on_ready)(void *user, const char *version);
	/* data: borrowed, NULL when the event has none. */
	void (*on_event)(void *user, const char *name, struct json_object *data);
	/* Each command that was answered, just before its reply: name, ns it took, and QEMU's
	 * sentence when it failed, else NULL. May be NULL. */
	void (*on_call)(void *user, const char *command, uint64_t ns, const char *error);
};

struct qmp_call {
	uint32_t id; /* 0: free */
	const char *command;
	uint64_t sent_ns; /* monotonic */
	qmp_reply *fn;
	void *user;
};

enum qmp_state { QMP_GREETING, QMP_NEGOTIATING, QMP_READY, QMP_DEAD };

/* Lines before the greeting: QEMU may owe them to a session that was closed meanwhile. */
#define QMP_STALE_MAX 64

struct qmp {
	enum qmp_state state;
	char version[32];
	struct buf in;
	struct buf out; /* bytes for the monitor: the owner writes and consumes them */
	uint32_t last_id;
	int stale; /* lines passed over */
	struct qmp_call calls[QMP_PENDING_MAX];
	const struct qmp_handler *handler; /* borrowed */
	void *user;
	bool *gone; /* set while qmp_feed runs: qmp_fini tells it that q is no more */
};

void qmp_init(struct qmp *q, const struct qmp_handler *handler, void *user);
/* Frees; pending commands are not answered. Allowed inside callbacks. NULL and zeroed are fine. */
void qmp_fini(struct qmp *q);

/* Takes bytes from the monitor and calls the handler. 0; -EPROTO or -E2BIG with the reason: the
 * session is dead, close it; -ECANCELED: a callback ended q. */
int qmp_feed(struct qmp *q, const void *data, size_t n, struct err *e) must_check;

/* Appends a command to q->out; takes args (object or NULL) in any case. command is a literal. fn
 * is called once from qmp_feed, unless the session ends first. -ENOTCONN before on_ready,
 * -EBUSY when QMP_PENDING_MAX are unanswered. */
int qmp_command(struct qmp *q, const char *command, struct json_object *args, qmp_reply *fn,
	void *user, struct err *e);

#endif
