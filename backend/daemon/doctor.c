#include "backend/daemon/doctor.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/daemon/doctor_list.h"
#include "backend/image/image.h"
#include "backend/vmm/vmm.h"

static const char *const status_names[] = {
	[DOCTOR_FOUND] = "found", [DOCTOR_MISSING] = "missing", [DOCTOR_WARN] = "warn"};
_Static_assert(countof(status_names) == DOCTOR__COUNT, "one name a status");

void doctor_add(struct doctor *d, const char *name, enum doctor_status status, const char *fix,
	const char *fmt, ...)
{
	struct json_object *o = json_object_new_object();
	char text[1024], safe[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jsonx_add_str(o, "name", name);
	jsonx_add_str(o, "status", status_names[status]);
	jsonx_add_str(o, "detail", str_safe(safe, sizeof(safe), text));
	jsonx_add_str(o, "fix", fix ? fix : "");
	json_object_array_add(d->list, o);
}

/* ---- programs ------------------------------------------------------------------------------- */

static void check_qemu(struct doctor *d)
{
	struct vmm_detect det;

	vmm_qemu.detect(&det);
	if (det.found)
		doctor_add(d, "qemu", DOCTOR_FOUND, NULL, "%s %s, accelerator %s", det.program,
			det.version, det.accel);
	else
		doctor_add(d, "qemu", DOCTOR_MISSING,
			det.program[0] ? NULL : "apt install qemu-system-x86", "%s", det.why);
}

static void check_firecracker(struct doctor *d)
{
	struct vmm_detect det;

	vmm_firecracker.detect(&det);
	doctor_add(d, "firecracker", det.found ? DOCTOR_FOUND : DOCTOR_WARN, NULL, "%s%s%s",
		det.program, det.program[0] ? ": " : "", det.why);
}

static void check_helpers(struct doctor *d)
{
	static const char *const helpers[] = {"vmdeck-vsock.so", "vmdeck-agent", "vmdeck-net"};
	char path[600];
	struct err e = {0};

	for (size_t i = 0; i < countof(helpers); i++) {
		if (path_helper(helpers[i], path, sizeof(path), &e) < 0)
			doctor_add(d, helpers[i], DOCTOR_MISSING,
				"install vmdeck again or set VMDECK_LIBEXEC", "%s", e.msg);
		else
			doctor_add(d, helpers[i], DOCTOR_FOUND, NULL, "%s", path);
	}
}

/* A program for shared libraries names its loader right behind its headers. */
static bool wants_libraries(const char *path)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[4096];
	ssize_t n = fd >= 0 ? read(fd, head, sizeof(head)) : 0;

	return n > 0 && memmem(head, (size_t)n, "/ld-linux", 9) != NULL;
}

static void check_busybox(struct doctor *d)
{
	static const char fix[] = "apt install busybox-static";
	char path[600];
	struct err e = {0};

	if (path_program("busybox", path, sizeof(path), &e) < 0)
		doctor_add(d, "busybox", DOCTOR_WARN, fix, "%s: image mini cannot be built", e.msg);
	else if (wants_libraries(path))
		doctor_add(d, "busybox", DOCTOR_WARN, fix,
			"%s needs shared libraries: image mini cannot be built", path);
	else
		doctor_add(d, "busybox", DOCTOR_FOUND, NULL, "%s, static", path);
}

static void check_package_tools(struct doctor *d)
{
	static const char *const tools[] = {"apt-get", "dpkg-deb"};
	char path[600];
	struct err e = {0};

	for (size_t i = 0; i < countof(tools); i++)
		if (path_program(tools[i], path, sizeof(path), &e) < 0) {
			doctor_add(d, "apt", DOCTOR_WARN,
				"use a Debian host or set VMDECK_KERNEL_DEB to a kernel package",
				"%s: the guests' kernel cannot be fetched", e.msg);
			return;
		}
	doctor_add(d, "apt", DOCTOR_FOUND, NULL, "fetches the guests' kernel");
}

/* ---- kernels and images --------------------------------------------------------------------- */

static bool is_kernel(const char *dir, const char *name)
{
	autofree char *path = xasprintf("%s/%s/manifest.json", dir, name);

	return name[0] != '.' && access(path, R_OK) == 0;
}

static void check_kernel(struct doctor *d)
{
	autofree char *dir = xasprintf("%s/kernels", d->paths->home);
	char names[512] = "";
	size_t at = 0;
	DIR *dp = opendir(dir);
	struct dirent *de;

	while (dp && (de = readdir(dp)))
		if (is_kernel(dir, de->d_name) && at + strlen(de->d_name) + 3 < sizeof(names))
			at += (size_t)snprintf(
				names + at, sizeof(names) - at, "%s%s", at ? ", " : "", de->d_name);
	if (dp)
		closedir(dp);
	if (at)
		doctor_add(d, "kernel", DOCTOR_FOUND, NULL, "%s", names);
	else
		doctor_add(d, "kernel", DOCTOR_WARN, "vmdeck image build mini",
			"none unpacked yet: fetched with the first image");
}

static void check_image(struct doctor *d)
{
	static const char fix[] = "vmdeck image build mini";
	char why[256] = "", size[32];
	struct image im;
	struct err e = {0};

	if (image_load(d->paths, "mini", &im, &e) < 0)
		doctor_add(d, "image mini", DOCTOR_MISSING, fix, "%s", e.msg);
	else if (image_is_stale(&im, why, sizeof(why)))
		doctor_add(d, "image mini", DOCTOR_WARN, fix, "stale: %s", why);
	else
		doctor_add(d, "image mini", DOCTOR_FOUND, NULL, "kernel %s, %s", im.kernel_version,
			str_bytes(size, sizeof(size), im.bytes));
}

static void (*const checks[])(struct doctor *d) = {
	check_qemu,
	check_helpers,
	check_image,
	check_kernel,
	check_busybox,
	check_package_tools,
	doctor_home,
	doctor_runtime,
	doctor_memory,
	doctor_fds,
	doctor_pids,
	doctor_orphans,
	doctor_needs,
	doctor_network,
	check_firecracker,
	doctor_devices,
};

struct json_object *doctor_run(const struct paths *p)
{
	struct doctor d = {json_object_new_array(), p};

	for (size_t i = 0; i < countof(checks); i++)
		checks[i](&d);
	return d.list;
}
