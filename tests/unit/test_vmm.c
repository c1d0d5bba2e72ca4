// LIBS: vmm base
// OBJS: tests/support/qemu_vm.c tests/support/pvh.c
/* What drivers are made of, without a VM: command line, choice of the driver, version probes, the
 * time stamp counter's rate, the limit on log files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "backend/base/file.h"
#include "backend/vmm/log_cap.h"
#include "backend/vmm/probe.h"
#include "backend/vmm/qemu_cmd.h"
#include "backend/vmm/tsc.h"
#include "backend/vmm/vmm.h"
#include "tests/support/qemu_vm.h"

#define DEADLINE 30. /* s */

static char folder[] = "/tmp/vmdeck-test-XXXXXX";

static char *in_folder(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

/* ---- command line --------------------------------------------------------------------------- */

static const struct vmm_config config = {.id = "0badcafe",
	.dir = "/home/a,b/vms/0badcafe",
	.run_dir = "/run/vmdeck/vms/0badcafe",
	.vsock_path = "/run/vmdeck/vms/0badcafe/v.sock",
	.kernel = "/home/a,b/vmlinux",
	.initrd = "/home/a,b/initrd.cpio",
	.vcpus = 2,
	.mem_mib = 512,
	.cid = 7};
static const struct qemu_host host = {
	"/usr/bin/qemu-system-x86_64", "/lib/vmdeck-vsock.so", 2600004};

/* Value behind an option (its n-th use), or NULL. */
static const char *value(const struct qemu_cmd *cmd, const char *option, int n)
{
	for (int i = 1; i < cmd->argc; i++)
		if (strcmp(cmd->argv[i], option) == 0 && n-- == 0)
			return cmd->argv[i + 1];
	return NULL;
}

static void command_line(void **state)
{
	struct qemu_cmd cmd;
	const char *append;

	(void)state;
	assert_int_equal(qemu_cmd_build(&cmd, &config, &host, NULL), 0);
	assert_string_equal(cmd.argv[0], host.program);
	assert_null(cmd.argv[cmd.argc]);
	assert_string_equal(value(&cmd, "-name", 0), "vmdeck-0badcafe,process=vmdeck-0badcafe");
	assert_string_equal(value(&cmd, "-M", 0), "microvm,memory-backend=mem");
	assert_string_equal(value(&cmd, "-smp", 0), "2");
	assert_string_equal(value(&cmd, "-m", 0), "512M");
	assert_string_equal(value(&cmd, "-object", 0), "memory-backend-file,id=mem,size=512M,"
						       "mem-path=/proc/self/fd/4,share=on");
	assert_string_equal(value(&cmd, "-chardev", 0), "socket,id=qmp,fd=3,server=on,wait=off");
	assert_string_equal(value(&cmd, "-chardev", 1),
		"file,id=serial,path=/home/a,,b/vms/0badcafe/serial.log,append=on");
	assert_string_equal(
		value(&cmd, "-device", 0), "vhost-vsock-device,guest-cid=7,vhostfd=200");
	/* These two are not split at commas. */
	assert_string_equal(value(&cmd, "-kernel", 0), config.kernel);
	assert_string_equal(value(&cmd, "-initrd", 0), config.initrd);
	append = value(&cmd, "-append", 0);
	assert_non_null(strstr(append, "console=ttyS0 quiet reboot=t panic=-1 "));
	assert_string_equal(strstr(append, " tsc="), " tsc=reliable tsc_early_khz=2600004");
	assert_string_equal(cmd.env[0], "LD_PRELOAD=/lib/vmdeck-vsock.so");
	assert_string_equal(
		cmd.env[1], "VMDECK_VSOCK=fd=200 ram=4 path=/run/vmdeck/vms/0badcafe/v.sock");
	assert_null(value(&cmd, "-incoming", 0));
	assert_null(value(&cmd, "-blockdev", 0));
	assert_null(cmd.env[2]);
	for (int i = 0; i < cmd.argc; i++)
		assert_null(strstr(cmd.argv[i], "kvm"));
	qemu_cmd_fini(&cmd);
	qemu_cmd_fini(&cmd);
	qemu_cmd_fini(NULL);
}

static void command_line_variants(void **state)
{
	struct vmm_config c = config;
	struct qemu_host h = host;
	struct qemu_cmd cmd;
	struct err e;

	(void)state;
	c.initrd = NULL;
	c.kernel_args = "debug x=1";
	assert_int_equal(qemu_cmd_build(&cmd, &c, &h, &e), 0);
	assert_null(value(&cmd, "-initrd", 0));
	assert_string_equal(strstr(value(&cmd, "-append", 0), " tsc_early_khz"),
		" tsc_early_khz=2600004 debug x=1");
	qemu_cmd_fini(&cmd);
	c.incoming = &(struct vmm_incoming){"/s/state", "/s/memory"};
	c.kernel = c.initrd = c.kernel_args = NULL;
	assert_int_equal(qemu_cmd_build(&cmd, &c, &h, &e), 0);
	assert_string_equal(value(&cmd, "-incoming", 0), "defer");
	assert_string_equal(cmd.argv[cmd.argc - 1], "-S");
	assert_null(value(&cmd, "-kernel", 0));
	assert_null(value(&cmd, "-append", 0));
	/* What QEMU is told of its memory is the same as at the boot. */
	assert_string_equal(value(&cmd, "-object", 0), "memory-backend-file,id=mem,size=512M,"
						       "mem-path=/proc/self/fd/4,share=on");
	assert_string_equal(cmd.env[1],
		"VMDECK_VSOCK=fd=200 ram=4 private=1 path=/run/vmdeck/vms/0badcafe/v.sock");
	qemu_cmd_fini(&cmd);
	h.preload = "/my programs/vmdeck-vsock.so";
	assert_int_equal(qemu_cmd_build(&cmd, &c, &h, &e), -EINVAL);
	qemu_cmd_fini(&cmd);
	h.preload = "/a:b/vmdeck-vsock.so";
	assert_int_equal(qemu_cmd_build(&cmd, &c, &h, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "/a:b/vmdeck-vsock.so"));
}

static void disks(void **state)
{
	static const struct vmm_disk two[] = {
		{.layers = {{"/d/a,\"b\"/top", "qcow2"}, {"/d/mid", "qcow2"}, {"/d/low", "raw"}},
			.count = 3},
		{.layers = {{"/d/only", "qcow2"}}, .count = 1},
	};
	static const char *const want[] = {
		"{\"driver\":\"raw\",\"node-name\":\"disk0-2\",\"read-only\":true,"
		"\"cache\":{\"direct\":false,\"no-flush\":false},"
		"\"file\":{\"driver\":\"file\",\"filename\":\"/d/low\",\"read-only\":true}}",
		"{\"driver\":\"qcow2\",\"node-name\":\"disk0-1\",\"read-only\":true,"
		"\"cache\":{\"direct\":false,\"no-flush\":false},"
		"\"file\":{\"driver\":\"file\",\"filename\":\"/d/mid\",\"read-only\":true},"
		"\"backing\":\"disk0-2\"}",
		"{\"driver\":\"qcow2\",\"node-name\":\"disk0-0\",\"read-only\":false,"
		"\"discard\":\"unmap\",\"cache\":{\"direct\":false,\"no-flush\":false},"
		"\"file\":{\"driver\":\"file\",\"filename\":\"/d/a,\\\"b\\\"/top\","
		"\"read-only\":false,\"discard\":\"unmap\"},\"backing\":\"disk0-1\"}",
		"{\"driver\":\"qcow2\",\"node-name\":\"disk1-0\",\"read-only\":false,"
		"\"discard\":\"unmap\",\"cache\":{\"direct\":false,\"no-flush\":false},"
		"\"file\":{\"driver\":\"file\",\"filename\":\"/d/only\",\"read-only\":false,"
		"\"discard\":\"unmap\"},\"backing\":null}",
	};
	struct vmm_config c = config;
	struct qemu_cmd cmd;

	(void)state;
	c.disks = two;
	c.disk_count = 2;
	assert_int_equal(qemu_cmd_build(&cmd, &c, &host, NULL), 0);
	for (size_t i = 0; i < countof(want); i++)
		assert_string_equal(value(&cmd, "-blockdev", (int)i), want[i]);
	assert_null(value(&cmd, "-blockdev", countof(want)));
	/* The vsock device comes first. */
	assert_string_equal(value(&cmd, "-device", 1), "virtio-blk-device,drive=disk0-0,id=disk0");
	assert_string_equal(value(&cmd, "-device", 2), "virtio-blk-device,drive=disk1-0,id=disk1");
	qemu_cmd_fini(&cmd);
}

static void disks_that_cannot_be(void **state)
{
	static struct vmm_disk many[VMM_DISKS_MAX + 1];
	struct vmm_config c = config;
	struct qemu_cmd cmd;
	struct err e;

	(void)state;
	for (int i = 0; i <= VMM_DISKS_MAX; i++) {
		many[i].count = VMM_LAYERS_MAX;
		for (int k = 0; k < VMM_LAYERS_MAX; k++)
			many[i].layers[k] = (struct vmm_layer){"/d", "qcow2"};
	}
	c.disks = many;
	c.disk_count = VMM_DISKS_MAX;
	assert_int_equal(qemu_cmd_build(&cmd, &c, &host, &e), 0);
	qemu_cmd_fini(&cmd);
	c.disk_count++;
	assert_int_equal(qemu_cmd_build(&cmd, &c, &host, &e), -EINVAL);
	c.disk_count = 1;
	many[0].count = 0;
	assert_int_equal(qemu_cmd_build(&cmd, &c, &host, &e), -EINVAL);
	many[0].count = VMM_LAYERS_MAX + 1;
	assert_int_equal(qemu_cmd_build(&cmd, &c, &host, &e), -EINVAL);
	many[0].count = 2;
	many[0].layers[0].format = "raw";
	assert_int_equal(qemu_cmd_build(&cmd, &c, &host, &e), -EINVAL);
	many[0].layers[0].format = "vmdk";
	assert_int_equal(qemu_cmd_build(&cmd, &c, &host, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "disk 0 has the format 'vmdk'"));
}

/* ---- what a device state fits --------------------------------------------------------------- */

static void machine_of(const struct vmm_config *c, struct vmm_machine *ret)
{
	struct err e;

	if (vmm_qemu.machine(c, ret, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(strlen(ret->digest), 64);
}

static void machine_is_its_devices(void **state)
{
	static const struct vmm_disk chain[] = {
		{.layers = {{"/d/top", "qcow2"}, {"/d/low", "raw"}}, .count = 2},
		{.layers = {{"/d/only", "qcow2"}}, .count = 1},
	};
	struct vmm_machine m, other;
	struct vmm_config c = config;

	(void)state;
	qemu_vm_need();
	machine_of(&config, &m);
	assert_int_equal(m.version[1], '.');
	assert_true(m.tsc_khz > 100000);
	/* A clone of it. */
	c.id = "00000000";
	c.dir = c.run_dir = "/elsewhere";
	c.vsock_path = "/elsewhere/v.sock";
	c.kernel = c.initrd = NULL;
	c.incoming = &(struct vmm_incoming){"/s/state", "/s/memory"};
	c.cid = 99;
	machine_of(&c, &other);
	assert_string_equal(m.digest, other.digest);
	c.vcpus++;
	machine_of(&c, &other);
	assert_string_not_equal(m.digest, other.digest);
	c.vcpus--;
	c.mem_mib *= 2;
	machine_of(&c, &other);
	assert_string_not_equal(m.digest, other.digest);
	c.mem_mib /= 2;
	c.disks = chain;
	c.disk_count = 1;
	machine_of(&c, &other);
	assert_string_not_equal(m.digest, other.digest);
	/* Layers do not count, disks do. */
	c.disks = chain + 1;
	machine_of(&c, &m);
	assert_string_equal(m.digest, other.digest);
	c.disks = chain;
	c.disk_count = 2;
	machine_of(&c, &other);
	assert_string_not_equal(m.digest, other.digest);
}

/* ---- choice of the driver ------------------------------------------------------------------- */

static void pick_refuses(void **state)
{
	const struct vmm_ops *ops = NULL;
	struct vmm_detect d;
	struct err e;

	(void)state;
	assert_int_equal(vmm_pick("xen\n", &ops, &d, &e), -ENOENT);
	assert_string_equal(
		e.msg, "there is no VMM 'xen\\x0a': choose one of auto, firecracker, qemu");
	assert_int_equal(vmm_pick("firecracker", &ops, &d, &e), -ENODEV);
	assert_non_null(strstr(e.msg, "use --vmm qemu"));
	assert_null(ops);
}

static void pick_qemu(void **state)
{
	const struct vmm_ops *ops = NULL;
	struct vmm_detect d;
	struct err e;

	(void)state;
	qemu_vm_need();
	assert_int_equal(vmm_pick("auto", &ops, &d, &e), 0);
	assert_ptr_equal(ops, &vmm_qemu);
	assert_string_equal(d.accel, "tcg");
	assert_true(d.program[0] == '/' && d.version[0]);
	assert_int_equal(vmm_pick("qemu", &ops, &d, &e), 0);
	assert_ptr_equal(ops, &vmm_qemu);
}

static void pick_none(void **state)
{
	autofree char *path = xstrdup(getenv("PATH"));
	const struct vmm_ops *ops = NULL;
	struct vmm_detect d;
	struct err e;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(vmm_pick("auto", &ops, &d, &e), -ENODEV);
	assert_non_null(strstr(e.msg, "no VMM can run here: firecracker was not found in PATH"));
	assert_non_null(strstr(e.msg, "install the package qemu-system-x86"));
	setenv("PATH", path, 1);
}

static void fake(const char *name, const char *script)
{
	autofree char *file = in_folder(name);

	assert_int_equal(file_write_atomic(file, script, strlen(script), 0700, NULL), 0);
}

static void firecracker_is_named_but_not_used(void **state)
{
	static const struct {
		const char *script, *version, *why;
	} cases[] = {
		{"#!/bin/sh\necho 'Firecracker v1.16.1'; echo; echo 'exiting successfully. "
		 "1.2.3'\n",
			"1.16.1", "firecracker 1.16.1 is here, but "},
		{"#!/bin/sh\necho 'Firecracker v1.13.0'\n", "1.13.0",
			"firecracker 1.13.0 is too old: 1.13.1 or newer is needed"},
		{"#!/bin/sh\necho 'Firecracker'\n", "", "does not tell its version: Firecracker"},
		{"#!/bin/sh\nexit 153\n", "", "does not work: exit 153"},
		{"#!/bin/sh\n", "", "printed nothing"},
		{"garbage", "", "cannot run"},
	};
	autofree char *path = xstrdup(getenv("PATH"));
	struct vmm_detect d;
	struct vmm *v;
	struct err e;

	(void)state;
	setenv("PATH", folder, 1);
	for (size_t i = 0; i < countof(cases); i++) {
		fake("firecracker", cases[i].script);
		vmm_firecracker.detect(&d);
		assert_false(d.found);
		assert_string_equal(d.version, cases[i].version);
		if (!strstr(d.why, cases[i].why))
			fail_msg("%zu: %s", i, d.why);
		assert_true(strstr(d.program, "/firecracker"));
	}
	setenv("PATH", path, 1);
	v = vmm_firecracker.create();
	assert_int_equal(vmm_firecracker.start(v, NULL, &e), -EOPNOTSUPP);
	assert_int_equal(vmm_firecracker.adopt(v, NULL, &e), -EOPNOTSUPP);
	assert_int_equal(vmm_firecracker.load(v, NULL, &e), -EOPNOTSUPP);
	assert_int_equal(vmm_firecracker.save(v, "state", NULL, NULL, &e), -EOPNOTSUPP);
	assert_int_equal(vmm_firecracker.machine(&config, NULL, &e), -EOPNOTSUPP);
	assert_int_equal(vmm_firecracker.pause(v, NULL, &e), -EOPNOTSUPP);
	vmm_firecracker.kill(v);
	vmm_firecracker.destroy(v);
	vmm_firecracker.destroy(NULL);
}

/* ---- version probes ------------------------------------------------------------------------- */

static void versions(void **state)
{
	static const struct {
		const char *text;
		int number;
		const char *version;
	} cases[] = {
		{"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)", 7002022, "7.2.22"},
		{"Firecracker v1.16.1", 1016001, "1.16.1"},
		{"Firecracker v1.17.0-dev", 1017000, "1.17.0"},
		{"x86_64 version 10.0", 10000000, "10.0.0"},
		{"8.1.", 8001000, "8.1.0"},
		{"", -EINVAL, ""},
		{"version seven", -EINVAL, ""},
		{"version 7", -EINVAL, ""},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		char out[32] = "";

		assert_int_equal(
			probe_parse_version(cases[i].text, out, sizeof(out)), cases[i].number);
		assert_string_equal(out, cases[i].version);
	}
}

static void probe_remembers(void **state)
{
	autofree char *file = in_folder("tool"), *count = in_folder("count");
	autofree char *script =
		xasprintf("#!/bin/sh\necho run >> '%s'\necho \"tool 1.2 $1\"\n", count);
	struct probe_cache c = {0};
	struct stat st;
	struct err e;

	(void)state;
	assert_int_equal(probe_version(&c, file, &e), -ENOENT);
	fake("tool", script);
	for (int i = 0; i < 3; i++)
		assert_int_equal(probe_version(&c, file, &e), 0);
	assert_string_equal(c.line, "tool 1.2 --version");
	assert_int_equal(stat(count, &st), 0);
	assert_int_equal(st.st_size, 4);
	fake("tool", script); /* replaced: another inode */
	assert_int_equal(probe_version(&c, file, &e), 0);
	assert_int_equal(stat(count, &st), 0);
	assert_int_equal(st.st_size, 8);
}

/* ---- time stamp counter --------------------------------------------------------------------- */

static void tsc_arithmetic(void **state)
{
	const struct tsc_sample a = {1000, 5000, 0}, b = {1000 + 26000, 5000 + 10000, 0};
	uint32_t khz = 0;

	(void)state;
	assert_int_equal(tsc_rate(&a, &b, &khz), 0);
	assert_int_equal(khz, 2600000);
	assert_int_equal(tsc_rate(&b, &a, &khz), -ERANGE);
	assert_int_equal(tsc_rate(&a, &a, &khz), -ERANGE);
	assert_int_equal(tsc_rate(&a, &(struct tsc_sample){1001, 1000005000, 0}, &khz), -ERANGE);
	assert_int_equal(tsc_rate(&a, &(struct tsc_sample){UINT64_MAX, 5001, 0}, &khz), -ERANGE);
}

static void tsc_of_this_host(void **state)
{
	struct tsc_meter m = {0};
	struct timespec wait = {.tv_nsec = 250000000};
	uint64_t begin;
	uint32_t quick, slow, again;
	struct err e;

	(void)state;
	if (tsc_meter_khz(&m, &quick, &e) < 0)
		skip();
	assert_int_equal(m.khz, 0); /* 10 ms are good enough, but not to keep */
	nanosleep(&wait, NULL);
	begin = mono_ns();
	assert_int_equal(tsc_meter_khz(&m, &slow, &e), 0);
	assert_true(mono_ns() - begin < 9000000u); /* the first sample is old: no wait */
	assert_int_equal(m.khz, slow);
	assert_int_equal(tsc_meter_khz(&m, &again, &e), 0);
	assert_int_equal(again, slow);
	assert_true(labs((long)quick - (long)slow) <= (long)(slow / 1000)); /* 0.1 % */
}

static void tsc_after_a_suspend(void **state)
{
	struct tsc_meter m = {0};
	uint32_t good, khz;
	struct err e;

	(void)state;
	if (tsc_meter_khz(&m, &good, &e) < 0)
		skip();
	/* The counter began anew while this host slept: the old sample is worth nothing. */
	m.origin.ticks *= 2;
	m.origin.suspended_ns -= 5000000000u;
	assert_int_equal(tsc_meter_khz(&m, &khz, &e), 0);
	assert_true(labs((long)good - (long)khz) <= (long)(good / 1000));
	/* Without a sleep that shows, it is an error, once. */
	m.origin.ticks *= 2;
	assert_int_equal(tsc_meter_khz(&m, &khz, &e), -ERANGE);
	assert_int_equal(tsc_meter_khz(&m, &khz, &e), 0);
}

/* ---- log files ------------------------------------------------------------------------------ */

static void append_mib(const char *path, int mib)
{
	static char block[1 << 20];
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < mib; i++)
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
}

static void log_is_cut(void **state)
{
	autofree char *path = in_folder("serial.log");
	struct stat st;
	off_t cut;

	(void)state;
	assert_int_equal(log_cap_trim(path, 0), 0); /* not there */
	append_mib(path, LOG_CAP_MAX >> 20);
	assert_int_equal(log_cap_trim(path, 0), 0);
	append_mib(path, 1);
	cut = log_cap_trim(path, 0);
	assert_int_equal(cut, LOG_CAP_MAX + (1 << 20) - LOG_CAP_KEEP);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, LOG_CAP_MAX + (1 << 20)); /* offsets stay */
	assert_true(st.st_blocks * 512 <= LOG_CAP_KEEP + (1 << 20));
	assert_int_equal(log_cap_trim(path, cut), cut);
	append_mib(path, 4);
	assert_int_equal(log_cap_trim(path, cut), cut);
	assert_int_equal(truncate(path, 5), 0); /* begun anew by somebody */
	assert_int_equal(log_cap_trim(path, cut), 0);
	assert_int_equal(unlink(path), 0);
}

struct watch {
	struct log_cap cap;
	ev_timer deadline, look;
	const char *path;
};

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	fail_msg("the log was not cut in %g s", DEADLINE);
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct watch *x = container_of(w, struct watch, look);

	(void)revents;
	if (x->cap.cut)
		ev_break(loop, EVBREAK_ALL);
}

