#include "backend/image/cpio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct cpio_entry {
	char *path;   /* owned */
	char *target; /* owned; of a link */
	const void *data;
	size_t len;
	uint32_t mode, major, minor;
};

void cpio_init(struct cpio *c)
{
	*c = (struct cpio){0};
}

void cpio_fini(struct cpio *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].path);
		free(c->v[i].target);
	}
	free(c->v);
	*c = (struct cpio){0};
}

static struct cpio_entry *add(struct cpio *c, const char *path, uint32_t mode)
{
	struct cpio_entry *en;

	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		struct cpio_entry *v = xcalloc(cap, sizeof(*v));

		if (c->n)
			memcpy(v, c->v, c->n * sizeof(*v));
		free(c->v);
		c->v = v;
		c->cap = cap;
	}
	en = &c->v[c->n++];
	en->path = xstrdup(path);
	en->mode = mode;
	return en;
}

void cpio_dir(struct cpio *c, const char *path, mode_t mode)
{
	add(c, path, S_IFDIR | mode);
}

void cpio_file(struct cpio *c, const char *path, mode_t mode, const void *data, size_t len)
{
	struct cpio_entry *en = add(c, path, S_IFREG | mode);

	en->data = data;
	en->len = len;
}

void cpio_link(struct cpio *c, const char *path, const char *target)
{
	struct cpio_entry *en = add(c, path, S_IFLNK | 0777);

	en->target = xstrdup(target);
	en->data = en->target;
	en->len = strlen(target);
}

void cpio_chardev(struct cpio *c, const char *path, mode_t mode, uint32_t major, uint32_t minor)
{
	struct cpio_entry *en = add(c, path, S_IFCHR | mode);

	en->major = major;
	en->minor = minor;
}

static int by_path(const void *a, const void *b)
{
	const struct cpio_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/* Sorted by path a folder comes before what is in it; the kernel makes no missing ones. */
static int check(const struct cpio *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		const char *path = c->v[i].path, *slash = strrchr(path, '/');
		autofree char *dir = xstrdup(path);
		const struct cpio_entry *found, key = {.path = dir};

		if (i && strcmp(c->v[i - 1].path, path) == 0)
			return err_set(e, EINVAL, "initramfs: '%s' is there twice", path);
		if (!slash)
			continue;
		dir[slash - path] = '\0';
		found = bsearch(&key, c->v, c->n, sizeof(*c->v), by_path);
		if (!found || !S_ISDIR(found->mode))
			return err_set(e, EINVAL, "initramfs: '%s' has no folder", path);
	}
	return 0;
}

static int pad4(struct buf *out)
{
	static const uint8_t zero[4];

	return buf_append(out, zero, (4 - out->len % 4) % 4);
}

/* "newc" of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst: all numbers
 * are 8 hex digits; header with name and data are padded to 4 bytes each. */
static int put(struct buf *out, const struct cpio_entry *en, uint32_t ino)
{
	int r = buf_printf(out, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", ino,
		en->mode, 0u, 0u, S_ISDIR(en->mode) ? 2u : 1u, 0u, en->len, 0u, 0u, en->major,
		en->minor, strlen(en->path) + 1, 0u);

	if (!r)
		r = buf_append(out, en->path, strlen(en->path) + 1);
	if (!r)
		r = pad4(out);
	if (!r && en->len)
		r = buf_append(out, en->data, en->len);
	return r < 0 ? r : pad4(out);
}

int cpio_write(struct cpio *c, struct buf *out, struct err *e)
{
	char trailer[] = "TRAILER!!!";
	struct cpio_entry end = {.path = trailer};
	int r = 0;

	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_path);
	if (check(c, e) < 0)
		return -EINVAL;
	for (size_t i = 0; i < c->n && !r; i++)
		r = c->v[i].len > CPIO_MAX ? -EFBIG : put(out, &c->v[i], (uint32_t)i + 1);
	if (!r)
		r = put(out, &end, 0);
	if (r < 0 || out->len > CPIO_MAX)
		return err_set(e, EFBIG, "the initramfs is larger than %u MiB", CPIO_MAX >> 20);
	return 0;
}
