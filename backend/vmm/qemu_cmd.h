/* Command line and environment of a QEMU microVM. Pure: looks at nothing on this host. */
#ifndef VMDECK_VMM_QEMU_CMD_H
#define VMDECK_VMM_QEMU_CMD_H

#include "backend/vmm/vmm.h"

/* Two arguments for each layer, and a device for each disk. */
#define QEMU_ARGS_MAX (48 + VMM_DISKS_MAX * 2 * (VMM_LAYERS_MAX + 1))
#define QEMU_QMP_FD   3 /* the listening monitor socket, in QEMU */
#define QEMU_RAM_FD   4 /* the file that is the guest's memory */
#define QEMU_TAP_FD   5
#define QEMU_VHOST_FD 200 /* /dev/null, which the preloaded library makes a vhost-vsock device */

/* What the host adds to the VM's configuration. */
struct qemu_host {
	const char *program; /* absolute path of qemu-system-x86_64 */
	const char *preload; /* absolute path of vmdeck-vsock.so */
	uint32_t tsc_khz;
};

struct qemu_cmd {
	char *argv[QEMU_ARGS_MAX + 1]; /* owned, NULL-ended */
	char *env[3];                  /* owned, NULL-ended: set for QEMU only */
	int argc;
};

/* Fills cmd. -EINVAL: the library's path cannot be given in LD_PRELOAD; disks that cannot be. */
int qemu_cmd_build(struct qemu_cmd *cmd, const struct vmm_config *config,
	const struct qemu_host *host, struct err *e);
/* The arguments that say what the machine is, without a VM's own ones: names, paths, its cid, the
 * layers of its disks (a clone has one more), what it boots. Two VMs with the same can load each
 * other's device state. */
void qemu_cmd_definition(struct qemu_cmd *cmd, const struct vmm_config *config);
void qemu_cmd_add(struct qemu_cmd *cmd, const char *fmt, ...) printf_like(2, 3);
void qemu_cmd_fini(struct qemu_cmd *cmd); /* NULL and zeroed are fine */

/* qemu_disks.c: 0, or -EINVAL for disks that cannot be. */
int qemu_disks_check(const struct vmm_config *config, struct err *e);
void qemu_disks_add(struct qemu_cmd *cmd, const struct vmm_disk *disks, int count);

#endif
