/* A snapshot's device state into a QEMU that waits for it (-incoming defer).
 *
 * Facts (QEMU 7.2): x-ignore-shared leaves memory out that QEMU believes to be shared, and has no
 * other switch than this command. A load that fails ends the process with exit code 1 and the
 * reason on stderr; the event "failed" may come before. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vmm/guest_ram.h"
#include "backend/vmm/qemu.h"

/* ---- words of both directions --------------------------------------------------------------- */

static struct json_object *pair(const char *key, const char *value)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, key, value);
	return o;
}

struct json_object *qemu_migrate_fdname(void)
{
	return pair("fdname", "state");
}

struct json_object *qemu_migrate_uri(void)
{
	return pair("uri", "fd:state");
}

struct json_object *qemu_migrate_capabilities(void)
{
	static const char *const names[] = {"x-ignore-shared", "events"};
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();

	for (size_t i = 0; i < countof(names); i++) {
		struct json_object *c = pair("capability", names[i]);

		jsonx_add_bool(c, "state", true);
		json_object_array_add(list, c);
	}
	json_object_object_add(o, "capabilities", list);
	return o;
}

int qemu_migrate_why(struct json_object *result, struct err *e)
{
	const char *why = jsonx_str(result, "error-desc");
	char safe[300];

	return err_set(e, EIO, "QEMU: %s",
		str_safe(safe, sizeof(safe), why ? why : "the migration failed, no reason given"));
}

/* ---- load ----------------------------------------------------------------------------------- */

int qemu_load_check(struct qemu *q, struct err *e)
{
	const struct vmm_config *c = q->base.config;
	autofd int fd = open(c->incoming->memory, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct guest_ram ram;
	int r;

	if (fd < 0)
		return err_errno(e, "cannot open '%s'", c->incoming->memory);
	r = guest_ram_find(q->base.proc.id.pid, fd, (uint64_t)c->mem_mib << 20, &ram, e);
	if (r < 0)
		return r;
	if (ram.shared)
		return err_set(e, EPERM,
			"QEMU could write into the snapshot's memory '%s': the VM is not loaded",
			c->incoming->memory);
	return 0;
}

static int open_state(const char *path, int *ret_fd, struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "'%s' is not a file", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* The event says that it worked; answers only matter when they are errors. */
static void on_answer(void *user, int r, struct json_object *result, const struct err *e)
{
	(void)result;
	if (r < 0)
		qemu_op_end(user, r, e);
}

int qemu_load_send(struct qemu *q, struct err *e)
{
	autofd int fd = -1;
	int r = open_state(q->base.config->incoming->state, &fd, e);

	/* All at once: QEMU takes them in order, and a refused one makes the last one fail. */
	if (r == 0)
		r = qemu_call(q, "migrate-set-capabilities", qemu_migrate_capabilities(), -1,
			on_answer, e);
	if (r == 0)
		r = qemu_call(q, "getfd", qemu_migrate_fdname(), fd, on_answer, e);
	if (r == 0)
		r = qemu_call(q, "migrate-incoming", qemu_migrate_uri(), -1, on_answer, e);
	return r;
}

static void on_why(void *user, int r, struct json_object *result, const struct err *e)
{
	struct err why;

	if (r == 0) {
		r = qemu_migrate_why(result, &why);
		e = &why;
	}
	qemu_op_end(user, r, e);
}

void qemu_load_event(struct qemu *q, const char *status)
{
	struct err e;
	int r;

	if (strcmp(status, "completed") == 0) {
		qemu_set_state(q, VMM_PAUSED);
		qemu_op_end(q, 0, NULL);
	} else if (strcmp(status, "failed") == 0) {
		/* Answered by a QEMU that lives on; the end of the process says more. */
		r = qemu_call(q, "query-migrate", NULL, -1, on_why, &e);
		if (r < 0)
			qemu_op_end(q, r, &e);
	}
}
