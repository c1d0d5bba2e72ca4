#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/snapshot/snapshot.h"
#include "backend/snapshot/store.h"
#include "backend/snapshot/verify.h"

#define TSC_PARTS 1000 /* one part in so many is what a guest's clock may drift */

static int check_vmm(const struct snapshot *s, const struct snapshot_host *h, struct err *e)
{
	if (strcmp(s->vmm, h->vmm) != 0)
		return err_set(e, ESTALE,
			"snapshot '%s' is of a VM under %s, not under %s: restore it with --vmm %s",
			s->name, s->vmm, h->vmm, s->vmm);
	if (strcmp(s->vmm_version, h->vmm_version) != 0)
		return err_set(e, ESTALE,
			"snapshot '%s' was taken with %s %s, this host has %s: install that "
			"version or take the snapshot again",
			s->name, s->vmm, s->vmm_version, h->vmm_version);
	if (strcmp(s->machine, h->machine) != 0)
		return err_set(e, ESTALE,
			"snapshot '%s' has machine definition %.12s, this vmdeck makes %.12s: take "
			"the snapshot again",
			s->name, s->machine, h->machine);
	return 0;
}

static int check_tsc(const struct snapshot *s, const struct snapshot_host *h, struct err *e)
{
	uint64_t a = s->tsc_khz, b = h->tsc_khz, off = a > b ? a - b : b - a;

	if (!a || !b || off * TSC_PARTS <= a)
		return 0;
	return err_set(e, ESTALE,
		"snapshot '%s' was taken where the time stamp counter runs at %" PRIu64
		" kHz, here it runs at %" PRIu64
		" kHz: the guest's clock would drift; take the snapshot on this host",
		s->name, a, b);
}

static int check_image(const struct snapshot *s, const struct snapshot_host *h, struct err *e)
{
	if (!s->image[0])
		return 0;
	if (!h->image_build)
		return err_set(e, ESTALE,
			"snapshot '%s' is of image '%s' (build %.12s), which is not here: build it "
			"with vmdeck image build %s",
			s->name, s->image, s->image_build, s->image);
	if (strcmp(s->image_build, h->image_build) == 0)
		return 0;
	return err_set(e, ESTALE,
		"snapshot '%s' is of build %.12s of image '%s', which is build %.12s now: boot the "
		"image and take the snapshot again",
		s->name, s->image_build, s->image, h->image_build);
}

static int check_size(const struct snapshot *s, const char *file, uint64_t bytes, struct err *e)
{
	autofd int fd = store_open(s, file, bytes, NULL, NULL, e);

	return fd < 0 ? fd : 0;
}

static int check_disks(const struct snapshot *s, struct err *e)
{
	char file[32];
	int r = 0;

	for (int n = 0; !r && n < s->disk_count; n++) {
		const struct snapshot_disk *d = &s->disks[n];

		for (uint32_t i = 0; !r && i < d->layers; i++) {
			snprintf(file, sizeof(file), "disk-%d.%" PRIu32, n, i);
			r = check_size(s, file, d->files[i].bytes, e);
		}
		snprintf(file, sizeof(file), "disk-%d.new", n);
		if (!r)
			r = check_size(s, file, d->fresh.bytes, e);
	}
	return r;
}

static int check_memory(const struct snapshot *s, bool *ret_verify, struct err *e)
{
	uint64_t ino, mtime_ns, size = store_memory_size(s);
	autofd int fd = store_open(s, FILE_MEMORY, size, &ino, &mtime_ns, e);

	if (fd < 0)
		return fd;
	*ret_verify = !verify_seen(s, ino, mtime_ns);
	return check_size(s, FILE_SUMS, store_sums_size(size), e);
}

int snapshot_check(
	const struct snapshot *s, const struct snapshot_host *host, bool *ret_verify, struct err *e)
{
	bool verify = true;
	int r = check_vmm(s, host, e);

	if (!r)
		r = check_tsc(s, host, e);
	if (!r)
		r = check_image(s, host, e);
	if (!r)
		r = verify_state(s, e);
	if (!r)
		r = check_memory(s, &verify, e);
	if (!r)
		r = check_disks(s, e);
	if (!r)
		*ret_verify = verify;
	return r;
}
