/* Doctor's look at what networks and snapshots want of the kernel and of the filesystem. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "backend/base/file.h"
#include "backend/daemon/doctor_list.h"

/* The number in a file of /proc/sys; def when there is no such file. */
static long long read_sys(const char *path, long long def)
{
	autofree char *text = NULL;

	return file_read(path, 64, &text, NULL, NULL) < 0 ? def : strtoll(text, NULL, 10);
}

static void check_user_namespaces(struct doctor *d)
{
	long long max = read_sys("/proc/sys/user/max_user_namespaces", 0);
	bool allowed = read_sys("/proc/sys/kernel/unprivileged_userns_clone", 1) != 0;

	if (max <= 0 || !allowed)
		doctor_add(d, "user namespaces", DOCTOR_WARN,
			max <= 0 ? "sysctl user.max_user_namespaces=10000"
				 : "sysctl kernel.unprivileged_userns_clone=1",
			"not allowed here: no rootless networks");
	else
		doctor_add(d, "user namespaces", DOCTOR_FOUND, NULL,
			"%lld allowed; newuidmap is not needed, one id is mapped", max);
}

static void check_tun(struct doctor *d)
{
	if (access("/dev/net/tun", R_OK | W_OK) == 0)
		doctor_add(d, "/dev/net/tun", DOCTOR_FOUND, NULL, "can be opened");
	else
		doctor_add(d, "/dev/net/tun", DOCTOR_WARN,
			errno == ENOENT ? "modprobe tun, as root"
					: "chmod 666 /dev/net/tun, as root (Debian's default)",
			"%s: VMs can have no network", strerror(errno));
}

static void check_pasta(struct doctor *d)
{
	char path[256];
	struct err e = {0};

	if (path_program("pasta", path, sizeof(path), &e) < 0)
		doctor_add(d, "pasta", DOCTOR_WARN, "apt install passt", "%s: no rootless networks",
			e.msg);
	else
		doctor_add(d, "pasta", DOCTOR_FOUND, NULL, "%s", path);
}

static void check_forwarding(struct doctor *d)
{
	bool on = read_sys("/proc/sys/net/ipv4/ip_forward", 0) != 0;

	doctor_add(d, "forwarding", DOCTOR_FOUND, NULL, "%s",
		on ? "on" : "off: bridged VMs switch it on, the last one off again");
}

/* By doing it: what a filesystem's name promises depends on how it was made. */
static bool can_reflink(const char *home)
{
	autofree char *from = xasprintf("%s/.doctor-a", home),
		      *to = xasprintf("%s/.doctor-b", home);
	autofd int a = open(from, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	autofd int b = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool can = a >= 0 && b >= 0 && ftruncate(a, 4096) == 0 && ioctl(b, FICLONE, a) == 0;

	if (a >= 0)
		unlink(from);
	if (b >= 0)
		unlink(to);
	return can;
}

static void check_reflink(struct doctor *d)
{
	doctor_add(d, "reflink", DOCTOR_FOUND, NULL, "%s",
		can_reflink(d->paths->home)
			? "yes: snapshots share blocks with what they are taken of"
			: "no: snapshots are sparse copies (btrfs and xfs have it)");
}

void doctor_needs(struct doctor *d)
{
	check_reflink(d);
	check_tun(d);
	check_user_namespaces(d);
	check_pasta(d);
	check_forwarding(d);
}
