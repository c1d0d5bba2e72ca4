/* Firecracker: this version only finds and names it, so that `doctor` and --vmm firecracker say
 * what is there. detect never says found, so vmm_pick never hands the driver out; its operations
 * refuse with the same sentence, for a vm.json that names it all the same. */
#include <errno.h>
#include <string.h>

#include "backend/base/path.h"
#include "backend/vmm/probe.h"
#include "backend/vmm/vmm.h"

#define VERSION_MIN 1013001 /* 1.13.1 */
#define NOT_BUILT   "its driver is not built into this version yet: use --vmm qemu"

/* Answer of the last --version: a cache of what is on this host, the same for every caller, so it
 * is the program's and not an object's. Main thread only. */
static struct probe_cache cache;

static void describe(struct vmm_detect *d)
{
	struct err e;
	int version;

	if (probe_version(&cache, d->program, &e) < 0) {
		snprintf(d->why, sizeof(d->why), "%.255s", e.msg);
		return;
	}
	version = probe_parse_version(cache.line, d->version, sizeof(d->version));
	if (version < 0)
		snprintf(d->why, sizeof(d->why), "'%.120s' does not tell its version: %.80s",
			d->program, cache.line);
	else if (version < VERSION_MIN)
		snprintf(d->why, sizeof(d->why),
			"firecracker %s is too old: 1.13.1 or newer is needed; and " NOT_BUILT,
			d->version);
	else if (access("/dev/kvm", R_OK | W_OK) < 0)
		snprintf(d->why, sizeof(d->why),
			"firecracker %s is here, but /dev/kvm cannot be used (%s); and " NOT_BUILT,
			d->version, strerror(errno));
	else
		snprintf(d->why, sizeof(d->why), "firecracker %s is here, but " NOT_BUILT,
			d->version);
}

static void detect(struct vmm_detect *ret)
{
	*ret = (struct vmm_detect){.accel = "kvm"};
	if (path_program("firecracker", ret->program, sizeof(ret->program), NULL) < 0) {
		ret->program[0] = '\0';
		snprintf(ret->why, sizeof(ret->why),
			"firecracker was not found in PATH; and " NOT_BUILT);
		return;
	}
	describe(ret);
}

static struct vmm *create(void)
{
	struct vmm *v = xcalloc(1, sizeof(*v));

	v->ops = &vmm_firecracker;
	v->proc.pidfd = -1;
	return v;
}

static int not_built(struct vmm *v, vmm_done *done, struct err *e)
{
	(void)v;
	(void)done;
	return err_set(e, EOPNOTSUPP, "firecracker: " NOT_BUILT);
}

static int save_not_built(
	struct vmm *v, const char *state_path, struct frozen *memory, vmm_done *done, struct err *e)
{
	(void)state_path;
	(void)memory;
	return not_built(v, done, e);
}

static int machine_not_built(const struct vmm_config *c, struct vmm_machine *ret, struct err *e)
{
	(void)c;
	(void)ret;
	return not_built(NULL, NULL, e);
}

static void no_process(struct vmm *v)
{
	(void)v; /* none was ever started */
}

static void destroy(struct vmm *v)
{
	free(v);
}

const struct vmm_ops vmm_firecracker = {
	.name = "firecracker",
	.detect = detect,
	.create = create,
	.start = not_built,
	.adopt = not_built,
	.load = not_built,
	.save = save_not_built,
	.machine = machine_not_built,
	.pause = not_built,
	.resume = not_built,
	.kill = no_process,
	.destroy = destroy,
};
