#include "backend/image/package.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/str.h"
#include "backend/image/run.h"

#define CONTROL_MAX (1024 * 1024)
#define NEXT_STEP                                                                                  \
	"run 'apt-get update' as root, or set " PACKAGE_ENV " to the .deb of a kernel for VMs"

int package_field(const char *control, const char *field, char *out, size_t n)
{
	size_t len = strlen(field);

	for (const char *s = control; *s && *s != '\n';) {
		size_t line = strcspn(s, "\n");

		if (strncasecmp(s, field, len) == 0 && s[len] == ':') {
			size_t skip = len + 1 + strspn(s + len + 1, " \t");

			snprintf(out, n, "%.*s", skip < line ? (int)min_of(line - skip, 65535u) : 0,
				s + skip);
			return 0;
		}
		s += line + (s[line] == '\n');
	}
	return -ENOENT;
}

/* The kernel release is the package's name behind "linux-image-". Hostile: it becomes a folder. */
static int set_name(struct package *p, const char *name, struct err *e)
{
	const char prefix[] = "linux-image-";
	char *tail;

	if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || strlen(name) >= sizeof(p->name) ||
		strlen(name) - sizeof(prefix) + 1 >= sizeof(p->release))
		return err_set(e, EINVAL, "package '%.100s' is no kernel (linux-image-...)", name);
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->release, sizeof(p->release), "%s", name + sizeof(prefix) - 1);
	tail = strstr(p->release, "-unsigned");
	if (tail && !tail[9])
		*tail = '\0';
	return str_check_name("kernel release", p->release, e);
}

static int find_file(struct job *j, const char *path, struct package *p, struct err *e)
{
	const char *const argv[] = {"dpkg-deb", "--field", p->file, "Package", "Version", NULL};
	autofree char *control = NULL;
	char name[256];
	struct stat st;
	int r;

	if (strlen(path) >= sizeof(p->file) || path[0] != '/')
		return err_set(e, EINVAL, PACKAGE_ENV ": '%.200s' is no absolute path", path);
	if (stat(path, &st) < 0)
		return err_errno(e, PACKAGE_ENV ": cannot read '%s'", path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > PACKAGE_DEB_MAX)
		return err_set(e, EINVAL, PACKAGE_ENV ": '%s' is no package file", path);
	snprintf(p->file, sizeof(p->file), "%s", path);
	p->size = (uint64_t)st.st_size;
	r = hash_file(path, p->sha256, e);
	if (!r)
		r = run_capture(j, argv, CONTROL_MAX, &control, e);
	if (r != 0)
		return err_wrap(e, r, PACKAGE_ENV);
	if (package_field(control, "Package", name, sizeof(name)) < 0 ||
		package_field(control, "Version", p->version, sizeof(p->version)) < 0)
		return err_set(e, EINVAL, PACKAGE_ENV ": '%s' has no package name", path);
	return set_name(p, name, e);
}

static int show(struct job *j, const char *name, char **ret, struct err *e)
{
	const char *const argv[] = {"apt-cache", "show", "--no-all-versions", name, NULL};
	int r = run_capture(j, argv, CONTROL_MAX, ret, e);

	if (r == -ENOENT)
		return err_set(e, ENOENT,
			"apt-cache was not found: vmdeck takes its guests' kernel from Debian's "
			"package "
			"%s; set " PACKAGE_ENV " to its .deb",
			PACKAGE_META);
	if (r == -EIO) /* the one way it fails: it does not know the package */
		return err_set(
			e, ENOENT, "apt's lists do not know package '%s': %s", name, NEXT_STEP);
	return r;
}

/* "Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2), ..." */
static int newest_name(const char *control, char *out, size_t n)
{
	char depends[1024];
	char *s;

	if (package_field(control, "Depends", depends, sizeof(depends)) < 0)
		return -ENOENT;
	s = strstr(depends, "linux-image-");
	if (!s)
		return -ENOENT;
	s[strcspn(s, " ,|:(")] = '\0';
	snprintf(out, n, "%s", s);
	return 0;
}

int package_find(struct job *j, struct package *ret, struct err *e)
{
	const char *file = getenv(PACKAGE_ENV);
	autofree char *meta = NULL, *control = NULL;
	char name[128], size[32];
	int64_t bytes;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = job_report(j, "lookup", 0, 1, e);
	if (r < 0)
		return r;
	if (file && *file)
		return find_file(j, file, ret, e);
	r = show(j, PACKAGE_META, &meta, e);
	if (r < 0)
		return r;
	if (newest_name(meta, name, sizeof(name)) < 0)
		return err_set(
			e, ENOENT, "package %s depends on no kernel: " NEXT_STEP, PACKAGE_META);
	r = show(j, name, &control, e);
	if (!r)
		r = set_name(ret, name, e);
	if (r < 0)
		return r;
	if (package_field(control, "Version", ret->version, sizeof(ret->version)) < 0 ||
		package_field(control, "SHA256", ret->sha256, sizeof(ret->sha256)) < 0 ||
		package_field(control, "Size", size, sizeof(size)) < 0)
		return err_set(e, ENOENT, "apt's lists have no download of '%s': " NEXT_STEP, name);
	r = str_parse_int("package size", size, 1, (int64_t)PACKAGE_DEB_MAX, &bytes, e);
	ret->size = r < 0 ? 0 : (uint64_t)bytes;
	return r;
}

