#include "backend/snapshot/trash.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/snapshot/snapshot.h"
#include "backend/snapshot/store.h"

#define SOURCE_MAX 4096 /* bytes of source.json */

int trash_put(
	const struct paths *p, const char *dir, const char *name, char **ret_path, struct err *e)
{
	autofree char *trash = xasprintf("%s/" STORE_TRASH, p->home);
	autofree char *to = xasprintf("%s/%s-XXXXXX", trash, name);
	int r = dir_make(trash, 0700, e);

	if (r < 0)
		return r;
	if (!mkdtemp(to))
		return store_write_failed(e, -errno, to);
	/* A folder takes the place of an empty one in a single step. */
	if (rename(dir, to) < 0) {
		r = err_errno(e, "cannot move '%s' to '%s'", dir, to);
		rmdir(to);
		return r;
	}
	if (ret_path)
		*ret_path = steal_ptr(&to);
	return 0;
}

int snapshot_remove(const struct paths *p, const char *name, char **ret_trash, struct err *e)
{
	autofree char *dir = xasprintf("%s/" STORE_DIR "/%s", p->home, name);
	int r = str_check_name("snapshot name", name, e);

	if (r < 0)
		return r;
	r = trash_put(p, dir, name, ret_trash, e);
	if (r == -ENOENT)
		return err_set(e, ENOENT,
			"there is no snapshot '%s': vmdeck snapshots lists those there are", name);
	return r;
}

/* ---- after a daemon that was killed --------------------------------------------------------- */

typedef void sweep_told(void *user, const char *name, const char *source_id, bool running);

/* What a file says that a killed daemon left is believed only in its form. */
static void tell(const char *dir, sweep_told *fn, void *user)
{
	autofree char *path = xasprintf("%s/" FILE_SOURCE, dir), *text = NULL;
	autojson struct json_object *o = NULL;
	const char *name, *id;
	size_t len;

	if (file_read(path, SOURCE_MAX, &text, &len, NULL) < 0 ||
		jsonx_parse(text, len, &o, NULL) < 0)
		return;
	name = jsonx_str(o, "name");
	id = jsonx_str(o, "source_id");
	if (name && id && str_check_name("snapshot name", name, NULL) == 0 &&
		str_check_name("VM id", id, NULL) == 0)
		fn(user, name, id, jsonx_bool(o, "running", false));
}

static int is_temp(const struct dirent *en)
{
	return strncmp(en->d_name, STORE_TEMP, strlen(STORE_TEMP)) == 0;
}

/* By way of the trash: a qemu-img that the dead daemon has left running finds its folder gone, and
 * makes no new file in it while it is emptied. */
static int sweep_one(const struct paths *p, const char *dir, const char *name, struct err *e)
{
	autofree char *to = NULL;

	if (trash_put(p, dir, name, &to, NULL) == 0)
		return tree_remove(to, e);
	return tree_remove(dir, e);
}

int snapshot_sweep(const struct paths *p, sweep_told *fn, void *user, struct err *e)
{
	autofree char *store = xasprintf("%s/" STORE_DIR, p->home);
	struct dirent **list;
	int n = scandir(store, &list, is_temp, NULL), r = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : err_errno(e, "cannot read '%s'", store);
	for (int i = 0; i < n; i++) {
		autofree char *dir = xasprintf("%s/%s", store, list[i]->d_name);
		int x;

		tell(dir, fn, user);
		x = sweep_one(p, dir, list[i]->d_name + 1, e);
		r = r ? r : x; /* the others are swept all the same */
		free(list[i]);
	}
	free(list);
	return r;
}
