#include "backend/base/path.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"

#define VM_SOCKET_TAIL "/vms/01234567/v.sock"

static const char *env_path(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static int find_home(struct paths *p, struct err *e)
{
	const char *v;
	int n;

	if ((v = env_path("VMDECK_HOME")))
		n = snprintf(p->home, sizeof(p->home), "%s", v);
	else if (geteuid() == 0)
		n = snprintf(p->home, sizeof(p->home), "/var/lib/vmdeck");
	else if ((v = env_path("XDG_STATE_HOME")))
		n = snprintf(p->home, sizeof(p->home), "%s/vmdeck", v);
	else if ((v = env_path("HOME")))
		n = snprintf(p->home, sizeof(p->home), "%s/.local/state/vmdeck", v);
	else
		return err_set(e, ENOENT, "no home folder: set VMDECK_HOME or HOME");
	if (p->home[0] != '/')
		return err_set(
			e, EINVAL, "'%s' is not an absolute path: set VMDECK_HOME to one", p->home);
	if (n < 0 || (size_t)n >= sizeof(p->home) - 64)
		return err_set(e, ENAMETOOLONG,
			"the home folder's path has %d bytes: at most %zu are allowed", n,
			sizeof(p->home) - 64);
	while (n > 1 && p->home[n - 1] == '/')
		p->home[--n] = '\0';
	return 0;
}

/* FNV-1a: tells homes apart in the runtime folder, nothing more. */
static uint32_t hash_text(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static int find_runtime(struct paths *p, struct err *e)
{
	const char *v = env_path("VMDECK_RUNTIME"), *base = env_path("XDG_RUNTIME_DIR");
	char path[4096];
	size_t room = sizeof(VM_SOCKET_TAIL) - 1 + SOCKET_PORT_ROOM;
	char own[64];

	snprintf(own, sizeof(own), "/tmp/vmdeck-%u", (unsigned)geteuid());
	if (geteuid() == 0)
		base = "/run";
	if (v)
		snprintf(path, sizeof(path), "%s", v);
	else if (env_path("VMDECK_HOME"))
		snprintf(path, sizeof(path), "%s/vmdeck-%08x", base ? base : own,
			hash_text(p->home));
	else
		snprintf(path, sizeof(path), "%s/vmdeck", base ? base : own);
	if (path[0] != '/')
		return err_set(e, EINVAL, "the runtime folder '%s' is not an absolute path", path);
	if (strlen(path) + room > SOCKET_PATH_MAX)
		return err_set(e, ENAMETOOLONG,
			"the runtime folder '%.120s' has %zu bytes: at most %zu are allowed "
			"(socket paths are "
			"short); set VMDECK_RUNTIME to a shorter one",
			path, strlen(path), SOCKET_PATH_MAX - room);
	p->runtime_given = v != NULL;
	snprintf(p->runtime, sizeof(p->runtime), "%.*s", (int)sizeof(p->runtime) - 1, path);
	return 0;
}

int paths_find(struct paths *p, struct err *e)
{
	int r = find_home(p, e);

	return r < 0 ? r : find_runtime(p, e);
}

static int check_own_folder(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_errno(e, "cannot look at '%s'", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return err_set(e, EPERM,
			"'%s' is not a folder of ours: remove it or set VMDECK_RUNTIME", path);
	if ((st.st_mode & 077) && chmod(path, 0700) < 0)
		return err_errno(e, "cannot make '%s' private", path);
	return 0;
}

int paths_make(const struct paths *p, struct err *e)
{
	int r = dir_make(p->home, 0700, e);

	if (!r)
		r = dir_make(p->runtime, 0700, e);
	return r < 0 ? r : check_own_folder(p->runtime, e);
}

void paths_unmake(const struct paths *p)
{
	autofree char *vms = xasprintf("%s/vms", p->runtime);

	/* rmdir(2) alone: what holds a socket stays. */
	if ((rmdir(vms) == 0 || errno == ENOENT) && !p->runtime_given)
		(void)rmdir(p->runtime);
}

static bool try_program(char *out, size_t n, const char *dir, const char *name)
{
	struct stat st;

	if ((size_t)snprintf(out, n, "%s/%s", dir, name) >= n)
		return false;
	return stat(out, &st) == 0 && S_ISREG(st.st_mode) && access(out, R_OK) == 0;
}

int path_helper(const char *name, char *out, size_t n, struct err *e)
{
	const char *v = env_path("VMDECK_LIBEXEC");
	char exe[4096], lib[4200];
	ssize_t len;
	char *slash;

	if (v && try_program(out, n, v, name))
		return 0;
	len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (len <= 0)
		return err_errno(e, "cannot find the folder of this program");
	exe[len] = '\0';
	slash = strrchr(exe, '/');
	*slash = '\0';
	if (try_program(out, n, exe, name))
		return 0;
	slash = strrchr(exe, '/');
	snprintf(lib, sizeof(lib), "%.*s/lib/vmdeck", slash ? (int)(slash - exe) : 0, exe);
	if (try_program(out, n, lib, name))
		return 0;
	return err_set(e, ENOENT,
		"'%s' was not found in %s%s%s or %s: install vmdeck again or set VMDECK_LIBEXEC",
		name, v ? v : "", v ? ", " : "", exe, lib);
}

int path_program(const char *name, char *out, size_t n, struct err *e)
{
	const char *v = env_path("PATH");
	autofree char *dirs = xstrdup(v ? v : "/usr/local/bin:/usr/bin:/bin");
	char *save = NULL;

	for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save))
		if (try_program(out, n, d, name) && access(out, X_OK) == 0)
			return 0;
	return err_set(e, ENOENT, "'%s' was not found in PATH", name);
}
