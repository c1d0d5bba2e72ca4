#include "backend/vmm/qemu_cmd.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* Code cache of the emulator, MiB: its default grows to 1 GiB of memory. Boot of image mini and
 * shells gain nothing above this; containers want 128 to 256. */
#define TB_SIZE_MIB 64

/* Fixed part of the kernel's command line. Without them the same boot takes 0.5 s longer: checks
 * and mitigations that guard a real processor, not an emulated one. The last two are needs:
 * this machine has no timer that the kernel could calibrate its clock with, and on a busy host the
 * kernel distrusts a counter that runs on while its timer interrupts come late; it would then count
 * those (4 ms steps, guest time 11 % slow). tsc_early_khz's value is put behind. */
#define KERNEL_ARGS                                                                                \
	"console=ttyS0 quiet reboot=t panic=-1 mitigations=off no_timer_check "                    \
	"cryptomgr.notests audit=0 apparmor=0 lsm=capability init_on_alloc=0 "                     \
	"rcupdate.rcu_expedited=1 random.trust_cpu=on pci=off raid=noautodetect tsc=reliable "     \
	"tsc_early_khz="

void qemu_cmd_add(struct qemu_cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	assert(cmd->argc < QEMU_ARGS_MAX);
	va_start(ap, fmt);
	if (vasprintf(&cmd->argv[cmd->argc], fmt, ap) < 0)
		abort();
	va_end(ap);
	cmd->argc++;
}

/* QEMU splits option values at commas; a doubled one stands for itself. */
static char *escaped(const char *s)
{
	char *out = xcalloc(strlen(s) * 2 + 1, 1), *at = out;

	for (; *s; s++) {
		*at++ = *s;
		if (*s == ',')
			*at++ = ',';
	}
	return out;
}

