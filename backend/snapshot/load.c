#include "backend/snapshot/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/str.h"
#include "backend/snapshot/manifest.h"
#include "backend/snapshot/store.h"

static void words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}

void snapshot_fini(struct snapshot *s)
{
	words_free(s->argv);
	words_free(s->env);
	words_free(s->network);
	words_free(s->health);
	free(s->dir);
	*s = (struct snapshot){0};
}

/* Fills name and dir also when it fails. */
static int load(const struct paths *p, const char *name, struct snapshot *s, struct err *e)
{
	autofree char *dir = xasprintf("%s/" STORE_DIR "/%s", p->home, name);
	struct stat st;
	struct err why = {0};
	int r = 0;

	*s = (struct snapshot){0};
	if (lstat(dir, &st) < 0)
		r = err_set(e, errno,
			errno == ENOENT ? "there is no snapshot '%s': vmdeck snapshots lists those "
					  "there are"
					: "snapshot '%s' cannot be read",
			name);
	else
		r = manifest_read(dir, name, s, &why);
	if (why.code && !s->name[0])
		snprintf(s->name, sizeof(s->name), "%s", name);
	s->dir = steal_ptr(&dir);
	return why.code ? store_damaged(e, s, "%s", why.msg) : r;
}

int snapshot_load(const struct paths *p, const char *name, struct snapshot *ret, struct err *e)
{
	int r = str_check_name("snapshot name", name, e);

	if (r < 0)
		return r;
	r = load(p, name, ret, e);
	if (r < 0)
		snapshot_fini(ret);
	return r;
}

static int is_snapshot(const struct dirent *en)
{
	return en->d_name[0] != '.' && str_check_name("snapshot name", en->d_name, NULL) == 0;
}

/* By bytes: the order must not depend on the operator's language. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int snapshot_each(const struct paths *p,
	void (*fn)(void *user, const struct snapshot *s, const struct err *e), void *user,
	struct err *e)
{
	autofree char *dir = xasprintf("%s/" STORE_DIR, p->home);
	struct dirent **list;
	int n = scandir(dir, &list, is_snapshot, by_name);

	if (n < 0)
		return errno == ENOENT ? 0 : err_errno(e, "cannot read '%s'", dir);
	for (int i = 0; i < n; i++) {
		struct snapshot s;
		struct err why = {0};
		int r = -ENOENT;

		if (i < SNAPSHOTS_MAX)
			r = load(p, list[i]->d_name, &s, &why);
		free(list[i]);
		if (i >= SNAPSHOTS_MAX)
			continue;
		if (r != -ENOENT) /* gone since the folder was read */
			fn(user, &s, r < 0 ? &why : NULL);
		snapshot_fini(&s);
	}
	free(list);
	if (n > SNAPSHOTS_MAX)
		return err_set(e, E2BIG,
			"'%s' has %d snapshots, of which %d are shown: remove some", dir, n,
			SNAPSHOTS_MAX);
	return 0;
}
