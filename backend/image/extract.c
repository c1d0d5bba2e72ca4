#include "backend/image/extract.h"

#include <errno.h>
#include <string.h>

/* A module's needs are known only once it is here: another pass over the package takes them. Two
 * are enough for wanted names that list what is known to be needed. */
#define PASSES_MAX 8

struct pass {
	const struct package *package;
	struct extract *ex;
	char want[MODULES_MAX][MODULE_NAME_MAX]; /* modules still to be found */
	size_t want_n;
	uint8_t *to; /* where the entry's next bytes go */
};

void extract_fini(struct extract *ex)
{
	if (!ex)
		return;
	free(ex->vmlinuz.data);
	free(ex->config.data);
	free(ex->builtin.data);
	modules_fini(&ex->modules);
	ex->vmlinuz = ex->config = ex->builtin = (struct blob){0};
}

static int take_blob(
	struct pass *ps, struct blob *b, const struct tar_entry *en, size_t max, struct err *e)
{
	if (b->data)
		return 0; /* an earlier pass has it */
	if (en->size > max)
		return err_set(e, E2BIG, "the kernel package's '%s' is too large", en->name);
	b->len = (size_t)en->size;
	b->data = ps->to = xcalloc(1, b->len + 1);
	return 1;
}

static bool wanted(const struct pass *ps, const char *name)
{
	for (size_t i = 0; i < ps->want_n; i++)
		if (strcmp(ps->want[i], name) == 0)
			return true;
	return false;
}

/* path: below lib/modules/RELEASE */
static int on_module(struct pass *ps, const char *path, const struct tar_entry *en, struct err *e)
{
	const char *slash = strrchr(path, '/'), *ko = slash ? strstr(slash, ".ko") : NULL;
	autofree char *plain = ko ? xasprintf("%.*s.ko", (int)(ko - path), path) : NULL;
	char name[MODULE_NAME_MAX];
	struct module *mod;
	int r;

	if (!plain || modules_name(plain, name) < 0 || !wanted(ps, name) ||
		modules_find(&ps->ex->modules, name))
		return 0;
	if (ko[3])
		return err_set(
			e, EOPNOTSUPP, "the kernel package's modules are compressed (%s)", ko);
	r = modules_add(&ps->ex->modules, path, (size_t)min_of(en->size, SIZE_MAX), &mod, e);
	if (r < 0)
		return r;
	ps->to = mod->data;
	return 1;
}

/* The part of name behind "<prefix><release>", or NULL. */
static const char *behind(const char *name, const char *prefix, const char *release)
{
	size_t p = strlen(prefix), r = strlen(release);

	if (strncmp(name, prefix, p) != 0 || strncmp(name + p, release, r) != 0)
		return NULL;
	return name + p + r;
}

static int on_entry(void *user, const struct tar_entry *en, struct err *e)
{
	struct pass *ps = user;
	const char *release = ps->package->release, *tail;

	if (en->type != '0')
		return 0;
	if ((tail = behind(en->name, "boot/vmlinuz-", release)) && !*tail)
		return take_blob(ps, &ps->ex->vmlinuz, en, EXTRACT_VMLINUZ_MAX, e);
	if ((tail = behind(en->name, "boot/config-", release)) && !*tail)
		return take_blob(ps, &ps->ex->config, en, EXTRACT_TEXT_MAX, e);
	tail = behind(en->name, "lib/modules/", release);
	if (!tail)
		tail = behind(en->name, "usr/lib/modules/", release);
	if (!tail || *tail != '/')
		return 0;
	if (strcmp(tail, "/modules.builtin") == 0)
		return take_blob(ps, &ps->ex->builtin, en, EXTRACT_TEXT_MAX, e);
	return on_module(ps, tail + 1, en, e);
}

static int on_data(void *user, const uint8_t *p, size_t n, struct err *e)
{
	struct pass *ps = user;

	(void)e;
	memcpy(ps->to, p, n); /* tar gives exactly the entry's size, which was allocated */
	ps->to += n;
	return 0;
}

static bool is_builtin(const struct extract *ex, const char *name)
{
	autofree char *list = xstrdup(ex->builtin.data ? (const char *)ex->builtin.data : "");
	char *save = NULL, line[MODULE_NAME_MAX];

	for (char *s = strtok_r(list, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		if (modules_name(s, line) == 0 && strcmp(line, name) == 0)
			return true;
	return false;
}

static int want(void *user, const char *name)
{
	struct pass *ps = user;

	if (wanted(ps, name) || modules_find(&ps->ex->modules, name) || is_builtin(ps->ex, name))
		return 0;
	if (ps->want_n == MODULES_MAX)
		return -E2BIG;
	snprintf(ps->want[ps->want_n++], MODULE_NAME_MAX, "%s", name);
	return 0;
}

/* After a pass: all that was wanted must be there; what that needs is wanted next. */
static int next_wants(struct pass *ps, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ps->want_n; i++)
		if (!modules_find(&ps->ex->modules, ps->want[i]) &&
			!is_builtin(ps->ex, ps->want[i]))
			return err_set(e, ENOENT, "the kernel package %s has no module '%s'",
				ps->package->name, ps->want[i]);
	ps->want_n = 0;
	for (size_t i = 0; i < ps->ex->modules.n && !r; i++)
		r = modules_depends(&ps->ex->modules.v[i], want, ps);
	return r < 0 ? err_set(e, -r, "the kernel package's modules need too many others") : 0;
}

static int first_wants(struct pass *ps, const char *const *names, struct err *e)
{
	for (; *names; names++)
		if (want(ps, *names) < 0)
			return err_set(e, E2BIG, "too many kernel modules are wanted");
	return 0;
}

static int passes(struct job *j, struct pass *ps, struct err *e)
{
	const struct tar_handler h = {on_entry, on_data, ps};

	for (int i = 0; i < PASSES_MAX; i++) {
		int r = package_read(j, ps->package, &h, e);

		if (!r)
			r = next_wants(ps, e);
		if (r < 0 || !ps->want_n)
			return r;
	}
	return err_set(e, ELOOP, "the kernel package's modules need one another without end");
}

int extract_kernel(struct job *j, const struct package *p, const char *const *names,
	struct extract *ex, struct err *e)
{
	struct pass *ps = xcalloc(1, sizeof(*ps));
	int r;

	memset(ex, 0, sizeof(*ex));
	ps->package = p;
	ps->ex = ex;
	r = first_wants(ps, names, e);
	if (!r)
		r = passes(j, ps, e);
	free(ps);
	if (!r && (!ex->vmlinuz.data || !ex->config.data))
		r = err_set(e, ENOENT, "the package %s holds no kernel", p->name);
	return r;
}
