/* The vhost ioctls: validation and order as the kernel's vhost has them, so that QEMU can not tell
 * the difference. */
#include "backend/vsock/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>

#include "backend/base/util.h"
#include "backend/vsock/hybrid.h"

#define BIT(n) (UINT64_C(1) << (n))
/* LOG_ALL: without it QEMU refuses to migrate. EVENT_IDX is not filtered by QEMU: the guest may use
 * it whatever we offer. */
#define FEATURES                                                                                   \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |                              \
		BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VHOST_F_LOG_ALL))

struct vq {
	uint32_t num;
	uint16_t base;
	uint64_t desc, avail, used;
	uint16_t last_base; /* where the ring stood when it was stopped */
	uint64_t last_desc; /* and which one it was */
};

struct device {
	struct hybrid *hybrid;
	struct mem mem;
	uint64_t features;
	uint64_t *log_base;
	struct vq vqs[HYBRID_QUEUES];
	bool owned;
	bool started; /* once at least */
	bool running; /* for the VMM; a broken ring stops the hybrid side before */
};

static int get_features(struct device *d, void *arg)
{
	(void)d;
	*(uint64_t *)arg = FEATURES;
	return 0;
}

static void update_log(struct device *d)
{
	d->mem.log = d->features & BIT(VHOST_F_LOG_ALL) ? d->log_base : NULL;
}

static int set_features(struct device *d, void *arg)
{
	uint64_t f = *(const uint64_t *)arg;

	if (f & ~FEATURES)
		return -EOPNOTSUPP;
	if ((f & BIT(VHOST_F_LOG_ALL)) && !d->log_base)
		return -EFAULT;
	/* The rings of a running device keep what they started with, as in the kernel. */
	d->features = f;
	update_log(d);
	return 0;
}

static int set_owner(struct device *d, void *arg)
{
	(void)arg;
	if (d->owned)
		return -EBUSY;
	d->owned = true;
	return hybrid_spawn(d->hybrid);
}

static void stop(struct device *d)
{
	uint16_t base[HYBRID_QUEUES];

	hybrid_stop(d->hybrid, base);
	d->running = false;
	for (unsigned i = 0; i < HYBRID_QUEUES; i++) {
		d->vqs[i].base = d->vqs[i].last_base = base[i];
		d->vqs[i].last_desc = d->vqs[i].desc;
	}
}

static int reset_owner(struct device *d, void *arg)
{
	(void)arg;
	if (d->running)
		stop(d);
	hybrid_forget_guest(d->hybrid);
	d->owned = false;
	return 0;
}

static int set_mem_table(struct device *d, void *arg)
{
	const struct vhost_memory *v = arg;
	struct mem_region regions[MEM_REGIONS_MAX];
	int r;

	if (v->padding)
		return -EOPNOTSUPP;
	if (v->nregions > MEM_REGIONS_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < v->nregions; i++) {
		const struct vhost_memory_region *m = &v->regions[i];

		regions[i] = (struct mem_region){
			.gpa = m->guest_phys_addr,
			.user = m->userspace_addr,
			.size = m->memory_size,
			.host = (uint8_t *)(uintptr_t)m->userspace_addr,
		};
	}
	r = mem_set(&d->mem, regions, v->nregions);
	if (r == 0)
		hybrid_rebind(d->hybrid);
	return r;
}

static int set_log_base(struct device *d, void *arg)
{
	d->log_base = (uint64_t *)(uintptr_t) * (const uint64_t *)arg;
	update_log(d);
	return 0;
}

/* The log is shared memory of ours and the VMM's: nobody needs to be told of its growth. */
static int set_log_fd(struct device *d, void *arg)
{
	(void)d;
	(void)arg;
	return 0;
}

static int set_vring_num(struct device *d, void *arg)
{
	const struct vhost_vring_state *s = arg;

	if (s->index >= HYBRID_QUEUES)
		return -ENOBUFS;
	if (d->running)
		return -EBUSY;
	if (s->num == 0 || s->num > RING_SIZE_MAX || (s->num & (s->num - 1)))
		return -EINVAL;
	d->vqs[s->index].num = s->num;
	return 0;
}

static int set_vring_base(struct device *d, void *arg)
{
	const struct vhost_vring_state *s = arg;

	if (s->index >= HYBRID_QUEUES)
		return -ENOBUFS;
	if (d->running)
		return -EBUSY;
	if (s->num > UINT16_MAX)
		return -EINVAL;
	d->vqs[s->index].base = (uint16_t)s->num;
	return 0;
}

static int get_vring_base(struct device *d, void *arg)
{
	struct vhost_vring_state *s = arg;

	if (s->index >= HYBRID_QUEUES)
		return -ENOBUFS;
	if (d->running)
		return -EBUSY;
	s->num = d->vqs[s->index].base;
	return 0;
}

