#include "agent/pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/util.h"

#define PRIORITY (-10)

static const struct {
	const char *type, *dir, *options;
	unsigned long flags;
} mounts[] = {
	{"devtmpfs", "/dev", "mode=0755", MS_NOSUID},
	{"proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"devpts", "/dev/pts", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC},
	{"tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV},
	{"tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV},
	{"tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV},
	{"cgroup2", "/sys/fs/cgroup", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
};

static const struct {
	const char *target, *name;
} links[] = {
	{"/proc/self/fd", "/dev/fd"},
	{"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"},
	{"/proc/self/fd/2", "/dev/stderr"},
};

/* Non-blocking: a console nobody drains must not stop the agent. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void mount_all(void)
{
	for (size_t i = 0; i < countof(mounts); i++) {
		mkdir(mounts[i].dir, 0755);
		/* The kernel may have mounted it (EBUSY). */
		if (mount(mounts[i].type, mounts[i].dir, mounts[i].type, mounts[i].flags,
			    mounts[i].options) < 0 &&
			errno != EBUSY)
			say_error("cannot mount %s on %s: %s", mounts[i].type, mounts[i].dir,
				strerror(errno));
		/* From here on messages are seen. */
		if (!i)
			open_console();
	}
	for (size_t i = 0; i < countof(links); i++)
		if (symlink(links[i].target, links[i].name) < 0 && errno != EEXIST)
			say_error("cannot make %s: %s", links[i].name, strerror(errno));
	if (mkdir(PID1_RUN_DIR, 0755) < 0 && errno != EEXIST)
		say_error("cannot make %s: %s", PID1_RUN_DIR, strerror(errno));
}

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		goto out;
	ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (!ioctl(fd, SIOCSIFFLAGS, &ifr))
		errno = 0;
out:
	if (errno)
		say_error("cannot bring up lo: %s", strerror(errno));
	close_fd(&fd);
}

/* A word of the kernel's command line. */
static bool kernel_option(const char *name)
{
	char line[4096];
	size_t n = strlen(name);

	if (file_slurp("/proc/cmdline", line, sizeof(line)) < 0)
		return false;
	for (const char *p = strstr(line, name); p; p = strstr(p + 1, name))
		if ((p == line || p[-1] == ' ') && strchr(" \n", p[n]))
			return true;
	return false;
}

void pid1_setup(_Bool *ret_debug)
{
	umask(022);
	mount_all();
	*ret_debug = kernel_option("vmdeck.debug");
	say_step("mounts done");
	/* Ctrl-Alt-Del (Firecracker's way to ask for power off) comes as SIGINT. */
	reboot(RB_DISABLE_CAD);
	loopback_up();
	/* Whoever floods the processor or the output must not delay health, commands and the
	 * draining of that output. */
	if (setpriority(PRIO_PROCESS, 0, PRIORITY) < 0)
		say_error("cannot raise the agent's priority: %s", strerror(errno));
}
