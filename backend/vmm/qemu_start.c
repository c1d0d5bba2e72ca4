/* From a configuration to a QEMU process, and back to nothing when that fails. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/path.h"
#include "backend/base/str.h"
#include "backend/vmm/host_mem.h"
#include "backend/vmm/qemu.h"
#include "backend/vmm/qemu_cmd.h"

/* What a VM needs of this host: a boot touches some 120 MiB of guest memory whatever its size, a
 * clone shares all but what it writes; QEMU has 60 MiB of its own; the logs want a little disk. */
#define BOOT_RAM_MIB 128u
#define LOAD_RAM_MIB 32u
#define QEMU_MEM_MIB 64u
#define LOG_FREE_MIB 16u
#define KILL_WAIT_MS 5000 /* normal: 5 */

static int check_file(const char *what, const char *path, struct err *e)
{
	if (access(path, R_OK) < 0)
		return err_errno(e, "the guest's %s '%s' cannot be read", what, path);
	return 0;
}

static int check_space(const struct vmm_config *c, struct err *e)
{
	uint64_t need = (uint64_t)LOG_FREE_MIB << 20, have;
	char need_text[32], have_text[32];
	int r = fs_free_bytes(c->dir, &have, e);

	if (r < 0 || have >= need)
		return r;
	return err_set(e, ENOSPC,
		"no space left for a VM's logs: %s are free in '%s', %s are needed; remove VMs or "
		"images",
		str_bytes(have_text, sizeof(have_text), have), c->dir,
		str_bytes(need_text, sizeof(need_text), need));
}

static int check_memory(const struct vmm_config *c, struct err *e)
{
	uint32_t touched = min_of(c->mem_mib, c->incoming ? LOAD_RAM_MIB : BOOT_RAM_MIB);
	uint64_t need = (uint64_t)(touched + QEMU_MEM_MIB) << 20;
	uint64_t size = (uint64_t)c->mem_mib << 20;
	char need_text[32], have_text[32];
	struct host_mem host;
	int r = host_mem_read(&host, e);

	if (r < 0)
		return r;
	if (size > host.total)
		return err_set(e, ENOMEM,
			"this host has %s of memory: a guest of %s does not fit; give it less",
			str_bytes(have_text, sizeof(have_text), host.total),
			str_bytes(need_text, sizeof(need_text), size));
	if (host.available < need)
		return err_set(e, ENOMEM,
			"not enough memory for a VM: %s are available, it needs %s; stop other "
			"VMs first",
			str_bytes(have_text, sizeof(have_text), host.available),
			str_bytes(need_text, sizeof(need_text), need));
	return 0;
}

static int check_disks(const struct vmm_config *c, struct err *e)
{
	int r = qemu_disks_check(c, e);

	for (int i = 0; i < c->disk_count && r == 0; i++)
		for (int k = 0; k < c->disks[i].count && r == 0; k++)
			r = check_file("disk", c->disks[i].layers[k].path, e);
	return r;
}

static int check_config(const struct vmm_config *c, struct err *e)
{
	int r = 0;

	if (c->incoming)
		r = check_file("device state", c->incoming->state, e);
	else
		r = check_file("kernel", c->kernel, e);
	if (r == 0 && !c->incoming && c->initrd)
		r = check_file("initrd", c->initrd, e);
	if (r == 0)
		r = check_disks(c, e);
	if (r == 0)
		r = check_space(c, e);
	return r < 0 ? r : check_memory(c, e);
}

static int open_log(struct qemu *q, int *ret_fd, struct err *e)
{
	int fd = open(q->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_errno(e, "cannot open '%s'", q->log_path);
	q->log_from = lseek(fd, 0, SEEK_END);
	*ret_fd = fd;
	return 0;
}

/* Guest RAM is a file in memory: one on disk costs 350 ms of a boot (a journal entry for each page
 * first touched), writes guest memory to disk all the time, and ends the guest when the disk is
 * full. This one goes with the process; a snapshot copies it from /proc/PID/fd/QEMU_RAM_FD. */
static int make_ram(const struct qemu *q, int *ret_fd, struct err *e)
{
	autofree char *name = xasprintf("vmdeck-ram-%s", q->base.config->id);
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "cannot make the guest's memory");
	*ret_fd = fd;
	return 0;
}

/* A snapshot's memory, which QEMU opens anew by /proc/self/fd, and would resize to fit. */
static int open_saved_ram(const struct vmm_config *c, int *ret_fd, struct err *e)
{
	const char *path = c->incoming->memory;
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint64_t want = (uint64_t)c->mem_mib << 20;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "cannot open the guest's memory '%s'", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != want)
		return err_set(e, EINVAL,
			"the guest's memory '%s' is not a file of %u MiB: the snapshot is damaged",
			path, c->mem_mib);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int open_ram(const struct qemu *q, int *ret_fd, struct err *e)
{
	const struct vmm_config *c = q->base.config;

	return c->incoming ? open_saved_ram(c, ret_fd, e) : make_ram(q, ret_fd, e);
}

