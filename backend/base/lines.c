#include "backend/base/lines.h"

#include <errno.h>
#include <string.h>

int lines_next(struct buf *b, size_t max, char **ret_line, size_t *ret_len)
{
	char *start, *end;
	size_t n;

	if (!b->len)
		return 0;
	start = (char *)b->data + b->head;
	end = memchr(start, '\n', b->len);
	if (!end)
		return b->len > max ? -E2BIG : 0;
	n = (size_t)(end - start);
	if (n > max)
		return -E2BIG;
	buf_consume(b, n + 1);
	*end = '\0';
	if (n && start[n - 1] == '\r')
		start[--n] = '\0';
	*ret_line = start;
	*ret_len = n;
	return 1;
}