/* ---- download ---------------------------------------------------------------------------------
 */

struct download {
	struct job *job;
	struct package *p;
};

/* apt writes straight to the file's final name in its current folder. */
static int on_growth(void *user, struct err *e)
{
	struct download *d = user;
	struct stat st;
	uint64_t done = stat(d->p->file, &st) == 0 ? (uint64_t)st.st_size : 0;

	return job_report(d->job, "download", min_of(done, d->p->size), d->p->size, e);
}

/* NAME_VERSION_amd64.deb, where apt writes ':' of an epoch as "%3a". */
static int file_name(struct package *p, const char *dir, struct err *e)
{
	const char *colon = strchr(p->version, ':');
	int epoch = colon ? (int)(colon - p->version) : 0;
	int n = snprintf(p->file, sizeof(p->file), "%s/%s_%.*s%s%s_amd64.deb", dir, p->name, epoch,
		p->version, colon ? "%3a" : "", colon ? colon + 1 : p->version);

	if (n < 0 || (size_t)n >= sizeof(p->file))
		return err_set(e, ENAMETOOLONG, "the path of '%s' is too long", p->name);
	return 0;
}

int package_fetch(struct job *j, struct package *p, const char *dir, struct err *e)
{
	autofree char *want = xasprintf("%s=%s", p->name, p->version);
	/* The sandbox user could not write into our private folder. */
	const char *const argv[] = {"apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o",
		"Acquire::Retries=2", "download", want, NULL};
	struct download d = {j, p};
	struct run_spec spec = {.argv = argv, .cwd = dir, .on_growth = on_growth, .user = &d};
	struct stat st;
	int r;

	if (p->file[0])
		return job_report(j, "download", p->size, p->size, e);
	r = job_report(j, "download", 0, p->size, e);
	if (!r)
		r = file_name(p, dir, e);
	if (!r)
		r = run_program(j, &spec, e);
	if (r == -EIO || r == -ETIMEDOUT) {
		struct err why = *e;

		return err_set(e, -r, "cannot download %s: %s; %s", p->name, why.msg, NEXT_STEP);
	}
	if (r < 0)
		return r;
	if (stat(p->file, &st) < 0 || (uint64_t)st.st_size != p->size)
		return err_set(e, EIO, "apt-get did not leave '%s' with %" PRIu64 " bytes", p->file,
			p->size);
	return job_report(j, "download", p->size, p->size, e);
}

/* ---- extract ----------------------------------------------------------------------------------
 */

struct reading {
	struct job *job;
	struct tar tar;
	uint64_t done, total;
};

static int on_tar(void *user, const uint8_t *p, size_t n, struct err *e)
{
	struct reading *rd = user;
	int r = tar_feed(&rd->tar, p, n, e);

	rd->done += n;
	return r < 0 ? r
		     : job_report(
			       rd->job, "extract", min_of(rd->done, rd->total - 1), rd->total, e);
}

/* Installed-Size is KiB and only near the stream's length: good enough for a bar. */
static int installed_size(struct job *j, const struct package *p, uint64_t *ret, struct err *e)
{
	const char *const argv[] = {"dpkg-deb", "--field", p->file, "Installed-Size", NULL};
	autofree char *text = NULL;
	int r = run_capture(j, argv, CONTROL_MAX, &text, e);

	*ret = r < 0 ? 0 : max_of(strtoull(text, NULL, 10) * 1024, 1024ull);
	return r;
}

int package_read(struct job *j, const struct package *p, const struct tar_handler *h, struct err *e)
{
	const char *const argv[] = {"dpkg-deb", "--fsys-tarfile", p->file, NULL};
	struct reading rd = {.job = j};
	struct run_spec spec = {.argv = argv, .on_out = on_tar, .user = &rd};
	int r = installed_size(j, p, &rd.total, e);

	tar_init(&rd.tar, h);
	if (!r)
		r = job_report(j, "extract", 0, rd.total, e);
	if (!r)
		r = run_program(j, &spec, e);
	if (!r)
		r = tar_finish(&rd.tar, e);
	return r < 0 ? r : job_report(j, "extract", rd.total, rd.total, e);
}
