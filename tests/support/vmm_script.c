#include "tests/support/vmm_script.h"

#include <errno.h>
#include <string.h>

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

void script_answer(int r)
{
	struct script_vm *s = last;
	vmm_done *done = s->done;
	struct err e = {0};

	s->done = NULL;
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
	int r = begin(v, done, VMM_RUNNING, e);

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
	.pause = pause_vm,
	.resume = adopt,
	.kill = kill_vm,
	.destroy = destroy,
};

/* Takes the place of backend/vmm/drivers.c. */
const struct vmm_ops *const vmm_drivers[] = {&vmm_script, NULL};