static void log_spawn(struct qemu *q, const struct qemu_cmd *cmd, uint64_t begin_ns)
{
	struct json_object *o = json_object_new_object(), *argv = json_object_new_array();

	for (int i = 0; i < cmd->argc; i++)
		json_object_array_add(argv, json_object_new_string(cmd->argv[i]));
	jsonx_add_int(o, "pid", q->base.proc.id.pid);
	json_object_object_add(o, "ms", json_object_new_double(qemu_ms_since(begin_ns)));
	json_object_object_add(o, "argv", argv);
	qemu_log(q, "vmm.spawn", o);
}

/* The user namespace first: it gives the right to enter the other, which it owns. */
static int namespaces(const struct vmm_net *net, int out[2])
{
	int n = 0;

	if (net->userns >= 0)
		out[n++] = net->userns;
	out[n++] = net->netns;
	return n;
}

static int spawn(struct qemu *q, const struct qemu_cmd *cmd, struct err *e)
{
	autofd int listen_fd = -1, log_fd = -1, ram_fd = -1, null_fd = -1;
	const struct vmm_net *net = q->base.config->net;
	uint64_t begin = mono_ns();
	struct proc_spec spec = {.argv = (const char *const *)cmd->argv,
		.env = (const char *const *)cmd->env,
		.pid_file = q->pid_path};
	int r = open_ram(q, &ram_fd, e);

	if (r == 0)
		r = qmp_listen(q->qmp_path, &listen_fd, e);
	/* Connected before QEMU is there: the session waits in the socket's queue, and there is no
	 * moment at which it could be refused. */
	if (r == 0)
		r = qemu_connect(q, e);
	if (r == 0)
		r = open_log(q, &log_fd, e);
	if (r < 0)
		return r;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return err_errno(e, "cannot open '/dev/null'");
	struct proc_fd fds[] = {
		{log_fd, 1}, {log_fd, 2}, {listen_fd, QEMU_QMP_FD}, {ram_fd, QEMU_RAM_FD},
		{null_fd, QEMU_VHOST_FD},
		{net ? net->tap : -1, QEMU_TAP_FD}, /* last: left out without one */
	};
	int enter[2];

	spec.fds = fds;
	spec.fd_count = net ? countof(fds) : countof(fds) - 1;
	spec.enter = enter;
	spec.enter_count = net ? namespaces(net, enter) : 0;
	r = proc_spawn(&q->base.proc, q->base.loop, &spec, qemu_on_exit, q, e);
	if (r == 0)
		log_spawn(q, cmd, begin);
	return r;
}

int qemu_spawn(struct qemu *q, struct err *e)
{
	const struct vmm_config *c = q->base.config;
	char program[256], preload[512];
	struct qemu_host host = {.program = program, .preload = preload};
	struct qemu_cmd cmd = {0};
	int r = check_config(c, e);

	if (r == 0)
		r = path_program("qemu-system-x86_64", program, sizeof(program), e);
	if (r == 0)
		r = path_helper("vmdeck-vsock.so", preload, sizeof(preload), e);
	if (r == 0)
		r = qemu_tsc_khz(&host.tsc_khz, e);
	if (r == 0)
		r = qemu_cmd_build(&cmd, c, &host, e);
	if (r < 0)
		return r;
	r = spawn(q, &cmd, e);
	qemu_cmd_fini(&cmd);
	if (r < 0) {
		qmp_io_close(&q->qmp);
		qemu_remove_files(q);
		return r;
	}
	log_cap_start(&q->serial_cap, q->base.loop, q->serial_path);
	log_cap_start(&q->log_cap, q->base.loop, q->log_path);
	return 0;
}

void qemu_remove_files(struct qemu *q)
{
	unlink(q->qmp_path);
	unlink(q->pid_path);
	unlink(q->base.config->vsock_path);
	/* The guest had no time to say anything worth keeping; what QEMU said is in the error. */
	unlink(q->serial_path);
	if (q->log_from == 0)
		unlink(q->log_path);
}

void qemu_undo_start(struct qemu *q)
{
	struct pollfd ended = {.fd = q->base.proc.pidfd, .events = POLLIN};

	if (proc_running(&q->base.proc)) {
		proc_signal(&q->base.proc, SIGKILL);
		poll(&ended, 1, KILL_WAIT_MS);
		proc_forget(&q->base.proc);
	}
	qemu_session_stop(q);
	qemu_remove_files(q);
	qemu_set_state(q, VMM_GONE);
}
