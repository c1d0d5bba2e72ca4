#include "backend/vmm/qemu_freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "backend/base/jsonx.h"
#include "backend/vmm/guest_pages.h"
#include "backend/vmm/qemu_cmd.h"

static uint64_t changed_bytes(const struct frozen *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->run_count; i++)
		n += m->runs[i].len;
	return n;
}

static void finish(struct qemu_freeze *f, const char *how, const char *why)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "how", how);
	jsonx_add_int(o, "runs", (int64_t)f->memory.run_count);
	jsonx_add_int(o, "bytes", (int64_t)changed_bytes(&f->memory));
	json_object_object_add(o, "ms", json_object_new_double(qemu_ms_since(f->begin_ns)));
	if (why)
		jsonx_add_str(o, "why", why);
	qemu_log(f->q, "vmm.freeze", o);
	f->done(f->user, 0, NULL);
}

/* ---- copies, on a thread -------------------------------------------------------------------- */

/* The thread's own: what it needs, and what it makes. */
struct copy {
	pid_t pid;
	int pidfd;
	struct guest_ram ram;
	struct frozen memory; /* base_fd: what to copy when whole, else only carried along */
	bool whole;
	struct err why; /* of a whole copy: why it was needed */
};

static void copy_free(void *p)
{
	struct copy *c = p;

	close_fd(&c->pidfd);
	frozen_fini(&c->memory);
	free(c);
}

/* The pid was that of this process all the time if it is now. */
static int check_alive(const struct copy *c, struct err *e)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

	if (poll(&p, 1, 0) != 0)
		return err_set(e, ESRCH, "QEMU ended while its memory was copied");
	return 0;
}

static int copy_run(struct task *t, void *arg, struct err *e)
{
	struct copy *c = arg;
	autofd int from = -1;
	int r;

	(void)t;
	if (c->whole) {
		from = steal_fd(&c->memory.base_fd);
		return guest_pages_copy_file(from, c->memory.size, &c->memory, e);
	}
	r = guest_pages_find(c->pid, &c->ram, &c->memory, e);
	if (r == 0)
		r = guest_pages_copy(c->pid, &c->ram, &c->memory, e);
	return r < 0 ? r : check_alive(c, e);
}

static void on_copied(struct task *t, int r, const struct err *e)
{
	struct copy *c = t->user;
	struct qemu_freeze *f = container_of(t, struct qemu_freeze, task);

	if (r < 0) {
		f->done(f->user, r, e);
		return;
	}
	f->memory = c->memory;
	c->memory = (struct frozen)FROZEN_NONE;
	finish(f, c->whole ? "copied" : "pages", c->whole ? c->why.msg : NULL);
}

/* Takes f->memory's base along. why: NULL copies what differs, else the whole. */
static int copy_start(
	struct qemu_freeze *f, const struct guest_ram *ram, const struct err *why, struct err *e)
{
	struct copy *c = xcalloc(1, sizeof(*c));
	int r = 0;

	c->pid = f->q->base.proc.id.pid;
	c->pidfd = fcntl(f->q->base.proc.pidfd, F_DUPFD_CLOEXEC, 3);
	c->memory = f->memory;
	f->memory = (struct frozen)FROZEN_NONE;
	c->whole = why != NULL;
	if (ram)
		c->ram = *ram;
	if (why)
		c->why = *why;
	if (c->pidfd < 0)
		r = err_errno(e, "cannot watch QEMU");
	if (r == 0)
		r = task_start(
			&f->task, f->q->base.loop, false, copy_run, c, copy_free, on_copied, c, e);
	if (r < 0)
		copy_free(c);
	return r;
}

/* ---- the quick way -------------------------------------------------------------------------- */

static int find(const struct qemu_freeze *f, struct guest_ram *ret, struct err *e)
{
	return guest_ram_find(f->q->base.proc.id.pid, f->memory.base_fd, f->memory.size, ret, e);
}

static void on_answer(void *user, int r, const struct err *e)
{
	struct qemu_freeze *f = user;
	struct guest_ram ram;
	struct err why;

	if (r < 0) {
		r = copy_start(f, NULL, e, &why);
		if (r < 0)
			f->done(f->user, r, &why);
		return;
	}
	r = find(f, &ram, &why);
	if (r == 0 && ram.shared)
		r = err_set(&why, EIO,
			"vmdeck-vsock.so says that the guest's memory is private, but it is not");
	if (r < 0)
		f->done(f->user, r, &why);
	else
		finish(f, "private", NULL);
}

int qemu_freeze_start(
	struct qemu_freeze *f, struct qemu *q, qemu_freeze_done *done, void *user, struct err *e)
{
	struct guest_ram ram = {0};
	struct err why;
	int r;

	*f = (struct qemu_freeze){
		.q = q, .memory = FROZEN_NONE, .begin_ns = mono_ns(), .done = done, .user = user};
	f->memory.size = (uint64_t)q->base.config->mem_mib << 20;
	r = guest_ram_open(q->base.proc.id.pid, QEMU_RAM_FD, &f->memory.base_fd, e);
	if (r == 0)
		r = find(f, &ram, e);
	if (r < 0)
		return r;
	if (!ram.shared)
		return copy_start(f, &ram, NULL, e);
	r = ram_ask_start(&f->ask, q->base.loop, q->base.config->vsock_path, on_answer, f, &why);
	return r < 0 ? copy_start(f, NULL, &why, e) : 0;
}

void qemu_freeze_fini(struct qemu_freeze *f)
{
	if (!f->q)
		return;
	ram_ask_stop(&f->ask);
	task_cancel(&f->task);
	frozen_fini(&f->memory);
}