static void add_machine(struct qemu_cmd *cmd, const struct vmm_config *c)
{
	qemu_cmd_add(cmd, "-name");
	qemu_cmd_add(cmd, "vmdeck-%s,process=vmdeck-%s", c->id, c->id);
	qemu_cmd_add(cmd, "-M");
	qemu_cmd_add(cmd, "microvm,memory-backend=mem");
	qemu_cmd_add(cmd, "-nodefaults");
	qemu_cmd_add(cmd, "-no-user-config");
	qemu_cmd_add(cmd, "-no-reboot");
	qemu_cmd_add(cmd, "-display");
	qemu_cmd_add(cmd, "none");
	/* A guest that breaks into QEMU finds no exec, no set-id, no odd system calls. */
	qemu_cmd_add(cmd, "-sandbox");
	qemu_cmd_add(
		cmd, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	qemu_cmd_add(cmd, "-accel");
	qemu_cmd_add(cmd, "tcg,thread=multi,tb-size=%d", TB_SIZE_MIB);
	qemu_cmd_add(cmd, "-cpu");
	qemu_cmd_add(cmd, "qemu64,+rdrand");
	qemu_cmd_add(cmd, "-smp");
	qemu_cmd_add(cmd, "%u", c->vcpus);
	qemu_cmd_add(cmd, "-m");
	qemu_cmd_add(cmd, "%uM", c->mem_mib);
}

/* vhost-net would need the host's device; the emulated guest is the bottleneck. */
static void add_net(struct qemu_cmd *cmd, const struct vmm_net *net)
{
	qemu_cmd_add(cmd, "-netdev");
	qemu_cmd_add(cmd, "tap,id=net0,fd=%d,vhost=off", QEMU_TAP_FD);
	qemu_cmd_add(cmd, "-device");
	qemu_cmd_add(cmd, "virtio-net-device,netdev=net0,mac=%s", net->mac);
}

static void add_devices(struct qemu_cmd *cmd, const struct vmm_config *c)
{
	autofree char *dir = escaped(c->dir);

	qemu_cmd_add(cmd, "-object");
	qemu_cmd_add(cmd, "memory-backend-file,id=mem,size=%uM,mem-path=/proc/self/fd/%d,share=on",
		c->mem_mib, QEMU_RAM_FD);
	qemu_cmd_add(cmd, "-global");
	qemu_cmd_add(cmd, "virtio-mmio.force-legacy=false");
	qemu_cmd_add(cmd, "-chardev");
	qemu_cmd_add(cmd, "socket,id=qmp,fd=%d,server=on,wait=off", QEMU_QMP_FD);
	qemu_cmd_add(cmd, "-mon");
	qemu_cmd_add(cmd, "chardev=qmp,mode=control");
	qemu_cmd_add(cmd, "-chardev");
	qemu_cmd_add(cmd, "file,id=serial,path=%s/serial.log,append=on", dir);
	qemu_cmd_add(cmd, "-serial");
	qemu_cmd_add(cmd, "chardev:serial");
	qemu_cmd_add(cmd, "-device");
	qemu_cmd_add(cmd, "vhost-vsock-device,guest-cid=%u,vhostfd=%d", c->cid, QEMU_VHOST_FD);
	qemu_disks_add(cmd, c->disks, c->disk_count);
	if (c->net)
		add_net(cmd, c->net);
}

static void add_kernel(struct qemu_cmd *cmd, const struct vmm_config *c, uint32_t tsc_khz)
{
	qemu_cmd_add(cmd, "-kernel");
	qemu_cmd_add(cmd, "%s", c->kernel);
	if (c->initrd) {
		qemu_cmd_add(cmd, "-initrd");
		qemu_cmd_add(cmd, "%s", c->initrd);
	}
	qemu_cmd_add(cmd, "-append");
	qemu_cmd_add(cmd, KERNEL_ARGS "%u%s%s", tsc_khz, c->kernel_args ? " " : "",
		c->kernel_args ? c->kernel_args : "");
}

/* The monitor brings the state. Paused whatever that says of itself. */
static void add_incoming(struct qemu_cmd *cmd)
{
	qemu_cmd_add(cmd, "-incoming");
	qemu_cmd_add(cmd, "defer");
	qemu_cmd_add(cmd, "-S");
}

int qemu_cmd_build(struct qemu_cmd *cmd, const struct vmm_config *config,
	const struct qemu_host *host, struct err *e)
{
	int r = qemu_disks_check(config, e);

	*cmd = (struct qemu_cmd){0};
	if (r < 0)
		return r;
	if (strpbrk(host->preload, " :"))
		return err_set(e, EINVAL,
			"the folder of '%s' has a space or colon in its name, which the loader "
			"does not take: install vmdeck elsewhere",
			host->preload);
	qemu_cmd_add(cmd, "%s", host->program);
	add_machine(cmd, config);
	add_devices(cmd, config);
	if (config->incoming)
		add_incoming(cmd);
	else
		add_kernel(cmd, config, host->tsc_khz);
	cmd->env[0] = xasprintf("LD_PRELOAD=%s", host->preload);
	/* QEMU believes its memory to be shared, so that it leaves it out of the state; the library
	 * sees to it that a snapshot's file is not. */
	cmd->env[1] = xasprintf("VMDECK_VSOCK=fd=%d ram=%d%s path=%s", QEMU_VHOST_FD, QEMU_RAM_FD,
		config->incoming ? " private=1" : "", config->vsock_path);
	return 0;
}

void qemu_cmd_definition(struct qemu_cmd *cmd, const struct vmm_config *config)
{
	static const struct vmm_disk disk = {.layers = {{"-", "raw"}}, .count = 1};
	struct vmm_disk disks[VMM_DISKS_MAX];
	int count = min_of(config->disk_count, VMM_DISKS_MAX);
	struct vmm_config c = {.id = "-",
		.dir = "-",
		.vcpus = config->vcpus,
		.mem_mib = config->mem_mib,
		.disks = disks,
		.disk_count = count,
		.net = config->net};

	*cmd = (struct qemu_cmd){0};
	for (int i = 0; i < count; i++)
		disks[i] = disk;
	add_machine(cmd, &c);
	add_devices(cmd, &c);
}

void qemu_cmd_fini(struct qemu_cmd *cmd)
{
	if (!cmd)
		return;
	for (int i = 0; i < cmd->argc; i++)
		free(cmd->argv[i]);
	for (size_t i = 0; i < countof(cmd->env); i++)
		free(cmd->env[i]);
	*cmd = (struct qemu_cmd){0};
}
