#include "backend/image/image.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "backend/image/build.h"
#include "backend/image/manifest.h"
#include "backend/image/mini.h"
#include "backend/image/publish.h"

#define IMAGES_MAX 1024 /* folders looked at */

static char *images_folder(const struct paths *p)
{
	return xasprintf("%s/images", p->home);
}

static int is_image(const struct dirent *en)
{
	return str_check_name("image name", en->d_name, NULL) == 0;
}

/* Names of the images there are: "a, b", or "" (caller frees). */
static char *names_there(const char *folder)
{
	struct dirent **list;
	int n = scandir(folder, &list, is_image, alphasort);
	char *text = xstrdup("");

	for (int i = 0; i < n; i++) {
		char *more = xasprintf("%s%s%s", text, *text ? ", " : "", list[i]->d_name);

		free(text);
		text = more;
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return text;
}

static int not_there(const char *folder, const char *name, struct err *e)
{
	autofree char *names = names_there(folder);

	if (build_knows(name))
		return err_set(e, ENOENT,
			"image '%s' does not exist: build it with vmdeck image build %s", name,
			name);
	return err_set(e, ENOENT, "image '%s' does not exist: %s%s; vmdeck image build makes %s",
		name, *names ? "there is " : "there is none", names, build_names());
}

int image_load(const struct paths *p, const char *name, struct image *ret, struct err *e)
{
	autofree char *folder = images_folder(p), *path = NULL;
	struct image im;
	int r = str_check_name("image name", name, e);

	if (r < 0)
		return r;
	path = xasprintf("%s/%s", folder, name);
	r = image_manifest_read(path, name, &im, e);
	if (r == -ENOENT)
		return not_there(folder, name, e);
	if (!r)
		*ret = im;
	return r;
}

bool image_is_stale(const struct image *im, char *why, size_t n)
{
	char path[4096], agent[HASH_HEX], config[HASH_HEX];

	if (n)
		*why = '\0';
	/* Without an agent there is nothing newer to build from. */
	if (path_helper("vmdeck-agent", path, sizeof(path), NULL) < 0 ||
		hash_file(path, agent, NULL) < 0 || mini_config(config, NULL) < 0)
		return false;
	if (strcmp(agent, im->agent_sha256) != 0)
		snprintf(why, n, "the agent has changed since it was built");
	else if (strcmp(config, im->config) != 0)
		snprintf(why, n, "its boot configuration has changed since it was built");
	else
		return false;
	return true;
}

int image_each(const struct paths *p,
	void (*fn)(void *user, const struct image *im, const struct err *e), void *user,
	struct err *e)
{
	autofree char *folder = images_folder(p);
	struct dirent **list;
	int n = scandir(folder, &list, is_image, alphasort);

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return err_errno(e, "cannot read '%s'", folder);
	for (int i = 0; i < n; i++) {
		autofree char *path = xasprintf("%s/%s", folder, list[i]->d_name);
		struct err broken = {0};
		struct image im;
		int r = i < IMAGES_MAX ? image_manifest_read(path, list[i]->d_name, &im, &broken)
				       : -ENOENT;

		if (r != -ENOENT) /* else removed meanwhile */
			fn(user, &im, r < 0 ? &broken : NULL);
		free(list[i]);
	}
	free(list);
	return 0;
}

int image_remove(const struct paths *p, const char *name, struct err *e)
{
	autofree char *folder = images_folder(p);
	char path[PUBLISH_PATH_MAX];
	autofd int fd = -1;
	pid_t holder = 0;
	struct stat st;
	int r = str_check_name("image name", name, e);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (lstat(path, &st) < 0 && errno == ENOENT)
		return not_there(folder, name, e);
	publish_lock_path(folder, name, path);
	r = lock_take(path, false, &fd, &holder, e);
	if (r == -EAGAIN)
		return err_set(e, EBUSY, "image '%s' is being built by process %d: wait or stop it",
			name, (int)holder);
	return r < 0 ? r : publish_remove(folder, name, e);
}
