#include "backend/image/modules.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

void modules_fini(struct modules *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].data);
	m->n = 0;
}

int modules_name(const char *file, char out[MODULE_NAME_MAX])
{
	const char *slash = strrchr(file, '/');
	size_t n;

	if (slash)
		file = slash + 1;
	n = strlen(file);
	if (n > 3 && strcmp(file + n - 3, ".ko") == 0)
		n -= 3;
	if (!n || n >= MODULE_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)file[i]) && !strchr("_-+", file[i]))
			return -EINVAL;
		out[i] = (char)(file[i] == '-' ? '_' : file[i]);
	}
	out[n] = '\0';
	return 0;
}

struct module *modules_find(struct modules *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].name, name) == 0)
			return &m->v[i];
	return NULL;
}

static bool path_ok(const char *path)
{
	for (const char *s = path; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_-+./", *s))
			return false;
	return path[0] && path[0] != '/' && !strstr(path, "..");
}

int modules_add(struct modules *m, const char *path, size_t len, struct module **ret, struct err *e)
{
	struct module *mod = &m->v[m->n];

	if (m->n == MODULES_MAX || len > MODULE_BYTES_MAX)
		return err_set(e, E2BIG, "the kernel package has too many or too large modules");
	memset(mod, 0, sizeof(*mod));
	if (!path_ok(path) || strlen(path) >= sizeof(mod->path) ||
		modules_name(path, mod->name) < 0)
		return err_set(e, EBADMSG, "the kernel package has a module of a strange name");
	snprintf(mod->path, sizeof(mod->path), "%s", path);
	mod->data = xcalloc(1, len + 1);
	mod->len = len;
	m->n++;
	*ret = mod;
	return 0;
}

/* Section table entry i, checked against the file. */
static bool section(const struct module *m, const Elf64_Ehdr *h, unsigned i, Elf64_Shdr *ret)
{
	uint64_t at = h->e_shoff + (uint64_t)i * sizeof(*ret);

	if (h->e_shoff > m->len || at > m->len || m->len - at < sizeof(*ret))
		return false;
	memcpy(ret, m->data + at, sizeof(*ret));
	return ret->sh_type == SHT_NOBITS ||
	       (ret->sh_offset <= m->len && ret->sh_size <= m->len - ret->sh_offset);
}

static bool find_modinfo(const struct module *m, const char **ret, size_t *ret_n)
{
	Elf64_Ehdr h;
	Elf64_Shdr names, s;

	if (m->len < sizeof(h) || memcmp(m->data, ELFMAG, SELFMAG) != 0 ||
		m->data[EI_CLASS] != ELFCLASS64)
		return false;
	memcpy(&h, m->data, sizeof(h));
	if (!section(m, &h, h.e_shstrndx, &names) || names.sh_type != SHT_STRTAB)
		return false;
	for (unsigned i = 0; i < h.e_shnum; i++) {
		static const char want[] = ".modinfo";

		if (!section(m, &h, i, &s) || s.sh_type == SHT_NOBITS ||
			s.sh_name > names.sh_size || names.sh_size - s.sh_name < sizeof(want) ||
			memcmp(m->data + names.sh_offset + s.sh_name, want, sizeof(want)) != 0)
			continue;
		*ret = (const char *)m->data + s.sh_offset;
		*ret_n = (size_t)s.sh_size;
		return true;
	}
	return false;
}

const char *modules_info(const struct module *m, const char *key, const char *prev)
{
	const char *p, *end, *nul;
	size_t n, klen = strlen(key);

	if (!find_modinfo(m, &p, &n))
		return NULL;
	end = p + n;
	if (prev)
		p = prev + strlen(prev) + 1;
	/* A text without its end is none. */
	for (; p < end && (nul = memchr(p, '\0', (size_t)(end - p))); p = nul + 1)
		if (strncmp(p, key, klen) == 0 && p[klen] == '=')
			return p + klen + 1;
	return NULL;
}

int modules_depends(const struct module *m, int (*fn)(void *user, const char *name), void *user)
{
	const char *list = modules_info(m, "depends", NULL);
	autofree char *copy = xstrdup(list ? list : "");
	char *save = NULL, name[MODULE_NAME_MAX];
	int r = 0;

	for (char *s = strtok_r(copy, ",", &save); s && !r; s = strtok_r(NULL, ",", &save))
		r = modules_name(s, name) < 0 ? -EINVAL : fn(user, name);
	return r;
}

size_t modules_unsigned_len(const struct module *m)
{
	/* include/linux/module_signature.h: signature, 12 bytes that end with its be32 length,
	 * this. */
	static const char magic[] = "~Module signature appended~\n";
	size_t tail = sizeof(magic) - 1 + 12, sig;
	const uint8_t *p;

	if (m->len < tail ||
		memcmp(m->data + m->len - sizeof(magic) + 1, magic, sizeof(magic) - 1) != 0)
		return m->len;
	p = m->data + m->len - sizeof(magic) + 1 - 4;
	sig = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	return sig > m->len - tail ? m->len : m->len - tail - sig;
}

struct walk {
	struct modules *m;
	size_t *order, n;
	uint8_t state[MODULES_MAX]; /* 0 new, 1 under way, 2 done */
};

static int visit(void *user, const char *name)
{
	struct walk *w = user;
	struct module *mod = modules_find(w->m, name);
	size_t i;
	int r;

	if (!mod)
		return 0;
	i = (size_t)(mod - w->m->v);
	if (w->state[i])
		return w->state[i] == 1 ? -ELOOP : 0;
	w->state[i] = 1;
	r = modules_depends(mod, visit, w); /* at most MODULES_MAX deep */
	w->state[i] = 2;
	if (!r)
		w->order[w->n++] = i;
	return r;
}

int modules_order(struct modules *m, const char *const *wanted, size_t order[MODULES_MAX],
	size_t *ret_n, struct err *e)
{
	struct walk w = {.m = m, .order = order};

	for (; *wanted; wanted++) {
		int r = visit(&w, *wanted);

		if (r < 0)
			return err_set(
				e, -r, "kernel module '%s' cannot be loaded in any order", *wanted);
	}
	*ret_n = w.n;
	return 0;
}

int modules_put_dep(struct modules *m, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < m->n && !r; i++) {
		const char *only[] = {m->v[i].name, NULL};
		size_t order[MODULES_MAX], n = 0;

		r = modules_order(m, only, order, &n, NULL);
		if (!r)
			r = buf_printf(out, "%s:", m->v[i].path);
		/* modprobe loads the list from its end; the module itself is the last of order. */
		for (size_t k = n; !r && k > 1; k--)
			r = buf_printf(out, " %s", m->v[order[k - 2]].path);
		if (!r)
			r = buf_printf(out, "\n");
	}
	return r;
}

int modules_put_alias(struct modules *m, struct buf *out)
{
	int r = 0;

	for (size_t i = 0; i < m->n; i++)
		for (const char *a = NULL; !r && (a = modules_info(&m->v[i], "alias", a));)
			r = buf_printf(out, "alias %s %s\n", a, m->v[i].name);
	return r;
}
