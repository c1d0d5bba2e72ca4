#include "backend/image/tar.h"

#include <errno.h>
#include <string.h>

/* Offsets and lengths of header fields (POSIX.1-1988 ustar). */
enum {
	NAME_AT = 0,
	NAME_LEN = 100,
	SIZE_AT = 124,
	SIZE_LEN = 12,
	SUM_AT = 148,
	SUM_LEN = 8,
	TYPE_AT = 156,
	MAGIC_AT = 257,
	PREFIX_AT = 345,
	PREFIX_LEN = 155,
};

static int bad(struct err *e, const char *what)
{
	return err_set(e, EBADMSG, "damaged package: %s in its tar stream", what);
}

void tar_init(struct tar *t, const struct tar_handler *h)
{
	memset(t, 0, sizeof(*t));
	t->h = h;
}

static int octal(const uint8_t *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (uint64_t)(p[i] - '0');
	/* At most 12 digits: no overflow. */
	if (i < n && p[i] != ' ' && p[i] != '\0')
		return -EBADMSG;
	*ret = v;
	return 0;
}

static bool sum_ok(const uint8_t *h)
{
	uint64_t want, sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : h[i];
	return octal(h + SUM_AT, SUM_LEN, &want) == 0 && want == sum;
}

/* The entry's name, from a long name before it or from the header, into t->name. */
static void take_name(struct tar *t)
{
	const char *h = (const char *)t->block;
	bool ustar = memcmp(h + MAGIC_AT, "ustar\0", 6) == 0;
	size_t skip = 0;

	if (!t->name_len && ustar && h[PREFIX_AT])
		snprintf(t->name, sizeof(t->name), "%.*s/%.*s", PREFIX_LEN, h + PREFIX_AT, NAME_LEN,
			h + NAME_AT);
	else if (!t->name_len)
		snprintf(t->name, sizeof(t->name), "%.*s", NAME_LEN, h + NAME_AT);
	t->name_len = 0;
	while (t->name[skip] == '.' && t->name[skip + 1] == '/')
		skip += 2;
	memmove(t->name, t->name + skip, strlen(t->name + skip) + 1);
}

static int header(struct tar *t, struct err *e)
{
	static const uint8_t zero[TAR_BLOCK];
	struct tar_entry en = {.name = t->name};
	int r;

	if (memcmp(t->block, zero, TAR_BLOCK) == 0) {
		t->ended = true;
		return 0;
	}
	if (!sum_ok(t->block))
		return bad(e, "wrong checksum");
	if (octal(t->block + SIZE_AT, SIZE_LEN, &en.size) < 0)
		return bad(e, "wrong size");
	en.type = t->block[TYPE_AT] ? (char)t->block[TYPE_AT] : '0';
	t->left = en.size;
	t->pad = (TAR_BLOCK - en.size % TAR_BLOCK) % TAR_BLOCK;
	if (en.type == 'L') {
		if (en.size >= TAR_NAME_MAX)
			return bad(e, "a name that is too long");
		t->into = TAR_LONG_NAME;
		t->name_len = 0;
		memset(t->name, 0, sizeof(t->name));
		return 0;
	}
	if (en.type == 'x') /* would rename its entry; dpkg-deb never writes one */
		return bad(e, "an extended header");
	take_name(t);
	r = t->h->on_entry(t->h->user, &en, e);
	t->into = r > 0 ? TAR_TAKE : TAR_SKIP;
	return min_of(r, 0);
}

static int data(struct tar *t, const uint8_t *p, size_t n, struct err *e)
{
	switch (t->into) {
	case TAR_TAKE:
		return t->h->on_data(t->h->user, p, n, e);
	case TAR_LONG_NAME:
		memcpy(t->name + t->name_len, p, n); /* header() limited the size */
		t->name_len += n;
		return 0;
	case TAR_SKIP:
		break;
	}
	return 0;
}

int tar_feed(struct tar *t, const void *bytes, size_t n, struct err *e)
{
	const uint8_t *p = bytes;
	int r = 0;

	while (n && !t->ended && !r) {
		size_t m;

		if (t->left) {
			m = (size_t)min_of(t->left, (uint64_t)n);
			t->left -= m;
			r = data(t, p, m, e);
		} else if (t->pad) {
			m = (size_t)min_of(t->pad, (uint64_t)n);
			t->pad -= m;
		} else {
			m = min_of(TAR_BLOCK - t->have, n);
			memcpy(t->block + t->have, p, m);
			t->have += m;
			if (t->have == TAR_BLOCK) {
				t->have = 0;
				r = header(t, e);
			}
		}
		p += m;
		n -= m;
	}
	return r;
}

int tar_finish(const struct tar *t, struct err *e)
{
	return t->ended ? 0 : bad(e, "no end");
}
