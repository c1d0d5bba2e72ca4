/* Where theme files are, and reading them. */
#include "tui/console/theme.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/str.h"

#define THEME_BYTES_MAX (64 * 1024)
#define INHERIT_MAX     4

/* The folder of the running program, or "." when it can't be told. */
static void program_folder(char *out, size_t n)
{
	ssize_t len = readlink("/proc/self/exe", out, n - 1);
	char *slash;

	out[len > 0 ? len : 0] = '\0';
	slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
	else
		snprintf(out, n, ".");
}

bool theme_folder(int i, char *out, size_t n)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char program[400];
	int len = 0;

	if (i > 2)
		return false;
	program_folder(program, sizeof(program));
	if (i == 0 && config && *config)
		len = snprintf(out, n, "%s/vmdeck/themes", config);
	else if (i == 0)
		len = snprintf(out, n, "%s/.config/vmdeck/themes", home ? home : "/nonexistent");
	else
		len = snprintf(
			out, n, i == 1 ? "%s/../share/vmdeck/themes" : "%s/../../themes", program);
	if (len < 0 || (size_t)len >= n)
		snprintf(out, n, "/nonexistent");
	return true;
}

static bool theme_try(const char *dir, const char *name, char *out, size_t n)
{
	int len = snprintf(out, n, "%s/%s.theme", dir, name);

	return len > 0 && (size_t)len < n && access(out, R_OK) == 0;
}

int theme_find(const char *name, char *out, size_t n, struct err *e)
{
	size_t len = strlen(name);
	char dir[600];
	int r;

	if (strchr(name, '/') || (len > 6 && strcmp(name + len - 6, ".theme") == 0)) {
		snprintf(out, n, "%s", name);
		return access(out, R_OK) == 0 ? 0 : err_errno(e, "theme '%.200s'", name);
	}
	r = str_check_name("theme", name, e);
	if (r < 0)
		return r;
	for (int i = 0; theme_folder(i, dir, sizeof(dir)); i++)
		if (theme_try(dir, name, out, n))
			return 0;
	return err_set(e, ENOENT,
		"theme '%s' was not found; the built-in one is used (themes are NAME.theme in "
		"~/.config/vmdeck/themes)",
		name);
}

int theme_read(
	struct theme *t, const char *path, const struct theme_heir *heir, struct theme_log *log)
{
	autofree char *text = NULL;
	struct err e = {0};
	size_t len;
	int r = file_read(path, THEME_BYTES_MAX, &text, &len, &e);

	if (r < 0) {
		theme_complain(log, path, 0, "%s", e.msg);
		theme_builtin(t);
		return r;
	}
	theme_parse(t, path, text, heir, log);
	return 0;
}

static int find_inherited(
	const char *name, const struct theme_heir *heir, char *out, size_t n, struct err *e)
{
	const char *slash = heir ? strrchr(heir->file, '/') : NULL;
	autofree char *beside = NULL;

	if (slash && str_check_name("theme", name, NULL) == 0) {
		beside = xasprintf("%.*s", (int)(slash - heir->file), heir->file);
		if (theme_try(beside, name, out, n))
			return 0;
	}
	return theme_find(name, out, n, e);
}

void theme_inherit(
	struct theme *t, const char *name, const struct theme_heir *heir, struct theme_log *log)
{
	struct err e = {0};
	char path[700];
	int depth = 0;

	for (const struct theme_heir *h = heir; h; h = h->heir)
		depth++;
	if (depth > INHERIT_MAX) {
		theme_complain(log, name, 0, "theme '%.60s': inherits more than %d deep", name,
			INHERIT_MAX);
		theme_builtin(t);
	} else if (find_inherited(name, heir, path, sizeof(path), &e) == 0) {
		theme_read(t, path, heir, log);
	} else {
		theme_builtin(t);
		if (strcmp(name, "default") != 0)
			theme_complain(log, name, 0, "%s", e.msg);
	}
}

void theme_load(struct theme *t, const char *name, struct theme_log *log)
{
	if (!name || !*name)
		name = getenv("VMDECK_THEME");
	if (!name || !*name)
		name = "default";
	theme_inherit(t, name, NULL, log);
	snprintf(t->name, sizeof(t->name), "%s", name);
}

/* ---- which there are ------------------------------------------------------------------------- */

#define THEMES_MAX 500

struct names {
	char **name;
	int count;
};

static void names_add(struct names *all, const char *file)
{
	size_t len = strlen(file);

	if (all->count == THEMES_MAX || len <= 6 || strcmp(file + len - 6, ".theme") != 0)
		return;
	for (int i = 0; i < all->count; i++)
		if (strlen(all->name[i]) == len - 6 && strncmp(all->name[i], file, len - 6) == 0)
			return;
	all->name[all->count] = xasprintf("%.*s", (int)(len - 6), file);
	if (str_check_name("theme", all->name[all->count], NULL) < 0)
		free(all->name[all->count]);
	else
		all->count++;
	all->name[all->count] = NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **themes_list(void)
{
	struct names all = {.name = xcalloc(THEMES_MAX + 1, sizeof(char *))};
	char dir[600];

	names_add(&all, "default.theme");
	for (int i = 0; theme_folder(i, dir, sizeof(dir)); i++) {
		DIR *d = opendir(dir);
		struct dirent *e;

		while (d && (e = readdir(d)))
			names_add(&all, e->d_name);
		if (d)
			closedir(d);
	}
	qsort(all.name, (size_t)all.count, sizeof(char *), by_name);
	return all.name;
}

void themes_free(char **names)
{
	for (char **n = names; names && *n; n++)
		free(*n);
	free(names);
}
