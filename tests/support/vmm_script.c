#include "tests/support/vmm_script.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/base/file.h"

extern const struct vmm_ops vmm_script;

static struct script_vm *last;

struct script_vm *script_last(void)
{
	return last;
}

void script_state(enum vmm_state to)
{
	last->base.state = to;
	script_event(to == VMM_PAUSED ? VMM_EV_PAUSED : VMM_EV_RUNNING);
}

void script_event(enum vmm_event ev)
{
	last->base.cb.on_event(&last->base, ev, "a word");
}

/* One page of data in a file as large as the guest, and nothing that differs from it. */
static int answer_save(struct script_vm *s)
{
	uint64_t size = (uint64_t)s->base.config->mem_mib << 20;
	int fd = memfd_create("vmdeck-script", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || pwrite(fd, "memory", 6, 4096) != 6 ||
		file_write_atomic(s->state_path, "state", 5, 0600, NULL) < 0) {
		close_fd(&fd);
		return -EIO;
	}
	*s->memory = (struct frozen){.size = size, .base_fd = fd, .pages_fd = -1};
	return 0;
}

void script_answer(int r)
{
	struct script_vm *s = last;
	vmm_done *done = s->done;
	struct err e = {0};

	s->done = NULL;
	if (r == 0 && s->memory)
		r = answer_save(s);
	s->memory = NULL;
	if (r < 0)
		err_set(&e, -r, "no good: %s", strerror(-r));
	else
		s->base.state = s->to;
	done(&s->base, r, &e);
}

void script_exit(const char *detail)
{
	struct script_vm *s = last;
	bool coming = s->done && s->first;

	s->base.state = VMM_GONE;
	if (s->done)
		script_answer(-ESRCH);
	if (!coming) /* else the answer was the last word */
		s->base.cb.on_event(&s->base, VMM_EV_EXIT, detail);
}

static int begin(struct vmm *v, vmm_done *done, enum vmm_state to, struct err *e)
{
	struct script_vm *s = container_of(v, struct script_vm, base);

	if (s->done)
		return err_set(e, EBUSY, "another operation on this VM is under way");
	s->first = v->state == VMM_NEW;
	s->done = done;
	s->to = to;
	return 0;
}

static int start(struct vmm *v, vmm_done *done, struct err *e)
{
	int r = begin(v, done, v->config->incoming ? VMM_WAITING : VMM_RUNNING, e);

	v->state = VMM_STARTING;
	return r;
}

static int adopt(struct vmm *v, vmm_done *done, struct err *e)
{
	return begin(v, done, VMM_RUNNING, e);
}

static int pause_vm(struct vmm *v, vmm_done *done, struct err *e)
{
	return begin(v, done, VMM_PAUSED, e);
}

static int save(
	struct vmm *v, const char *state_path, struct frozen *memory, vmm_done *done, struct err *e)
{
	struct script_vm *s = container_of(v, struct script_vm, base);
	int r = begin(v, done, VMM_PAUSED, e);

	if (r < 0)
		return r;
	snprintf(s->state_path, sizeof(s->state_path), "%s", state_path);
	s->memory = memory;
	return 0;
}

static int machine(const struct vmm_config *c, struct vmm_machine *ret, struct err *e)
{
	(void)e;
	*ret = (struct vmm_machine){.version = "1", .tsc_khz = 1000000};
	snprintf(ret->digest, sizeof(ret->digest), "%064x", c->mem_mib);
	return 0;
}

static void kill_vm(struct vmm *v)
{
	container_of(v, struct script_vm, base)->kills++;
}

static void destroy(struct vmm *v)
{
	if (!v)
		return;
	last = NULL;
	free(container_of(v, struct script_vm, base));
}

static void detect(struct vmm_detect *ret)
{
	*ret = (struct vmm_detect){.found = true, .version = "1", .accel = "none"};
}

static struct vmm *create(void)
{
	last = xcalloc(1, sizeof(*last));
	last->base.ops = &vmm_script;
	return &last->base;
}

const struct vmm_ops vmm_script = {
	.name = "script",
	.detect = detect,
	.create = create,
	.start = start,
	.adopt = adopt,
	.load = pause_vm,
	.save = save,
	.machine = machine,
	.pause = pause_vm,
	.resume = adopt,
	.kill = kill_vm,
	.destroy = destroy,
};

/* Takes the place of backend/vmm/drivers.c. */
const struct vmm_ops *const vmm_drivers[] = {&vmm_script, NULL};
