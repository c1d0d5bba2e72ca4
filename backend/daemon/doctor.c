#include "backend/daemon/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/image/image.h"
#include "backend/vmm/vmm.h"

#define HOME_ROOM     (512ull << 20) /* an image and a few VMs' RAM files */
#define MEMORY_ROOM   (512ull << 20)
#define FDS_A_VM      16
#define FDS_WANTED    4096
#define MEMINFO_BYTES 16384

enum status { FOUND, MISSING, WARN };
static const char *const status_names[] = {
	[FOUND] = "found", [MISSING] = "missing", [WARN] = "warn"};

static void add(struct json_object *list, const char *name, enum status status, const char *detail,
	const char *fix)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "name", name);
	jsonx_add_str(o, "status", status_names[status]);
	jsonx_add_str(o, "detail", detail);
	jsonx_add_str(o, "fix", fix);
	json_object_array_add(list, o);
}

static void check_drivers(struct json_object *list)
{
	for (size_t i = 0; vmm_drivers[i]; i++) {
		struct vmm_detect det = {0};
		char text[700], name[64];

		vmm_drivers[i]->detect(&det);
		snprintf(name, sizeof(name), "vmm %s", vmm_drivers[i]->name);
		snprintf(text, sizeof(text), "%s %s%s%s%s%s", det.program, det.version,
			det.accel[0] ? " accel " : "", det.accel, det.why[0] ? ": " : "", det.why);
		/* One driver that works is enough: the others are remarks. */
		if (det.found)
			add(list, name, FOUND, text, "");
		else if (vmm_drivers[i] == &vmm_qemu)
			add(list, name, MISSING, text, "apt install qemu-system-x86");
		else
			add(list, name, WARN, text, "");
	}
}

static void check_helpers(struct json_object *list)
{
	static const char *const helpers[] = {"vmdeck-agent", "vmdeck-vsock.so"};
	char path[600];
	struct err e = {0};

	for (size_t i = 0; i < countof(helpers); i++) {
		if (path_helper(helpers[i], path, sizeof(path), &e) < 0)
			add(list, helpers[i], MISSING, e.msg, "install vmdeck again");
		else
			add(list, helpers[i], FOUND, path, "");
	}
}

static void check_builders(struct json_object *list)
{
	static const struct {
		const char *program, *package, *why;
	} tools[] = {
		{"busybox", "busybox-static", "goes into image mini"},
		{"apt-get", "apt", "fetches the kernel package"},
		{"dpkg-deb", "dpkg", "unpacks the kernel package"},
	};
	char path[600], fix[80];

	for (size_t i = 0; i < countof(tools); i++) {
		snprintf(fix, sizeof(fix), "apt install %s", tools[i].package);
		if (path_program(tools[i].program, path, sizeof(path), NULL) < 0)
			add(list, tools[i].program, WARN, tools[i].why, fix);
		else
			add(list, tools[i].program, FOUND, path, "");
	}
}

static void check_image(struct json_object *list, const struct paths *p)
{
	char why[256] = "", text[400], size[32];
	struct image im;
	struct err e = {0};

	if (image_load(p, "mini", &im, &e) < 0) {
		add(list, "image mini", MISSING, e.msg, "vmdeck image build mini");
		return;
	}
	str_bytes(size, sizeof(size), im.bytes);
	snprintf(text, sizeof(text), "kernel %s, %s", im.kernel_version, size);
	if (image_is_stale(&im, why, sizeof(why)))
		add(list, "image mini", WARN, why, "vmdeck image build mini");
	else
		add(list, "image mini", FOUND, text, "");
}

static void check_home(struct json_object *list, const struct paths *p)
{
	char text[700], size[32];
	uint64_t room = 0;
	struct err e = {0};

	if (paths_make(p, &e) < 0 || access(p->home, W_OK) < 0) {
		add(list, "home", MISSING, e.code ? e.msg : p->home,
			"make it writable or set VMDECK_HOME");
		return;
	}
	if (fs_free_bytes(p->home, &room, &e) < 0)
		snprintf(text, sizeof(text), "%s", e.msg);
	else
		snprintf(text, sizeof(text), "%s, %s free", p->home,
			str_bytes(size, sizeof(size), room));
	add(list, "home", room < HOME_ROOM ? WARN : FOUND, text,
		room < HOME_ROOM ? "free some space or set VMDECK_HOME" : "");
	snprintf(text, sizeof(text), "%s (%zu of %d bytes of a socket path)", p->runtime,
		strlen(p->runtime), SOCKET_PATH_MAX);
	add(list, "runtime folder", FOUND, text, "");
}

static void check_device(struct json_object *list, const char *path, const char *remark)
{
	char text[200];
	autofd int fd = open(path, O_RDWR | O_CLOEXEC);

	snprintf(text, sizeof(text), "%s: %s", fd >= 0 ? "can be opened" : strerror(errno), remark);
	add(list, path, fd >= 0 ? FOUND : WARN, text, "");
}

static void check_memory(struct json_object *list)
{
	autofree char *text = NULL;
	char size[32], detail[64];
	unsigned long long kib = 0;
	char *at;
	bool low;

	if (file_read("/proc/meminfo", MEMINFO_BYTES, &text, NULL, NULL) < 0 ||
		!(at = strstr(text, "MemAvailable:")) ||
		sscanf(at, "MemAvailable: %llu", &kib) != 1) {
		add(list, "memory", WARN, "/proc/meminfo cannot be read", "");
		return;
	}
	low = kib * 1024 < MEMORY_ROOM;
	snprintf(detail, sizeof(detail), "%s available", str_bytes(size, sizeof(size), kib * 1024));
	add(list, "memory", low ? WARN : FOUND, detail, low ? "stop some programs or VMs" : "");
}

static void check_limits(struct json_object *list)
{
	struct rlimit r = {0};
	char text[100];
	bool low;

	getrlimit(RLIMIT_NOFILE, &r);
	low = r.rlim_max < FDS_WANTED;
	snprintf(text, sizeof(text), "%llu open files allowed, about %d a VM",
		(unsigned long long)r.rlim_max, FDS_A_VM);
	add(list, "fd limit", low ? WARN : FOUND, text, low ? "raise it: ulimit -Hn 65536" : "");
}

struct json_object *doctor_run(const struct paths *p)
{
	struct json_object *list = json_object_new_array();

	check_drivers(list);
	check_helpers(list);
	check_builders(list);
	check_image(list, p);
	check_home(list, p);
	check_device(list, "/dev/kvm", "not used by this version, VMs run under emulation");
	check_memory(list);
	check_limits(list);
	return list;
}
