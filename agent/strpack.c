#include "agent/strpack.h"

#include <errno.h>
#include <string.h>

void strpack_init(struct strpack *p, void *buf, size_t cap)
{
	*p = (struct strpack){.buf = buf, .cap = cap};
}

int strpack_add(struct strpack *p, const struct wire_str *s)
{
	if (s->len >= p->cap - p->len)
		return -E2BIG;
	memcpy(p->buf + p->len, s->s, s->len);
	p->len += s->len;
	p->buf[p->len++] = 0;
	p->count++;
	return 0;
}

int strpack_addv(struct strpack *p, const struct wire_str *v, uint16_t n)
{
	int r = 0;

	for (uint16_t i = 0; i < n && !r; i++)
		r = strpack_add(p, &v[i]);
	return r;
}

size_t strpack_list(const struct strpack *p, size_t skip, size_t n, char **out)
{
	char *s = p->buf;
	size_t found = 0;

	for (size_t i = 0; i < p->count && found < n; i++) {
		if (i >= skip)
			out[found++] = s;
		s += strlen(s) + 1;
	}
	out[found] = NULL;
	return found;
}