static void log_is_watched(void **state)
{
	autofree char *path = in_folder("watched.log");
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct watch x = {.path = path};

	(void)state;
	append_mib(path, 1);
	log_cap_start(&x.cap, loop, path);
	ev_timer_init(&x.deadline, on_deadline, DEADLINE, 0.);
	ev_timer_init(&x.look, on_look, 0.1, 0.1);
	ev_timer_start(loop, &x.deadline);
	ev_timer_start(loop, &x.look);
	ev_run(loop, EVRUN_NOWAIT);
	append_mib(path, LOG_CAP_MAX >> 20);
	ev_run(loop, 0);
	assert_int_equal(x.cap.cut, LOG_CAP_MAX + (1 << 20) - LOG_CAP_KEEP);
	log_cap_stop(&x.cap);
	log_cap_stop(&x.cap);
	ev_loop_destroy(loop);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return tree_remove(folder, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_line),
		cmocka_unit_test(command_line_variants),
		cmocka_unit_test(disks),
		cmocka_unit_test(disks_that_cannot_be),
		cmocka_unit_test(machine_is_its_devices),
		cmocka_unit_test(pick_refuses),
		cmocka_unit_test(pick_qemu),
		cmocka_unit_test(pick_none),
		cmocka_unit_test(firecracker_is_named_but_not_used),
		cmocka_unit_test(versions),
		cmocka_unit_test(probe_remembers),
		cmocka_unit_test(tsc_arithmetic),
		cmocka_unit_test(tsc_of_this_host),
		cmocka_unit_test(tsc_after_a_suspend),
		cmocka_unit_test(log_is_cut),
		cmocka_unit_test(log_is_watched),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
