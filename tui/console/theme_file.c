/* Where theme files are, and reading them. */
#include "tui/console/theme.h"

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

static bool theme_try(const char *dir, const char *sub, const char *name, char *out, size_t n)
{
	int len = snprintf(out, n, "%s/%s/%s.theme", dir, sub, name);

	return len > 0 && (size_t)len < n && access(out, R_OK) == 0;
}

int theme_find(const char *name, char *out, size_t n, struct err *e)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	size_t len = strlen(name);
	char program[400];
	int r;

	if (strchr(name, '/') || (len > 6 && strcmp(name + len - 6, ".theme") == 0)) {
		snprintf(out, n, "%s", name);
		return access(out, R_OK) == 0 ? 0 : err_errno(e, "theme '%.200s'", name);
	}
	r = str_check_name("theme", name, e);
	if (r < 0)
		return r;
	program_folder(program, sizeof(program));
	if ((config && *config && theme_try(config, "vmdeck/themes", name, out, n)) ||
		(!(config && *config) && home &&
			theme_try(home, ".config/vmdeck/themes", name, out, n)) ||
		theme_try(program, "../share/vmdeck/themes", name, out, n) ||
		theme_try(program, "../../themes", name, out, n))
		return 0;
	return err_set(e, ENOENT,
		"theme '%s' was not found; the built-in one is used (themes are NAME.theme in "
		"~/.config/vmdeck/themes)",
		name);
}

int theme_read(struct theme *t, const char *path, int depth, struct theme_log *log)
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
	theme_parse(t, path, text, depth, log);
	return 0;
}

void theme_load_depth(struct theme *t, const char *name, int depth, struct theme_log *log)
{
	struct err e = {0};
	char path[700];

	if (depth > INHERIT_MAX) {
		theme_complain(log, name, 0, "theme '%.60s': inherits more than %d deep", name,
			INHERIT_MAX);
		theme_builtin(t);
	} else if (theme_find(name, path, sizeof(path), &e) == 0) {
		theme_read(t, path, depth, log);
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
	theme_load_depth(t, name, 0, log);
	snprintf(t->name, sizeof(t->name), "%s", name);
}
