/* Doctor's look at the host: folders, devices, memory, limits. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "backend/daemon/doctor_list.h"
#include "backend/vmm/host_mem.h"

#define HOME_ROOM   (1024ull << 20) /* an image, a kernel, some VMs' output */
#define MEMORY_ROOM (512ull << 20)  /* two small VMs */
#define FDS_DAEMON  64
#define FDS_A_VM    12 /* pidfd, monitor, listeners, control, output, log files, an exec or two */
#define FDS_WANTED  1024
#define PIDS_A_VM   8 /* threads of QEMU with one vCPU */
#define PIDS_WANTED 512

void doctor_home(struct doctor *d)
{
	const char *home = d->paths->home;
	uint64_t room = 0;
	char size[32];
	struct stat st;
	struct err e = {0};

	if (dir_make(home, 0700, &e) < 0)
		doctor_add(d, "home", DOCTOR_MISSING, "make it writable or set VMDECK_HOME", "%s",
			e.msg);
	else if (stat(home, &st) == 0 && !S_ISDIR(st.st_mode))
		doctor_add(d, "home", DOCTOR_MISSING, "remove it or set VMDECK_HOME",
			"'%s' is not a folder", home);
	else if (access(home, W_OK | X_OK) < 0)
		doctor_add(d, "home", DOCTOR_MISSING, "make it writable or set VMDECK_HOME",
			"'%s' cannot be written: %s", home, strerror(errno));
	else if (fs_free_bytes(home, &room, &e) < 0)
		doctor_add(d, "home", DOCTOR_WARN, NULL, "%s", e.msg);
	else
		doctor_add(d, "home", room < HOME_ROOM ? DOCTOR_WARN : DOCTOR_FOUND,
			room < HOME_ROOM ? "free some space or set VMDECK_HOME" : NULL,
			"%s, %s free", home, str_bytes(size, sizeof(size), room));
}

void doctor_runtime(struct doctor *d)
{
	struct err e = {0};

	if (paths_make(d->paths, &e) < 0)
		doctor_add(d, "runtime folder", DOCTOR_MISSING, "set VMDECK_RUNTIME", "%s", e.msg);
	else
		doctor_add(d, "runtime folder", DOCTOR_FOUND, NULL,
			"%s, %zu bytes (sockets below it may have %d)", d->paths->runtime,
			strlen(d->paths->runtime), SOCKET_PATH_MAX);
}

void doctor_devices(struct doctor *d)
{
	static const struct {
		const char *path, *remark;
	} devices[] = {
		{"/dev/kvm", "not used by this version: VMs run emulated"},
		{"/dev/vhost-vsock", "not needed: vmdeck brings its own vsock"},
	};
	struct stat st;

	/* Not opened: that alone would load modules or start hardware on some hosts. */
	for (size_t i = 0; i < countof(devices); i++)
		doctor_add(d, devices[i].path, DOCTOR_FOUND, NULL, "%s, %s",
			stat(devices[i].path, &st) == 0 ? "present" : "absent", devices[i].remark);
}

void doctor_memory(struct doctor *d)
{
	struct host_mem m;
	char have[32], total[32];
	struct err e = {0};
	bool low;

	if (host_mem_read(&m, &e) < 0) {
		doctor_add(d, "memory", DOCTOR_WARN, NULL, "%s", e.msg);
		return;
	}
	low = m.available < MEMORY_ROOM;
	doctor_add(d, "memory", low ? DOCTOR_WARN : DOCTOR_FOUND,
		low ? "stop some programs or VMs" : NULL, "%s of %s available",
		str_bytes(have, sizeof(have), m.available),
		str_bytes(total, sizeof(total), m.total));
}

void doctor_fds(struct doctor *d)
{
	struct rlimit r = {0};
	bool low;

	getrlimit(RLIMIT_NOFILE, &r);
	low = r.rlim_max < FDS_WANTED;
	doctor_add(d, "open files", low ? DOCTOR_WARN : DOCTOR_FOUND,
		low ? "raise the limit: ulimit -Hn 65536" : NULL,
		"%llu allowed, enough for %llu VMs", (unsigned long long)r.rlim_max,
		r.rlim_max > FDS_DAEMON ? (unsigned long long)(r.rlim_max - FDS_DAEMON) / FDS_A_VM
					: 0);
}

/* pids.max of our cgroup (version 2); UINT64_MAX: none. */
static uint64_t cgroup_pids_max(void)
{
	autofile FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096], path[4200];
	unsigned long long max = 0;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, "0::", 3) == 0;
	if (!found)
		return UINT64_MAX;
	line[strcspn(line, "\n")] = '\0';
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/pids.max", line + 3);
	autofile FILE *limit = fopen(path, "re");

	return limit && fscanf(limit, "%llu", &max) == 1 ? max : UINT64_MAX;
}

void doctor_pids(struct doctor *d)
{
	struct rlimit r = {0};
	uint64_t max = cgroup_pids_max();

	/* Root's processes are not counted against its own limit. */
	if (getrlimit(RLIMIT_NPROC, &r) == 0 && r.rlim_cur != RLIM_INFINITY && geteuid() != 0)
		max = min_of(max, (uint64_t)r.rlim_cur);
	if (max == UINT64_MAX)
		doctor_add(d, "processes", DOCTOR_FOUND, NULL, "no limit");
	else
		doctor_add(d, "processes", max < PIDS_WANTED ? DOCTOR_WARN : DOCTOR_FOUND,
			max < PIDS_WANTED ? "raise pids.max of the cgroup or ulimit -u" : NULL,
			"%llu allowed, a VM takes %d and more", (unsigned long long)max, PIDS_A_VM);
}
