/* What this host has for the QEMU driver. */
#include <errno.h>

#include "backend/base/path.h"
#include "backend/vmm/probe.h"
#include "backend/vmm/qemu.h"
#include "backend/vmm/tsc.h"

#define VERSION_MIN 7002000 /* 7.2: the oldest that was measured */

/* Facts about this host, the same for every VM and caller, and worth keeping: the program's version
 * costs 20 ms to ask, the counter's rate the longer the better. Main thread only. */
static struct probe_cache cache;
static struct tsc_meter meter;

int qemu_tsc_khz(uint32_t *ret, struct err *e)
{
	return tsc_meter_khz(&meter, ret, e);
}

static int check(struct vmm_detect *d, struct err *e)
{
	char library[512];
	int r, version;

	r = path_program("qemu-system-x86_64", d->program, sizeof(d->program), e);
	if (r < 0) {
		d->program[0] = '\0';
		return err_set(e, ENOENT,
			"qemu-system-x86_64 was not found in PATH: install the package "
			"qemu-system-x86");
	}
	r = probe_version(&cache, d->program, e);
	if (r < 0)
		return r;
	version = probe_parse_version(cache.line, d->version, sizeof(d->version));
	if (version < 0)
		return err_set(
			e, EINVAL, "'%s' does not tell its version: %s", d->program, cache.line);
	if (version < VERSION_MIN)
		return err_set(e, EINVAL, "QEMU %s is too old: 7.2 or newer is needed", d->version);
	return path_helper("vmdeck-vsock.so", library, sizeof(library), e);
}

void qemu_detect(struct vmm_detect *ret)
{
	struct err e;

	tsc_meter_start(&meter);
	*ret = (struct vmm_detect){.accel = "tcg"};
	ret->found = check(ret, &e) == 0;
	if (!ret->found)
		snprintf(ret->why, sizeof(ret->why), "%.255s", e.msg);
}
