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

static void add(struct qemu_cmd *cmd, const char *fmt, ...) printf_like(2, 3);

static void add(struct qemu_cmd *cmd, const char *fmt, ...)
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
	add(cmd, "-name");
	add(cmd, "vmdeck-%s,process=vmdeck-%s", c->id, c->id);
	add(cmd, "-M");
	add(cmd, "microvm,memory-backend=mem");
	add(cmd, "-nodefaults");
	add(cmd, "-no-user-config");
	add(cmd, "-no-reboot");
	add(cmd, "-display");
	add(cmd, "none");
	/* A guest that breaks into QEMU finds no exec, no set-id, no odd system calls. */
	add(cmd, "-sandbox");
	add(cmd, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add(cmd, "-accel");
	add(cmd, "tcg,thread=multi,tb-size=%d", TB_SIZE_MIB);
	add(cmd, "-cpu");
	add(cmd, "qemu64,+rdrand");
	add(cmd, "-smp");
	add(cmd, "%u", c->vcpus);
	add(cmd, "-m");
	add(cmd, "%uM", c->mem_mib);
}

static void add_devices(struct qemu_cmd *cmd, const struct vmm_config *c)
{
	autofree char *dir = escaped(c->dir);

	add(cmd, "-object");
	add(cmd, "memory-backend-file,id=mem,size=%uM,mem-path=/proc/self/fd/%d,share=on",
		c->mem_mib, QEMU_RAM_FD);
	add(cmd, "-global");
	add(cmd, "virtio-mmio.force-legacy=false");
	add(cmd, "-chardev");
	add(cmd, "socket,id=qmp,fd=%d,server=on,wait=off", QEMU_QMP_FD);
	add(cmd, "-mon");
	add(cmd, "chardev=qmp,mode=control");
	add(cmd, "-chardev");
	add(cmd, "file,id=serial,path=%s/serial.log,append=on", dir);
	add(cmd, "-serial");
	add(cmd, "chardev:serial");
	add(cmd, "-device");
	add(cmd, "vhost-vsock-device,guest-cid=%u,vhostfd=%d", c->cid, QEMU_VHOST_FD);
}

static void add_kernel(struct qemu_cmd *cmd, const struct vmm_config *c, uint32_t tsc_khz)
{
	add(cmd, "-kernel");
	add(cmd, "%s", c->kernel);
	if (c->initrd) {
		add(cmd, "-initrd");
		add(cmd, "%s", c->initrd);
	}
	add(cmd, "-append");
	add(cmd, KERNEL_ARGS "%u%s%s", tsc_khz, c->kernel_args ? " " : "",
		c->kernel_args ? c->kernel_args : "");
}

int qemu_cmd_build(struct qemu_cmd *cmd, const struct vmm_config *config,
	const struct qemu_host *host, struct err *e)
{
	*cmd = (struct qemu_cmd){0};
	if (strpbrk(host->preload, " :"))
		return err_set(e, EINVAL,
			"the folder of '%s' has a space or colon in its name, which the loader "
			"does not "
			"take: install vmdeck elsewhere",
			host->preload);
	add(cmd, "%s", host->program);
	add_machine(cmd, config);
	add_devices(cmd, config);
	add_kernel(cmd, config, host->tsc_khz);
	cmd->env[0] = xasprintf("LD_PRELOAD=%s", host->preload);
	cmd->env[1] = xasprintf("VMDECK_VSOCK=fd=%d path=%s", QEMU_VHOST_FD, config->vsock_path);
	return 0;
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