static int set_vring_addr(struct device *d, void *arg)
{
	const struct vhost_vring_addr *a = arg;
	struct vq *q;

	if (a->index >= HYBRID_QUEUES)
		return -ENOBUFS;
	if (a->flags & ~(1U << VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (a->desc_user_addr % 16 || a->avail_user_addr % 2 || a->used_user_addr % 4)
		return -EINVAL;
	q = &d->vqs[a->index];
	/* While running it may come again as it was, to switch logging. */
	if (d->running && (a->desc_user_addr != q->desc || a->avail_user_addr != q->avail ||
				  a->used_user_addr != q->used))
		return -EBUSY;
	q->desc = a->desc_user_addr;
	q->avail = a->avail_user_addr;
	q->used = a->used_user_addr;
	return 0;
}

static int set_vring_fd(struct device *d, const struct vhost_vring_file *f, enum hybrid_fd which)
{
	int fd = -1;

	if (f->index >= HYBRID_QUEUES)
		return -ENOBUFS;
	if (f->fd != VHOST_FILE_UNBIND) {
		/* Our own reference, as the kernel takes one: the VMM may close its descriptor. */
		fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	}
	hybrid_set_fd(d->hybrid, (enum hybrid_queue)f->index, which, fd);
	return 0;
}

static int set_vring_kick(struct device *d, void *arg)
{
	return set_vring_fd(d, arg, HYBRID_KICK);
}

static int set_vring_call(struct device *d, void *arg)
{
	return set_vring_fd(d, arg, HYBRID_CALL);
}

static int set_vring_err(struct device *d, void *arg)
{
	return set_vring_fd(d, arg, HYBRID_ERR);
}

static int set_guest_cid(struct device *d, void *arg)
{
	uint64_t cid = *(const uint64_t *)arg;

	/* 0, 1 (local), 2 (host) and "any" belong to nobody's guest. */
	if (cid <= 2 || cid >= UINT32_MAX)
		return -EINVAL;
	hybrid_set_cid(d->hybrid, cid);
	return 0;
}

/* The rings go on from where they were stopped: it is the same guest, and it knows its connections.
 * After a reset or in another life they start somewhere else. */
static bool same_guest(const struct device *d)
{
	for (unsigned i = 0; i < HYBRID_QUEUES; i++)
		if (d->vqs[i].base != d->vqs[i].last_base || d->vqs[i].desc != d->vqs[i].last_desc)
			return false;
	return true;
}

static int start(struct device *d)
{
	struct ring rings[HYBRID_QUEUES];

	for (unsigned i = 0; i < HYBRID_QUEUES; i++) {
		const struct vq *q = &d->vqs[i];
		struct ring_layout l = {
			.num = q->num,
			.desc = q->desc,
			.avail = q->avail,
			.used = q->used,
			.base = q->base,
			.event_idx = (d->features & BIT(VIRTIO_RING_F_EVENT_IDX)) != 0,
			.indirect = (d->features & BIT(VIRTIO_RING_F_INDIRECT_DESC)) != 0,
		};
		int r = ring_init(&rings[i], &d->mem, &l);

		if (r < 0)
			return r;
	}
	if (!d->started && (d->vqs[0].base || d->vqs[1].base))
		hybrid_random_ports(d->hybrid);
	if (d->started && !same_guest(d))
		hybrid_forget_guest(d->hybrid);
	d->started = d->running = true;
	hybrid_start(d->hybrid, rings);
	return 0;
}

static int set_running(struct device *d, void *arg)
{
	bool on = *(const int *)arg != 0;

	if (on == d->running)
		return 0;
	if (on)
		return start(d);
	stop(d);
	return 0;
}

static const struct {
	unsigned long request;
	int (*fn)(struct device *d, void *arg);
} requests[] = {
	{VHOST_GET_FEATURES, get_features},
	{VHOST_SET_FEATURES, set_features},
	{VHOST_SET_OWNER, set_owner},
	{VHOST_RESET_OWNER, reset_owner},
	{VHOST_SET_MEM_TABLE, set_mem_table},
	{VHOST_SET_LOG_BASE, set_log_base},
	{VHOST_SET_LOG_FD, set_log_fd},
	{VHOST_SET_VRING_NUM, set_vring_num},
	{VHOST_SET_VRING_BASE, set_vring_base},
	{VHOST_GET_VRING_BASE, get_vring_base},
	{VHOST_SET_VRING_ADDR, set_vring_addr},
	{VHOST_SET_VRING_KICK, set_vring_kick},
	{VHOST_SET_VRING_CALL, set_vring_call},
	{VHOST_SET_VRING_ERR, set_vring_err},
	{VHOST_VSOCK_SET_GUEST_CID, set_guest_cid},
	{VHOST_VSOCK_SET_RUNNING, set_running},
};

int device_ioctl(struct device *d, unsigned long request, void *arg)
{
	for (unsigned i = 0; i < countof(requests); i++) {
		int r;

		if (requests[i].request != request)
			continue;
		if (!arg && _IOC_SIZE(request) > 0)
			return -EFAULT;
		hybrid_enter(d->hybrid);
		r = requests[i].fn(d, arg);
		hybrid_leave(d->hybrid);
		return r;
	}
	return -ENOTTY;
}

int device_new(struct device **ret, const char *path, char *why, size_t why_n)
{
	struct device *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		snprintf(why, why_n, "vsock socket '%s': out of memory", path);
		return -ENOMEM;
	}
	r = hybrid_new(&d->hybrid, path, why, why_n);
	if (r < 0) {
		device_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void device_free(struct device *d)
{
	if (!d)
		return;
	hybrid_free(d->hybrid);
	free(d);
}

void device_set_ram(struct device *d, struct ram *ram)
{
	hybrid_enter(d->hybrid);
	hybrid_set_ram(d->hybrid, ram);
	hybrid_leave(d->hybrid);
}

unsigned device_count(struct device *d)
{
	unsigned n;

	hybrid_enter(d->hybrid);
	n = hybrid_count(d->hybrid);
	hybrid_leave(d->hybrid);
	return n;
}
